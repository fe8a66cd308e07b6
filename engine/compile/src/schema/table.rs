//! What a table says of the keys of one map: their names, what they take, what they mean.

use crate::mapping::form::Form;
use cosell_model::flow::ValueType;

/// The keys of one kind of map.
pub(super) struct Table {
    /// Its name among the definitions.
    pub(super) name: &'static str,
    /// What such a map is.
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) keys: &'static [Key],
    /// Other keys are allowed, and take this.
    pub(super) others: Option<&'static Takes>,
    /// What an overlay cannot leave out either.
    pub(super) needs: &'static [&'static str],
}

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(super) takes: Takes,
    /// What it means, in a sentence or two.
    pub(crate) about: &'static str,
    /// Values as they may be written, as JSON.
    pub(super) examples: &'static [&'static str],
}

impl Key {
    pub(super) const fn new(name: &'static str, takes: Takes, about: &'static str) -> Self {
        Self { name, takes, about, examples: &[] }
    }

    pub(super) const fn such_as(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }
}

/// What may stand behind a key.
pub(super) enum Takes {
    /// Text without expressions.
    Text,
    /// A name such as `new_account`: of a step, a variable, an input.
    Identifier,
    /// A name such as `greet-customer`: of a flow, a mapping, an environment.
    Kebab,
    /// Anything, with expressions in it.
    Value,
    /// Anything, without.
    Constant,
    /// One expression, and nothing beside it.
    Expression,
    /// True or false.
    Truth,
    /// A whole number, from and to.
    Whole(u32, u32),
    /// Such as `30s`.
    Duration,
    /// An outcome that `after` can name.
    Outcome,
    /// One of these.
    Words(&'static [&'static str]),
    /// Nothing.
    Null,
    /// A list.
    List(&'static Takes),
    /// A list of two that differ.
    Two(&'static Takes),
    /// A map from names to these.
    Named(&'static Takes),
    /// A map from anything to these.
    Map(&'static Takes),
    /// A map with one entry.
    One(&'static Takes),
    /// Any of these.
    Either(&'static [Takes]),
    /// A map with a table of its own.
    Table(&'static Table),
    /// What is defined elsewhere under this name.
    Defined(&'static str),
}

/// The words for the types of inputs and variables.
pub(super) const TYPES: [&str; ValueType::WORDS.len()] = words(ValueType::WORDS);
/// The words for the forms of mapped fields.
pub(super) const FORMS: [&str; Form::WORDS.len()] = words(Form::WORDS);

const fn words<T: Copy, const N: usize>(table: [(&'static str, T); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut at = 0;
    while at < N {
        words[at] = table[at].0;
        at += 1;
    }
    words
}

//! Help for whoever writes a file: what can stand at a place in it, what stands there means, and where that is defined.
//!
//! `place` finds where the cursor is, by the text alone; `expression` what is being written in an expression; `scope` knows
//! what can be mentioned there, from the last compilation that could read the file; `record` the fields that a mapping's sides
//! have; `words` has what filters and such mean. `complete`, `explain` (with `rows`, of mappings),
//! `define` and `outline` answer.

mod complete;
mod define;
mod explain;
mod expression;
mod outline;
mod place;
mod record;
mod rows;
mod scope;
mod words;

use std::ops::Range;

use cosell_model::Catalogue;
use cosell_model::flow::{Step, StepKind};
use cosell_model::tables::Metadata;
use serde_json::Value;

use crate::Compilation;
use crate::expr::path::Segment;
use crate::schema::Kind;
pub use outline::{Part, outline};
use place::Place;
use scope::Scope;

/// A cursor in a file.
pub struct Cursor<'c> {
    compilation: &'c Compilation,
    catalogue: &'c Catalogue,
    metadata: &'c Metadata,
    text: &'c str,
    offset: usize,
    kind: Kind,
    /// The name of the flow or the mapping.
    name: &'c str,
    place: Place,
}

/// What can stand at a cursor.
#[derive(Debug, Default, PartialEq)]
pub struct Proposals {
    /// The bytes that it takes the place of.
    pub replaces: Range<usize>,
    /// All of it.
    pub all: Vec<Proposal>,
}

/// One thing that can stand at a cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Its name.
    pub label: String,
    /// What it is.
    pub what: What,
    /// Its type or value, in a few words.
    pub detail: String,
    /// What it means, as Markdown.
    pub about: String,
    /// What is written.
    pub insert: String,
}

/// What a proposal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A key of a map.
    Key,
    /// A value that can stand behind a key.
    Value,
    /// An operation or a trigger.
    Operation,
    /// A flow or a mapping.
    File,
    /// A name in an expression.
    Name,
    /// A filter, a test or a function.
    Function,
}

/// What stands at a cursor.
#[derive(Debug, PartialEq)]
pub struct Explanation {
    /// Its bytes.
    pub place: Range<usize>,
    /// What it means, as Markdown.
    pub markdown: String,
}

impl<'c> Cursor<'c> {
    /// At `offset` bytes of `text`, which is the configuration, or a file that says what it is. `compilation` is the last one
    /// that could read the file; it may be of an earlier text. `metadata` is what remote systems say of their tables.
    pub fn new(
        compilation: &'c Compilation,
        (catalogue, metadata): (&'c Catalogue, &'c Metadata),
        text: &'c str,
        offset: usize,
        configuration: bool,
    ) -> Self {
        let place = place::place(text, offset);
        let (kind, name) = match place::title(text) {
            _ if configuration => (Kind::Configuration, ""),
            Some(("mapping", name)) => (Kind::Mapping, name),
            Some(("variables", _)) => (Kind::Variables, ""),
            Some(("test", _)) => (Kind::Test, ""),
            Some((_, name)) => (Kind::Flow, name),
            None => (Kind::Flow, ""),
        };
        let offset = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Self { compilation, catalogue, metadata, text, offset, kind, name, place }
    }

    fn scope(&self) -> Option<Scope<'c>> {
        (self.kind == Kind::Flow).then(|| Scope::at(self.compilation, self.catalogue, self.name, &self.place.path))?
    }

    /// The innermost step around the cursor, as far as it is known, and the keys of it that lead to the cursor.
    fn step(&self) -> Option<(Option<&'c Step>, &[String])> {
        let (steps, keys) = scope::steps_of(&self.place.path);
        let name = (self.kind == Kind::Flow).then_some(steps.last())??;
        Some((self.scope().and_then(|scope| scope.find(name)), keys))
    }

    /// The table that the step's or the trigger's input at the cursor names beside it, and whether the value at `path` names
    /// tables (`table`) or columns.
    fn names(&self, path: &'c [String]) -> Option<(&'c str, Option<String>)> {
        let (schema, inside) = self.described(path)?;
        let [Segment::Key(input)] = inside.as_slice() else { return None };
        let properties = schema.get("properties")?.as_object()?;
        let names = properties.get(&**input)?.get("x-names")?.as_str()?;
        let (table, _) = properties.iter().find(|(_, property)| property["x-names"] == "table")?;
        let with = &path[..path.len() - inside.len()];
        let document = self.compilation.documents.flows.get(self.name)?;
        let node = with.iter().try_fold(&document.node, |node, key| node.get(key))?.get(table);
        let variables = crate::tables::current(self.compilation);
        let text = node.filter(|node| node.text().is_some()).and_then(|node| {
            crate::values::constant_text(node, "a table", &self.compilation.sources, &variables, &mut Vec::new())
        });
        Some((names, text))
    }

    /// The schema of what the map at `path` is part of, such as an operation's input, and the path into it.
    fn described(&self, path: &'c [String]) -> Option<(&'c Value, Vec<Segment>)> {
        let segments = |keys: &[String]| keys.iter().map(|key| Segment::Key(key.as_str().into())).collect();
        match (self.kind, path) {
            (Kind::Flow, [trigger, with, keys @ ..]) if trigger == "trigger" && with == "with" => {
                let flow = self.compilation.flows.get(&cosell_model::FlowId::new(self.name))?;
                Some((crate::check::triggers::takes(&flow.trigger.main.kind, self.catalogue)?, segments(keys)))
            }
            (Kind::Flow, path) => {
                let (steps, keys) = scope::steps_of(path);
                let ([first, keys @ ..], name) = (keys, steps.last()?) else { return None };
                let step = self.scope()?.find(name).filter(|_| first == "with")?;
                let StepKind::Use { operation, .. } = &step.kind else { return None };
                Some((&self.catalogue.operation(&operation.value)?.input, segments(keys)))
            }
            (Kind::Configuration, path) => {
                let path =
                    path.strip_prefix(&["environments".to_owned()]).map_or(path, |rest| rest.get(1..).unwrap_or(rest));
                let [connections, name, keys @ ..] = path else { return None };
                let connector = self.catalogue.connector(name).filter(|_| connections == "connections")?;
                Some((&connector.settings, segments(keys)))
            }
            _ => None,
        }
    }
}

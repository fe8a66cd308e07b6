//! Which kept values somebody looks for: those under keys of one beginning, in whose texts some words occur.

use serde_json::{Value, json};

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// How the keys begin.
    pub(crate) prefix: String,
    /// The key before the page, none for the first.
    pub(crate) after: Option<String>,
    /// The key behind the page, where it is asked for from there.
    pub(crate) before: Option<String>,
    /// At most so many.
    pub(crate) most: usize,
    words: Vec<Word>,
}

/// A word as it stands in values, and as it stands in their JSON, both without regard to case.
#[derive(Clone, Debug)]
struct Word {
    plain: String,
    quoted: String,
}

impl Search {
    /// Keys that begin with `prefix`, whose values have all words of `text`.
    pub(crate) fn new(prefix: String, text: &str, after: Option<String>, most: usize) -> Self {
        let words = text.split_whitespace().map(|word| {
            let plain = folded(word);
            let quoted = Value::from(plain.as_str()).to_string();
            // Without the quotes around it.
            Word { quoted: quoted[1..quoted.len() - 1].to_owned(), plain }
        });
        Self { prefix, after, before: None, most, words: words.collect() }
    }

    /// The page before a key, instead of one behind.
    pub(crate) fn before(self, before: Option<String>) -> Self {
        Self { before, ..self }
    }

    /// What is looked for, always in the same words.
    pub(crate) fn asked(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|word| word.plain.as_str()).collect();
        let words = words.join(" ");
        let Self { prefix, after, before, most, .. } = self;
        let asked = json!({ "prefix": prefix, "text": words, "after": after, "before": before, "most": most });
        format!("KEYS {asked}")
    }

    /// Whether a line of JSON may hold a value that is meant: quick, and right where it says no. What the names of members
    /// say is in the line as well.
    pub(crate) fn may_mean(&self, line: &[u8]) -> bool {
        self.words.is_empty() || {
            let line = folded(&String::from_utf8_lossy(line));
            self.words.iter().all(|word| line.contains(&word.quoted))
        }
    }

    /// Whether each word occurs in the key, or in a text or number of the value.
    pub(crate) fn means(&self, key: &str, value: &Value) -> bool {
        self.words.iter().all(|word| folded(key).contains(&word.plain) || word.occurs(value))
    }
}

impl Word {
    fn occurs(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => folded(text).contains(&self.plain),
            Value::Number(number) => number.to_string().contains(&self.plain),
            Value::Array(items) => items.iter().any(|item| self.occurs(item)),
            Value::Object(members) => members.values().any(|member| self.occurs(member)),
            Value::Null | Value::Bool(_) => false,
        }
    }
}

/// Letter by letter in lower case, so that a part of a text becomes a part of what the text becomes.
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            folded.push(letter.to_ascii_lowercase());
        } else {
            folded.extend(letter.to_lowercase());
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn search(text: &str) -> Search {
        Search::new(String::new(), text, None, 10)
    }

    #[test]
    fn every_word_must_occur_in_the_texts_whatever_its_case() {
        let value = json!({ "name": "Grünwald \"Rollout\"", "agreed": { "deal_value": [84000.5] }, "open": true });
        for found in ["", "  ", "grün", "GRÜN roll", "\"ROLL", "84000.5", "3f25 wald", "wald 3F25"] {
            assert!(search(found).means("deal/3f25", &value), "{found}");
        }
        for missing in ["agreed", "name", "true", "grün x", "null"] {
            assert!(!search(missing).means("deal/3f25", &value), "{missing}");
        }
    }

    proptest! {
        /// What reads the line alone never passes over a value that is meant.
        #[test]
        fn a_line_is_passed_over_only_where_its_value_is_not_meant(
            text in "[ -~Σßİ\\n\\t\\u{1}ä]{0,12}", word in "[ -~ΣßİÄ\\u{1}]{0,3}", at in 0..12usize, take in 1..4usize,
        ) {
            let part: String = text.chars().skip(at).take(take).collect();
            for word in [word, part.to_uppercase(), part] {
                let (value, search) = (json!({ "m": [text] }), search(&word));
                let line = json!({ "put": "k", "value": value }).to_string();
                prop_assert!(!search.means("k", &value) || search.may_mean(line.as_bytes()), "{word:?} in {line}");
            }
        }
    }
}

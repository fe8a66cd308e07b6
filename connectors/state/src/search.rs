//! Which kept values somebody looks for: those under keys of one beginning, in whose texts some words occur.
//!
//! All values are looked through, as they stand in the file: so nothing has to be kept beside it, or in memory. A line is
//! read by what it means only where its text does not say enough.

use memchr::{memchr_iter, memmem::Finder};
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
    quoted: Finder<'static>,
}

impl Search {
    /// Keys that begin with `prefix`, whose values have all words of `text`.
    pub(crate) fn new(prefix: String, text: &str, after: Option<String>, most: usize) -> Self {
        let words = text.split_whitespace().map(|word| {
            let plain = folded(word);
            let quoted = Value::from(plain.as_str()).to_string();
            // Without the quotes around it.
            Word { quoted: Finder::new(&quoted[1..quoted.len() - 1]).into_owned(), plain }
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

    /// Whether a line of JSON may hold a value that is meant: quick, and right where it says no. `folded` is room to work in.
    pub(crate) fn may_mean(&self, line: &[u8], folded: &mut Vec<u8>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        folded.clear();
        match std::str::from_utf8(line) {
            Ok(line) => fold(line, folded),
            Err(_) => fold(&String::from_utf8_lossy(line), folded),
        }
        self.words.iter().all(|word| word.may_occur(folded)) || is_written_otherwise(line)
    }

    /// Whether each word occurs in the key, or in a text or number of the value.
    pub(crate) fn means(&self, key: &str, value: &Value) -> bool {
        self.words.iter().all(|word| folded(key).contains(&word.plain) || word.occurs(value))
    }
}

impl Word {
    /// Whether it is anywhere in the line but in the names of members.
    fn may_occur(&self, line: &[u8]) -> bool {
        let length = self.quoted.needle().len();
        self.quoted.find_iter(line).any(|at| !is_in_name(&line[at + length..]))
    }

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

/// Whether what stands before this is in a member's name for sure. A colon follows no other quote than the one behind a name.
fn is_in_name(rest: &[u8]) -> bool {
    let letters = rest.iter().take_while(|letter| letter.is_ascii_alphanumeric() || **letter == b'_').count();
    rest[letters..].starts_with(b"\":")
}

/// Whether the line may have letters in another way than we write them, such as `\u00e4`.
fn is_written_otherwise(line: &[u8]) -> bool {
    memchr_iter(b'\\', line).any(|at| matches!(line.get(at + 1), Some(b'u' | b'/')))
}

fn folded(text: &str) -> String {
    let mut folded = Vec::with_capacity(text.len());
    fold(text, &mut folded);
    String::from_utf8_lossy(&folded).into_owned()
}

/// Letter by letter in lower case, so that a part of a text becomes a part of what the text becomes.
fn fold(text: &str, folded: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let ascii = begin_in_ascii(rest.as_bytes());
        let begin = folded.len();
        folded.extend_from_slice(&rest.as_bytes()[..ascii]);
        folded[begin..].make_ascii_lowercase();
        if ascii > 0 {
            rest = &rest[ascii..];
            continue;
        }
        for lower in letter.to_lowercase() {
            folded.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
        }
        rest = &rest[letter.len_utf8()..];
    }
}

/// How many bytes at the beginning are letters of ASCII; many are looked at together.
fn begin_in_ascii(text: &[u8]) -> usize {
    let blocks = text.chunks_exact(32).take_while(|block| block.is_ascii()).count() * 32;
    blocks + text[blocks..].iter().take_while(|byte| byte.is_ascii()).count()
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

    #[test]
    fn a_line_is_known_by_its_text_alone_where_words_are_in_names_or_nowhere() {
        let may_mean = |text: &str, line: &str| search(text).may_mean(line.as_bytes(), &mut Vec::new());
        let line =
            r#"{"put":"deal/3f25","value":{"customer":"Grün \"AG\"","customerProfile":{"deal_value":[84000.5]}}}"#;
        for passed in ["x", "customer", "PUT", "value", "profile", "grun", "grün value"] {
            assert!(!may_mean(passed, line), "{passed}");
        }
        for read in ["GRÜN", "\"ag\"", "deal", "3F25 grün", "84000"] {
            assert!(may_mean(read, line), "{read}");
        }
        assert!(may_mean("grün", r#"{"put":"k","value":"Gr\u00fcn"}"#), "as somebody may write who repairs the file");
    }

    proptest! {
        /// What reads the line alone never passes over a value that is meant.
        #[test]
        fn a_line_is_passed_over_only_where_its_value_is_not_meant(
            text in "[ -~Σßİ\\n\\t\\u{1}ä]{0,12}", name in "[a-c\":\\\\ä_]{0,4}", word in "[ -~ΣßİÄ\\u{1}]{0,3}", at in 0..12usize,
            take in 1..4usize,
        ) {
            let part: String = text.chars().skip(at).take(take).collect();
            for word in [word, part.to_uppercase(), part, name.clone()] {
                let (value, search) = (json!({ name.as_str(): [text], "m": name }), search(&word));
                let line = json!({ "put": "k", "value": value }).to_string();
                let may_mean = search.may_mean(line.as_bytes(), &mut Vec::new());
                prop_assert!(!search.means("k", &value) || may_mean, "{word:?} in {line}");
            }
        }
    }
}

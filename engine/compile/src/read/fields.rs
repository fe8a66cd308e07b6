//! Taking a map apart, field by field.

use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, Node, Span};

use crate::suggest::nearest;

/// Findings, in the making.
pub(crate) type Findings = Vec<Diagnostic>;

/// A map being read: each field is taken by name, and [`Fields::finish`] reports the keys that nobody took.
pub(crate) struct Fields<'n> {
    /// What the map is, for messages: `a step`.
    what: &'static str,
    span: Span,
    entries: &'n [Entry],
    known: Vec<&'static str>,
    /// Keys that were read as what they must have meant, and reported.
    misspelt: Vec<&'n str>,
}

impl<'n> Fields<'n> {
    /// Begins to read `node`, which must be a map.
    pub(crate) fn of(node: &'n Node, what: &'static str, findings: &mut Findings) -> Option<Self> {
        let Some(entries) = node.entries() else {
            findings.push(wrong_form(node, what, "a map"));
            return None;
        };
        Some(Self { what, span: node.span, entries, known: Vec::new(), misspelt: Vec::new() })
    }

    /// The field of this name, where it is given.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The field of this name with its key.
    pub(crate) fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key.value == key)
    }

    /// The field of this name, which must be given.
    pub(crate) fn require(&mut self, key: &'static str, findings: &mut Findings) -> Option<&'n Node> {
        let node = self.meant(key, findings);
        if node.is_none() {
            let first = self.entries.first().map_or(self.span, |entry| entry.key.span);
            findings.push(Diagnostic::error(
                "missing-field",
                format!("{} needs `{key}`", self.what),
                first,
                format!("`{key}` is missing"),
            ));
        }
        node
    }

    /// The field of this name, where it is given, also with a slip in its name: that is reported, and read as what was
    /// meant, so that one slip makes one finding. For names that no other key of the map resembles.
    pub(crate) fn meant(&mut self, key: &'static str, findings: &mut Findings) -> Option<&'n Node> {
        if let Some(node) = self.take(key) {
            return Some(node);
        }
        let unknown = |entry: &&Entry| !self.known.contains(&entry.key.value.as_str());
        let entry = self.entries.iter().filter(unknown).find(|entry| nearest(&entry.key.value, [key]).is_some())?;
        self.misspelt.push(&entry.key.value);
        findings.push(self.unknown_key(entry, &format!("did you mean `{key}`?")));
        Some(&entry.value)
    }

    fn unknown_key(&self, entry: &Entry, help: &str) -> Diagnostic {
        Diagnostic::error(
            "unknown-key",
            format!("{} has no `{}`", self.what, entry.key.value),
            entry.key.span,
            "unknown key",
        )
        .help(help)
    }

    /// Whether a field of this name is given.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.value == key)
    }

    /// Reports the keys that nobody took.
    pub(crate) fn finish(mut self, findings: &mut Findings) {
        self.known.sort_unstable();
        self.known.dedup();
        let taken = |key: &str| self.known.contains(&key) || self.misspelt.contains(&key);
        for entry in self.entries.iter().filter(|entry| !taken(&entry.key.value)) {
            let (_, help) = meant(&entry.key.value, &self.known, |key| self.has(key));
            findings.push(
                self.unknown_key(entry, &help.unwrap_or_else(|| format!("{} takes {}", self.what, list(&self.known)))),
            );
        }
    }
}

/// "This is X; Y was expected."
pub(crate) fn wrong_form(node: &Node, what: &str, expected: &str) -> Diagnostic {
    let message = format!("{what} is {expected}, and this is {}", given(node));
    Diagnostic::error("wrong-form", message, node.span, format!("expected {expected}"))
}

/// What is given, in words: a kind alone does not say what is wrong with 51.
pub(crate) fn given(node: &Node) -> String {
    const LONG: usize = 40;
    match &node.kind {
        NodeKind::Bool(truth) => format!("`{truth}`"),
        NodeKind::Number(number) => format!("the number {number}"),
        NodeKind::Text(text) if text.is_empty() => "empty text".to_owned(),
        NodeKind::Text(text) if text.chars().count() <= LONG && !text.contains('\n') => format!("the text `{text}`"),
        NodeKind::List(items) if items.is_empty() => "an empty list".to_owned(),
        NodeKind::List(items) => format!("a list of {}", items.len()),
        NodeKind::Map(entries) if entries.is_empty() => "an empty map".to_owned(),
        NodeKind::Map(entries) if entries.len() > 1 => format!("a map with {} entries", entries.len()),
        _ => node.describe().to_owned(),
    }
}

/// `a`, `b` and `c`.
pub(crate) fn list(names: &[impl AsRef<str>]) -> String {
    joined(names, "and")
}

/// `a`, `b` or `c`.
pub(crate) fn either(names: &[impl AsRef<str>]) -> String {
    joined(names, "or")
}

fn joined(names: &[impl AsRef<str>], word: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// What an unknown name must have meant: the nearest name that is not given yet, or the one that it would be a second of.
pub(crate) fn meant<'k>(
    unknown: &str,
    known: &[&'k str],
    has: impl Fn(&str) -> bool,
) -> (Option<&'k str>, Option<String>) {
    let free = nearest(unknown, known.iter().copied().filter(|name| !has(name)));
    let help = match (free, nearest(unknown, known.iter().copied())) {
        (Some(near), _) => Some(format!("did you mean `{near}`?")),
        (None, Some(near)) => Some(format!("did you mean `{near}`? It is given as well")),
        (None, None) => None,
    };
    (free, help)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use cosell_model::span::FileId;

    fn read(text: &str) -> (Option<String>, Vec<(&'static str, String)>) {
        let node = crate::yaml::parse(FileId(0), text).unwrap();
        let mut findings = Vec::new();
        let mut fields = Fields::of(&node, "a thing", &mut findings).unwrap();
        let path = fields.require("path", &mut findings).and_then(|node| node.text().map(str::to_owned));
        fields.take("length");
        fields.finish(&mut findings);
        (path, findings.into_iter().map(|finding| (finding.code, finding.help.unwrap_or_default())).collect())
    }

    #[test]
    fn one_slip_makes_one_finding() {
        assert_eq!(read("path: x\nlength: 1\n"), (Some("x".to_owned()), vec![]));
        let slip = vec![("unknown-key", "did you mean `path`?".to_owned())];
        assert_eq!(read("pth: x\n"), (Some("x".to_owned()), slip));
        assert_eq!(read("length: 1\n"), (None, vec![("missing-field", String::new())]));
        let other = vec![("unknown-key", "a thing takes `length` and `path`".to_owned())];
        assert_eq!(read("path: x\ncolour: red\n"), (Some("x".to_owned()), other));
    }

    #[test]
    fn a_second_of_what_is_given_is_called_so() {
        let (_, findings) = read("path: x\npaths: y\n");
        assert_eq!(findings, [("unknown-key", "did you mean `path`? It is given as well".to_owned())]);
    }

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        assert_eq!(list(&["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(either(&["a", "b"]), "`a` or `b`");
        assert_eq!(list(&["a"]), "`a`");
        assert_eq!(list(&[""; 0]), "nothing");
    }
}

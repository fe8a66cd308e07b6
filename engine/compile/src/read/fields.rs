//! Taking a map apart, field by field.

use cosell_model::node::Entry;
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
}

impl<'n> Fields<'n> {
    /// Begins to read `node`, which must be a map.
    pub(crate) fn of(node: &'n Node, what: &'static str, findings: &mut Findings) -> Option<Self> {
        let Some(entries) = node.entries() else {
            findings.push(wrong_form(node, what, "a map"));
            return None;
        };
        Some(Self { what, span: node.span, entries, known: Vec::new() })
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
        let node = self.take(key);
        if node.is_none() {
            let first = self.entries.first().map_or(self.span, |entry| entry.key.span);
            findings.push(
                Diagnostic::error("missing-field", format!("{} needs `{key}`", self.what), first, format!("`{key}` is missing"))
            );
        }
        node
    }

    /// Whether a field of this name is given.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.value == key)
    }

    /// Reports the keys that nobody took.
    pub(crate) fn finish(self, findings: &mut Findings) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.value.as_str())) {
            let key = &entry.key.value;
            let mut known = self.known.clone();
            known.sort_unstable();
            known.dedup();
            let help = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{} takes {}", self.what, list(&known)),
            };
            findings.push(
                Diagnostic::error("unknown-key", format!("{} has no `{key}`", self.what), entry.key.span, "unknown key")
                    .help(help),
            );
        }
    }
}

/// "This is X; Y was expected."
pub(crate) fn wrong_form(node: &Node, what: &str, expected: &str) -> Diagnostic {
    let message = format!("{what} is {expected}, and this is {}", node.describe());
    Diagnostic::error("wrong-form", message, node.span, format!("expected {expected}"))
}

/// `a`, `b` and `c`.
pub(crate) fn list(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

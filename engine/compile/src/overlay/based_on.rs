//! What a user's file says of itself: whether it is whole, and which shipped values it was written against.

use cosell_model::fnv::{SEED, fnv};
use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, Node, Span};

use super::Change;
use crate::read::fields::{Findings, list, wrong_form};
use crate::read::words;

/// How many letters a fingerprint has; each stands for four bits.
const LETTERS: u32 = 8;

/// The fingerprint of a shipped value at a path: eight letters, so that YAML never takes it for a number.
fn fingerprint(path: &[String], value: &Node) -> String {
    let hash = path.iter().fold(SEED, |hash, key| fnv(fnv(hash, key), "\n"));
    let hash = fnv(hash, &value.to_value().to_string());
    let folded = hash ^ (hash >> 32);
    (0..LETTERS).map(|at| (b'a' + u8::try_from((folded >> (4 * at)) & 0xf).unwrap_or_default()) as char).collect()
}

impl Change {
    /// The fingerprint of the shipped value that is changed: it follows the value and its path, and nothing else.
    pub fn fingerprint(&self) -> Option<String> {
        self.old.as_ref().map(|old| fingerprint(&self.path, old))
    }
}

/// The fingerprint of a whole file, for a copy of it; comments do not count.
pub(crate) fn of_whole(shipped: &Node) -> String {
    fingerprint(&[], shipped)
}

/// What a user's file says of itself at its top.
#[derive(Debug, Default)]
pub(crate) struct BasedOn {
    /// Whether it takes the place of the shipped file, instead of being merged over it.
    pub(crate) whole: bool,
    /// Fingerprints of the shipped values that it replaces.
    fingerprints: Option<(Vec<String>, Span)>,
}

/// Takes `whole` and `based_on` out of a user's file.
pub(crate) fn take(node: &mut Node, findings: &mut Findings) -> BasedOn {
    let mut found = BasedOn::default();
    let NodeKind::Map(entries) = &mut node.kind else { return found };
    let mut entry = |key: &str| -> Option<Entry> {
        let at = entries.iter().position(|entry| entry.key.value == key)?;
        Some(entries.remove(at))
    };
    if let Some(entry) = entry("whole") {
        found.whole = words::truth(&entry.value, "`whole`", findings).unwrap_or_default();
    }
    if let Some(entry) = entry("based_on") {
        let items = entry.value.items().map_or_else(|| vec![&entry.value], |items| items.iter().collect());
        let right =
            |text: &&str| text.len() == LETTERS as usize && text.bytes().all(|letter| (b'a'..=b'p').contains(&letter));
        let mut fingerprints = Vec::new();
        for item in items {
            match item.text().filter(right) {
                Some(text) => fingerprints.push(text.to_owned()),
                None => findings.push(
                    wrong_form(item, "`based_on`", "a list of fingerprints, of eight letters from a to p each")
                        .help("`cosell flows diff` prints them"),
                ),
            }
        }
        found.fingerprints = Some((fingerprints, entry.key.span));
    }
    found
}

impl BasedOn {
    /// Warns of each shipped value that `changes` replace and that is not the one the file was written against; and of those
    /// it was written against that are replaced no longer. `name` is the shipped file's.
    pub(crate) fn compare(&self, what: &str, changes: &[Change], name: Span, findings: &mut Findings) {
        let Some((known, span)) = &self.fingerprints else { return };
        let mut gone: Vec<&String> = known.iter().collect();
        let before = findings.len();
        for change in changes {
            let (Some(old), Some(new), Some(now)) = (&change.old, &change.new, change.fingerprint()) else { continue };
            gone.retain(|known| **known != now);
            if known.contains(&now) {
                continue;
            }
            let message =
                format!("the shipped {what} has changed under what this file replaces: `{}`", change.path_text());
            findings.push(
                Diagnostic::error("shipped-changed", message, new.span, "replaces it")
                    .warning()
                    .also(old.span, "the shipped value now")
                    .help(format!("look at both; where yours still holds, add `{now}` to `based_on`")),
            );
        }
        // What has changed is gone as well, and said already.
        if !gone.is_empty() && findings.len() == before {
            let message = format!("this file replaces less of the shipped {what} than it was based on");
            findings.push(
                Diagnostic::error("shipped-changed", message, *span, "of something that is not replaced now")
                    .warning()
                    .also(name, "the shipped one now")
                    .help(format!("something may have been renamed or taken away; if not, take out {}", list(&gone))),
            );
        }
    }

    /// Warns where the shipped file is not the one that this whole copy was made of.
    pub(crate) fn compare_whole(&self, what: &str, shipped: &Node, name: Span, findings: &mut Findings) {
        let Some((known, span)) = &self.fingerprints else { return };
        let now = of_whole(shipped);
        if known.contains(&now) {
            return;
        }
        let message = format!("the shipped {what} has changed since this copy of it was made");
        findings.push(
            Diagnostic::error("shipped-changed", message, *span, "made of an earlier one")
                .warning()
                .also(name, "the shipped one now")
                .help(format!(
                    "`cosell flows diff` shows how they differ; once you have looked, write `based_on: {now}`"
                )),
        );
    }
}

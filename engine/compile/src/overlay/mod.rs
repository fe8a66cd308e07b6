//! Overlays: a user's file merged over a shipped one of the same name, step by step and row by row.
//!
//! This file merges and says what that changes; `place` knows which keys of a flow or a mapping stand for what, and so what
//! a user's file may name; [`fingerprint`](Change::fingerprint) is how a user's file remembers what it was written against; `shown` is a change as
//! people see it.

mod based_on;
mod idle;
mod missing;
mod place;
mod shown;

use std::collections::HashMap;

use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Diagnostic, Node, Span};

pub(crate) use based_on::{BasedOn, of_whole, take};
pub(crate) use place::Place;
use place::is_whole;
pub use shown::Written;

use crate::read::fields::Findings;

/// One value that a user's file changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The keys that lead to it, from the top of the file.
    pub path: Vec<String>,
    /// The shipped value; none where the user's file adds one.
    pub old: Option<Node>,
    /// The user's value; none where a whole copy leaves the shipped one out.
    pub new: Option<Node>,
}

impl Change {
    /// The path as people write it.
    pub fn path_text(&self) -> String {
        self.path.join(".")
    }
}

/// A merge under way.
struct Merge<'f> {
    /// What is merged, for messages: ``flow `customize` ``.
    what: &'f str,
    /// The whole shipped file, to find what has moved.
    shipped: &'f Node,
    path: Vec<String>,
    changes: Vec<Change>,
    /// New steps that only compute, with what is wrong unless something mentions one of them.
    computing: Vec<(Vec<String>, Diagnostic)>,
    findings: &'f mut Findings,
}

/// `over` merged over `base`: maps merge key by key, in the order of `base` with new keys behind; everything else is
/// replaced. Every value keeps the place it was written at, in whichever file that is.
///
/// What `over` names and `base` does not have is reported, unless it is whole and has an effect: then it is new.
pub(crate) fn merge(base: Node, over: Node, place: Place, what: &str, findings: &mut Findings) -> (Node, Vec<Change>) {
    let shipped = base.clone();
    let at = base.span;
    let (path, changes, computing) = (Vec::new(), Vec::new(), Vec::new());
    let mut merge = Merge { what, shipped: &shipped, path, changes, computing, findings };
    let node = merge.node(base, over, place, at);
    let idle = merge.computing.into_iter().filter(|(names, _)| !idle::mentions(&node, names));
    merge.findings.extend(idle.map(|(_, finding)| finding));
    (node, merge.changes)
}

/// The same where the files are no flows: every key may be new, and nobody asks what changed.
pub(crate) fn merge_plainly(base: Node, over: Node) -> Node {
    merge(base, over, Place::Data, "", &mut Vec::new()).0
}

impl Merge<'_> {
    /// `holder` is where the key stands that leads to `base`.
    fn node(&mut self, base: Node, over: Node, place: Place, holder: Span) -> Node {
        let over = place.spelt_out(&base, over);
        let span = base.span;
        match (base.kind, over.kind) {
            // A heading with nothing below it, or with comments only, changes nothing.
            (kind @ NodeKind::Map(_), NodeKind::Null) if place != Place::Data => Node { kind, span },
            (NodeKind::Map(entries), NodeKind::Map(over)) if !place.replaces(&entries, &over) => {
                Node { kind: NodeKind::Map(self.entries(entries, over, place, holder)), span }
            }
            (old, kind) => {
                let new = Node { kind, span: over.span };
                let old = Node { kind: old, span };
                if old.to_value() != new.to_value() {
                    let change = Change { path: self.path.clone(), old: Some(old), new: Some(new.clone()) };
                    self.changes.push(change);
                }
                new
            }
        }
    }

    fn entries(&mut self, mut base: Vec<Entry>, over: Vec<Entry>, place: Place, holder: Span) -> Vec<Entry> {
        let places: HashMap<String, usize> =
            base.iter().enumerate().map(|(at, entry)| (entry.key.value.clone(), at)).collect();
        for entry in over {
            self.path.push(entry.key.value.clone());
            let below = place.below(&entry.key.value);
            match places.get(&entry.key.value) {
                Some(at) => {
                    let known = &mut base[*at];
                    let empty = Node { kind: NodeKind::Null, span: known.value.span };
                    let old = std::mem::replace(&mut known.value, empty);
                    known.value = self.node(old, entry.value, below, known.key.span);
                }
                None if self.is_whole(below, &entry.value) => {
                    if let Some(names) = idle::computing_only(place, &entry) {
                        self.computing.push((names, self.missing(&entry, &base, place, holder, true)));
                    }
                    let change = Change { path: self.path.clone(), old: None, new: Some(entry.value.clone()) };
                    self.changes.push(change);
                    base.push(entry);
                }
                None => self.findings.push(self.missing(&entry, &base, place, holder, false)),
            }
            self.path.pop();
        }
        base
    }

    fn is_whole(&self, place: Place, value: &Node) -> bool {
        is_whole(place, value, self.shipped.get("between").and_then(Node::items).unwrap_or_default())
    }
}

/// What a whole copy changes in the shipped file that it replaces; the order of keys does not count.
pub(crate) fn differences(base: &Node, own: &Node) -> Vec<Change> {
    fn walk(base: &Node, own: &Node, path: &mut Vec<String>, changes: &mut Vec<Change>) {
        let (Some(theirs), Some(mine)) = (base.entries(), own.entries()) else {
            if base.to_value() != own.to_value() {
                changes.push(Change { path: path.clone(), old: Some(base.clone()), new: Some(own.clone()) });
            }
            return;
        };
        for entry in theirs {
            path.push(entry.key.value.clone());
            match own.get(&entry.key.value) {
                Some(value) => walk(&entry.value, value, path, changes),
                None => changes.push(Change { path: path.clone(), old: Some(entry.value.clone()), new: None }),
            }
            path.pop();
        }
        for entry in mine.iter().filter(|entry| base.get(&entry.key.value).is_none()) {
            path.push(entry.key.value.clone());
            changes.push(Change { path: path.clone(), old: None, new: Some(entry.value.clone()) });
            path.pop();
        }
    }
    let mut changes = Vec::new();
    walk(base, own, &mut Vec::new(), &mut changes);
    changes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use cosell_model::span::FileId;
    use serde_json::json;

    fn read(file: u32, text: &str) -> Node {
        crate::yaml::parse(FileId(file), text).unwrap()
    }

    #[test]
    fn one_step_changes_and_the_rest_stays() {
        let base = read(0, "steps:\n  a: {use: x.y, with: {p: 1, q: [1, 2]}}\n  b: {stop: failed}\n");
        let over = read(1, "steps:\n  a: {with: {p: 1, q: [3]}}\n  c: {stop: failed}\n");
        let mut findings = Vec::new();
        let (merged, changes) = merge(base, over, Place::Flow, "flow `a`", &mut findings);
        let expected = json!({"steps": {
            "a": {"use": "x.y", "with": {"p": 1, "q": [3]}}, "b": {"stop": "failed"}, "c": {"stop": "failed"},
        }});
        assert_eq!((merged.to_value(), findings), (expected, vec![]));
        let with = merged.get("steps").unwrap().get("a").unwrap().get("with").unwrap();
        assert_eq!(with.get("q").unwrap().span.file, FileId(1));
        let paths: Vec<String> = changes.iter().map(Change::path_text).collect();
        assert_eq!(paths, ["steps.a.with.q", "steps.c"], "what is written again as it is changes nothing");
    }

    #[test]
    fn headings_without_content_change_nothing() {
        let text = "rows:\n  a: {left: x, right: {path: y, as: money}}\n";
        for over in ["rows:\n", "rows:\n  a:\n"] {
            let (merged, changes) = merge(read(0, text), read(1, over), Place::Mapping, "", &mut Vec::new());
            assert_eq!((merged.to_value(), changes), (read(0, text).to_value(), vec![]), "{over}");
        }
        let (merged, _) =
            merge(read(0, "with: {a: {b: 1}}\n"), read(1, "with:\n  a:\n"), Place::Step, "", &mut Vec::new());
        assert_eq!(merged.to_value(), json!({"with": {"a": null}}), "a value can be taken away");
    }

    #[test]
    fn a_path_alone_leaves_the_form_of_its_field() {
        let base = read(0, "rows:\n  a: {left: x, right: {path: y, as: money}}\n");
        let (merged, changes) = merge(base, read(1, "rows:\n  a: {right: z}\n"), Place::Mapping, "", &mut Vec::new());
        assert_eq!(merged.to_value()["rows"]["a"]["right"], json!({"path": "z", "as": "money"}));
        assert_eq!(changes[0].path_text(), "rows.a.right.path");
    }

    #[test]
    fn a_step_of_another_kind_takes_the_place_of_the_shipped_one() {
        let base = read(0, "steps:\n  a: {use: x.y, with: {p: 1}}\n");
        let (merged, _) = merge(base, read(1, "steps:\n  a: {let: {q: 2}}\n"), Place::Flow, "", &mut Vec::new());
        assert_eq!(merged.to_value(), json!({"steps": {"a": {"let": {"q": 2}}}}));
    }

    #[test]
    fn a_whole_copy_can_leave_things_out() {
        let changes = differences(&read(0, "a: 1\nb: {c: 2, d: 3}\n"), &read(1, "b: {d: 4, e: 5}\na: 1\n"));
        let shown: Vec<_> = changes
            .iter()
            .map(|c| (c.path_text(), c.old.as_ref().map(Node::to_value), c.new.as_ref().map(Node::to_value)))
            .collect();
        let expected = [
            ("b.c".to_owned(), Some(json!(2)), None),
            ("b.d".to_owned(), Some(json!(3)), Some(json!(4))),
            ("b.e".to_owned(), None, Some(json!(5))),
        ];
        assert_eq!(shown, expected);
    }
}

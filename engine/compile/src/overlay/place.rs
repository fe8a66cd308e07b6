//! What the keys of a flow or a mapping stand for, as far as merging must know it.

use cosell_model::Node;
use cosell_model::node::{Entry, NodeKind};

use crate::mapping::read::ROW;
use crate::read::step::KINDS;
use crate::suggest::nearest;

/// What a step can say beside what it does. A slip in one of these must not pass for a slip in the other.
const BESIDE: [&str; 23] = [
    "title",
    "description",
    "when",
    "after",
    "retry",
    "timeout",
    "sensitive",
    "with",
    "connection",
    "key",
    "then",
    "else",
    "cases",
    "default",
    "do",
    "parallel",
    "limit",
    "fail_at_limit",
    "output",
    "from",
    "to",
    "agreed",
    "changed",
];

/// What a map in a flow or a mapping holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A flow's own keys.
    Flow,
    /// A mapping's own keys.
    Mapping,
    /// Steps by name.
    Steps,
    /// A step's own keys.
    Step,
    /// Blocks of steps by the value they are for.
    Cases,
    /// Rows by name.
    Rows,
    /// A row's own keys.
    Row,
    /// One side of a row.
    Field,
    /// Anything else.
    Data,
}

impl Place {
    /// What stands below `key`.
    pub(crate) fn below(self, key: &str) -> Self {
        match (self, key) {
            (Place::Flow, "steps") | (Place::Cases, _) => Place::Steps,
            (Place::Step, "scope" | "then" | "else" | "do" | "default") => Place::Steps,
            (Place::Step, "cases") => Place::Cases,
            (Place::Steps, _) => Place::Step,
            (Place::Mapping, "rows") => Place::Rows,
            (Place::Rows, _) => Place::Row,
            (Place::Row, key) if !ROW.contains(&key) => Place::Field,
            _ => Place::Data,
        }
    }

    /// Whether `over` is another thing than `base`, so that it takes its place instead of being merged over it: a step of
    /// another kind.
    pub(super) fn replaces(self, base: &[Entry], over: &[Entry]) -> bool {
        let kind =
            |entries: &[Entry]| KINDS.into_iter().find(|kind| entries.iter().any(|entry| entry.key.value == *kind));
        self == Place::Step && kind(over).is_some_and(|new| kind(base).is_some_and(|old| old != new))
    }

    /// A field's path alone is short for a map with it; over a map it leaves the rest as it is.
    pub(super) fn spelt_out(self, base: &Node, over: Node) -> Node {
        let path = base.entries().and_then(|entries| entries.iter().find(|entry| entry.key.value == "path"));
        match (path, &over.kind) {
            (Some(path), NodeKind::Text(_)) if self == Place::Field => {
                let span = over.span;
                Node { kind: NodeKind::Map(vec![Entry { value: over, ..path.clone() }]), span }
            }
            _ => over,
        }
    }
}

/// Whether a value that the shipped file does not have can stand for itself. What is wrong with it in other ways is said
/// when it is read. `sides` are those of the mapping.
pub(crate) fn is_whole(place: Place, value: &Node, sides: &[Node]) -> bool {
    let all =
        |below: Place| value.entries().unwrap_or_default().iter().all(|entry| is_whole(below, &entry.value, sides));
    match (place, &value.kind) {
        (Place::Step | Place::Row, NodeKind::Null) => false,
        (Place::Step, NodeKind::Map(entries)) => {
            let does =
                |key: &str| nearest(key, KINDS.into_iter().chain(BESIDE)).is_some_and(|near| KINDS.contains(&near));
            entries.iter().any(|entry| does(&entry.key.value))
                && entries.iter().all(|entry| is_whole(place.below(&entry.key.value), &entry.value, sides))
        }
        (Place::Row, NodeKind::Map(entries)) => sides
            .iter()
            .filter_map(Node::text)
            .all(|side| entries.iter().any(|entry| nearest(&entry.key.value, [side]).is_some())),
        (Place::Steps, _) => all(Place::Step),
        (Place::Cases, _) => all(Place::Steps),
        _ => true,
    }
}

//! New steps that have no effect: they only compute, and nothing mentions what they compute. Most likely they were meant for
//! a shipped step that has another name now.

use cosell_model::Node;
use cosell_model::node::{Entry, NodeKind};

use super::Place;

/// What only computes.
const COMPUTES: [&str; 4] = ["let", "map", "compare", "merge"];

/// The names of the steps in a new `entry`, if all of them only compute.
pub(super) fn computing_only(place: Place, entry: &Entry) -> Option<Vec<String>> {
    let mut names = Vec::new();
    collect(place, entry, &mut names).then_some(names)
}

/// Collects the names of all steps; false where one of them has an effect.
fn collect(place: Place, entry: &Entry, names: &mut Vec<String>) -> bool {
    let below = place.below(&entry.key.value);
    let inside = entry.value.entries().unwrap_or_default();
    match below {
        Place::Step => {
            names.push(entry.key.value.clone());
            let holds = |entry: &&Entry| below.below(&entry.key.value) != Place::Data;
            let computes = inside.iter().any(|entry| COMPUTES.contains(&entry.key.value.as_str()));
            let blocks: Vec<&Entry> = inside.iter().filter(holds).collect();
            (computes || !blocks.is_empty()) && blocks.into_iter().all(|entry| collect(below, entry, names))
        }
        Place::Steps | Place::Cases => inside.iter().all(|entry| collect(below, entry, names)),
        _ => false,
    }
}

/// Whether any text in `node` mentions one of these steps.
pub(super) fn mentions(node: &Node, names: &[String]) -> bool {
    match &node.kind {
        NodeKind::Text(text) => names.iter().any(|name| {
            text.match_indices(name.as_str()).any(|(at, _)| {
                let behind = text[at + name.len()..].chars().next();
                let before = text[..at].ends_with("steps.") || text[..at].ends_with("outcomes.");
                before && !behind.is_some_and(|char| char.is_alphanumeric() || char == '_')
            })
        }),
        NodeKind::List(items) => items.iter().any(|item| mentions(item, names)),
        NodeKind::Map(entries) => entries.iter().any(|entry| mentions(&entry.value, names)),
        _ => false,
    }
}

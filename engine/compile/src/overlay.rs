//! Overlays: a user's file merged over a shipped one of the same name, step by step and row by row.

use std::collections::HashMap;

use cosell_model::Node;
use cosell_model::node::NodeKind;

/// `over` merged over `base`: maps merge key by key, in the order of `base` with new keys behind; everything else is
/// replaced. Every value keeps the place it was written at, in whichever file that is.
pub(crate) fn merge(base: Node, over: Node) -> Node {
    let span = over.span;
    match (base.kind, over.kind) {
        (NodeKind::Map(mut entries), NodeKind::Map(over)) => {
            let places: HashMap<String, usize> =
                entries.iter().enumerate().map(|(at, entry)| (entry.key.value.clone(), at)).collect();
            for entry in over {
                match places.get(&entry.key.value) {
                    Some(at) => {
                        let known = &mut entries[*at];
                        let old = std::mem::replace(&mut known.value, Node { kind: NodeKind::Null, span });
                        known.value = merge(old, entry.value);
                    }
                    None => entries.push(entry),
                }
            }
            Node { kind: NodeKind::Map(entries), span: base.span }
        }
        (_, kind) => Node { kind, span },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use cosell_model::span::FileId;
    use serde_json::json;

    #[test]
    fn one_step_changes_and_the_rest_stays() {
        let read = |file, text| crate::yaml::parse(FileId(file), text).unwrap();
        let base = read(0, "steps:\n  a: {use: x.y, with: {p: 1, q: [1, 2]}}\n  b: {stop: failed}\n");
        let over = read(1, "steps:\n  a: {with: {q: [3]}}\n  c: {stop: failed}\n");
        let merged = merge(base, over);
        let expected = json!({"steps": {
            "a": {"use": "x.y", "with": {"p": 1, "q": [3]}}, "b": {"stop": "failed"}, "c": {"stop": "failed"},
        }});
        assert_eq!(merged.to_value(), expected);
        let with = merged.get("steps").unwrap().get("a").unwrap().get("with").unwrap();
        assert_eq!(with.get("p").unwrap().span.file, FileId(0));
        assert_eq!(with.get("q").unwrap().span.file, FileId(1));
    }
}

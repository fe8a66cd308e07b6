//! What is known of a value before anything runs, and what follows for its members.

use cosell_model::{Diagnostic, Schema, Span};
use serde_json::{Value, json};

use crate::expr::path::Segment;
use crate::mapping::Mapping;
use crate::read::fields::{Findings, list};
use crate::suggest::{did_you_mean, nearest};

/// What is known of a value.
#[derive(Clone, Debug)]
pub(crate) enum Shape<'c> {
    /// Nothing.
    Unknown,
    /// It is described by a schema.
    Schema(&'c Schema),
    /// It has these members and no others.
    Members(&'c [&'c str]),
    /// The same, owned.
    Named(Vec<String>),
    /// It is described by a schema made for it.
    Made(Schema),
    /// It is always null.
    Nothing(&'static str),
}

impl Shape<'_> {
    /// Reports what cannot exist. `what` names the value, which is mentioned at `place`; `members` is what is asked of it,
    /// with places.
    pub(crate) fn check(&self, what: &str, place: Span, members: &[(&Segment, Span)], findings: &mut Findings) {
        if let Shape::Nothing(why) = self {
            return findings.push(
                Diagnostic::error("no-output", format!("{what} has no output"), place, "always null")
                    .help((*why).to_owned()),
            );
        }
        let Some((segment, span)) = members.first() else { return };
        let known = |names: &[&str], findings: &mut Findings| {
            if let Segment::Key(key) = segment
                && !names.contains(&&**key)
            {
                let help =
                    did_you_mean(key, names.iter().copied()).unwrap_or_else(|| format!("it has {}", list(names)));
                findings.push(unknown(what, key, *span).help(help));
            }
        };
        match self {
            Shape::Unknown | Shape::Nothing(_) => {}
            Shape::Members(names) => known(names, findings),
            Shape::Named(names) => known(&names.iter().map(String::as_str).collect::<Vec<_>>(), findings),
            Shape::Schema(schema) => in_schema(schema, schema, what, members, findings),
            Shape::Made(schema) => in_schema(schema, schema, what, members, findings),
        }
    }
}

/// What merging under a mapping yields.
pub(crate) fn merged(mapping: &Mapping) -> Schema {
    let [left, right] = &mapping.sides;
    let closed = |members: Value| json!({ "type": "object", "properties": members });
    let list = |members: Value| json!({ "type": "array", "items": closed(members) });
    let difference = list(json!({ "row": {}, "title": {}, "path": {}, "old": {}, "new": {} }));
    let rows = mapping.rows.iter().map(|row| (row.id.clone(), closed(json!({ left: {}, right: {} })))).collect();
    closed(json!({
        "equal": { "type": "boolean" },
        "changes": closed(json!({ left: {}, right: {} })),
        "differences": closed(json!({ left: difference, right: difference })),
        "conflicts": list(json!({ "row": {}, "title": {}, "wins": {}, "kept": {}, "given_up": {}, "text": {} })),
        "agreed": closed(Value::Object(rows)),
    }))
}

fn unknown(what: &str, key: &str, span: Span) -> Diagnostic {
    Diagnostic::error("unknown-field", format!("{what} has no `{key}`"), span, "unknown field")
}

/// Follows `members` through a schema as far as it says something certain.
pub(crate) fn in_schema(
    root: &Schema,
    schema: &Schema,
    what: &str,
    members: &[(&Segment, Span)],
    findings: &mut Findings,
) {
    let Some(((segment, span), rest)) = members.split_first() else { return };
    let Some(schema) = concrete(root, schema) else { return };
    match segment {
        Segment::Index(index) => {
            if !may_be(schema, "array") {
                let finding = Diagnostic::error(
                    "unknown-field",
                    format!("{what} is no list, so it has no item {index}"),
                    *span,
                    "always null",
                );
                findings.push(
                    finding.maybe_help(may_be(schema, "object").then(|| "name one of its members instead".to_owned())),
                );
            } else if let Some(items) = schema.get("items") {
                in_schema(root, items, &format!("{}[{index}]`", what.trim_end_matches('`')), rest, findings);
            }
        }
        Segment::Key(key) if !may_be(schema, "object") => {
            let finding = Diagnostic::error(
                "unknown-field",
                format!("{what} is no map, so it has no `{key}`"),
                *span,
                "always null",
            );
            let list = "it is a list: name an item, such as `[0]`, or go through it with `| map(attribute='…')` or a `for_each`";
            findings.push(finding.maybe_help(may_be(schema, "array").then(|| list.to_owned())));
        }
        Segment::Key(key) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
            let deeper = format!("{}.{key}`", what.trim_end_matches('`'));
            if let Some(property) = properties.get(&**key) {
                return in_schema(root, property, &deeper, rest, findings);
            }
            // A remote system may return more than its schema lists, but a name this near to a listed one looks like a slip.
            let open = schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
            let names = || properties.keys().map(String::as_str);
            match nearest(key, names()) {
                // Then it is not sure: such a field may exist as well.
                Some(near) if open => {
                    findings.push(unknown(what, key, *span).help(format!("did you mean `{near}`?")).warning())
                }
                Some(near) => findings.push(unknown(what, key, *span).help(format!("did you mean `{near}`?"))),
                None if open => {}
                None => {
                    let names: Vec<&str> = names().collect();
                    findings.push(unknown(what, key, *span).help(format!("it has {}", list(&names))));
                }
            }
        }
    }
}

/// The schema that members lead to, where it says something certain.
pub(crate) fn reached<'s>(root: &'s Schema, schema: &'s Schema, path: &[&Segment]) -> Option<&'s Schema> {
    let Some((first, rest)) = path.split_first() else { return Some(schema) };
    let schema = concrete(root, schema)?;
    let deeper = match first {
        Segment::Key(key) => schema.get("properties")?.get(&**key)?,
        Segment::Index(_) => schema.get("items")?,
    };
    reached(root, deeper, rest)
}

/// Whether a value of this schema can be of this type.
fn may_be(schema: &Schema, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => true,
    }
}

/// The schema behind references and "or null"; nothing where there are several to choose from.
pub(crate) fn concrete<'s>(root: &'s Schema, schema: &'s Schema) -> Option<&'s Schema> {
    innermost(root, schema).filter(|schema| choices(schema).is_none())
}

/// The same, or the schema with the choices.
pub(crate) fn innermost<'s>(root: &'s Schema, schema: &'s Schema) -> Option<&'s Schema> {
    let mut schema = schema;
    for _ in 0..16 {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            schema = root.pointer(reference.strip_prefix('#')?)?;
            continue;
        }
        let Some(choices) = choices(schema) else { return Some(schema) };
        let mut concrete = choices.iter().filter(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
        match (concrete.next(), concrete.next()) {
            (Some(only), None) => schema = only,
            _ => return Some(schema),
        }
    }
    None
}

/// The schemas that a schema gives to choose from.
pub(crate) fn choices(schema: &Schema) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use cosell_model::Severity;
    use cosell_model::span::FileId;
    use serde_json::json;

    /// What is said of `path` in a value of this shape: severity, message and the number of the member it points at.
    fn said(shape: &Shape<'_>, path: &str) -> Vec<(Severity, String, u32)> {
        let segment = |name: &str| name.parse().map_or_else(|_| Segment::Key(name.into()), Segment::Index);
        let segments: Vec<Segment> = path.split('.').filter(|name| !name.is_empty()).map(segment).collect();
        let members: Vec<(&Segment, Span)> =
            segments.iter().enumerate().map(|(at, segment)| (segment, Span::new(FileId(0), at, at + 1))).collect();
        let mut findings = Vec::new();
        shape.check("`x`", Span::new(FileId(0), 90, 91), &members, &mut findings);
        findings.into_iter().map(|finding| (finding.severity, finding.message, finding.primary.span.start)).collect()
    }

    #[test]
    fn a_schema_is_followed_through_references_nulls_and_items() {
        let schema = json!({
            "type": "object",
            "properties": {
                "list": { "type": ["array", "null"], "items": { "$ref": "#/$defs/Item" } },
                "maybe": { "anyOf": [{ "$ref": "#/$defs/Item" }, { "type": "null" }] },
                "either": { "anyOf": [{ "$ref": "#/$defs/Item" }, { "type": "object" }] },
                "loop": { "$ref": "#/properties/loop" },
                "lost": { "$ref": "#/$defs/Nowhere" },
                "free": {},
            },
            "$defs": { "Item": { "type": "object", "properties": { "name": { "type": "string" } } } },
        });
        let shape = Shape::Schema(&schema);
        for fine in ["", "list", "list.0.name", "maybe.name", "either.anything", "loop.x", "lost.x", "free.a.0.b"] {
            assert_eq!(said(&shape, fine), [], "{fine}");
        }
        for (path, message, place) in [
            ("lst", "`x` has no `lst`", 0),
            ("list.0.nam", "`x.list[0]` has no `nam`", 2),
            ("maybe.other", "`x.maybe` has no `other`", 1),
            ("list.name", "`x.list` is no map, so it has no `name`", 1),
            ("maybe.0", "`x.maybe` is no list, so it has no item 0", 1),
            ("maybe.name.more", "`x.maybe.name` is no map, so it has no `more`", 2),
        ] {
            assert_eq!(said(&shape, path), [(Severity::Error, message.to_owned(), place)], "{path}");
        }
    }

    #[test]
    fn more_than_is_listed_may_be_there_only_where_it_is_allowed() {
        let open = json!({ "type": "object", "properties": { "statecode": {} }, "additionalProperties": true });
        assert_eq!(said(&Shape::Schema(&open), "telephone"), []);
        assert_eq!(
            said(&Shape::Schema(&open), "statuscode").first().map(|(severity, ..)| *severity),
            Some(Severity::Warning)
        );
        let closed = json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false });
        assert_eq!(said(&Shape::Schema(&closed), "telephone").len(), 1);
    }

    #[test]
    fn other_shapes_know_their_members_or_nothing() {
        assert_eq!(said(&Shape::Unknown, "a.b"), []);
        assert_eq!(said(&Shape::Members(&["a"]), "a.b"), []);
        assert_eq!(said(&Shape::Named(vec!["a".to_owned()]), "b").len(), 1);
        let nothing = said(&Shape::Nothing("why"), "");
        assert_eq!(
            nothing,
            [(Severity::Error, "`x` has no output".to_owned(), 90)],
            "also where no member is asked for"
        );
    }
}

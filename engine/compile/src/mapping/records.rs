//! What the sides of a mapping are records of: `records` says so, and paths and forms are held against it.

use cosell_model::{Catalogue, Diagnostic, Node, OperationName, Schema, Spanned};
use serde_json::Value;

use super::form::Form;
use super::read::Given;
use super::{Record, Row};
use crate::expr::path::Segment;
use crate::read::fields::{Findings, list, wrong_form};
use crate::shape;
use crate::suggest::did_you_mean;
use crate::values::constant_text;

/// Reads `records: { referral: partner_center.get_referral, opportunity: opportunity }`.
pub(crate) fn read(node: &Node, sides: &[String; 2], given: Given<'_>, findings: &mut Findings) -> [Option<Record>; 2] {
    let Some(entries) = node.entries() else {
        findings.push(wrong_form(node, "`records`", "a map by side, such as `{ opportunity: opportunity }`"));
        return [None, None];
    };
    for entry in entries.iter().filter(|entry| !sides.contains(&entry.key.value)) {
        let help = did_you_mean(&entry.key.value, sides.iter().map(String::as_str))
            .unwrap_or_else(|| format!("the sides are {}", list(sides)));
        let message = format!("the mapping has no side `{}`", entry.key.value);
        findings.push(Diagnostic::error("unknown-side", message, entry.key.span, "unknown side").help(help));
    }
    let record = |side: &String, findings: &mut Findings| {
        let node = node.get(side)?;
        let text = constant_text(node, "what a side is a record of", given.sources, given.variables, findings)?;
        let mut parts = text.split('.');
        let (Some(connector), Some(operation)) = (parts.next(), parts.next()) else {
            return Some(Record::Table(Spanned::new(text, node.span)));
        };
        let known = OperationName::parse(&format!("{connector}.{operation}"))
            .and_then(|name| Some((given.catalogue.operation(&name)?, name)));
        let Some((_, operation)) = known else {
            let message = format!("there is no operation `{connector}.{operation}`");
            findings.push(
                Diagnostic::error("unknown-operation", message, node.span, "unknown operation")
                    .help("name a table, or an operation and what of its output the side is"),
            );
            return None;
        };
        Some(Record::Yielded { operation, below: parts.map(str::to_owned).collect() })
    };
    [record(&sides[0], findings), record(&sides[1], findings)]
}

/// Holds the rows' paths and forms on one side against the schema of what an operation yields.
pub(super) fn check(
    rows: &[Row],
    side: usize,
    record: &Record,
    (name, nodes): (&str, &Node),
    catalogue: &Catalogue,
    findings: &mut Findings,
) {
    let Some((root, schema)) = described(record, catalogue) else { return };
    for row in rows {
        let Some(field) = nodes.get(&row.id).and_then(|row| row.get(name)) else { continue };
        let place = field.get("path").unwrap_or(field);
        let members: Vec<(&Segment, _)> = row.fields[side].path.iter().map(|segment| (segment, place.span)).collect();
        let before = findings.len();
        shape::in_schema(root, schema, &format!("`{name}`"), &members, findings);
        if findings.len() > before {
            continue;
        }
        let reached = row.fields[side].path.iter().try_fold(schema, |schema, segment| match segment {
            Segment::Key(key) => inside(root, schema, key),
            Segment::Index(_) => None,
        });
        let kind = reached.and_then(|reached| kind(root, reached));
        let form = row.fields[side].form;
        if let Some(kind) = kind.filter(|kind| !takes(form, kind)) {
            let message = format!(
                "`{name}.{}` is {}, and `as` takes it for {}",
                row.fields[side].path_text(),
                in_words(kind),
                form.describe()
            );
            let place = field.get("as").unwrap_or(place);
            findings.push(
                Diagnostic::error("unfit-form", message, place.span, format!("expected {}", in_words(kind)))
                    .help("`as` says how values look on this side"),
            );
        }
    }
}

/// The schema of a side's records, where they are what an operation yields, behind the one that its references lead into.
pub(crate) fn described<'c>(record: &Record, catalogue: &'c Catalogue) -> Option<(&'c Schema, &'c Schema)> {
    let Record::Yielded { operation, below } = record else { return None };
    let root = &catalogue.operation(operation)?.output;
    let schema = below.iter().try_fold(root, |schema, member| inside(root, schema, member))?;
    Some((root, shape::concrete(root, schema).map_or(schema, |schema| schema.get("items").unwrap_or(schema))))
}

/// The schema of a member; of a list's items, where it is one.
pub(crate) fn inside<'s>(root: &'s Schema, schema: &'s Schema, member: &str) -> Option<&'s Schema> {
    let schema = shape::concrete(root, schema)?;
    match schema.get("items") {
        Some(items) => inside(root, items, member),
        None => schema.get("properties")?.get(member),
    }
}

/// The only type that a value of this schema has beside null, where there is one.
fn kind<'s>(root: &'s Schema, schema: &'s Schema) -> Option<&'s str> {
    let schema = shape::concrete(root, schema)?;
    match schema.get("type")? {
        Value::String(only) => Some(only),
        Value::Array(several) => {
            let mut kinds = several.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            kinds.next().filter(|_| kinds.next().is_none())
        }
        _ => None,
    }
}

fn takes(form: Form, kind: &str) -> bool {
    let kinds: &[&str] = match form {
        Form::Any => return true,
        Form::Text { .. } => &["string", "number", "integer", "boolean"],
        Form::Date | Form::DateTime | Form::Country | Form::Guid => &["string"],
        Form::Money => &["string", "number", "integer"],
        Form::Integer => &["integer", "number"],
        Form::Boolean => &["boolean"],
    };
    kinds.contains(&kind)
}

fn in_words(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

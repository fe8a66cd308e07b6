//! A column made from its definition, and the members that definitions share: schema names, labels, options.

use serde_json::{Map, Value};

use super::filter::object;
use super::matches;
use crate::dataverse::address;
use crate::dataverse::errors::{Answer, INVALID_ARGUMENT, Refusal};
use crate::dataverse::schema::{Column, Kind, Options, Required, Schema, keep_options, keep_text, new_column};

/// The largest amount a money column takes.
const MONEY_LIMIT: f64 = 1_000_000_000_000.0;

/// The column that an attribute's definition describes; the types of CreateEntities have "Complex" before their name.
pub(super) fn attribute(schema: &Schema, body: &Map<String, Value>) -> Answer<Column> {
    let name = custom_name(body)?;
    if body.get("SourceType").and_then(Value::as_i64).is_some_and(|source| source != 0) {
        return Err(Refusal::outside("calculated and rollup columns; opportunity.msft_weightedvalue is one"));
    }
    let kind = text(body, "@odata.type")?;
    let kind = kind.trim_start_matches('#').trim_start_matches("Microsoft.Dynamics.CRM.");
    let kind = kind.strip_prefix("Complex").unwrap_or(kind);
    let integer = |name: &str| body.get(name).and_then(Value::as_i64);
    let number = |name: &str, usual: f64| body.get(name).and_then(Value::as_f64).unwrap_or(usual);
    let length = |usual: i64| usize::try_from(integer("MaxLength").unwrap_or(usual)).unwrap_or_default();
    let precision = u32::try_from(integer("Precision").unwrap_or(2)).unwrap_or(2);
    let kind = match kind {
        "StringAttributeMetadata" => {
            let format = body.get("FormatName").and_then(|format| format["Value"].as_str()).unwrap_or("Text");
            Kind::Text { max: length(100), format: keep_text(format) }
        }
        "MemoAttributeMetadata" => Kind::Memo { max: length(2000) },
        "IntegerAttributeMetadata" => Kind::Integer {
            min: integer("MinValue").unwrap_or(i64::from(i32::MIN)),
            max: integer("MaxValue").unwrap_or(i64::from(i32::MAX)),
        },
        "MoneyAttributeMetadata" => {
            Kind::Money { min: number("MinValue", -MONEY_LIMIT), max: number("MaxValue", MONEY_LIMIT), precision }
        }
        "DecimalAttributeMetadata" => Kind::Decimal {
            min: number("MinValue", -100_000_000_000.0),
            max: number("MaxValue", 100_000_000_000.0),
            precision,
        },
        "DoubleAttributeMetadata" => Kind::Double {
            min: number("MinValue", -100_000_000_000.0),
            max: number("MaxValue", 100_000_000_000.0),
            precision,
        },
        "BooleanAttributeMetadata" => {
            Kind::Boolean { default: body.get("DefaultValue").and_then(Value::as_bool).unwrap_or(false) }
        }
        "DateTimeAttributeMetadata" if body.get("Format").and_then(Value::as_str) == Some("DateOnly") => Kind::Date,
        "DateTimeAttributeMetadata" => Kind::DateTime,
        "PicklistAttributeMetadata" => Kind::Choice(column_options(schema, body)?),
        "MultiSelectPicklistAttributeMetadata" => Kind::Choices(column_options(schema, body)?),
        "LookupAttributeMetadata" => {
            return Err(invalid("A lookup is created with its relationship, by POST RelationshipDefinitions."));
        }
        other => return Err(Refusal::outside(format!("columns of the type {other}"))),
    };
    let mut column = new_column(&name, kind);
    adjust(&mut column, body);
    Ok(column)
}

/// Takes label and required level from a definition.
pub(super) fn adjust(column: &mut Column, body: &Map<String, Value>) {
    if let Some(text) = label(body, "DisplayName") {
        column.display = text;
    }
    match body.get("RequiredLevel").and_then(|level| level["Value"].as_str()) {
        Some("None") => column.required = Required::No,
        Some("Recommended") => column.required = Required::Recommended,
        // ApplicationRequired is enforced by forms, not by the API.
        Some("ApplicationRequired") => column.required = Required::OnForms,
        _ => {}
    }
}

fn column_options(schema: &Schema, body: &Map<String, Value>) -> Answer<Options> {
    let global = body.get("GlobalOptionSet@odata.bind").and_then(Value::as_str);
    if let Some(address) = global {
        let segments = address::path(address)?;
        let found = segments.last().and_then(|segment| segment.key.as_ref()).and_then(|key| {
            schema.choices().find(|choice| matches(&super::describe::global_choice(choice), key, "Name"))
        });
        return found
            .map(|choice| choice.options)
            .ok_or_else(|| invalid(format!("The choice '{address}' does not exist.")));
    }
    options(body.get("OptionSet").unwrap_or(&Value::Null))
}

/// The choices of an option set.
pub(super) fn options(set: &Value) -> Answer<Options> {
    let Some(options) = set["Options"].as_array() else {
        return Err(invalid("A column of choices needs OptionSet with Options."));
    };
    let mut found: Vec<(i64, String)> = Vec::new();
    for option in options {
        let value = option["Value"].as_i64().ok_or_else(|| invalid("Each option needs a whole number in Value."))?;
        if found.iter().any(|(have, _)| *have == value) {
            return Err(invalid(format!("The option value {value} is there twice.")));
        }
        found.push((value, label(&object(option.clone()), "Label").unwrap_or_default()));
    }
    Ok(keep_options(found))
}

/// A schema name with a publisher's prefix.
pub(super) fn custom_name(body: &Map<String, Value>) -> Answer<String> {
    let name = text(body, "SchemaName")?;
    let (prefix, rest) = name.split_once('_').unwrap_or(("", ""));
    let prefixed = prefix.starts_with(|char: char| char.is_ascii_alphabetic())
        && prefix.chars().all(|char| char.is_ascii_alphanumeric())
        && !rest.is_empty();
    if prefixed {
        return Ok(name);
    }
    Err(invalid(format!("The schema name '{name}' needs a publisher's prefix, such as new_{name}.")))
}

/// A member that must be a text.
pub(super) fn text(body: &Map<String, Value>, name: &str) -> Answer<String> {
    let value = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    value.map(str::to_owned).ok_or_else(|| invalid(format!("The definition needs a text in '{name}'.")))
}

/// The English text of a label, else its first.
pub(super) fn label(body: &Map<String, Value>, name: &str) -> Option<String> {
    let labels = body.get(name)?["LocalizedLabels"].as_array()?;
    let english = labels.iter().find(|label| label["LanguageCode"] == 1033).or(labels.first())?;
    english["Label"].as_str().map(str::to_owned)
}

/// The refusal of a definition that cannot be used.
pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad(INVALID_ARGUMENT, message)
}

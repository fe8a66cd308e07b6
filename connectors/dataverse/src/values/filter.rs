//! Conditions: from `{ column: value }` to an OData filter.

use cosell_sdk::CallError;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{choice, lookup, wrong_value};
use crate::metadata::{Column, Kind, Table};

/// The rows in which every column of `conditions` equals its value, as an OData filter. None where no row can: where
/// a value is not of its column's type, such as a text that is no identifier for a key.
///
/// # Errors
/// Columns that do not exist or cannot be compared, and choices that do not exist.
pub fn equal(table: &Table, conditions: &Map<String, Value>) -> Result<Option<String>, CallError> {
    let mut terms = Vec::new();
    for (name, value) in conditions {
        let column = table.column(name)?;
        match literal(table, column, value)? {
            Some(literal) => terms.push(format!("{} eq {literal}", column.wire_name())),
            None => return Ok(None),
        }
    }
    Ok(Some(terms.join(" and ")))
}

/// A value as it stands in a filter or a key; none where the column can never hold it.
pub(super) fn literal(table: &Table, column: &Column, value: &Value) -> Result<Option<String>, CallError> {
    if value.is_null() {
        return Ok(Some("null".to_owned()));
    }
    Ok(match &column.kind {
        Kind::Id => value.as_str().and_then(|text| text.parse::<Uuid>().ok()).map(|id| id.to_string()),
        Kind::Lookup(_) => match value {
            // A plain text may be any identifier from elsewhere; that it is none of ours is an answer, not a mistake.
            Value::String(text) => text.parse::<Uuid>().ok().map(|id| id.to_string()),
            other => Some(lookup::reference(table, &column.name, other)?.id.to_string()),
        },
        Kind::Text => match value {
            Value::String(text) => Some(quoted(text)),
            Value::Number(number) => Some(quoted(&number.to_string())),
            _ => return Err(wrong_value(table, &column.name, value, "a text")),
        },
        Kind::Number => match value {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => text.trim().parse::<serde_json::Number>().ok().map(|number| number.to_string()),
            _ => return Err(wrong_value(table, &column.name, value, "a number")),
        },
        Kind::Bool => match value {
            Value::Bool(value) => Some(value.to_string()),
            _ => return Err(wrong_value(table, &column.name, value, "true or false")),
        },
        Kind::Time => value
            .as_str()
            .filter(|text| text.parse::<Timestamp>().is_ok() || (text.len() == 10 && text.parse::<Date>().is_ok()))
            .map(str::to_owned),
        Kind::Choice(choices) => Some(choice::number(table, &column.name, choices, value)?.to_string()),
        Kind::Other(kind) => {
            return Err(CallError::rejected(
                "not_comparable",
                format!(
                    "the column `{}` of {} is of the type {kind}, which cannot be compared",
                    column.name, table.head.logical_name
                ),
            ));
        }
    })
}

/// A text literal: in single quotes, of which those inside are doubled.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{ID, table};
    use serde_json::json;

    fn filter(conditions: Value) -> Result<Option<String>, CallError> {
        equal(&table(), conditions.as_object().unwrap())
    }

    #[test]
    fn each_type_has_its_literal() {
        for (conditions, expected) in [
            (json!({ "opportunityid": ID.to_uppercase() }), format!("opportunityid eq {ID}")),
            (json!({ "customerid": ID }), format!("_customerid_value eq {ID}")),
            (json!({ "customerid": { "table": "account", "id": ID } }), format!("_customerid_value eq {ID}")),
            (json!({ "name": "O'Neill' or 1 eq 1" }), "name eq 'O''Neill'' or 1 eq 1'".to_owned()),
            (json!({ "name": 5 }), "name eq '5'".to_owned()),
            (json!({ "estimatedvalue": 12.5 }), "estimatedvalue eq 12.5".to_owned()),
            (json!({ "estimatedvalue": "12" }), "estimatedvalue eq 12".to_owned()),
            (json!({ "isrevenuesystemcalculated": false }), "isrevenuesystemcalculated eq false".to_owned()),
            (json!({ "opportunityratingcode": "hot" }), "opportunityratingcode eq 1".to_owned()),
            (json!({ "createdon": "2026-11-02T08:00:00Z" }), "createdon eq 2026-11-02T08:00:00Z".to_owned()),
            (json!({ "createdon": "2026-11-02" }), "createdon eq 2026-11-02".to_owned()),
            (json!({ "customerid": null, "name": null }), "_customerid_value eq null and name eq null".to_owned()),
        ] {
            assert_eq!(filter(conditions).unwrap(), Some(expected));
        }
    }

    #[test]
    fn what_can_equal_nothing_matches_nothing() {
        for conditions in [
            json!({ "opportunityid": "OPP-20417" }),
            json!({ "opportunityid": 5 }),
            json!({ "customerid": "x" }),
            json!({ "estimatedvalue": "much" }),
            json!({ "createdon": "yesterday" }),
            json!({ "createdon": "2026-11-02 or 1 eq 1" }),
            json!({ "name": "fine", "opportunityid": "" }),
        ] {
            assert_eq!(filter(conditions.clone()).unwrap(), None, "{conditions}");
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for (conditions, code) in [
            (json!({ "nane": "x" }), "unknown_column"),
            (json!({ "opportunityratingcode": "tepid" }), "wrong_value"),
            (json!({ "name": ["x"] }), "wrong_value"),
            (json!({ "isrevenuesystemcalculated": "yes" }), "wrong_value"),
            (json!({ "customerid": {} }), "wrong_value"),
            (json!({ "entityimage": "x" }), "not_comparable"),
        ] {
            assert_eq!(filter(conditions).unwrap_err().code, code);
        }
    }
}

use cosell_sdk::CallError;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::wrong_value;
use crate::metadata::{Table, Target};

/// A reference as a flow wrote it.
#[derive(Debug, PartialEq)]
pub(super) struct Reference<'a> {
    /// The table it names, if it names one.
    pub(super) table: Option<&'a str>,
    /// The row.
    pub(super) id: Uuid,
}

/// Reads `{ account: { accountnumber: A } }`: the row of a table that has these values, by an alternate key or any
/// other columns.
pub(super) fn conditions(value: &Value) -> Option<(&str, &Map<String, Value>)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (table, conditions) = members.iter().next()?;
    Some((table, conditions.as_object().filter(|conditions| !conditions.is_empty())?))
}

/// Reads `{ table, id }` (so also a lookup of a row that was read), `{ account: id }`, or a plain identifier.
pub(super) fn reference<'a>(table: &Table, column: &str, value: &'a Value) -> Result<Reference<'a>, CallError> {
    let wrong = || {
        wrong_value(
            table,
            column,
            value,
            "null, an id, { table: …, id: … }, { TABLE: id } or { TABLE: { COLUMN: value } }",
        )
    };
    let (target, id) = match value {
        Value::String(id) => (None, id.as_str()),
        Value::Object(members) => match (members.get("table"), members.get("id")) {
            (Some(Value::String(target)), Some(Value::String(id))) => (Some(target.as_str()), id.as_str()),
            (Some(Value::Null) | None, Some(Value::String(id))) => (None, id.as_str()),
            (None, None) if members.len() == 1 => {
                let (target, id) = members.iter().next().ok_or_else(wrong)?;
                (Some(target.as_str()), id.as_str().ok_or_else(wrong)?)
            }
            _ => return Err(wrong()),
        },
        _ => return Err(wrong()),
    };
    Ok(Reference { table: target, id: id.parse().map_err(|_| wrong())? })
}

/// The navigation property by which a row of `target` (a logical name) is set; without a name, where there is only one.
pub(super) fn navigation<'a>(
    table: &Table,
    column: &str,
    targets: &'a [Target],
    target: Option<&str>,
) -> Result<&'a Target, CallError> {
    let found = match target {
        // Owners have one navigation for the two tables they can be of.
        Some("systemuser" | "team") if targets.iter().all(|known| known.table == "owner") => targets.first(),
        Some(target) => targets.iter().find(|known| known.table == target),
        None if targets.len() == 1 && targets[0].table != "owner" => targets.first(),
        None => None,
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = targets
            .iter()
            .flat_map(
                |known| if known.table == "owner" { vec!["systemuser", "team"] } else { vec![known.table.as_str()] },
            )
            .collect();
        let what = target.map_or_else(
            || "does not say which table it means".to_owned(),
            |target| format!("cannot refer to `{target}`"),
        );
        CallError::rejected(
            "wrong_target",
            format!(
                "the value for the column `{column}` of {} {what}; expected {{ table: …, id: … }} with one of {}",
                table.head.logical_name,
                known.join(", ")
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metadata::Kind;
    use crate::testing::{ID, table};
    use serde_json::json;

    #[test]
    fn the_ways_to_write_a_reference() {
        let table = table();
        let id: Uuid = ID.parse().unwrap();
        for (value, target) in [
            (json!(ID), None),
            (json!({ "table": "account", "id": ID }), Some("account")),
            (json!({ "table": "account", "id": ID.to_uppercase(), "name": "Contoso" }), Some("account")),
            (json!({ "table": null, "id": ID, "name": null }), None),
            (json!({ "account": ID }), Some("account")),
        ] {
            assert_eq!(reference(&table, "customerid", &value).unwrap(), Reference { table: target, id });
        }
        for value in [json!("Contoso"), json!(1), json!({ "account": null }), json!({ "table": "account" }), json!({})]
        {
            assert_eq!(reference(&table, "customerid", &value).unwrap_err().code, "wrong_value", "{value}");
        }
    }

    #[test]
    fn the_navigation_of_each_target() {
        let table = table();
        let set = |column: &str, target: Option<&str>| {
            let Kind::Lookup(targets) = &table.columns[column].kind else { panic!() };
            navigation(&table, column, targets, target).map(|target| target.navigation.clone())
        };
        assert_eq!(set("customerid", Some("contact")).unwrap(), "customerid_contact");
        assert_eq!(set("msft_solution", None).unwrap(), "msft_Solution");
        assert_eq!(set("ownerid", Some("team")).unwrap(), "ownerid");
        for (column, target) in
            [("customerid", None), ("customerid", Some("lead")), ("ownerid", None), ("ownerid", Some("account"))]
        {
            assert_eq!(set(column, target).unwrap_err().code, "wrong_target");
        }
        let message = set("customerid", None).unwrap_err().message;
        assert!(message.contains("one of account, contact"), "{message}");
    }
}

//! What to write: from `{ column: value }` to the body of a create or an update.

use cosell_sdk::values::same;
use cosell_sdk::{CallContext, CallError};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{choice, lookup, wrong_value};
use crate::connection::Dataverse;
use crate::metadata::{Column, Kind, Table};

/// Whether a row is made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// It is made.
    Create,
    /// It is changed.
    Update,
}

/// One column to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Its logical name.
    pub(crate) column: String,
    /// Its name in rows on the wire.
    wire_name: String,
    /// What it will hold there.
    holds: Value,
    /// The table that a lookup then refers to.
    target: Option<String>,
    /// Name and value in the body, which differ from those for lookups.
    member: (String, Value),
}

impl Assignment {
    /// Whether a row, as it came, holds this already.
    pub fn is_done(&self, row: &Map<String, Value>) -> bool {
        same(&self.holds, row.get(&self.wire_name).unwrap_or(&Value::Null))
    }

    /// Makes a row, as it came, hold it. What people would read for it is not known beforehand.
    pub(crate) fn apply(&self, row: &mut Map<String, Value>) {
        let prefix = format!("{}@", self.wire_name);
        row.retain(|name, _| !name.starts_with(&prefix));
        row.insert(self.wire_name.clone(), self.holds.clone());
        if let Some(target) = &self.target {
            row.insert(format!("{prefix}Microsoft.Dynamics.CRM.lookuplogicalname"), Value::String(target.clone()));
        }
    }
}

/// The body that makes these assignments.
pub fn body(assignments: &[Assignment]) -> Map<String, Value> {
    assignments.iter().map(|assignment| assignment.member.clone()).collect()
}

/// Turns a flow's values into assignments.
///
/// # Errors
/// Columns that do not exist or cannot be written, and values that their columns cannot hold.
pub async fn assignments(
    dataverse: &Dataverse,
    table: &Table,
    values: &Map<String, Value>,
    write: Write,
    context: &CallContext,
) -> Result<Vec<Assignment>, CallError> {
    let mut assignments = Vec::new();
    for (name, value) in values {
        let column = table.column(name)?;
        check_writable(table, column, write)?;
        let Kind::Lookup(targets) = &column.kind else {
            let value = plain(table, column, value)?;
            assignments.push(Assignment {
                column: name.clone(),
                wire_name: name.clone(),
                holds: value.clone(),
                target: None,
                member: (name.clone(), value),
            });
            continue;
        };
        let (navigation, bound, holds, to) = if value.is_null() {
            // Any one of a lookup's navigations clears it.
            let Some(target) = targets.first() else { continue };
            (&target.navigation, Value::Null, Value::Null, None)
        } else {
            let found;
            let value = match lookup::conditions(value) {
                Some((target, conditions)) => {
                    let id = dataverse.find_id(target, conditions, context).await?;
                    found = json!({ "table": target, "id": id });
                    &found
                }
                None => value,
            };
            let reference = lookup::reference(table, name, value)?;
            // Flows may write an entity set name here too.
            let head = match reference.table {
                Some(table) => Some(dataverse.head(table, context).await?),
                None => None,
            };
            let target =
                lookup::navigation(table, name, targets, head.as_ref().map(|head| head.logical_name.as_str()))?;
            let head = match head {
                Some(head) => head,
                None => dataverse.head(&target.table, context).await?,
            };
            let holds = Value::String(reference.id.to_string());
            (&target.navigation, bind(&head.set_name, reference.id), holds, Some(head.logical_name.clone()))
        };
        // A new row has no reference that could be cleared.
        if write == Write::Update || !bound.is_null() {
            let member = (format!("{navigation}@odata.bind"), bound);
            assignments.push(Assignment {
                column: name.clone(),
                wire_name: column.wire_name(),
                holds,
                target: to,
                member,
            });
        }
    }
    Ok(assignments)
}

/// The address of a row in a reference to it.
pub fn bind(set: &str, id: Uuid) -> Value {
    Value::String(format!("/{set}({id})"))
}

fn check_writable(table: &Table, column: &Column, write: Write) -> Result<(), CallError> {
    let (allowed, what) = match write {
        Write::Create => (column.creatable, "set when a row is created"),
        Write::Update => (column.updatable, "changed"),
    };
    if allowed && column.name != table.head.primary_id {
        return Ok(());
    }
    let remedy = match (&column.kind, column.name.as_str()) {
        (Kind::Choice(_), "statecode") => "close or reopen the row by its own operation",
        _ if column.name == table.head.primary_id => "the identifier is chosen when the row is created, and stays",
        _ => "leave it out",
    };
    Err(CallError::rejected(
        "read_only_column",
        format!("the column `{}` of {} cannot be {what}; {remedy}", column.name, table.head.logical_name),
    ))
}

fn plain(table: &Table, column: &Column, value: &Value) -> Result<Value, CallError> {
    let wrong = |expected: &str| wrong_value(table, &column.name, value, expected);
    if value.is_null() {
        return Ok(Value::Null);
    }
    match &column.kind {
        Kind::Choice(choices) => choice::number(table, &column.name, choices, value).map(Value::from),
        Kind::Text => match value {
            Value::String(_) => Ok(value.clone()),
            Value::Number(number) => Ok(Value::String(number.to_string())),
            _ => Err(wrong("a text")),
        },
        Kind::Number => match value {
            Value::Number(_) => Ok(value.clone()),
            Value::String(text) => text.trim().parse().map(Value::Number).map_err(|_| wrong("a number")),
            _ => Err(wrong("a number")),
        },
        Kind::Bool if !value.is_boolean() => Err(wrong("true or false")),
        Kind::Time if !value.is_string() => Err(wrong("a date or a time as a text, such as 2027-01-29")),
        Kind::Id => {
            let id = value.as_str().and_then(|text| text.parse::<Uuid>().ok()).ok_or_else(|| wrong("a GUID"))?;
            Ok(Value::String(id.to_string()))
        }
        _ => Ok(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{API, ID, connect, script_columns, script_metadata, table};
    use cosell_sdk::stub::{Reply, Stub};

    async fn write(values: Value, write: Write) -> Result<Value, CallError> {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let context = CallContext::new(Uuid::nil(), false);
        let assignments = assignments(&connect(&stub), &table(), values.as_object().unwrap(), write, &context).await?;
        Ok(Value::Object(body(&assignments)))
    }

    #[tokio::test]
    async fn lookups_are_bound_by_navigation_and_set_name() {
        let to_account = json!({ "customerid_account@odata.bind": format!("/accounts({ID})") });
        for value in [
            json!({ "account": ID }),
            json!({ "table": "account", "id": ID, "name": "x" }),
            json!({ "table": "accounts", "id": ID }),
        ] {
            assert_eq!(write(json!({ "customerid": value }), Write::Create).await.unwrap(), to_account);
        }
        assert_eq!(
            write(json!({ "ownerid": { "systemuser": ID }, "msft_solution": ID }), Write::Update).await.unwrap(),
            json!({
                "ownerid@odata.bind": format!("/systemusers({ID})"),
                "msft_Solution@odata.bind": format!("/msft_solutions({ID})")
            })
        );
        let cleared = write(json!({ "customerid": null }), Write::Update).await.unwrap();
        assert_eq!(cleared, json!({ "customerid_account@odata.bind": null }));
        assert_eq!(write(json!({ "customerid": null }), Write::Create).await.unwrap(), json!({}));
    }

    #[tokio::test]
    async fn a_lookup_may_be_given_by_the_values_of_its_row() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        script_columns(&stub, "account", &[("accountid", "Uniqueidentifier"), ("accountnumber", "String")]);
        let found = |count: usize| Reply::json(200, json!({ "value": vec![json!({ "accountid": ID }); count] }));
        stub.on("GET", &format!("{API}/accounts"), [found(1), found(0), found(2)]);
        let (dataverse, table, context) = (connect(&stub), table(), CallContext::new(Uuid::nil(), false));
        let values = json!({ "customerid": { "account": { "accountnumber": "A" } } });
        let write = || assignments(&dataverse, &table, values.as_object().unwrap(), Write::Create, &context);
        let written = Value::Object(body(&write().await.unwrap()));
        assert_eq!(written, json!({ "customerid_account@odata.bind": format!("/accounts({ID})") }));
        let asked = stub.lines().pop().unwrap();
        assert!(asked.ends_with("/accounts?$filter=accountnumber%20eq%20%27A%27&$select=accountid&$top=2"), "{asked}");
        for code in ["no_such_row", "ambiguous_row"] {
            assert_eq!(write().await.unwrap_err().code, code);
        }
    }

    #[tokio::test]
    async fn plain_values_fit_their_columns() {
        let values = json!({
            "name": 5, "estimatedvalue": "12.5", "opportunityratingcode": "Warm", "isrevenuesystemcalculated": true,
            "estimatedclosedate": "2027-01-29", "description": null
        });
        assert_eq!(
            write(values, Write::Create).await.unwrap(),
            json!({
                "name": "5", "estimatedvalue": 12.5, "opportunityratingcode": 2, "isrevenuesystemcalculated": true,
                "estimatedclosedate": "2027-01-29", "description": null
            })
        );
    }

    #[tokio::test]
    async fn mistakes_are_refused() {
        for (values, code) in [
            (json!({ "nam": "x" }), "unknown_column"),
            (json!({ "createdon": "2026-11-02" }), "read_only_column"),
            (json!({ "opportunityid": ID }), "read_only_column"),
            (json!({ "name": {} }), "wrong_value"),
            (json!({ "estimatedvalue": "much" }), "wrong_value"),
            (json!({ "estimatedclosedate": 5 }), "wrong_value"),
            (json!({ "isrevenuesystemcalculated": "yes" }), "wrong_value"),
            (json!({ "opportunityratingcode": "tepid" }), "wrong_value"),
            (json!({ "customerid": ID }), "wrong_target"),
            (json!({ "customerid": { "table": "opportunity", "id": ID } }), "wrong_target"),
        ] {
            let error = write(values.clone(), Write::Update).await.unwrap_err();
            assert_eq!(error.code, code, "{values}");
        }
        // May be changed, but not set at first.
        assert!(write(json!({ "statecode": 0 }), Write::Update).await.is_ok());
        let error = write(json!({ "statecode": 0 }), Write::Create).await.unwrap_err();
        assert!(error.message.contains("own operation"), "{}", error.message);
    }
}

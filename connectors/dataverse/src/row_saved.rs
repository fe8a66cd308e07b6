//! The trigger: Dataverse calls when a row is created, changed or deleted (Web API, webhooks).
//!
//! A call carries no signature, only a secret in a header, and a picture of what happened (RemoteExecutionContext).
//! Nothing of its form is relied on that is not needed, since organisations differ: unknown members are passed over.

use cosell_sdk::{Incoming, JsonSchema, Operation, Refusal, WebhookTrigger};
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::connection::Dataverse;
use crate::operations::RegisterWebhook;

/// Header that carries the secret.
pub(crate) const SECRET_HEADER: &str = "x-cosell-key";

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Saved {
    /// It was created.
    Created,
    /// It was changed.
    Updated,
    /// It was deleted.
    Deleted,
}

impl Saved {
    const ALL: [Self; 3] = [Self::Created, Self::Updated, Self::Deleted];

    fn from_message(message: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|saved| saved.message() == message)
    }

    fn message(self) -> &'static str {
        match self {
            Self::Created => "Create",
            Self::Updated => "Update",
            Self::Deleted => "Delete",
        }
    }
}

/// Which calls start a run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowSavedWith {
    /// The table, by its logical name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// What must have happened; any of the three when not given.
    #[serde(default = "all")]
    pub changes: Vec<Saved>,
    /// Columns of which an update must have set at least one; any when not given.
    #[serde(default)]
    #[schemars(extend("x-names" = "columns"))]
    pub columns: Vec<String>,
    /// User whose own writes start no run: the one that the connection acts as, so that flows do not answer themselves.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub except_user: Option<Uuid>,
}

fn all() -> Vec<Saved> {
    Saved::ALL.to_vec()
}

/// A row that was saved or deleted. Read the row for all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowSavedPayload {
    /// Logical name of the table.
    pub table: String,
    /// The row.
    #[schemars(with = "String")]
    pub id: Uuid,
    /// What happened.
    pub change: Saved,
    /// The columns that were set, by logical name; a lookup is `{ id, table, name }`. Empty where the row was deleted, or
    /// the call was too large to carry them.
    pub columns: Map<String, Value>,
    /// Whether the columns were left out because the call was too large (256 KB).
    pub truncated: bool,
    /// Who did it.
    #[schemars(with = "Option<String>")]
    pub user: Option<Uuid>,
    /// How many plug-ins and calls lie between a person and this; 1 is done directly.
    pub depth: u32,
}

/// Dataverse calls about a row.
#[derive(Debug)]
pub struct RowSaved;

impl WebhookTrigger for RowSaved {
    type Connection = Dataverse;
    type With = RowSavedWith;
    type Payload = RowSavedPayload;

    const NAME: &'static str = "row_saved";
    const TITLE: &'static str = "When Dataverse calls about a row";
    const DESCRIPTION: &'static str = "Starts a run for each call of a webhook. The service registers it by itself where it knows its public address; \
        register_webhook does so by hand. Calls may come out of order.";

    async fn receive(dataverse: &Dataverse, request: &Incoming) -> Result<Vec<(RowSavedPayload, String)>, Refusal> {
        let Some(secret) = &dataverse.webhook_secret else {
            return Err(Refusal::TryAgain(
                "the connection has no `webhook_secret`, so no call can be verified; configure one".to_owned(),
            ));
        };
        if !request.header(SECRET_HEADER).is_some_and(|given| secret.matches(given)) {
            return Err(Refusal::Unauthorized(format!(
                "the header {SECRET_HEADER} does not hold the webhook's secret"
            )));
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| Refusal::Malformed(format!("the call is not JSON: {error}")))?;
        let truncated =
            request.header("x-ms-dynamics-msg-size-exceeded").is_some_and(|value| !value.eq_ignore_ascii_case("false"));
        Ok(read(&body, truncated)?.into_iter().collect())
    }

    fn wants(with: &RowSavedWith, payload: &RowSavedPayload) -> bool {
        let is_own = with.except_user.is_some() && with.except_user == payload.user;
        // What was left out may have been any column.
        let touches = payload.change != Saved::Updated
            || payload.truncated
            || with.columns.is_empty()
            || with.columns.iter().any(|column| payload.columns.contains_key(column));
        with.table == payload.table && with.changes.contains(&payload.change) && !is_own && touches
    }

    /// One webhook for the address, named after it, so that another service's stays as it is; and in it what any of the
    /// flows wants of each table.
    fn register(flows: &[RowSavedWith], url: &str) -> Vec<(&'static str, Value)> {
        let tables: BTreeSet<&str> = flows.iter().map(|flow| flow.table.as_str()).collect();
        let name = format!("cosell at {}", url.split_once("://").map_or(url, |(_, rest)| rest));
        let one = |table: &str| {
            let of_table = || flows.iter().filter(|flow| flow.table == table);
            let wanted = Saved::ALL.into_iter().filter(|change| of_table().any(|flow| flow.changes.contains(change)));
            let messages: Vec<&str> = wanted.map(Saved::message).collect();
            let of_updates = || of_table().filter(|flow| flow.changes.contains(&Saved::Updated));
            // Whoever names no column wants them all.
            let all = of_updates().any(|flow| flow.columns.is_empty());
            let columns: BTreeSet<&str> =
                of_updates().filter(|_| !all).flat_map(|flow| &flow.columns).map(String::as_str).collect();
            let input = json!({ "name": name, "url": url, "table": table, "messages": messages, "columns": columns });
            (RegisterWebhook::NAME, input)
        };
        tables.into_iter().map(one).collect()
    }
}

/// Reads a call, with the key by which a repeated one is known; none for messages that save no row.
fn read(body: &Value, truncated: bool) -> Result<Option<(RowSavedPayload, String)>, Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let id_of = |text: Option<&str>| text.and_then(|id| id.parse::<Uuid>().ok()).filter(|id| !id.is_nil());
    let malformed = |what: &str| Refusal::Malformed(format!("the call has no {what}"));
    let message = text("MessageName").ok_or_else(|| malformed("MessageName"))?;
    let Some(change) = Saved::from_message(message) else { return Ok(None) };
    let table = text("PrimaryEntityName").ok_or_else(|| malformed("PrimaryEntityName"))?;
    let target = entry(body, "InputParameters", "Target");
    let id = id_of(text("PrimaryEntityId"))
        .or_else(|| id_of(target?.get("Id")?.as_str()))
        .or_else(|| id_of(entry(body, "OutputParameters", "id")?.as_str()))
        .ok_or_else(|| malformed("PrimaryEntityId"))?;
    let columns = target
        .and_then(|target| target.get("Attributes")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(|attribute| Some((attribute.get("key")?.as_str()?.to_owned(), plain(attribute.get("value")?))))
        .collect();
    let payload = RowSavedPayload {
        table: table.to_owned(),
        id,
        change,
        columns,
        truncated,
        user: id_of(text("UserId")),
        depth: body.get("Depth").and_then(Value::as_u64).and_then(|depth| depth.try_into().ok()).unwrap_or(1),
    };
    // A call is repeated once, unchanged, where the receiver was busy. An operation has an identifier of its own only
    // where it is asynchronous, so the request and the time stand beside it.
    let part = |name: &str| text(name).unwrap_or_default();
    let dedup_key =
        format!("{message} {id} {} {} {}", part("OperationId"), part("RequestId"), part("OperationCreatedOn"));
    Ok(Some((payload, dedup_key)))
}

/// A value of one of the dictionaries, which are lists of `{ key, value }`.
fn entry<'a>(body: &'a Value, dictionary: &str, key: &str) -> Option<&'a Value> {
    let entries = body.get(dictionary)?.as_array()?;
    entries.iter().find(|entry| entry.get("key").and_then(Value::as_str) == Some(key))?.get("value")
}

/// A value as rows hold it: money and choices are numbers, lookups as in a row, times in ISO 8601.
fn plain(value: &Value) -> Value {
    match value {
        Value::String(text) => time(text).map_or_else(|| value.clone(), Value::String),
        Value::Array(items) => Value::Array(items.iter().map(plain).collect()),
        Value::Object(members) => match (members.get("LogicalName"), members.get("Id"), members.get("Value")) {
            (Some(table), Some(id), None) => {
                json!({ "id": id, "table": table, "name": members.get("Name").cloned().unwrap_or_default() })
            }
            (None, _, Some(inner)) => plain(inner),
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

/// Reads `/Date(1506409448000-0700)/`: milliseconds since 1970 in UTC; the offset only says where it was written.
fn time(text: &str) -> Option<String> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let digits =
        inner.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-')).map_or(inner, |(at, _)| &inner[..at]);
    Some(Timestamp::from_millisecond(digits.parse().ok()?).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{ID, KEY, open};
    use cosell_sdk::stub::Stub;

    fn call(message: &str) -> Value {
        let kind = |name: &str| format!("{name}:http://schemas.microsoft.com/xrm/2011/Contracts");
        json!({
            "MessageName": message, "PrimaryEntityName": "opportunity", "PrimaryEntityId": ID, "Depth": 1, "UserId": KEY,
            "OperationId": KEY, "RequestId": KEY, "OperationCreatedOn": "/Date(1506409448000-0700)/", "NewMember": {},
            "InputParameters": [{ "key": "Target", "value": { "__type": kind("Entity"), "LogicalName": "opportunity", "Id": ID,
                "Attributes": [
                    { "key": "name", "value": "Deal" },
                    { "key": "estimatedvalue", "value": { "__type": kind("Money"), "Value": 5000 } },
                    { "key": "statuscode", "value": { "__type": kind("OptionSetValue"), "Value": 1 } },
                    { "key": "customerid", "value": { "__type": kind("EntityReference"), "Id": KEY,
                        "KeyAttributes": [], "LogicalName": "account", "Name": null, "RowVersion": null } },
                    { "key": "modifiedon", "value": "/Date(1506409448000)/" },
                    { "key": "closedon", "value": null }
                ] } }]
        })
    }

    fn incoming(body: &Value, secret: &str) -> Incoming {
        Incoming {
            headers: vec![(SECRET_HEADER.to_owned(), secret.to_owned())],
            body: body.to_string().into_bytes().into(),
        }
    }

    #[tokio::test]
    async fn a_call_with_the_secret_is_read() {
        let stub = Stub::start().await;
        let connection = open(&stub);
        let events = connection.receive("row_saved", incoming(&call("Update"), "hook-secret")).await.unwrap();
        assert_eq!(
            events[0].payload,
            json!({
                "table": "opportunity", "id": ID, "change": "updated", "truncated": false, "user": KEY, "depth": 1,
                "columns": {
                    "name": "Deal", "estimatedvalue": 5000, "statuscode": 1, "closedon": null,
                    "customerid": { "id": KEY, "table": "account", "name": null }, "modifiedon": "2017-09-26T07:04:08Z"
                }
            })
        );
        let again = connection.receive("row_saved", incoming(&call("Update"), "hook-secret")).await.unwrap();
        assert_eq!(events[0].dedup_key, again[0].dedup_key);
        for secret in ["", "hook-secre", "hook-secret2"] {
            let refused = connection.receive("row_saved", incoming(&call("Update"), secret)).await;
            assert!(matches!(refused, Err(Refusal::Unauthorized(_))), "{secret}");
        }
        assert_eq!(connection.receive("row_saved", incoming(&call("Assign"), "hook-secret")).await.unwrap(), []);
        assert!(stub.requests().is_empty());
    }

    #[test]
    fn deletions_creations_and_large_calls_have_their_identifier_elsewhere() {
        let mut deleted = call("Delete");
        deleted["PrimaryEntityId"] = json!(Uuid::nil());
        deleted["InputParameters"][0]["value"] = json!({ "Id": ID, "LogicalName": "opportunity" });
        let mut created = call("Create");
        created["PrimaryEntityId"] = Value::Null;
        created["InputParameters"] = json!([]);
        created["OutputParameters"] = json!([{ "key": "id", "value": ID }]);
        for (body, change) in [(deleted, Saved::Deleted), (created, Saved::Created)] {
            let (payload, _) = read(&body, true).unwrap().unwrap();
            assert_eq!((payload.id.to_string().as_str(), payload.change, payload.columns.len()), (ID, change, 0));
        }
        for name in ["MessageName", "PrimaryEntityName"] {
            let mut body = call("Update");
            body[name] = Value::Null;
            assert!(matches!(read(&body, false), Err(Refusal::Malformed(what)) if what.contains(name)));
        }
    }

    #[test]
    fn a_flow_wants_its_table_its_columns_and_not_its_own_writes() {
        let (payload, _) = read(&call("Update"), false).unwrap().unwrap();
        let wants =
            |with: Value, payload: &RowSavedPayload| RowSaved::wants(&serde_json::from_value(with).unwrap(), payload);
        for (with, wanted) in [
            (json!({ "table": "opportunity" }), true),
            (json!({ "table": "lead" }), false),
            (json!({ "table": "opportunity", "changes": ["created"] }), false),
            (json!({ "table": "opportunity", "columns": ["x", "name"] }), true),
            (json!({ "table": "opportunity", "columns": ["x"] }), false),
            (json!({ "table": "opportunity", "except_user": KEY }), false),
            (json!({ "table": "opportunity", "except_user": ID }), true),
        ] {
            assert_eq!(wants(with.clone(), &payload), wanted, "{with}");
        }
        let cut = RowSavedPayload { truncated: true, columns: Map::new(), ..payload };
        assert!(wants(json!({ "table": "opportunity", "columns": ["x"] }), &cut));
    }

    #[tokio::test]
    async fn what_flows_want_of_a_table_is_registered_together() {
        let stub = Stub::start().await;
        let url = "https://sync.fabrikam.example/hooks/crm";
        let flows = [
            json!({ "table": "opportunity", "changes": ["updated"], "columns": ["name", "statuscode"] }),
            json!({ "table": "opportunity", "changes": ["created", "updated"], "columns": ["name", "closedon"] }),
            json!({ "table": "opportunity", "changes": ["created"] }),
            json!({ "table": "lead" }),
            json!({ "table": "lead", "columns": ["subject"] }),
        ];
        let registered = open(&stub).register("row_saved", &flows, url).unwrap();
        let input = |table: &str, messages: &[&str], columns: &[&str]| {
            let name = "cosell at sync.fabrikam.example/hooks/crm";
            let input = json!({ "name": name, "url": url, "table": table, "messages": messages, "columns": columns });
            ("register_webhook", input)
        };
        assert_eq!(
            registered,
            [
                input("lead", &["Create", "Update", "Delete"], &[]),
                input("opportunity", &["Create", "Update"], &["closedon", "name", "statuscode"]),
            ]
        );
    }

    #[test]
    fn times_are_milliseconds_whatever_their_offset() {
        assert_eq!(time("/Date(1506409448000+0200)/").unwrap(), "2017-09-26T07:04:08Z");
        assert_eq!(time("/Date(-1000)/").unwrap(), "1969-12-31T23:59:59Z");
        assert_eq!(time("Date(1)"), None);
    }
}

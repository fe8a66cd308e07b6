//! What the tests of this crate share: a small environment.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use cosell_sdk::stub::{Reply, Seen, Stub};
use cosell_sdk::{CallContext, CallError, Connect, Connection};
use serde_json::{Value, json};

use crate::connection::Dataverse;
use crate::metadata::{Choice, Column, Head, Kind, Table, Target};

pub(crate) use crate::connection::API;

pub(crate) const SET: &str = "/api/data/v9.2/opportunities";
pub(crate) const ID: &str = "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10";
pub(crate) const KEY: &str = "11111111-2222-4333-8444-555555555555";

pub(crate) fn path(id: &str) -> String {
    format!("{SET}({id})")
}

fn settings(stub: &Stub) -> Value {
    json!({ "address": format!("{}/", stub.origin()), "sign_in": stub.sign_in(), "webhook_secret": "hook-secret" })
}

pub(crate) fn connect(stub: &Stub) -> Dataverse {
    Dataverse::connect(serde_json::from_value(settings(stub)).unwrap()).unwrap()
}

pub(crate) fn open(stub: &Stub) -> Connection {
    crate::connector().open(settings(stub)).unwrap()
}

pub(crate) async fn call(
    connection: &Connection,
    operation: &str,
    input: Value,
    may_have_run: bool,
) -> Result<Value, CallError> {
    connection.call(operation, input, CallContext::new(KEY.parse().unwrap(), may_have_run)).await
}

/// The requests that were no reads.
pub(crate) fn writes(stub: &Stub) -> Vec<Seen> {
    stub.requests().into_iter().filter(|seen| seen.method != "GET").collect()
}

/// An opportunity as it comes from the Web API.
pub(crate) fn stored() -> Value {
    json!({
        "@odata.context": "https://org.crm4.dynamics.com/api/data/v9.2/$metadata#opportunities/$entity",
        "@odata.etag": "W/\"468026\"",
        "opportunityid": ID,
        "name": "Deal",
        "statecode": 0,
        "estimatedvalue": 5000.0,
        "estimatedclosedate": "2027-01-29",
        "opportunityratingcode": 2,
        "description": null,
        "_customerid_value": ID,
        "_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "account",
        "_customerid_value@OData.Community.Display.V1.FormattedValue": "Contoso"
    })
}

const COLUMNS: [(&str, &str, bool, bool); 13] = [
    ("opportunityid", "Uniqueidentifier", true, false),
    ("name", "String", true, true),
    ("description", "Memo", true, true),
    ("estimatedvalue", "Money", true, true),
    ("estimatedclosedate", "DateTime", true, true),
    ("createdon", "DateTime", false, false),
    ("isrevenuesystemcalculated", "Boolean", true, true),
    ("opportunityratingcode", "Picklist", true, true),
    ("msft_help", "Picklist", true, true),
    ("statecode", "State", false, true),
    ("customerid", "Customer", true, true),
    ("ownerid", "Owner", true, true),
    ("msft_solution", "Lookup", true, true),
];

const RELATIONSHIPS: [(&str, &str, &str); 4] = [
    ("customerid", "account", "customerid_account"),
    ("customerid", "contact", "customerid_contact"),
    ("ownerid", "owner", "ownerid"),
    ("msft_solution", "msft_solution", "msft_Solution"),
];

/// The table opportunity, as it is read from the metadata of [`script_metadata`].
pub(crate) fn table() -> Table {
    let choice =
        |value, labels: &[&str]| Choice { value, labels: labels.iter().map(|label| (*label).to_owned()).collect() };
    let columns: BTreeMap<String, Column> = COLUMNS
        .into_iter()
        .map(|(name, kind, creatable, updatable)| {
            let targets = RELATIONSHIPS.iter().filter(|(column, ..)| *column == name);
            let kind = match (name, kind) {
                ("opportunityratingcode", _) => {
                    Kind::Choice(vec![choice(1, &["Hot", "Heiß"]), choice(2, &["Warm"]), choice(3, &["Cold", "Kalt"])])
                }
                ("msft_help", _) => Kind::Choice(vec![choice(299_600_000, &["General or other"])]),
                ("statecode", _) => Kind::Choice(vec![choice(0, &["Open"]), choice(1, &["Won"]), choice(2, &["Lost"])]),
                (_, "Uniqueidentifier") => Kind::Id,
                (_, "String" | "Memo") => Kind::Text,
                (_, "Money") => Kind::Number,
                (_, "DateTime") => Kind::Time,
                (_, "Boolean") => Kind::Bool,
                _ => Kind::Lookup(
                    targets
                        .map(|(_, table, navigation)| Target {
                            table: (*table).to_owned(),
                            navigation: (*navigation).to_owned(),
                        })
                        .collect(),
                ),
            };
            (name.to_owned(), Column { name: name.to_owned(), kind, creatable, updatable })
        })
        .chain([(
            "entityimage".to_owned(),
            Column {
                name: "entityimage".to_owned(),
                kind: Kind::Other("Virtual".to_owned()),
                creatable: true,
                updatable: true,
            },
        )])
        .collect();
    let head = Head {
        logical_name: "opportunity".to_owned(),
        set_name: "opportunities".to_owned(),
        primary_id: "opportunityid".to_owned(),
        change_tracking: true,
    };
    Table { head, columns }
}

fn definition(logical: &str, set: &str) -> Value {
    json!({ "LogicalName": logical, "SchemaName": logical, "EntitySetName": set,
        "PrimaryIdAttribute": format!("{logical}id"), "PrimaryNameAttribute": "name",
        "ChangeTrackingEnabled": true })
}

fn option(value: i64, label: &str, others: &[&str]) -> Value {
    let labels: Vec<Value> =
        [label].iter().chain(others).map(|label| json!({ "Label": label, "LanguageCode": 1033 })).collect();
    json!({ "Value": value, "Label": { "UserLocalizedLabel": { "Label": label }, "LocalizedLabels": labels } })
}

/// Lets a stub answer for the columns of a table that has no choices and refers to none.
pub(crate) fn script_columns(stub: &Stub, table: &str, columns: &[(&str, &str)]) {
    let below = |part: &str, value: Vec<Value>| {
        let address = format!("{API}/EntityDefinitions(LogicalName='{table}')/{part}");
        stub.on("GET", &address, [Reply::json(200, json!({ "value": value }))]);
    };
    let column =
        |(name, kind): &(&str, &str)| json!({ "LogicalName": name, "AttributeType": kind, "IsValidForCreate": true });
    below("Attributes", columns.iter().map(column).collect());
    below("ManyToOneRelationships", Vec::new());
    for kind in ["Picklist", "State", "Status"] {
        below(&format!("Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata"), Vec::new());
    }
}

/// Lets a stub answer for the metadata of opportunity, and the names of the tables it refers to.
pub(crate) fn script_metadata(stub: &Stub) {
    let all = |value: Vec<Value>| [Reply::json(200, json!({ "value": value }))];
    let entity = |name: &str| format!("{API}/EntityDefinitions(LogicalName='{name}')");
    let by_set = |set: &str| {
        let names = "LogicalName%2CSchemaName%2CEntitySetName%2CPrimaryIdAttribute%2CPrimaryNameAttribute%2CChangeTrackingEnabled";
        format!("{API}/EntityDefinitions?$select={names}&$filter=EntitySetName%20eq%20%27{set}%27")
    };
    for (logical, set) in [
        ("opportunity", "opportunities"),
        ("account", "accounts"),
        ("contact", "contacts"),
        ("lead", "leads"),
        ("systemuser", "systemusers"),
        ("msft_solution", "msft_solutions"),
        ("queue", "queues"),
    ] {
        stub.on("GET", &entity(logical), [Reply::json(200, definition(logical, set))]);
        stub.on("GET", &by_set(set), all(vec![definition(logical, set)]));
    }
    let below = |part: &str| format!("{}/{part}", entity("opportunity"));
    let attributes = COLUMNS.iter().chain([&("entityimage", "Virtual", true, true)]).map(|(name, kind, creatable, updatable)| {
        json!({ "LogicalName": name, "SchemaName": name, "AttributeType": kind, "IsValidForCreate": creatable, "IsValidForUpdate": updatable })
    });
    stub.on("GET", &below("Attributes"), all(attributes.collect()));
    let relationships = RELATIONSHIPS.iter().map(|(column, table, navigation)| {
        json!({ "ReferencingAttribute": column, "ReferencedEntity": table, "ReferencingEntityNavigationPropertyName": navigation })
    });
    stub.on("GET", &below("ManyToOneRelationships"), all(relationships.collect()));
    let cast = |kind: &str| below(&format!("Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata"));
    stub.on(
        "GET",
        &cast("Picklist"),
        all(vec![
            json!({ "LogicalName": "opportunityratingcode", "GlobalOptionSet": null, "OptionSet": {
                "Options": [option(1, "Hot", &["Heiß"]), option(2, "Warm", &[]), option(3, "Cold", &["Kalt"])] } }),
            json!({ "LogicalName": "msft_help", "OptionSet": null, "GlobalOptionSet": {
                "Options": [option(299_600_000, "General or other", &[])] } }),
        ]),
    );
    let states = json!({ "LogicalName": "statecode", "OptionSet": {
        "Options": [option(0, "Open", &[]), option(1, "Won", &[]), option(2, "Lost", &[])] } });
    stub.on("GET", &cast("State"), all(vec![states]));
    stub.on("GET", &cast("Status"), all(vec![]));
    let length = |name: &str, most: usize| json!({ "LogicalName": name, "MaxLength": most });
    stub.on("GET", &cast("String"), all(vec![length("name", 300)]));
    stub.on("GET", &cast("Memo"), all(vec![length("description", 2000)]));
}

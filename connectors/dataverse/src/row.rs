//! Rows as flows see them.

use cosell_sdk::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

const LABEL: &str = "OData.Community.Display.V1.FormattedValue";
const TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

/// A row: its columns by logical name. A lookup is `{ id, table, name }`, or null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// Version for conditional changes.
    pub etag: Option<String>,
    /// How people read a value: of choices, yes/no, money and times, by column.
    pub labels: Map<String, Value>,
    /// The columns.
    #[serde(flatten)]
    pub columns: Map<String, Value>,
}

impl Row {
    /// Reads a row as it came, with its annotations. Expanded rows stand under their navigation names.
    pub fn from_wire(wire: &Map<String, Value>) -> Self {
        let mut row =
            Self { etag: wire.get("@odata.etag").and_then(Value::as_str).map(str::to_owned), ..Self::default() };
        let annotation = |name: &str, kind: &str| wire.get(&format!("{name}@{kind}")).cloned();
        for (name, value) in wire.iter().filter(|(name, _)| !name.contains('@')) {
            if let Some(column) = name.strip_prefix('_').and_then(|name| name.strip_suffix("_value")) {
                let lookup = match value {
                    Value::Null => Value::Null,
                    id => json!({ "id": id, "table": annotation(name, TABLE), "name": annotation(name, LABEL) }),
                };
                row.add(column, lookup);
                continue;
            }
            if let Some(label) = annotation(name, LABEL) {
                row.labels.insert(name.clone(), label);
            }
            row.add(name, nested(value));
        }
        row
    }

    /// A lookup that is also expanded has its own three members and the other row's columns.
    fn add(&mut self, name: &str, value: Value) {
        match (self.columns.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (Some(Value::Object(_)), Value::Null) => {}
            (_, value) => {
                self.columns.insert(name.to_owned(), value);
            }
        }
    }
}

fn nested(value: &Value) -> Value {
    match value {
        Value::Object(wire) => serde_json::to_value(Row::from_wire(wire)).unwrap_or_default(),
        Value::Array(items) => Value::Array(items.iter().map(nested).collect()),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(wire: Value) -> Value {
        serde_json::to_value(Row::from_wire(wire.as_object().unwrap())).unwrap()
    }

    #[test]
    fn wire_names_and_annotations_do_not_reach_flows() {
        let row = read(json!({
            "@odata.context": "x", "@odata.etag": "W/\"468026\"",
            "opportunityid": "o1", "name": "Deal", "closeprobability": null,
            "estimatedvalue": 5000.0, "estimatedvalue@OData.Community.Display.V1.FormattedValue": "$5,000.00",
            "_customerid_value": "a1",
            "_customerid_value@OData.Community.Display.V1.FormattedValue": "Contoso",
            "_customerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "account",
            "_customerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty": "customerid_account",
            "_parentcontactid_value": null
        }));
        assert_eq!(
            row,
            json!({
                "etag": "W/\"468026\"", "labels": { "estimatedvalue": "$5,000.00" },
                "opportunityid": "o1", "name": "Deal", "closeprobability": null, "estimatedvalue": 5000.0,
                "customerid": { "id": "a1", "table": "account", "name": "Contoso" }, "parentcontactid": null
            })
        );
    }

    #[test]
    fn expanded_rows_are_rows_and_keep_the_lookups_members() {
        let contact = json!({ "@odata.etag": "W/\"1\"", "contactid": "c1", "_accountid_value": null });
        for wire in [
            json!({ "_primarycontactid_value": "c1", "primarycontactid": contact, "tasks": [contact] }),
            json!({ "primarycontactid": contact, "tasks": [contact], "_primarycontactid_value": "c1" }),
        ] {
            let row = read(wire);
            assert_eq!(
                row["primarycontactid"],
                json!({ "id": "c1", "table": null, "name": null, "etag": "W/\"1\"", "labels": {}, "contactid": "c1", "accountid": null })
            );
            assert_eq!(row["tasks"][0]["contactid"], "c1");
        }
    }
}

//! What a write would do, said without writing.

use cosell_sdk::{CallContext, Change, Prediction};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::foresee;
use crate::metadata::{Head, Table};
use crate::row::Row;
use crate::values::assign::Assignment;

/// A row that would be created, with the identifier chosen for it. It also has the state in which it would begin.
pub(crate) fn creation(table: &Table, id: Uuid, assignments: &[Assignment], context: &CallContext) -> Prediction<Row> {
    let mut after = new(&table.head, id, assignments);
    let changes = differences(&table.head, id, &Map::new(), &after);
    foresee::begin_open(table, &mut after);
    foresee::row(&table.head, id, &after, context);
    Prediction { record: Row::from_wire(&after), changes }
}

fn new(head: &Head, id: Uuid, assignments: &[Assignment]) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert(head.primary_id.clone(), Value::String(id.to_string()));
    assignments.iter().for_each(|assignment| assignment.apply(&mut row));
    row
}

/// A row that would be changed.
pub(crate) fn change(
    head: &Head,
    id: Uuid,
    row: &Map<String, Value>,
    assignments: &[Assignment],
    context: &CallContext,
) -> Prediction<Row> {
    let mut after = row.clone();
    assignments.iter().filter(|wanted| !wanted.is_done(row)).for_each(|assignment| assignment.apply(&mut after));
    between(head, id, row, &after, context)
}

/// A row before and after, both as they come.
pub(crate) fn between(
    head: &Head,
    id: Uuid,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    context: &CallContext,
) -> Prediction<Row> {
    foresee::row(head, id, after, context);
    Prediction { record: Row::from_wire(after), changes: differences(head, id, before, after) }
}

/// What would change, column by column.
fn differences(head: &Head, id: Uuid, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let (before, after) = (Row::from_wire(before), Row::from_wire(after));
    after
        .columns
        .iter()
        .map(|(field, new)| Change {
            record: name(head, id),
            field: field.clone(),
            old: before.columns.get(field).cloned().unwrap_or_default(),
            new: new.clone(),
        })
        // Which row it is, its name says.
        .filter(|change| change.old != change.new && change.field != head.primary_id)
        .collect()
}

/// A row that would be deleted.
pub(crate) fn deletion(head: &Head, id: Uuid, row: &Map<String, Value>, context: &CallContext) -> Change {
    foresee::gone(head, id, context);
    Change { record: name(head, id), field: "*".to_owned(), old: json!(Row::from_wire(row)), new: Value::Null }
}

fn name(head: &Head, id: Uuid) -> String {
    format!("{} {id}", head.logical_name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, KEY, connect, open, path, script_metadata, stored, writes};
    use cosell_sdk::stub::{Reply, Stub};
    use cosell_sdk::{CallContext, Prediction};
    use serde_json::{Value, json};

    async fn predict(stub: &Stub, operation: &str, input: Value) -> Prediction {
        open(stub).predict(operation, input, CallContext::new(KEY.parse().unwrap(), false)).await.unwrap()
    }

    fn told(prediction: &Prediction) -> Vec<(String, Value, Value)> {
        prediction.changes.iter().map(|change| (change.field.clone(), change.old.clone(), change.new.clone())).collect()
    }

    #[tokio::test]
    async fn a_creation_and_a_change_by_column() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        let values = json!({ "name": "Deal", "customerid": { "account": ID } });
        let made = predict(&stub, "create_row", json!({ "table": "opportunity", "values": values })).await;
        assert_eq!(
            (&made.record["opportunityid"], &made.record["customerid"]["table"]),
            (&json!(KEY), &json!("account"))
        );
        assert_eq!(told(&made)[0], ("name".to_owned(), Value::Null, json!("Deal")));
        assert_eq!(made.changes[0].record, format!("opportunity {KEY}"));

        let values = json!({ "name": "Deal", "estimatedvalue": 91000, "customerid": { "contact": KEY } });
        let input = json!({ "table": "opportunity", "id": ID, "values": values });
        let changed = predict(&stub, "update_row", input).await;
        let contoso = json!({ "id": ID, "table": "account", "name": "Contoso" });
        let contact = json!({ "id": KEY, "table": "contact", "name": null });
        let mut told = told(&changed);
        told.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            told,
            [("customerid".to_owned(), contoso, contact), ("estimatedvalue".to_owned(), json!(5000.0), json!(91000)),]
        );
        assert_eq!((&changed.record["changed"], &changed.record["row"]["name"]), (&json!(true), &json!("Deal")));
        assert!(writes(&stub).is_empty());
    }

    #[tokio::test]
    async fn closing_and_deleting() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        let won = predict(&stub, "win_opportunity", json!({ "id": ID, "actual_revenue": 5 })).await;
        assert_eq!((&won.record["statecode"], &won.record["statuscode"]), (&json!(1), &json!(3)));
        assert!(told(&won).contains(&("actualvalue".to_owned(), Value::Null, json!(5))));
        let gone = predict(&stub, "delete_row", json!({ "table": "opportunity", "id": ID })).await;
        assert_eq!((&gone.changes[0].old["name"], &gone.changes[0].new), (&json!("Deal"), &Value::Null));
    }

    #[tokio::test]
    async fn the_service_protection_budget_is_noted() {
        let stub = Stub::start().await;
        let reply = Reply::json(200, stored()).header("x-ms-ratelimit-burst-remaining-xrm-requests", "5999");
        stub.on("GET", &path(ID), [reply]);
        let context = CallContext::new(KEY.parse().unwrap(), false);
        connect(&stub).read_row(&format!("opportunities({ID})"), None, &context).await.unwrap();
        assert_eq!(context.remaining(), Some(5999));
    }
}

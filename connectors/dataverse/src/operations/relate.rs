use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Change, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::connection::Dataverse;
use crate::foresee;
use crate::metadata::Head;

/// Two rows, and the relationship in question.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelateInput {
    /// The table of the one row, by logical name or entity set name.
    #[schemars(extend("x-names" = "table"))]
    pub table: String,
    /// The one row's identifier, a GUID.
    pub id: String,
    /// The collection-valued navigation property of its table, such as `opportunitycompetitors_association`. It is
    /// case-sensitive. A lookup is set by update_row.
    pub relationship: String,
    /// The table of the other row.
    pub to_table: String,
    /// The other row's identifier, a GUID.
    pub to_id: String,
}

/// Whether the rows were associated.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Related {
    /// Whether anything was sent; false where it was so already.
    pub changed: bool,
}

/// The same, understood.
struct Relation {
    address: String,
    relationship: String,
    other: Head,
    other_id: Uuid,
}

impl Relation {
    async fn new(dataverse: &Dataverse, input: RelateInput, context: &CallContext) -> Result<Self, CallError> {
        let (id, other_id) = (guid("id", &input.id)?, guid("to_id", &input.to_id)?);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if input.relationship.is_empty() || !input.relationship.chars().all(is_name) {
            return Err(CallError::rejected(
                "wrong_relationship",
                format!("`relationship` is `{}`; expected the name of a navigation property", input.relationship),
            ));
        }
        let head = dataverse.head(&input.table, context).await?;
        let other = (*dataverse.head(&input.to_table, context).await?).clone();
        Ok(Self { address: head.row(id), relationship: input.relationship, other, other_id })
    }

    async fn exists(&self, dataverse: &Dataverse, context: &CallContext) -> Result<bool, CallError> {
        if let Some(foreseen) = context.foreseen(&self.name()) {
            return Ok(foreseen.is_some());
        }
        // A row that would be new is associated with nothing, and cannot be asked about it.
        let is_new = |address: &str| {
            let foreseen = context.foreseen(address).flatten();
            foreseen.is_some_and(|row| row.as_object().is_some_and(foresee::is_new))
        };
        if is_new(&self.address) || is_new(&self.other.row(self.other_id)) {
            return Ok(false);
        }
        let key = &self.other.primary_id;
        let request = dataverse.client.get(&[&self.address, &self.relationship]).query("$select", key);
        let request = request.query("$filter", &format!("{key} eq {}", self.other_id)).query("$top", "1");
        Ok(!dataverse.read_page(request, false, None, context).await?.value.is_empty())
    }

    /// How a dry run knows it.
    fn name(&self) -> String {
        format!("{}/{}({})", self.address, self.relationship, self.other_id)
    }

    /// What would change, where it is to exist or not.
    async fn predict(
        &self,
        dataverse: &Dataverse,
        wanted: bool,
        context: &CallContext,
    ) -> Result<Prediction<Related>, CallError> {
        if self.exists(dataverse, context).await? == wanted {
            return Ok(Prediction::unchanged(Related { changed: false }));
        }
        context.foresee(self.name(), wanted.then_some(Value::Bool(true)));
        let other = json!(format!("{} {}", self.other.logical_name, self.other_id));
        let (old, new) = if wanted { (Value::Null, other) } else { (other, Value::Null) };
        let change = Change { record: self.address.clone(), field: self.relationship.clone(), old, new };
        Ok(Prediction { record: Related { changed: true }, changes: vec![change] })
    }
}

const FINDS_OUT: &str = "The relationship is read, and nothing is sent where it is as wanted.";

/// Associates two rows.
#[derive(Debug)]
pub struct AssociateRows;

impl Operation for AssociateRows {
    type Connection = Dataverse;
    type Input = RelateInput;
    type Output = Related;

    const NAME: &'static str = "associate_rows";
    const TITLE: &'static str = "Associate two rows";
    const DESCRIPTION: &'static str = "Associates a row with another one by a relationship to many.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{
        "table": "opportunity", "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10",
        "relationship": "customer_opportunity_contacts",
        "to_table": "contact", "to_id": "11111111-2222-4333-8444-555555555555"
    }"#;

    async fn call(dataverse: &Dataverse, input: RelateInput, context: &CallContext) -> Result<Related, CallError> {
        let relation = Relation::new(dataverse, input, context).await?;
        if context.may_have_run && relation.exists(dataverse, context).await? {
            return Ok(Related { changed: false });
        }
        let reference = dataverse.client.absolute(&[&relation.other.row(relation.other_id)]);
        let request = dataverse.client.post(&[&relation.address, &relation.relationship, "$ref"]);
        dataverse.send(request.json(json!({ "@odata.id": reference })), context).await?;
        Ok(Related { changed: true })
    }
}

impl Write for AssociateRows {
    const FINDS_OUT: &'static str = FINDS_OUT;

    async fn predict(
        dataverse: &Dataverse,
        input: RelateInput,
        context: &CallContext,
    ) -> Result<Prediction<Related>, CallError> {
        Relation::new(dataverse, input, context).await?.predict(dataverse, true, context).await
    }
}

/// Ends the association of two rows.
#[derive(Debug)]
pub struct DisassociateRows;

impl Operation for DisassociateRows {
    type Connection = Dataverse;
    type Input = RelateInput;
    type Output = Related;

    const NAME: &'static str = "disassociate_rows";
    const TITLE: &'static str = "Disassociate two rows";
    const DESCRIPTION: &'static str = "Ends the association of a row with another one. Neither row is deleted.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = AssociateRows::EXAMPLE;

    async fn call(dataverse: &Dataverse, input: RelateInput, context: &CallContext) -> Result<Related, CallError> {
        let relation = Relation::new(dataverse, input, context).await?;
        if context.may_have_run && !relation.exists(dataverse, context).await? {
            return Ok(Related { changed: false });
        }
        let other = format!("{}({})", relation.relationship, relation.other_id);
        let request = dataverse.client.delete(&[&relation.address, &other, "$ref"]);
        dataverse.send(request, context).await?;
        Ok(Related { changed: true })
    }
}

impl Write for DisassociateRows {
    const FINDS_OUT: &'static str = FINDS_OUT;

    async fn predict(
        dataverse: &Dataverse,
        input: RelateInput,
        context: &CallContext,
    ) -> Result<Prediction<Related>, CallError> {
        Relation::new(dataverse, input, context).await?.predict(dataverse, false, context).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{API, ID, KEY, call, open, path, script_metadata, writes};
    use cosell_sdk::stub::{Reply, Stub};

    fn input() -> Value {
        serde_json::from_str(AssociateRows::EXAMPLE).unwrap()
    }

    fn collection() -> String {
        format!("{}/customer_opportunity_contacts", path(ID))
    }

    #[tokio::test]
    async fn references_are_made_and_ended() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", &format!("{}/$ref", collection()), [Reply::empty(204)]);
        stub.on("DELETE", &format!("{}({KEY})/$ref", collection()), [Reply::empty(204)]);
        let connection = open(&stub);
        for operation in ["associate_rows", "disassociate_rows"] {
            assert_eq!(call(&connection, operation, input(), false).await.unwrap()["changed"], true);
        }
        let reference = format!("{}{API}/contacts({KEY})", stub.origin());
        assert_eq!(writes(&stub)[0].json(), json!({ "@odata.id": reference }));
        let mut wrong = input();
        wrong["relationship"] = json!("a/b");
        assert_eq!(call(&connection, "associate_rows", wrong, false).await.unwrap_err().code, "wrong_relationship");
    }

    #[tokio::test]
    async fn what_is_so_already_is_not_sent_again() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let (some, none) = (json!({ "value": [{ "contactid": KEY }] }), json!({ "value": [] }));
        stub.on("GET", &collection(), [Reply::json(200, some), Reply::json(200, none)]);
        let connection = open(&stub);
        for operation in ["associate_rows", "disassociate_rows"] {
            assert_eq!(call(&connection, operation, input(), true).await.unwrap()["changed"], false);
        }
        assert!(writes(&stub).is_empty());
        let asked = stub.lines().pop().unwrap();
        assert!(asked.ends_with(&format!("?$select=contactid&$filter=contactid%20eq%20{KEY}&$top=1")), "{asked}");
    }
}

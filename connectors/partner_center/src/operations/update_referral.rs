use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::changes::{Change, flatten, outstanding};
use crate::connection::PartnerCenter;
use crate::referral::Referral;
use crate::{preview, status};

/// What to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateReferralInput {
    /// Identifier of the referral, a GUID.
    pub id: String,
    /// New values, nested as in the referral: `{ details: { dealValue: 1 } }`. Lists are replaced as a whole. `status`
    /// and `substatus` go together.
    pub changes: Map<String, Value>,
    /// The referral's `eTag`: change it only if it is still this version.
    #[serde(default)]
    pub if_match: Option<String>,
}

/// The referral after the change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedReferral {
    /// The referral as it is now.
    pub referral: Referral,
    /// Whether anything was sent; false where the referral already was as wanted.
    pub changed: bool,
}

/// Changes a referral.
#[derive(Debug)]
pub struct UpdateReferral;

impl Operation for UpdateReferral {
    type Connection = PartnerCenter;
    type Input = UpdateReferralInput;
    type Output = UpdatedReferral;

    const NAME: &'static str = "update_referral";
    const TITLE: &'static str = "Update a referral";
    const DESCRIPTION: &'static str = "Changes members of a referral, among them its status: accept, decline, win and lose are changes of status and substatus.";
    const EXAMPLE: &'static str = r#"{
        "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "changes": { "details": { "dealValue": 91000, "notes": "Scope extended" } }
    }"#;
    const EFFECT: Effect = Effect::Write;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<UpdatedReferral, CallError> {
        let id = guid("id", &input.id)?;
        status::check(&input.changes)?;
        let mut changes = flatten(&input.changes)?;
        if context.may_have_run || changes.is_empty() {
            let referral = connection.get(id, context).await?;
            changes = outstanding(changes, &referral);
            if changes.is_empty() {
                return Ok(UpdatedReferral { referral, changed: false });
            }
            complete_status(&mut changes, &input.changes);
        }
        let patch = changes.iter().map(Change::operation).collect();
        let referral = connection.patch(id, patch, input.if_match.as_deref(), context).await?;
        Ok(UpdatedReferral { referral, changed: true })
    }
}

impl Write for UpdateReferral {
    const FINDS_OUT: &'static str = "The referral is read, and only what it does not say yet is sent.";

    async fn predict(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<UpdatedReferral>, CallError> {
        let id = guid("id", &input.id)?;
        status::check(&input.changes)?;
        let changes = flatten(&input.changes)?;
        let referral = connection.get(id, context).await?;
        let changes = outstanding(changes, &referral);
        if let Some(status) = input.changes.get("status").and_then(Value::as_str)
            && !changes.is_empty()
        {
            status::check_step(&referral, status)?;
        }
        preview::changed(referral, &changes, context)
    }
}

/// The API judges status and substatus together, so where one is outstanding both are sent.
fn complete_status(outstanding: &mut Vec<Change>, wanted: &Map<String, Value>) {
    let pair = ["status", "substatus"];
    let is_in_pair = |change: &Change| pair.contains(&change.path.trim_start_matches('/'));
    if outstanding.iter().any(is_in_pair) {
        outstanding.retain(|change| !is_in_pair(change));
        for name in pair {
            if let Some(value) = wanted.get(name) {
                outstanding.push(Change { path: format!("/{name}"), value: value.clone() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, call, connect, path, stored};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    fn input(changes: Value) -> Value {
        json!({ "id": ID, "changes": changes })
    }

    #[tokio::test]
    async fn a_patch_with_the_etag_unchanged() {
        let stub = Stub::start().await;
        stub.on("PATCH", &path(ID), [Reply::json(200, stored())]);
        let etag = stored()["eTag"].clone();
        let input = json!({ "id": ID, "changes": { "details": { "dealValue": 91000 } }, "if_match": etag });
        let output = call(&connect(&stub), "update_referral", input, false).await.unwrap();
        assert_eq!((&output["changed"], &output["referral"]["id"]), (&json!(true), &json!(ID)));
        let seen = &stub.requests()[0];
        assert_eq!(seen.header("if-match"), Some("\"0a00b3c1-0000-0100-0000-690711220000\""));
        assert_eq!(seen.header("prefer"), Some("return=representation"));
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert_eq!(seen.json(), json!([{ "op": "replace", "path": "/details/dealValue", "value": 91000 }]));
    }

    #[tokio::test]
    async fn without_a_body_in_the_answer_the_referral_is_read() {
        let stub = Stub::start().await;
        stub.on("PATCH", &path(ID), [Reply::empty(204)]);
        stub.on("GET", &path(ID), [Reply::json(200, stored()), Reply::json(503, json!({}))]);
        let connection = connect(&stub);
        let changes = input(json!({ "campaignId": "x" }));
        let output = call(&connection, "update_referral", changes.clone(), false).await.unwrap();
        assert_eq!(output["referral"]["id"], ID);
        assert_eq!(stub.requests()[0].header("if-match"), None);
        let error = call(&connection, "update_referral", changes, false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown, "the change has been made: it must not be repeated blindly");
    }

    #[tokio::test]
    async fn after_a_lost_answer_only_what_differs_is_sent() {
        let stub = Stub::start().await;
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        stub.on("PATCH", &path(ID), [Reply::hang_up(), Reply::json(200, stored())]);
        let connection = connect(&stub);
        let changes = input(
            json!({ "details": { "dealValue": 84000, "notes": "new" }, "status": "Active", "substatus": "Accepted" }),
        );
        let error = call(&connection, "update_referral", changes.clone(), false).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::OutcomeUnknown);
        call(&connection, "update_referral", changes, true).await.unwrap();
        assert_eq!(stub.requests()[2].json(), json!([{ "op": "replace", "path": "/details/notes", "value": "new" }]));
    }

    #[tokio::test]
    async fn where_nothing_differs_nothing_is_sent() {
        let stub = Stub::start().await;
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        let changes = input(json!({ "details": { "dealValue": 84000 }, "status": "Active", "substatus": "Accepted" }));
        let output = call(&connect(&stub), "update_referral", changes, true).await.unwrap();
        assert_eq!(output["changed"], false);
        assert_eq!(stub.requests().len(), 1);
    }

    #[tokio::test]
    async fn status_and_substatus_stay_together() {
        let stub = Stub::start().await;
        let mut closed = stored();
        closed["status"] = json!("Closed");
        closed["substatus"] = json!("Lost");
        stub.on("GET", &path(ID), [Reply::json(200, closed)]);
        stub.on("PATCH", &path(ID), [Reply::json(200, stored())]);
        call(&connect(&stub), "update_referral", input(json!({ "status": "Closed", "substatus": "Won" })), true)
            .await
            .unwrap();
        let paths: Vec<_> = stub.requests()[1].json().as_array().unwrap().iter().map(|op| op["path"].clone()).collect();
        assert_eq!(paths, ["/status", "/substatus"]);
    }

    #[tokio::test]
    async fn what_the_api_would_refuse_is_not_sent() {
        let stub = Stub::start().await;
        let connection = connect(&stub);
        for (changes, code) in [
            (json!({ "name": "x" }), "not_changeable"),
            (json!({ "status": "Active", "substatus": "Won" }), "illegal_status"),
        ] {
            let error = call(&connection, "update_referral", input(changes), false).await.unwrap_err();
            assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, code));
        }
        assert!(stub.requests().is_empty());
    }

    #[tokio::test]
    async fn another_version_is_a_conflict() {
        let stub = Stub::start().await;
        let body = json!({ "error": { "code": "preconditionFailed", "message": "m", "innerError": { "code": "resourceModified" } } });
        stub.on("PATCH", &path(ID), [Reply::json(412, body)]);
        let error =
            call(&connect(&stub), "update_referral", input(json!({ "campaignId": "x" })), false).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Conflict, "resourceModified"));
    }
}

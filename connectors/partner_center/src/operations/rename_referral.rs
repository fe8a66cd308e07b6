use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Meaning, Operation, Prediction, Write};
use serde::Deserialize;
use serde_json::{Value, json};

use super::UpdatedReferral;
use crate::changes::Change;
use crate::connection::PartnerCenter;
use crate::preview;

/// What to call a referral.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameReferralInput {
    /// Identifier of the referral, a GUID.
    pub id: String,
    /// Its new name.
    pub name: String,
}

/// Renames a referral.
#[derive(Debug)]
pub struct RenameReferral;

impl Operation for RenameReferral {
    type Connection = PartnerCenter;
    type Input = RenameReferralInput;
    type Output = UpdatedReferral;

    const NAME: &'static str = "rename_referral";
    const TITLE: &'static str = "Rename a referral";
    const DESCRIPTION: &'static str = "Changes the name of a referral. The name is no part of what the API changes by PATCH, so the whole referral is sent back by the older PUT, on condition that nobody changed it meanwhile.";
    const EXAMPLE: &'static str =
        r#"{ "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "name": "Northwind warehouse rollout, phase 2" }"#;
    const EFFECT: Effect = Effect::Write;

    async fn call(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<UpdatedReferral, CallError> {
        let id = guid("id", &input.id)?;
        // As the service has it, with members that this connector does not know: what is left out would be emptied.
        let mut whole = connection.get_whole(id, context).await?;
        if whole.get("name").and_then(Value::as_str) == Some(input.name.as_str()) {
            return Ok(UpdatedReferral { referral: preview::read(Value::Object(whole))?, changed: false });
        }
        let Some(etag) = whole.get("eTag").and_then(Value::as_str).map(str::to_owned) else {
            return Err(CallError::rejected(
                "no_etag",
                "the referral came without its `eTag`, so it cannot be sent back safely",
            ));
        };
        whole.remove("links");
        whole.insert("name".to_owned(), json!(input.name));
        let referral = connection.replace(id, whole, &etag, context).await.map_err(|error| match error.meaning {
            // Somebody was quicker: what they made of it is read and sent back next time.
            Meaning::Conflict => CallError { meaning: Meaning::Retry { after: None }, ..error },
            _ => error,
        })?;
        Ok(UpdatedReferral { referral, changed: true })
    }
}

impl Write for RenameReferral {
    const FINDS_OUT: &'static str =
        "Every attempt reads the referral first, and sends nothing where it is called so already.";

    async fn predict(
        connection: &PartnerCenter,
        input: Self::Input,
        context: &CallContext,
    ) -> Result<Prediction<UpdatedReferral>, CallError> {
        let referral = connection.get(guid("id", &input.id)?, context).await?;
        let renamed = referral.name.as_deref() != Some(input.name.as_str());
        let change = Change { path: "/name".to_owned(), value: json!(input.name) };
        preview::changed(referral, if renamed { std::slice::from_ref(&change) } else { &[] }, context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, call, connect, path, stored};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[tokio::test]
    async fn the_whole_referral_goes_back_under_its_etag() {
        let stub = Stub::start().await;
        let mut known = stored();
        known["links"] = json!({ "self": { "uri": "x", "method": "GET" } });
        known["notInOurModel"] = json!(7);
        let mut renamed = known.clone();
        renamed["name"] = json!("New");
        stub.on("GET", &path(ID), [Reply::json(200, known)]);
        stub.on("PUT", &path(ID), [Reply::json(200, renamed)]);
        let output = call(&connect(&stub), "rename_referral", json!({ "id": ID, "name": "New" }), false).await.unwrap();
        assert_eq!((&output["changed"], &output["referral"]["name"]), (&json!(true), &json!("New")));
        let requests = stub.requests();
        let sent = requests.last().unwrap();
        assert_eq!(sent.header("if-match"), Some("\"0a00b3c1-0000-0100-0000-690711220000\""));
        let body = sent.json();
        assert_eq!((&body["name"], &body["notInOurModel"]), (&json!("New"), &json!(7)));
        assert!(body.get("links").is_none());
    }

    #[tokio::test]
    async fn a_referral_of_that_name_is_left_alone() {
        let stub = Stub::start().await;
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        let input = json!({ "id": ID, "name": stored()["name"] });
        let output = call(&connect(&stub), "rename_referral", input, true).await.unwrap();
        assert_eq!(output["changed"], false);
        assert_eq!(stub.requests().iter().filter(|request| request.method != "GET").count(), 0);
    }

    #[tokio::test]
    async fn somebody_elses_change_meanwhile_is_read_again() {
        let stub = Stub::start().await;
        stub.on("GET", &path(ID), [Reply::json(200, stored())]);
        stub.on("PUT", &path(ID), [Reply::json(412, json!({ "code": "preconditionFailed", "message": "Etag" }))]);
        let error =
            call(&connect(&stub), "rename_referral", json!({ "id": ID, "name": "New" }), false).await.unwrap_err();
        assert!(matches!(error.meaning, Meaning::Retry { .. }), "{error:?}");
    }
}

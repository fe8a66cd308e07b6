use std::marker::PhantomData;

use cosell_sdk::values::guid;
use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::Deserialize;
use serde_json::{Value, json};

use super::UpdatedReferral;
use crate::changes::Change;
use crate::connection::PartnerCenter;
use crate::referral::Referral;
use crate::{preview, status};

/// Which referral is decided on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionInput {
    /// Identifier of the referral, a GUID.
    pub id: String,
    /// Why, as free text; it becomes the referral's `statusReason`.
    #[serde(default)]
    pub reason: Option<String>,
    /// The referral's `eTag`: decide only if it is still this version. When not given, the version just read counts.
    #[serde(default)]
    pub if_match: Option<String>,
}

/// A decision: the status and substatus to bring a referral to. There are no verbs of the API's own: a decision is a change
/// of these two (Referrals API, update by PATCH).
pub trait Decision: Send + Sync + 'static {
    /// Name of the operation.
    const NAME: &'static str;
    /// Its title for people.
    const TITLE: &'static str;
    /// What it does, in a sentence.
    const DESCRIPTION: &'static str;
    /// The status to reach.
    const STATUS: &'static str;
    /// The substatus to reach.
    const SUBSTATUS: &'static str;
}

/// Decide on a referral.
#[derive(Debug)]
pub struct Decide<D>(PhantomData<D>);

impl<D: Decision> Decide<D> {
    /// What is to be changed of the referral; nothing where it is decided so already.
    fn outstanding(referral: &Referral, reason: Option<&str>) -> Result<Vec<Change>, CallError> {
        if referral.status.as_deref() == Some(D::STATUS) && referral.substatus.as_deref() == Some(D::SUBSTATUS) {
            return Ok(Vec::new());
        }
        status::check_step(referral, D::STATUS)?;
        let change = |path: &str, value: Value| Change { path: path.to_owned(), value };
        let mut changes = vec![change("/status", json!(D::STATUS)), change("/substatus", json!(D::SUBSTATUS))];
        changes.extend(reason.map(|reason| change("/statusReason", json!(reason))));
        Ok(changes)
    }
}

impl<D: Decision> Operation for Decide<D> {
    type Connection = PartnerCenter;
    type Input = DecisionInput;
    type Output = UpdatedReferral;

    const NAME: &'static str = D::NAME;
    const TITLE: &'static str = D::TITLE;
    const DESCRIPTION: &'static str = D::DESCRIPTION;
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str =
        r#"{ "id": "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10", "reason": "Agreed with the customer" }"#;

    async fn call(
        connection: &PartnerCenter,
        input: DecisionInput,
        context: &CallContext,
    ) -> Result<UpdatedReferral, CallError> {
        let id = guid("id", &input.id)?;
        let referral = connection.get(id, context).await?;
        let changes = Self::outstanding(&referral, input.reason.as_deref())?;
        if changes.is_empty() {
            return Ok(UpdatedReferral { referral, changed: false });
        }
        let patch = changes.iter().map(Change::operation).collect();
        let version = input.if_match.as_deref().or(referral.e_tag.as_deref());
        Ok(UpdatedReferral { referral: connection.patch(id, patch, version, context).await?, changed: true })
    }
}

impl<D: Decision> Write for Decide<D> {
    const FINDS_OUT: &'static str =
        "Every attempt reads the referral first, and sends nothing where it is decided so already.";

    async fn predict(
        connection: &PartnerCenter,
        input: DecisionInput,
        context: &CallContext,
    ) -> Result<Prediction<UpdatedReferral>, CallError> {
        let referral = connection.get(guid("id", &input.id)?, context).await?;
        let changes = Self::outstanding(&referral, input.reason.as_deref())?;
        preview::changed(referral, &changes, context)
    }
}

/// Accept a referral.
pub type AcceptReferral = Decide<Accept>;
/// Decline a referral.
pub type DeclineReferral = Decide<Decline>;
/// Close a referral as won.
pub type WinReferral = Decide<Win>;
/// Close a referral as lost.
pub type LoseReferral = Decide<Lose>;

/// Active, Accepted.
#[derive(Debug)]
pub struct Accept;

impl Decision for Accept {
    const NAME: &'static str = "accept_referral";
    const TITLE: &'static str = "Accept a referral";
    const DESCRIPTION: &'static str = "Accepts a referral that was offered: it becomes Active, Accepted.";
    const STATUS: &'static str = "Active";
    const SUBSTATUS: &'static str = "Accepted";
}

/// Closed, Declined.
#[derive(Debug)]
pub struct Decline;

impl Decision for Decline {
    const NAME: &'static str = "decline_referral";
    const TITLE: &'static str = "Decline a referral";
    const DESCRIPTION: &'static str =
        "Declines a referral that was offered: it becomes Closed, Declined, which is final.";
    const STATUS: &'static str = "Closed";
    const SUBSTATUS: &'static str = "Declined";
}

/// Closed, Won.
#[derive(Debug)]
pub struct Win;

impl Decision for Win {
    const NAME: &'static str = "win_referral";
    const TITLE: &'static str = "Close a referral as won";
    const DESCRIPTION: &'static str = "Closes a referral as won, which is final.";
    const STATUS: &'static str = "Closed";
    const SUBSTATUS: &'static str = "Won";
}

/// Closed, Lost.
#[derive(Debug)]
pub struct Lose;

impl Decision for Lose {
    const NAME: &'static str = "lose_referral";
    const TITLE: &'static str = "Close a referral as lost";
    const DESCRIPTION: &'static str = "Closes a referral as lost, which is final.";
    const STATUS: &'static str = "Closed";
    const SUBSTATUS: &'static str = "Lost";
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{ID, call, connect, path, stored};
    use cosell_sdk::Meaning;
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::{Value, json};

    fn in_state(status: &str, substatus: &str) -> Value {
        let mut referral = stored();
        referral["status"] = json!(status);
        referral["substatus"] = json!(substatus);
        referral
    }

    async fn stub(status: &str, substatus: &str) -> Stub {
        let stub = Stub::start().await;
        stub.on("GET", &path(ID), [Reply::json(200, in_state(status, substatus))]);
        stub.on("PATCH", &path(ID), [Reply::json(200, stored())]);
        stub
    }

    #[tokio::test]
    async fn each_decision_sends_both_members_for_the_version_read() {
        for (operation, now, status, substatus) in [
            ("accept_referral", ("New", "Received"), "Active", "Accepted"),
            ("decline_referral", ("New", "Received"), "Closed", "Declined"),
            ("win_referral", ("Active", "Accepted"), "Closed", "Won"),
            ("lose_referral", ("Active", "Accepted"), "Closed", "Lost"),
        ] {
            let stub = stub(now.0, now.1).await;
            let output = call(&connect(&stub), operation, json!({ "id": ID, "reason": "r" }), false).await.unwrap();
            assert_eq!(output["changed"], true);
            let seen = &stub.requests()[1];
            assert_eq!(seen.header("if-match"), stored()["eTag"].as_str());
            let replaced = |path: &str, value: &str| json!({ "op": "replace", "path": path, "value": value });
            assert_eq!(
                seen.json(),
                json!([replaced("/status", status), replaced("/substatus", substatus), replaced("/statusReason", "r")])
            );
        }
    }

    #[tokio::test]
    async fn what_is_decided_so_is_not_sent_and_closed_is_final() {
        let stub = stub("Closed", "Won").await;
        let connection = connect(&stub);
        let input = json!({ "id": ID });
        assert_eq!(call(&connection, "win_referral", input.clone(), true).await.unwrap()["changed"], false);
        let error = call(&connection, "lose_referral", input, false).await.unwrap_err();
        assert_eq!((error.meaning, error.code.as_str()), (Meaning::Rejected, "illegal_status"));
        assert!(error.message.contains("Closed (Won)"), "{}", error.message);
        assert!(stub.requests().iter().all(|seen| seen.method == "GET"));
    }
}

//! What the tests of this crate share.
#![allow(clippy::unwrap_used)]

use cosell_sdk::stub::Stub;
use cosell_sdk::{CallContext, CallError, Connection};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "/v1.0/engagements";
pub(crate) const ID: &str = "c0a7a7d0-55b0-4c39-9a0e-0f6a1d6c9a10";
pub(crate) const ENGAGEMENT: &str = "0d2f6f1b-6e61-4d7c-8f52-8b7d1f3e5a20";
pub(crate) const KEY: &str = "11111111-2222-4333-8444-555555555555";

pub(crate) fn path(id: &str) -> String {
    format!("{BASE}/referrals/{id}")
}

pub(crate) fn connect(stub: &Stub) -> Connection {
    let settings = json!({ "address": format!("{}{BASE}/", stub.origin()), "sign_in": stub.sign_in() });
    crate::connector().open(settings).unwrap()
}

pub(crate) async fn call(
    connection: &Connection,
    operation: &str,
    input: Value,
    may_have_run: bool,
) -> Result<Value, CallError> {
    connection.call(operation, input, CallContext::new(KEY.parse().unwrap(), may_have_run)).await
}

/// A private deal that keeps all rules.
pub(crate) fn new_referral() -> Value {
    json!({
        "name": "Northwind warehouse rollout",
        "externalReferenceId": "OPP-20417",
        "type": "Independent",
        "qualification": "SalesQualified",
        "customerProfile": {
            "name": "Northwind Cold Storage BV",
            "address": { "city": "Rotterdam", "country": "NL" },
            "team": [{ "firstName": "Iris", "lastName": "de Wit", "phoneNumber": "+31105550101", "email": "iris@northwind.example" }]
        },
        "consent": { "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
        "details": {
            "dealValue": 84000,
            "currency": "EUR",
            "requirements": { "solutions": [{ "id": "SOL-48120-KQP", "name": "ColdTrack", "type": "Name" }] }
        }
    })
}

/// The same as the service stores it.
pub(crate) fn stored() -> Value {
    let mut referral = new_referral();
    for (name, value) in [
        ("id", json!(ID)),
        ("engagementId", json!(ENGAGEMENT)),
        ("organizationId", json!("7b3c1f7e-1111-4e2a-8d55-20c8f0a0d001")),
        ("createdDateTime", json!("2026-11-02T08:15:30.1234567Z")),
        ("status", json!("Active")),
        ("substatus", json!("Accepted")),
        ("eTag", json!("\"0a00b3c1-0000-0100-0000-690711220000\"")),
        ("target", json!([])),
    ] {
        referral[name] = value;
    }
    referral
}

/// The same, won and visible to Microsoft.
pub(crate) fn won() -> Value {
    let mut referral = stored();
    referral["status"] = json!("Closed");
    referral["substatus"] = json!("Won");
    referral["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(true);
    referral
}

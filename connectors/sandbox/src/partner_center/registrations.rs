//! Deal registrations: parts of a won referral, made and changed by PATCH (Microsoft's OpenAPI file, "Register deals").

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    problem::Problem,
    referral::{Referral, instant},
};

/// What may be changed in a registration, below `/registrations/0`.
const CHANGEABLE: [&str; 12] = [
    "/contract/startDateTime",
    "/contract/endDateTime",
    "/contract/signDateTime",
    "/contract/term",
    "/contract/value",
    "/solutionDetails/0/value",
    "/solutionDetails/0/currency",
    "/solutionDetails/0/isDeployedOnAzure",
    "/solutionDetails/0/primaryDeploymentOn",
    "/solutionDetails/0/pricingModel",
    "/solutionDetails/0/marketplaceTransactionDetails/isMarketplaceTransacted",
    "/solutionDetails/0/marketplaceTransactionDetails/marketplaceTransactionDateTime",
];

/// Applies one operation on `/registrations`. Only a deal that is won and visible to Microsoft is eligible.
pub(super) fn apply(referral: &mut Referral, op: &str, path: &str, value: Value) -> Result<(), Problem> {
    if referral.text("/substatus") != "Won" || !referral.visible() {
        return Err(Problem::invalid(
            "registrations",
            "Only a referral that is Closed/Won and visible to Microsoft can be registered.",
        ));
    }
    if path == "/registrations/-" {
        return add(referral, op, value);
    }
    let inner = path.strip_prefix("/registrations/0").filter(|inner| CHANGEABLE.contains(inner));
    if inner.is_none() || op != "replace" {
        return Err(Problem::invalid(path, format!("'{op}' of '{path}' is not an update of a deal registration.")));
    }
    match referral.0.pointer_mut(path) {
        Some(place) => *place = value,
        None => return Err(Problem::invalid(path, format!("There is nothing at '{path}' to replace."))),
    }
    Ok(())
}

fn add(referral: &mut Referral, op: &str, value: Value) -> Result<(), Problem> {
    let complete = value["type"] == "AzureIPCoSell"
        && value["solutionDetails"].as_array().is_some_and(|details| !details.is_empty())
        && value["contract"].is_object();
    if op != "add" || !complete {
        return Err(Problem::invalid(
            "registrations",
            "A deal registration is added with type AzureIPCoSell, solutionDetails and contract.",
        ));
    }
    let mut registration = value;
    registration["id"] = json!(Uuid::new_v4());
    registration["status"] = json!("ReviewPending");
    registration["statusReason"] = Value::Null;
    let mut registrations = referral.list("/registrations").to_vec();
    registrations.push(registration);
    referral.set("/registrations", Value::Array(registrations));
    referral.set("/registrationStatus", json!("ReviewPending"));
    Ok(())
}

/// Dates the registrations that a write added.
pub(super) fn date_new(referral: &mut Referral, now: Timestamp) {
    if let Some(Value::Array(registrations)) = referral.0.get_mut("registrations") {
        for registration in registrations.iter_mut().filter(|one| one.get("registrationDateTime").is_none()) {
            registration["registrationDateTime"] = instant(now);
            registration["statusHistory"] = json!({ "reviewPendingDateTime": instant(now) });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn registration() -> Value {
        json!({ "type": "AzureIPCoSell", "solutionDetails": [{ "id": "SOL-1", "value": 1 }], "contract": { "value": 1 } })
    }

    #[test]
    fn only_a_won_and_visible_deal_is_registered() {
        let mut referral = Referral::empty();
        assert!(apply(&mut referral, "add", "/registrations/-", registration()).is_err());
        referral.set("/substatus", json!("Won"));
        referral.set("/consent/consentToShareReferralWithMicrosoftSellers", json!(true));
        apply(&mut referral, "add", "/registrations/-", registration()).unwrap();
        assert_eq!(referral.at("/registrationStatus"), "ReviewPending");

        apply(&mut referral, "replace", "/registrations/0/contract/value", json!(9)).unwrap();
        assert_eq!(referral.at("/registrations/0/contract/value"), 9);
        assert!(apply(&mut referral, "replace", "/registrations/0/status", json!("Approved")).is_err());
        assert!(apply(&mut referral, "add", "/registrations/-", json!({})).is_err());
    }
}

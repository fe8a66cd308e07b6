//! Deal registrations: parts of a won referral, made and changed by PATCH (Microsoft's OpenAPI file, "Register deals").

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    problem::Problem,
    referral::{Referral, instant},
};

/// Between a deal's creation and its being won ("Register deals").
const HOURS_BEFORE_WON: i64 = 72;

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
    let mut registrations = referral.list("/registrations").to_vec();
    registrations.push(registration);
    referral.set("/registrations", Value::Array(registrations));
    Ok(())
}

/// Why a won deal cannot be registered successfully ("Register deals"), if there is such a reason: it was won too soon, or
/// Microsoft, asked for help, has not accepted or won its side. `engagement` holds the referrals of its engagement.
pub(super) fn obstacle<'a>(
    referral: &Referral,
    now: Timestamp,
    engagement: impl Iterator<Item = &'a Referral>,
) -> Option<&'static str> {
    let instant = |pointer: &str| referral.text(pointer).parse::<Timestamp>().ok();
    let created = instant("/createdDateTime").unwrap_or(now);
    let won = instant("/closedDateTime").unwrap_or(now);
    if won < created + SignedDuration::from_hours(HOURS_BEFORE_WON) {
        return Some("At least 72 hours must lie between creating a deal and marking it as won.");
    }
    let on_board =
        |side: &Referral| side.id() != referral.id() && ["Accepted", "Won"].contains(&side.text("/substatus"));
    let mut engagement = engagement;
    if referral.asks_for_help() && !engagement.any(on_board) {
        return Some("Microsoft was asked for help and has neither accepted nor won its side of the deal.");
    }
    None
}

/// Dates the registrations that a write added, and gives them the outcome of their review: waiting for it, or failed for
/// `obstacle`.
pub(super) fn review_new(referral: &mut Referral, now: Timestamp, obstacle: Option<&str>) {
    let status = if obstacle.is_some() { "Failed" } else { "ReviewPending" };
    let mut added = false;
    if let Some(Value::Array(registrations)) = referral.0.get_mut("registrations") {
        for registration in registrations.iter_mut().filter(|one| one.get("registrationDateTime").is_none()) {
            added = true;
            registration["registrationDateTime"] = instant(now);
            registration["status"] = json!(status);
            registration["statusReason"] = json!(obstacle);
            registration["statusHistory"] = json!({
                "reviewPendingDateTime": instant(now),
                "actionRequiredDateTime": null,
                "passedDateTime": null,
                "failedDateTime": obstacle.map(|_| instant(now)),
                "approvedDateTime": null,
            });
        }
    }
    if added {
        referral.set("/registrationStatus", json!(status));
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
        review_new(&mut referral, Timestamp::UNIX_EPOCH, None);
        assert_eq!(referral.at("/registrationStatus"), "ReviewPending");

        apply(&mut referral, "replace", "/registrations/0/contract/value", json!(9)).unwrap();
        assert_eq!(referral.at("/registrations/0/contract/value"), 9);
        assert!(apply(&mut referral, "replace", "/registrations/0/status", json!("Approved")).is_err());
        assert!(apply(&mut referral, "add", "/registrations/-", json!({})).is_err());
    }

    #[test]
    fn a_deal_must_be_old_enough_and_microsoft_on_board() {
        let at = |hours: i64| instant(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours));
        let won = |hours: i64, help: &str| {
            let mut referral = Referral::empty();
            referral.set("/id", json!(Uuid::from_u128(1)));
            referral.set("/createdDateTime", at(0));
            referral.set("/closedDateTime", at(hours));
            referral.set("/substatus", json!("Won"));
            referral.set("/inviteContext/assistanceRequestCode", json!(help));
            referral
        };
        let side = |substatus: &str| {
            let mut referral = Referral::empty();
            referral.set("/id", json!(Uuid::from_u128(2)));
            referral.set("/substatus", json!(substatus));
            referral
        };
        let obstacle =
            |own: &Referral, other: &Referral| obstacle(own, Timestamp::UNIX_EPOCH, [own, other].into_iter()).is_some();
        assert!(obstacle(&won(71, "Unknown"), &side("Accepted")));
        assert!(!obstacle(&won(72, "Unknown"), &side("Declined")));
        for (substatus, stopped) in [("Accepted", false), ("Won", false), ("Pending", true), ("Declined", true)] {
            assert_eq!(obstacle(&won(72, "QuotesOrLicensing"), &side(substatus)), stopped, "{substatus}");
        }
        let mut failed = won(1, "Unknown");
        failed.set("/registrations", json!([registration()]));
        review_new(&mut failed, Timestamp::UNIX_EPOCH, Some("too soon"));
        assert_eq!(failed.at("/registrationStatus"), "Failed");
        assert_eq!(failed.at("/registrations/0/statusReason"), "too soon");
        assert!(failed.at("/registrations/0/statusHistory/failedDateTime").is_string());
    }
}

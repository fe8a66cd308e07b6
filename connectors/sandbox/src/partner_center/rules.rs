//! Rules on what a referral may hold, checked on the state a write would leave behind.

use jiff::{Timestamp, civil};
use serde_json::Value;

use super::{problem::Problem, referral::Referral};

/// "Create and update co-sell deals in bulk": at most 50 solutions and 50 team members.
const MOST_ITEMS: usize = 50;

const TYPES: [&str; 2] = ["Independent", "Shared"];
const QUALIFICATIONS: [&str; 4] = ["None", "Direct", "MarketingQualified", "SalesQualified"];
const TARGET_TYPES: [&str; 3] = ["None", "BusinessProfileLocation", "SolutionProfile"];
const SOLUTION_TYPES: [&str; 3] = ["None", "Category", "Name"];
const ASSISTANCE_CODES: [&str; 7] = [
    "Unknown",
    "GeneralOrOther",
    "CustomerTechnicalArchitecture",
    "ProofOfConceptOrDemo",
    "QuotesOrLicensing",
    "PostSalesCustomerSuccess",
    "WorkloadSpecificValueProposition",
];

/// Members fixed once a referral exists ("Create and update co-sell deals in bulk").
const FIXED: [&str; 6] = [
    "/engagementId",
    "/customerProfile/name",
    "/customerProfile/address",
    "/customerProfile/ids",
    "/consent/consentToToShareInfoWithOthers",
    "/consent/consentToContact",
];

/// Members fixed once Microsoft was asked for help (same source).
const FIXED_BY_HELP: [&str; 4] =
    ["/customerProfile/team", "/inviteContext/notes", "/inviteContext/assistanceRequestCode", "/type"];

/// Checks each value by itself.
pub(super) fn check_values(referral: &Referral) -> Result<(), Problem> {
    one_of(referral, "/type", &TYPES)?;
    one_of(referral, "/qualification", &QUALIFICATIONS)?;
    if !referral.at("/inviteContext/assistanceRequestCode").is_null() {
        one_of(referral, "/inviteContext/assistanceRequestCode", &ASSISTANCE_CODES)?;
    }
    for pointer in ["/name", "/externalReferenceId", "/statusReason", "/campaignId", "/referralProgram", "/salesStage"]
    {
        expect(referral, pointer, "text or null", |value| value.is_string() || value.is_null())?;
    }
    expect(referral, "/details/notes", "text or null", |value| value.is_string() || value.is_null())?;
    // The documentation's own PATCH sample sends the amount as text.
    expect(referral, "/details/dealValue", "an amount of at least 0", |value| match value {
        Value::Null => true,
        Value::Number(number) => number.as_f64().is_some_and(|amount| amount >= 0.0),
        Value::String(text) => text.parse::<f64>().is_ok_and(|amount| amount >= 0.0 && amount.is_finite()),
        _ => false,
    })?;
    expect(referral, "/details/currency", "a three-letter currency code (ISO 4217)", |value| {
        value.is_null() || is_code(value, 3)
    })?;
    expect(referral, "/details/closingDateTime", "a point in time such as 2027-01-29T00:00:00Z", |value| {
        value.is_null() || value.as_str().is_some_and(is_time)
    })?;
    expect(referral, "/consent/consentToShareReferralWithMicrosoftSellers", "true or false", Value::is_boolean)?;
    for pointer in ["/team", "/customerProfile/team", "/details/requirements/solutions"] {
        expect(referral, pointer, "a list of objects", |value| {
            value.as_array().is_some_and(|items| items.iter().all(Value::is_object))
        })?;
        if referral.list(pointer).len() > MOST_ITEMS {
            return Err(Problem::invalid(dotted(pointer), format!("A list may hold {MOST_ITEMS} items at most.")));
        }
    }
    for solution in referral.list("/details/requirements/solutions") {
        let has_id = solution["id"].as_str().is_some_and(|id| !id.trim().is_empty());
        let kind = &solution["type"];
        if !has_id || !(kind.is_null() || kind.as_str().is_some_and(|kind| SOLUTION_TYPES.contains(&kind))) {
            return Err(Problem::invalid(
                "details.requirements.solutions",
                format!("A solution needs an id, and a type of {} if any.", SOLUTION_TYPES.join(", ")),
            ));
        }
    }
    let target_ok = |target: &Value| target["type"].as_str().is_some_and(|kind| TARGET_TYPES.contains(&kind));
    expect(referral, "/target", "a list of objects with a known type", |value| {
        value.as_array().is_some_and(|targets| targets.iter().all(target_ok))
    })
}

/// Checks what the partner must supply to work with a deal of its own, and to share it.
pub(super) fn check_sharing(referral: &Referral) -> Result<(), Problem> {
    if !is_code(referral.at("/customerProfile/address/country"), 2) {
        return Err(Problem::invalid(
            "customerProfile.address.country",
            "Customer account country code missing: give the two letters of ISO 3166-1, such as US.",
        ));
    }
    if referral.asks_for_help() {
        if !referral.visible() {
            return Err(Problem::invalid(
                "consent.consentToShareReferralWithMicrosoftSellers",
                "Help from Microsoft needs a deal that Microsoft's sellers may see: set this consent to true.",
            ));
        }
        if referral.text("/type") != "Shared" {
            return Err(Problem::invalid("type", "Help from Microsoft needs a referral of type Shared."));
        }
        if !referral.list("/customerProfile/team").iter().any(is_complete_contact) {
            return Err(Problem::invalid(
                "customerProfile.team",
                "Help from Microsoft needs a customer contact with first name, last name, phone number and e-mail.",
            ));
        }
    }
    if referral.visible() && referral.list("/details/requirements/solutions").is_empty() {
        return Err(Problem::invalid("details.requirements.solutions", "Solution ID is required: name at least one."));
    }
    Ok(())
}

/// Checks what only a new deal must supply. The newer portal demands the marketplace purchase intent for what Microsoft sees.
pub(super) fn check_intent(referral: &Referral) -> Result<(), Problem> {
    const POINTER: &str = "/details/requirements/additionalRequirements/attributes";
    let intent = |attribute: &Value| {
        attribute["type"] == "CustomerMarketplaceIntent" && attribute["id"].as_str().is_some_and(|id| !id.is_empty())
    };
    if referral.visible() && !referral.list(POINTER).iter().any(intent) {
        return Err(Problem::invalid(
            dotted(POINTER),
            "The marketplace purchase intent is required: add an attribute of type CustomerMarketplaceIntent, such as \
             {\"type\":\"CustomerMarketplaceIntent\",\"id\":\"HaveNotDecided\"}.",
        ));
    }
    Ok(())
}

/// Checks what a write may not change, whatever its value.
pub(super) fn check_fixed(old: &Referral, new: &Referral) -> Result<(), Problem> {
    if old.visible() && !new.visible() {
        return Err(Problem::invalid(
            "consent.consentToShareReferralWithMicrosoftSellers",
            "A referral that is visible to Microsoft cannot be hidden again.",
        ));
    }
    let help = if old.asks_for_help() { &FIXED_BY_HELP[..] } else { &[] };
    match FIXED.iter().chain(help).find(|pointer| old.at(pointer) != new.at(pointer)) {
        None => Ok(()),
        Some(pointer) if FIXED.contains(pointer) => {
            Err(Problem::invalid(dotted(pointer), "This cannot be changed after the referral was created."))
        }
        Some(pointer) => Err(Problem::invalid(
            dotted(pointer),
            "This cannot be changed after Microsoft was asked for help, and help cannot be withdrawn.",
        )),
    }
}

fn is_complete_contact(contact: &Value) -> bool {
    let filled = |name: &str| contact[name].as_str().is_some_and(|text| !text.trim().is_empty());
    ["firstName", "lastName", "phoneNumber", "email"].into_iter().all(filled)
}

fn is_code(value: &Value, letters: usize) -> bool {
    value.as_str().is_some_and(|code| code.len() == letters && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn is_time(text: &str) -> bool {
    text.parse::<Timestamp>().is_ok() || text.parse::<civil::DateTime>().is_ok()
}

fn one_of(referral: &Referral, pointer: &str, allowed: &[&str]) -> Result<(), Problem> {
    expect(referral, pointer, &format!("one of {}", allowed.join(", ")), |value| {
        value.as_str().is_some_and(|text| allowed.contains(&text))
    })
}

fn expect(referral: &Referral, pointer: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Result<(), Problem> {
    let value = referral.at(pointer);
    if fits(value) {
        return Ok(());
    }
    Err(Problem::invalid(dotted(pointer), format!("Expected {what}, found {value}.")))
}

/// `/details/currency` as error targets write it: `details.currency`.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn shared() -> Referral {
        let mut referral = Referral::empty();
        referral.set_all(
            json!({
                "type": "Shared",
                "customerProfile": {
                    "name": "Northwind", "address": { "country": "NL" },
                    "team": [{ "firstName": "Iris", "lastName": "de Wit", "phoneNumber": "+31", "email": "i@n.example" }],
                },
                "consent": { "consentToShareReferralWithMicrosoftSellers": true },
                "inviteContext": { "assistanceRequestCode": "QuotesOrLicensing" },
                "details": { "requirements": {
                    "solutions": [{ "id": "SOL-1" }],
                    "additionalRequirements": { "attributes": [{ "type": "CustomerMarketplaceIntent", "id": "Yes" }] },
                } },
            })
            .as_object()
            .unwrap()
            .clone(),
        );
        referral
    }

    fn check(referral: &Referral) -> Result<(), Problem> {
        check_values(referral).and_then(|()| check_sharing(referral)).and_then(|()| check_intent(referral))
    }

    #[test]
    fn a_complete_deal_passes() {
        assert_eq!(check(&shared()), Ok(()));
    }

    #[test]
    fn each_breach_is_found() {
        let breaches = [
            ("/type", json!("Joint"), "one of Independent, Shared"),
            ("/type", json!("Independent"), "type Shared"),
            ("/qualification", json!("Hot"), "one of None"),
            ("/details/dealValue", json!(-1), "amount"),
            ("/details/dealValue", json!("1,000"), "amount"),
            ("/details/currency", json!("euro"), "ISO 4217"),
            ("/details/closingDateTime", json!("29.01.2027"), "point in time"),
            ("/customerProfile/address/country", json!("NLD"), "country code"),
            ("/customerProfile/address/country", json!("nl"), "country code"),
            ("/customerProfile/team", json!([{ "firstName": "Iris" }]), "customer contact"),
            ("/consent/consentToShareReferralWithMicrosoftSellers", json!(false), "consent to true"),
            ("/details/requirements/solutions", json!([]), "Solution ID is required"),
            ("/details/requirements/solutions", json!([{ "name": "x" }]), "needs an id"),
            ("/details/requirements/additionalRequirements/attributes", json!([]), "purchase intent"),
            ("/details/requirements/solutions", json!(vec![json!({ "id": "SOL-1" }); 51]), "50 items"),
            ("/team", json!(vec![json!({}); 51]), "50 items"),
            ("/team", json!("Sam"), "list of objects"),
            ("/target", json!([{ "type": "Planet" }]), "known type"),
            ("/inviteContext/assistanceRequestCode", json!("Please"), "one of Unknown"),
        ];
        for (pointer, value, message) in breaches {
            let mut referral = shared();
            referral.set(pointer, value.clone());
            let problem = check(&referral).unwrap_err();
            assert!(problem.message.contains(message), "{pointer} = {value}: {}", problem.message);
        }
    }

    #[test]
    fn an_amount_may_be_text() {
        let mut referral = shared();
        referral.set("/details/dealValue", json!("10000"));
        assert_eq!(check_values(&referral), Ok(()));
    }

    #[test]
    fn some_members_are_fixed() {
        let refused = |pointer: &str, value: Value| {
            let mut new = shared();
            new.set(pointer, value);
            check_fixed(&shared(), &new).unwrap_err().message
        };
        assert!(refused("/consent/consentToShareReferralWithMicrosoftSellers", json!(false)).contains("hidden"));
        assert!(refused("/customerProfile/name", json!("Other")).contains("created"));
        assert!(refused("/inviteContext/assistanceRequestCode", json!("Unknown")).contains("withdrawn"));
        assert!(refused("/customerProfile/team", json!([])).contains("withdrawn"));

        let mut private = shared();
        private.set("/inviteContext/assistanceRequestCode", json!("Unknown"));
        assert_eq!(check_fixed(&private, &shared()), Ok(()));
    }
}

//! What the API would refuse of a new referral, found before it is sent, so that the message can say what to do.

use cosell_sdk::CallError;
use serde_json::{Map, Value};

/// Checks a referral to be created against the rules that are known (Referrals API, create a referral; co-sell
/// connectors, troubleshooting).
///
/// # Errors
/// `member_required`, `country_code_required`, `contact_required` or `solution_required`: the first rule broken, with
/// the member and the remedy.
pub fn check(referral: &Map<String, Value>) -> Result<(), CallError> {
    for name in ["type", "customerProfile", "consent", "details"] {
        if referral.get(name).is_none_or(Value::is_null) {
            return Err(CallError::rejected("member_required", format!("the referral has no `{name}`; fill it in")));
        }
    }
    let at = |path: &str| find(referral, path);

    let country = at("customerProfile.address.country").and_then(Value::as_str).unwrap_or_default();
    if country.len() != 2 || !country.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        let found = if country.is_empty() { "missing".to_owned() } else { format!("`{country}`") };
        return Err(CallError::rejected(
            "country_code_required",
            format!(
                "`customerProfile.address.country` is {found}; enter the country of the customer's account as two \
                 letters (ISO 3166-1), such as NL"
            ),
        ));
    }

    let help = at("inviteContext.assistanceRequestCode").and_then(Value::as_str).unwrap_or_default();
    if !matches!(help, "" | "Unknown") && !has_contact(at("customerProfile.team")) {
        return Err(CallError::rejected(
            "contact_required",
            format!(
                "`inviteContext.assistanceRequestCode` asks Microsoft for help ({help}), but `customerProfile.team` \
                 has no contact with firstName, lastName, phoneNumber and email; complete the customer's contact"
            ),
        ));
    }

    let visible = at("consent.consentToShareReferralWithMicrosoftSellers").and_then(Value::as_bool) == Some(true);
    if visible && at("details.requirements.solutions").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        return Err(CallError::rejected(
            "solution_required",
            "`details.requirements.solutions` is empty, but the deal is visible to Microsoft \
             (`consent.consentToShareReferralWithMicrosoftSellers`); add at least one solution",
        ));
    }
    Ok(())
}

fn find<'a>(members: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = members.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

fn has_contact(team: Option<&Value>) -> bool {
    let complete = |member: &Value| {
        ["firstName", "lastName", "phoneNumber", "email"]
            .iter()
            .all(|name| member.get(*name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty()))
    };
    team.and_then(Value::as_array).is_some_and(|team| team.iter().any(complete))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::new_referral;
    use serde_json::json;

    fn code(change: impl FnOnce(&mut Value)) -> String {
        let mut referral = new_referral();
        change(&mut referral);
        check(referral.as_object().unwrap()).map_or_else(|error| error.code, |()| "fine".to_owned())
    }

    #[test]
    fn each_rule_by_itself() {
        assert_eq!(code(|_| {}), "fine");
        for name in ["type", "customerProfile", "consent", "details"] {
            assert_eq!(code(|referral| referral[name] = Value::Null), "member_required");
        }
        for country in [json!(null), json!(""), json!("NLD"), json!("Netherlands"), json!("ä")] {
            assert_eq!(
                code(|referral| referral["customerProfile"]["address"]["country"] = country),
                "country_code_required"
            );
        }
        let ask =
            |referral: &mut Value| referral["inviteContext"] = json!({ "assistanceRequestCode": "GeneralOrOther" });
        assert_eq!(code(ask), "fine");
        assert_eq!(
            code(|referral| {
                ask(referral);
                referral["customerProfile"]["team"][0]["phoneNumber"] = json!(" ");
            }),
            "contact_required"
        );
        assert_eq!(
            code(|referral| {
                referral["inviteContext"] = json!({ "assistanceRequestCode": "Unknown" });
                referral["customerProfile"]["team"] = json!([]);
            }),
            "fine"
        );
        assert_eq!(
            code(|referral| {
                referral["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(true);
                referral["details"]["requirements"]["solutions"] = json!([]);
            }),
            "solution_required"
        );
        assert_eq!(code(|referral| referral["details"]["requirements"]["solutions"] = json!([])), "fine");
    }
}

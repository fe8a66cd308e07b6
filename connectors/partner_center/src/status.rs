//! Status and substatus: which go together (Referrals API, referral status).

use cosell_sdk::CallError;
use serde_json::{Map, Value};

use crate::referral::Referral;

const LEGAL: [(&str, &[&str]); 3] =
    [("New", &["Pending", "Received"]), ("Active", &["Accepted"]), ("Closed", &["Won", "Lost", "Declined", "Expired"])];

/// Checks the status and substatus among `changes` before they are sent. The API judges them together, so one without
/// the other is refused too.
///
/// # Errors
/// `illegal_status`, saying what would be legal.
pub fn check(changes: &Map<String, Value>) -> Result<(), CallError> {
    let (status, substatus) = match (changes.get("status"), changes.get("substatus")) {
        (None, None) => return Ok(()),
        (Some(status), Some(substatus)) => (text(status), text(substatus)),
        (Some(_), None) => return Err(illegal("`status` is changed without `substatus`; give both")),
        (None, Some(_)) => return Err(illegal("`substatus` is changed without `status`; give both")),
    };
    let Some((_, legal)) = LEGAL.iter().find(|(name, _)| *name == status) else {
        return Err(illegal(&format!("`status` is `{status}`; expected New, Active or Closed")));
    };
    if legal.contains(&substatus.as_str()) {
        return Ok(());
    }
    let legal = legal.join(", ");
    Err(illegal(&format!(
        "`substatus` is `{substatus}`, which does not go with status {status}; expected one of {legal}"
    )))
}

/// Checks the step from a referral's present status to another one. A closed referral stays as it is; one that was
/// answered is not new again.
///
/// # Errors
/// `illegal_status`, saying what stands in the way.
pub fn check_step(referral: &Referral, status: &str) -> Result<(), CallError> {
    let (now, sub) =
        (referral.status.as_deref().unwrap_or_default(), referral.substatus.as_deref().unwrap_or("no substatus"));
    match (now, status) {
        ("Closed", _) => Err(illegal(&format!(
            "the referral is Closed ({sub}), which is final; create a new referral to go on with the deal"
        ))),
        ("Active", "New") => Err(illegal("the referral is Active, and cannot become New again")),
        _ => Ok(()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn illegal(what: &str) -> CallError {
    CallError::rejected("illegal_status", what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn check_json(changes: Value) -> Result<(), CallError> {
        check(changes.as_object().unwrap())
    }

    #[test]
    fn legal_pairs() {
        for (status, substatuses) in LEGAL {
            for substatus in substatuses {
                check_json(json!({ "status": status, "substatus": substatus })).unwrap();
            }
        }
        check_json(json!({ "details": {} })).unwrap();
    }

    #[test]
    fn closed_is_final_and_answered_is_not_new() {
        for (now, next, legal) in [
            ("New", "Active", true),
            ("New", "Closed", true),
            ("Active", "Closed", true),
            ("Active", "Active", true),
            ("Active", "New", false),
            ("Closed", "Active", false),
            ("Closed", "Closed", false),
        ] {
            let referral = Referral { status: Some(now.to_owned()), ..Referral::default() };
            assert_eq!(check_step(&referral, next).is_ok(), legal, "{now} to {next}");
        }
    }

    #[test]
    fn illegal_pairs_say_what_is_legal() {
        for (changes, part) in [
            (json!({ "status": "Active", "substatus": "Won" }), "one of Accepted"),
            (json!({ "status": "New", "substatus": "Accepted" }), "one of Pending, Received"),
            (json!({ "status": "Open", "substatus": "Won" }), "`Open`"),
            (json!({ "status": "Closed" }), "without `substatus`"),
            (json!({ "substatus": "Won" }), "without `status`"),
            (json!({ "status": "Closed", "substatus": null }), "`null`"),
        ] {
            let error = check_json(changes).unwrap_err();
            assert_eq!(error.code, "illegal_status");
            assert!(error.message.contains(part), "{}", error.message);
        }
    }
}

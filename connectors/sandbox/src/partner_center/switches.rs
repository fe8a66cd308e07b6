//! Switches for what the documentation leaves open: each begins with the sandbox's choice, and a test may take the other
//! (`PUT /partner_center` on the control API).

use std::sync::PoisonError;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{problem::Problem, store::PartnerCenter};

/// What is inferred, not documented.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Switches {
    /// Status of a create: 200 (Microsoft's OpenAPI file) or 201 ("Referrals API response codes").
    pub(crate) create_status: u16,
    /// Status for an id that does not exist: 404, or 403 as from a service that does not tell.
    pub(crate) unknown_id_status: u16,
    /// Status for a token without a user: 403 or 401.
    pub(crate) app_only_status: u16,
    /// Status of a PUT without `If-Match`: 400 or 412.
    pub(crate) put_without_if_match_status: u16,
    /// Status of a change to a closed referral: 400 or 409.
    pub(crate) closed_status: u16,
    /// Whether a second factor is demanded here as it is on Partner Center's other host.
    pub(crate) enforce_mfa: bool,
    /// How its lack is told.
    pub(crate) mfa_refusal: MfaRefusal,
    /// Refuses every call with the claims challenge of Conditional Access.
    pub(crate) claims_challenge: bool,
    /// Whether `@odata.count` counts everything or the page.
    pub(crate) count: Count,
    /// Whose id a related event carries.
    pub(crate) related_event_id: RelatedId,
    /// Whether the partner's own referral becomes Shared, with the help asked for, when Microsoft is asked in; otherwise
    /// only Microsoft's side is made.
    pub(crate) invitation_upgrades: bool,
    /// What becomes of a deal registration that is not eligible yet.
    pub(crate) early_registration: EarlyRegistration,
    /// Shows a team of one as an object instead of a list, as some live payloads do.
    pub(crate) team_as_object: bool,
    /// Shows `tags` as null.
    pub(crate) null_tags: bool,
    /// Leaves `registrations` out.
    pub(crate) omit_registrations: bool,
}

/// The two forms of the refusal ("Mandating MFA for your partner tenant").
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MfaRefusal {
    /// 401 with error code 900421.
    Code,
    /// The older one: 401 with a header and no body.
    Header,
}

/// What `@odata.count` counts: the samples leave it open.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Count {
    /// Everything that fits.
    Total,
    /// What is on the page.
    Page,
}

/// Which referral of the engagement a `related-referral-…` event names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RelatedId {
    /// The one that changed, which is Microsoft's.
    Changed,
    /// The partner's own.
    Own,
}

/// "Register deals" says that a registration within 72 hours of the deal's creation may be rejected, not how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EarlyRegistration {
    /// It is taken and fails its review.
    FailsReview,
    /// The request is refused with 400.
    Refused,
}

impl Default for Switches {
    fn default() -> Self {
        Switches {
            create_status: 200,
            unknown_id_status: 404,
            app_only_status: 403,
            put_without_if_match_status: 400,
            closed_status: 400,
            enforce_mfa: true,
            mfa_refusal: MfaRefusal::Code,
            claims_challenge: false,
            count: Count::Total,
            related_event_id: RelatedId::Changed,
            invitation_upgrades: true,
            early_registration: EarlyRegistration::FailsReview,
            team_as_object: false,
            null_tags: false,
            omit_registrations: false,
        }
    }
}

impl Switches {
    /// Checks that each status is one of the two in question.
    fn check(&self) -> Result<(), Problem> {
        for (name, status, allowed) in [
            ("create_status", self.create_status, [200, 201]),
            ("unknown_id_status", self.unknown_id_status, [404, 403]),
            ("app_only_status", self.app_only_status, [403, 401]),
            ("put_without_if_match_status", self.put_without_if_match_status, [400, 412]),
            ("closed_status", self.closed_status, [400, 409]),
        ] {
            if !allowed.contains(&status) {
                let message = format!("{name} is either {} or {}, not {status}.", allowed[0], allowed[1]);
                return Err(Problem::invalid(name, message));
            }
        }
        Ok(())
    }

    /// Gives `document` the shape that the switches ask for.
    pub(super) fn dress(&self, document: &mut Value) {
        if self.team_as_object {
            for pointer in ["/team", "/customerProfile/team"] {
                if let Some(place) = document.pointer_mut(pointer)
                    && let Some([member]) = place.as_array().map(Vec::as_slice)
                {
                    *place = member.clone();
                }
            }
        }
        let Value::Object(members) = document else { return };
        if self.null_tags && members.contains_key("tags") {
            members.insert("tags".to_owned(), Value::Null);
        }
        if self.omit_registrations {
            members.shift_remove("registrations");
        }
    }
}

impl PartnerCenter {
    /// The switches as they stand.
    pub(crate) fn switches(&self) -> Switches {
        *self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the switches.
    pub(crate) fn set_switches(&self, switches: Switches) -> Result<(), Problem> {
        switches.check()?;
        *self.switches.lock().unwrap_or_else(PoisonError::into_inner) = switches;
        Ok(())
    }

    /// `problem`, or what the switch says in place of 404.
    pub(super) fn unknown(&self, problem: Problem) -> Problem {
        match problem.status {
            StatusCode::NOT_FOUND if self.switches().unknown_id_status == 403 => {
                Problem::denied("The referral does not exist, or the user has no access to it.")
            }
            _ => problem,
        }
    }

    /// The refusal of a change to a closed referral.
    pub(super) fn closed(&self) -> Problem {
        let status = StatusCode::from_u16(self.switches().closed_status).unwrap_or(StatusCode::BAD_REQUEST);
        let message = "The referral is closed, which is final: nothing in it can be changed.";
        Problem::new(status, "invalidRequest", message).at("status")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::partner_center::testing::{partner_center, private};

    fn switches(value: Value) -> Switches {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_status_is_one_of_the_two_in_question() {
        let stand_in = partner_center();
        assert!(stand_in.set_switches(switches(json!({ "create_status": 201 }))).is_ok());
        let wrong = stand_in.set_switches(switches(json!({ "create_status": 500 }))).unwrap_err();
        assert!(wrong.message.contains("200 or 201"));
        assert_eq!(stand_in.switches().create_status, 201);
        stand_in.reset();
        assert_eq!(stand_in.switches(), Switches::default());
    }

    #[test]
    fn statuses_follow_the_switches() {
        let stand_in = partner_center();
        let (deal, _) = stand_in.create(private()).unwrap();
        let close = json!([
            { "op": "replace", "path": "/status", "value": "Closed" },
            { "op": "replace", "path": "/substatus", "value": "Lost" },
        ]);
        let statuses = || {
            let unknown = stand_in.patch(uuid::Uuid::nil(), close.clone(), None).unwrap_err();
            let closed = stand_in.patch(deal.id(), close.clone(), None).unwrap_err();
            let put = stand_in.put(deal.id(), json!({}), None).unwrap_err();
            (unknown.status.as_u16(), closed.status.as_u16(), put.status.as_u16())
        };
        stand_in.patch(deal.id(), close.clone(), None).unwrap();
        assert_eq!(statuses(), (404, 400, 400));
        let other = json!({ "unknown_id_status": 403, "closed_status": 409, "put_without_if_match_status": 412 });
        stand_in.set_switches(switches(other)).unwrap();
        assert_eq!(statuses(), (403, 409, 412));
    }

    #[test]
    fn the_shape_follows_the_switches() {
        let whole =
            json!({ "team": [{ "email": "a" }], "customerProfile": { "team": [] }, "tags": [], "registrations": [] });
        let dressed = |value: Value| {
            let mut document = whole.clone();
            switches(value).dress(&mut document);
            document
        };
        assert_eq!(dressed(json!({})), whole);
        assert_eq!(dressed(json!({ "team_as_object": true }))["team"], json!({ "email": "a" }));
        assert_eq!(dressed(json!({ "team_as_object": true }))["customerProfile"]["team"], json!([]));
        assert_eq!(dressed(json!({ "null_tags": true }))["tags"], Value::Null);
        assert!(dressed(json!({ "omit_registrations": true })).get("registrations").is_none());
    }
}

//! The partner creates a referral: a deal of its own, or Microsoft's side of one ("Create a referral").

use serde_json::{Map, Value, json};

use super::{
    problem::Problem,
    referral::Referral,
    rules,
    store::{MICROSOFT, Owner, PartnerCenter, Store},
};
use crate::core::log::Change;

/// Members without which a body is refused.
const REQUIRED: [&str; 4] = ["type", "customerProfile", "consent", "details"];

impl PartnerCenter {
    /// Creates what `body` describes; the stored document.
    pub(super) fn create(&self, body: Value) -> Result<(Referral, Vec<Change>), Problem> {
        let Value::Object(body) = body else {
            return Err(Problem::invalid("body", "Expected a referral: a JSON object."));
        };
        check_required(&body)?;
        let mut referral = Referral::empty();
        referral.lay_over(body);
        let inviter = referral.text("/inviteContext/invitedBy/organizationId");
        if !inviter.is_empty() && inviter.parse() != Ok(self.partner.id) {
            return Err(Problem::invalid(
                "inviteContext.invitedBy.organizationId",
                "A partner can invite in the name of its own organisation only.",
            ));
        }
        let own = json!({ "organizationId": self.partner.id, "organizationName": self.partner.name });
        referral.set("/inviteContext/invitedBy", own);
        rules::check_values(&referral)?;

        let mut store = self.open();
        if referral.list("/target").iter().any(|target| target["id"] == MICROSOFT) {
            return self.invite_microsoft(&mut store, referral);
        }
        if !referral.engagement().is_empty() {
            self.own_side(&store, referral.engagement())?;
            return Err(Problem::new(
                axum::http::StatusCode::CONFLICT,
                "invalidRequest",
                "The engagement has a referral of this partner already. Target msft to invite Microsoft.",
            ));
        }
        rules::check_sharing(&referral)?;
        rules::check_intent(&referral)?;
        // The portal's and the documentation's samples agree: a partner's own deal starts accepted, whatever was posted.
        referral.set("/status", json!("Active"));
        referral.set("/substatus", json!("Accepted"));
        Ok(self.insert(&mut store, referral, Owner::Partner))
    }

    /// Creates Microsoft's side of an engagement, which makes a co-sell deal of the partner's own.
    fn invite_microsoft(&self, store: &mut Store, mut invited: Referral) -> Result<(Referral, Vec<Change>), Problem> {
        let engagement = invited.engagement().to_owned();
        if engagement.is_empty() {
            return Err(Problem::invalid("engagementId", "Name the engagement of the deal to share with Microsoft."));
        }
        let own = self.own_side(store, &engagement)?.clone();
        if store.engagement(&engagement).any(|referral| !self.owns(referral)) {
            return Err(Problem::new(
                axum::http::StatusCode::CONFLICT,
                "invalidRequest",
                "Microsoft is part of this engagement already.",
            ));
        }
        if own.text("/status") == "Closed" {
            return Err(Problem::invalid(
                "engagementId",
                "The partner's referral is closed: it cannot be shared any more.",
            ));
        }
        if !invited.asks_for_help() {
            let code = own.at("/inviteContext/assistanceRequestCode").clone();
            invited.set("/inviteContext/assistanceRequestCode", code);
        }
        if !invited.asks_for_help() {
            return Err(Problem::invalid(
                "inviteContext.assistanceRequestCode",
                "Say what Microsoft can help with, here or in the partner's own referral.",
            ));
        }
        rules::check_sharing(&invited)?;
        rules::check_intent(&invited)?;

        let mut upgraded = own.clone();
        upgraded.set("/type", json!("Shared"));
        upgraded.set("/consent/consentToShareReferralWithMicrosoftSellers", json!(true));
        if !own.asks_for_help() {
            for pointer in ["/inviteContext/assistanceRequestCode", "/inviteContext/notes", "/customerProfile/team"] {
                upgraded.set(pointer, invited.at(pointer).clone());
            }
            if upgraded.list("/details/requirements/solutions").is_empty() {
                upgraded.set("/details/requirements/solutions", invited.at("/details/requirements/solutions").clone());
            }
        }
        invited.set("/direction", json!("Incoming"));
        // The other side starts from the same deal but keeps no record of the partner's CRM.
        invited.set("/externalReferenceId", Value::Null);
        let (invited, mut changes) = self.insert(store, invited, Owner::Microsoft);
        if upgraded != own {
            changes.extend(self.commit(store, &own, upgraded).1);
        }
        Ok((invited, changes))
    }

    /// The partner's referral in an engagement.
    fn own_side<'a>(&self, store: &'a Store, engagement: &str) -> Result<&'a Referral, Problem> {
        store
            .engagement(engagement)
            .find(|referral| self.owns(referral))
            .ok_or_else(|| Problem::invalid("engagementId", format!("Engagement '{engagement}' does not exist.")))
    }
}

fn check_required(body: &Map<String, Value>) -> Result<(), Problem> {
    let given = |name: &str| body.iter().any(|(given, value)| given.eq_ignore_ascii_case(name) && !value.is_null());
    match REQUIRED.into_iter().find(|name| !given(name)) {
        None => Ok(()),
        Some(name) => Err(Problem::invalid(name, format!("Member '{name}' is required."))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::StatusCode;

    use super::*;
    use crate::partner_center::testing::{PARTNER, invitation, partner_center, private, shared};

    #[test]
    fn a_deal_of_ones_own_starts_accepted() {
        let stand_in = partner_center();
        let mut body = private();
        body["status"] = json!("New");
        body["extra"] = json!({ "kept": 1 });
        let (referral, changes) = stand_in.create(body).unwrap();
        assert_eq!((referral.text("/status"), referral.text("/substatus")), ("Active", "Accepted"));
        assert_eq!(referral.text("/acceptedDateTime"), referral.text("/createdDateTime"));
        assert_eq!(referral.text("/organizationId"), PARTNER.to_string());
        assert_eq!(referral.at("/extra/kept"), 1);
        assert!(referral.text("/eTag").starts_with('"') && referral.text("/eTag").ends_with('"'));
        assert!(changes.iter().any(|change| change.field == "/details/dealValue" && change.old.is_null()));
    }

    #[test]
    fn four_members_are_required() {
        let stand_in = partner_center();
        for member in REQUIRED {
            let mut body = private();
            body.as_object_mut().unwrap().shift_remove(member);
            let problem = stand_in.create(body).unwrap_err();
            assert!(problem.message.contains(&format!("'{member}' is required")), "{}", problem.message);
        }
        assert_eq!(stand_in.create(json!([])).unwrap_err().status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn nobody_else_can_be_named_as_inviter() {
        let mut body = private();
        body["inviteContext"] = json!({ "invitedBy": { "organizationId": "msft" } });
        assert!(partner_center().create(body).unwrap_err().message.contains("own organisation"));
    }

    #[test]
    fn microsofts_side_joins_the_engagement() {
        let stand_in = partner_center();
        let (own, _) = stand_in.create(shared()).unwrap();
        let (invited, _) = stand_in.create(invitation(own.engagement())).unwrap();
        assert_eq!((invited.text("/organizationId"), invited.text("/substatus")), (MICROSOFT, "Pending"));
        assert_eq!(invited.text("/inviteContext/invitedBy/organizationId"), PARTNER.to_string());
        assert!(!invited.text("/expirationDateTime").is_empty());
        assert_eq!(stand_in.open().get(own.id()).unwrap().text("/eTag"), own.text("/eTag"));

        let again = stand_in.create(invitation(own.engagement())).unwrap_err();
        assert_eq!(again.status, StatusCode::CONFLICT);
    }

    #[test]
    fn an_invitation_turns_a_private_deal_into_a_shared_one() {
        let stand_in = partner_center();
        let (own, _) = stand_in.create(private()).unwrap();
        stand_in.create(invitation(own.engagement())).unwrap();
        let own = stand_in.open().get(own.id()).unwrap().clone();
        assert_eq!(own.text("/type"), "Shared");
        assert!(own.visible() && own.asks_for_help());
    }

    #[test]
    fn an_invitation_needs_a_deal_and_a_wish() {
        let stand_in = partner_center();
        let refused = |body: Value| stand_in.create(body).unwrap_err().message;
        assert!(refused(invitation("")).contains("Name the engagement"));
        assert!(refused(invitation("0d2f6f1b-6e61-4d7c-8f52-8b7d1f3e5a20")).contains("does not exist"));

        let (own, _) = stand_in.create(private()).unwrap();
        let mut no_wish = invitation(own.engagement());
        no_wish["inviteContext"] = json!({});
        assert!(refused(no_wish).contains("what Microsoft can help with"));
        let mut second = private();
        second["engagementId"] = json!(own.engagement());
        assert!(refused(second).contains("Target msft"));
    }
}

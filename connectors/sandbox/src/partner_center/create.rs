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
    pub(crate) fn create(&self, body: Value) -> Result<(Referral, Vec<Change>), Problem> {
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

    /// Creates Microsoft's side of an engagement, which makes a co-sell deal of the partner's own (a switch says
    /// otherwise).
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
        if !own.asks_for_help() {
            for pointer in ["/inviteContext/assistanceRequestCode", "/inviteContext/notes"] {
                upgraded.set(pointer, invited.at(pointer).clone());
            }
        }
        // The partner's own deal must be fit to be shared, not only what is said of it to Microsoft.
        rules::check_sharing(&upgraded)?;
        invited.set("/direction", json!("Incoming"));
        // The other side starts from the same deal, but keeps no record of the partner's CRM, and its team are Microsoft's
        // own people, who join it later (inferred).
        invited.set("/externalReferenceId", Value::Null);
        invited.set("/team", json!([]));
        let (invited, mut changes) = self.insert(store, invited, Owner::Microsoft);
        if upgraded != own && self.switches().invitation_upgrades {
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
    use crate::partner_center::{
        Switches,
        testing::{PARTNER, invitation, partner_center, private, shared},
    };

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

    /// A partner-led deal: Microsoft may see it, and was not asked for help.
    fn visible() -> Value {
        let mut deal = shared();
        deal["type"] = json!("Independent");
        deal["target"] = json!([]);
        deal["inviteContext"] = json!({});
        deal
    }

    #[test]
    fn an_invitation_makes_a_partner_led_deal_a_shared_one() {
        for upgrades in [true, false] {
            let stand_in = partner_center();
            stand_in.set_switches(Switches { invitation_upgrades: upgrades, ..Switches::default() }).unwrap();
            let (before, _) = stand_in.create(visible()).unwrap();
            stand_in.create(invitation(before.engagement())).unwrap();
            let after = stand_in.open().get(before.id()).unwrap().clone();
            assert_eq!(after.text("/type"), if upgrades { "Shared" } else { "Independent" });
            assert_eq!((after.asks_for_help(), after != before), (upgrades, upgrades));
        }
    }

    #[test]
    fn an_invitation_needs_a_deal_fit_to_be_shared() {
        for (pointer, value, message) in [
            ("/consent/consentToShareReferralWithMicrosoftSellers", json!(false), "set this consent to true"),
            ("/customerProfile/team", json!([]), "needs a customer contact"),
        ] {
            let stand_in = partner_center();
            let mut deal = visible();
            *deal.pointer_mut(pointer).unwrap() = value;
            let (own, _) = stand_in.create(deal).unwrap();
            let problem = stand_in.create(invitation(own.engagement())).unwrap_err();
            assert!(problem.message.contains(message), "{}", problem.message);
            assert_eq!(stand_in.all().len(), 1, "nothing is left behind");
        }
    }

    #[test]
    fn a_closed_deal_is_not_shared_any_more() {
        let stand_in = partner_center();
        let (own, _) = stand_in.create(visible()).unwrap();
        let closed = json!([
            { "op": "replace", "path": "/status", "value": "Closed" },
            { "op": "replace", "path": "/substatus", "value": "Lost" },
        ]);
        stand_in.patch(own.id(), closed, None).unwrap();
        let problem = stand_in.create(invitation(own.engagement())).unwrap_err();
        assert!(problem.message.contains("is closed"), "{}", problem.message);
    }

    #[test]
    fn an_invitation_needs_a_deal_and_a_wish() {
        let stand_in = partner_center();
        let refused = |body: Value| stand_in.create(body).unwrap_err().message;
        assert!(refused(invitation("")).contains("Name the engagement"));
        assert!(refused(invitation("0d2f6f1b-6e61-4d7c-8f52-8b7d1f3e5a20")).contains("does not exist"));

        let (own, _) = stand_in.create(visible()).unwrap();
        let mut no_wish = invitation(own.engagement());
        no_wish["inviteContext"] = json!({});
        assert!(refused(no_wish).contains("what Microsoft can help with"));
        let mut second = private();
        second["engagementId"] = json!(own.engagement());
        assert!(refused(second).contains("Target msft"));
    }
}

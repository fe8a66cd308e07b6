//! What a simulated Microsoft seller does, ordered through the control API.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    problem::Problem,
    referral::{Referral, instant},
    rules, status,
    store::{MICROSOFT, Owner, PartnerCenter, Store},
};
use crate::core::log::Change;

/// A seller's answer to the partner's invitation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Works on the deal.
    Accept,
    /// Does not.
    Decline,
}

impl PartnerCenter {
    /// Microsoft shares a deal with the partner. Members of `body` replace those of a plausible deal.
    pub(crate) fn share(&self, body: Map<String, Value>) -> Result<(Referral, Vec<Change>), Problem> {
        let mut referral = Referral::empty();
        if let Value::Object(usual) = usual_deal(instant(self.clock.now() + SignedDuration::from_hours(24 * 90))) {
            referral.set_all(usual);
        }
        referral.set_all(body);
        rules::check_values(&referral)?;
        status::check("New", referral.text("/status"), referral.text("/substatus"))?;
        Ok(self.insert(&mut self.open(), referral, Owner::Partner))
    }

    /// Microsoft changes a referral: members of `body` are laid over it.
    pub(crate) fn change(&self, id: Uuid, body: Map<String, Value>) -> Result<(Referral, Vec<Change>), Problem> {
        let mut store = self.open();
        let old = store.get(id)?.clone();
        if old.text("/status") == "Closed" {
            return Err(Problem::invalid("status", "The referral is closed, which is final."));
        }
        let mut new = old.clone();
        new.set_all(body);
        new.set("/id", json!(id));
        rules::check_values(&new)?;
        status::check(old.text("/status"), new.text("/status"), new.text("/substatus"))?;
        Ok(self.commit(&mut store, &old, new))
    }

    /// Microsoft answers the partner's invitation; Microsoft's side of the engagement afterwards.
    pub(crate) fn answer(
        &self,
        engagement: &str,
        answer: Answer,
        reason: Option<&str>,
    ) -> Result<(Referral, Vec<Change>), Problem> {
        let mut store = self.open();
        let side = |store: &Store, owned: bool| {
            store.engagement(engagement).find(|referral| self.owns(referral) == owned).cloned()
        };
        let old = side(&store, false)
            .ok_or_else(|| Problem::not_found(&format!("An invitation of Microsoft in engagement '{engagement}'")))?;
        if old.text("/status") != "New" {
            let message = format!("Microsoft's side is {} already.", old.text("/substatus"));
            return Err(Problem::new(axum::http::StatusCode::CONFLICT, "invalidRequest", message));
        }
        let mut new = old.clone();
        if answer == Answer::Decline {
            new.set("/status", json!("Closed"));
            new.set("/substatus", json!("Declined"));
            new.set("/statusReason", json!(reason));
            return Ok(self.commit(&mut store, &old, new));
        }
        // Microsoft's CRM names the deal on both sides ("Referral resources", TrackingInfo).
        let msx_id = json!(format!("7-{}", Uuid::new_v4().simple().to_string()[..10].to_uppercase()));
        new.set("/status", json!("Active"));
        new.set("/substatus", json!("Accepted"));
        new.set("/trackingInfo/microsoftMsxId", msx_id.clone());
        let (accepted, mut changes) = self.commit(&mut store, &old, new);
        if let Some(own) = side(&store, true) {
            let mut tracked = own.clone();
            tracked.set("/trackingInfo/microsoftMsxId", msx_id);
            changes.extend(self.commit(&mut store, &own, tracked).1);
        }
        Ok((accepted, changes))
    }
}

/// A deal as a Microsoft seller would share it.
fn usual_deal(closing: Value) -> Value {
    json!({
        "name": "Tailwind stock rooms",
        "status": "New", "substatus": "Received",
        "qualification": "SalesQualified", "type": "Shared", "direction": "Incoming",
        "customerProfile": {
            "name": "Tailwind Traders", "size": "251to1000employees",
            "address": {
                "addressLine1": "1 Harbour Road", "addressLine2": "", "city": "Seattle", "state": "WA",
                "postalCode": "98101", "country": "US",
            },
            "team": [{
                "firstName": "Ana", "lastName": "Lopez", "phoneNumber": "+12065550142",
                "email": "ana@tailwind.example",
            }],
        },
        "consent": {
            "consentToToShareInfoWithOthers": true, "consentToContact": true,
            "consentToShareReferralWithMicrosoftSellers": true,
        },
        "details": {
            "notes": "Wants to see its stock in every store.", "dealValue": 50000, "currency": "USD",
            "closingDateTime": closing,
            "requirements": { "solutions": [
                { "id": "SOL-48120-KQP", "name": "ColdTrack", "type": "Name", "solutionType": "3P" },
            ] },
        },
        "inviteContext": { "invitedBy": { "organizationId": MICROSOFT, "organizationName": "Microsoft" } },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::partner_center::testing::{invitation, partner_center, shared};

    fn members(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_shared_deal_waits_for_the_partner() {
        let stand_in = partner_center();
        let (deal, _) = stand_in.share(members(json!({ "details": { "dealValue": 7 } }))).unwrap();
        assert!(stand_in.owns(&deal));
        assert_eq!((deal.text("/status"), deal.text("/substatus")), ("New", "Received"));
        assert_eq!(deal.text("/inviteContext/invitedBy/organizationId"), MICROSOFT);
        assert_eq!((deal.at("/details/dealValue"), deal.text("/details/currency")), (&json!(7), "USD"));
    }

    #[test]
    fn what_nobody_answers_expires() {
        let stand_in = partner_center();
        let (deal, _) = stand_in.share(Map::new()).unwrap();
        stand_in.clock.advance(14 * 24 * 3600 - 60);
        assert_eq!(stand_in.all()[0]["substatus"], "Received");
        stand_in.clock.advance(60);
        assert_eq!(stand_in.all()[0]["substatus"], "Expired");
        assert!(stand_in.change(deal.id(), Map::new()).is_err());
    }

    #[test]
    fn microsoft_too_has_a_fortnight_to_answer() {
        let stand_in = partner_center();
        let (own, _) = stand_in.create(shared()).unwrap();
        let (invited, _) = stand_in.create(invitation(own.engagement())).unwrap();
        stand_in.clock.advance(14 * 24 * 3600);
        assert_eq!(stand_in.open().get(invited.id()).unwrap().text("/substatus"), "Expired");
        assert_eq!(stand_in.open().get(own.id()).unwrap().text("/substatus"), "Accepted");
        assert!(stand_in.answer(own.engagement(), Answer::Accept, None).is_err(), "too late");
    }

    #[test]
    fn an_answer_shows_on_both_sides() {
        let stand_in = partner_center();
        let (own, _) = stand_in.create(shared()).unwrap();
        let engagement = own.engagement();
        assert!(stand_in.answer(engagement, Answer::Accept, None).is_err());
        stand_in.create(invitation(engagement)).unwrap();
        let (accepted, _) = stand_in.answer(engagement, Answer::Accept, None).unwrap();
        assert_eq!(accepted.text("/substatus"), "Accepted");
        let own = stand_in.open().get(own.id()).unwrap().clone();
        assert_eq!(own.at("/trackingInfo/microsoftMsxId"), accepted.at("/trackingInfo/microsoftMsxId"));
        assert!(own.at("/trackingInfo/microsoftMsxId").is_string());
        assert!(stand_in.answer(engagement, Answer::Decline, None).is_err());
    }

    #[test]
    fn a_refusal_has_its_reason() {
        let stand_in = partner_center();
        let (own, _) = stand_in.create(shared()).unwrap();
        stand_in.create(invitation(own.engagement())).unwrap();
        let (declined, _) = stand_in.answer(own.engagement(), Answer::Decline, Some("No capacity")).unwrap();
        assert_eq!((declined.text("/substatus"), declined.text("/statusReason")), ("Declined", "No capacity"));
    }

    #[test]
    fn the_seller_keeps_to_the_status_machine() {
        let stand_in = partner_center();
        let (deal, _) = stand_in.share(Map::new()).unwrap();
        assert!(stand_in.change(deal.id(), members(json!({ "status": "Closed" }))).is_err());
        let won = json!({ "status": "Closed", "substatus": "Won", "id": "other" });
        assert_eq!(stand_in.change(deal.id(), members(won)).unwrap().0.id(), deal.id());
    }
}

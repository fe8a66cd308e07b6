//! The partner changes a referral: PATCH ("Update a lead or opportunity"), the obsolete PUT ("Update a referral"), and a
//! person in the portal.

use axum::http::StatusCode;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    patch::{self, Operation},
    problem::Problem,
    referral::Referral,
    registrations, rules, status,
    store::{MICROSOFT, PartnerCenter, Store},
    switches::EarlyRegistration,
};
use crate::core::log::Change;

impl PartnerCenter {
    /// Applies a JSON Patch document. Without `if_match` the last writer wins.
    pub(super) fn patch(
        &self,
        id: Uuid,
        document: Value,
        if_match: Option<&str>,
    ) -> Result<(Referral, Vec<Change>), Problem> {
        let operations = patch::read(document)?;
        let mut store = self.open();
        let old = self.writable(&store, id, if_match)?.clone();
        let registers = operations.iter().all(Operation::is_registration);
        if old.text("/status") == "Closed" && !registers {
            return Err(self.closed());
        }
        let mut new = old.clone();
        for operation in &operations {
            patch::apply(&mut new, operation)?;
        }
        if registers {
            let obstacle = registrations::obstacle(&new, self.clock.now(), store.engagement(new.engagement()));
            match obstacle {
                Some(reason) if self.switches().early_registration == EarlyRegistration::Refused => {
                    return Err(Problem::invalid("registrations", reason));
                }
                reason => registrations::review_new(&mut new, self.clock.now(), reason),
            }
        }
        self.check(&old, &new)?;
        Ok(self.commit(&mut store, &old, new))
    }

    /// Replaces what a client may set by the members of `body`, a whole referral without `links`.
    pub(super) fn put(
        &self,
        id: Uuid,
        body: Value,
        if_match: Option<&str>,
    ) -> Result<(Referral, Vec<Change>), Problem> {
        let Value::Object(body) = body else {
            return Err(Problem::invalid("body", "Expected a referral: a JSON object."));
        };
        if if_match.is_none() {
            let status = StatusCode::from_u16(self.switches().put_without_if_match_status);
            let message = "PUT needs the header If-Match with the referral's eTag.";
            let problem = Problem::new(status.unwrap_or(StatusCode::BAD_REQUEST), "invalidRequest", message);
            return Err(problem.at("If-Match"));
        }
        if body.keys().any(|name| name.eq_ignore_ascii_case("links")) {
            return Err(Problem::invalid("links", "Leave out 'links' when a referral is sent back."));
        }
        self.lay_over(id, body, if_match)
    }

    /// A person of the partner changes a referral in the portal: members of `body` are laid over it. The rules are those of
    /// the API.
    pub(crate) fn edit(&self, id: Uuid, body: Map<String, Value>) -> Result<(Referral, Vec<Change>), Problem> {
        self.lay_over(id, body, None)
    }

    fn lay_over(
        &self,
        id: Uuid,
        body: Map<String, Value>,
        if_match: Option<&str>,
    ) -> Result<(Referral, Vec<Change>), Problem> {
        let mut store = self.open();
        let old = self.writable(&store, id, if_match)?.clone();
        if old.text("/status") == "Closed" {
            return Err(self.closed());
        }
        let mut new = old.clone();
        for name in ["status", "substatus"] {
            let given = body.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            if let Some((_, value)) = given {
                new.set(&format!("/{name}"), value.clone());
            }
        }
        new.lay_over(body);
        self.check(&old, &new)?;
        Ok(self.commit(&mut store, &old, new))
    }

    /// The referral `id`, where the partner may write it and the condition holds.
    fn writable<'a>(&self, store: &'a Store, id: Uuid, if_match: Option<&str>) -> Result<&'a Referral, Problem> {
        let referral = store.get(id).map_err(|problem| self.unknown(problem))?;
        if !self.owns(referral) {
            return Err(Problem::denied("The referral belongs to another organisation: it can be read, not changed."));
        }
        match if_match {
            Some(wanted) if wanted != "*" && wanted != referral.text("/eTag") => Err(Problem::stale()),
            _ => Ok(referral),
        }
    }

    fn check(&self, old: &Referral, new: &Referral) -> Result<(), Problem> {
        status::check(old.text("/status"), new.text("/status"), new.text("/substatus"))?;
        rules::check_values(new)?;
        rules::check_fixed(old, new)?;
        // What Microsoft sent is as complete as Microsoft made it; the partner answers for its own deals.
        if new.text("/inviteContext/invitedBy/organizationId") == MICROSOFT {
            return Ok(());
        }
        rules::check_sharing(new)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::partner_center::testing::{invitation, partner_center, private, shared};

    fn replace(path: &str, value: Value) -> Value {
        json!([{ "op": "replace", "path": path, "value": value }])
    }

    fn close(substatus: &str) -> Value {
        json!([
            { "op": "replace", "path": "/substatus", "value": substatus },
            { "op": "replace", "path": "/status", "value": "Closed" },
        ])
    }

    #[test]
    fn a_stale_etag_is_refused_and_none_at_all_is_not() {
        let stand_in = partner_center();
        let (first, _) = stand_in.create(private()).unwrap();
        let id = first.id();
        let (second, changes) =
            stand_in.patch(id, replace("/details/dealValue", json!(5)), Some(first.text("/eTag"))).unwrap();
        assert_eq!((changes.len(), changes[0].field.as_str()), (1, "/details/dealValue"));
        assert_ne!(second.text("/eTag"), first.text("/eTag"));

        let stale = stand_in.patch(id, replace("/details/notes", json!("x")), Some(first.text("/eTag"))).unwrap_err();
        assert_eq!((stale.status, stale.code), (StatusCode::PRECONDITION_FAILED, "preconditionFailed"));
        let bare = second.text("/eTag").trim_matches('"').to_owned();
        assert!(stand_in.patch(id, replace("/details/notes", json!("x")), Some(&bare)).is_err());
        assert!(stand_in.patch(id, replace("/details/notes", json!("x")), None).is_ok());
    }

    #[test]
    fn a_write_of_equal_values_is_a_write_without_changes() {
        let stand_in = partner_center();
        let (first, _) = stand_in.create(private()).unwrap();
        let (second, changes) = stand_in.patch(first.id(), replace("/details/currency", json!("EUR")), None).unwrap();
        assert!(changes.is_empty());
        assert_ne!(second.text("/eTag"), first.text("/eTag"));
    }

    #[test]
    fn closed_is_final_except_for_registrations() {
        let stand_in = partner_center();
        let (deal, _) = stand_in.create(shared()).unwrap();
        let (won, _) = stand_in.patch(deal.id(), close("Won"), None).unwrap();
        assert!(!won.text("/closedDateTime").is_empty());
        assert!(stand_in.patch(deal.id(), replace("/details/notes", json!("x")), None).is_err());
        assert!(stand_in.patch(deal.id(), close("Lost"), None).is_err());

        let value = json!({ "type": "AzureIPCoSell", "solutionDetails": [{ "id": "SOL-1" }], "contract": {} });
        let registration = json!([{ "op": "add", "path": "/registrations/-", "value": value }]);
        let (registered, _) = stand_in.patch(deal.id(), registration, None).unwrap();
        assert!(registered.at("/registrations/0/registrationDateTime").is_string());
    }

    #[test]
    fn status_and_substatus_must_agree_in_the_end() {
        let stand_in = partner_center();
        let (deal, _) = stand_in.create(private()).unwrap();
        let alone = stand_in.patch(deal.id(), replace("/status", json!("Closed")), None).unwrap_err();
        assert!(alone.message.contains("Send status and substatus together"));
        let back = json!([
            { "op": "replace", "path": "/status", "value": "New" },
            { "op": "replace", "path": "/substatus", "value": "Pending" },
        ]);
        assert!(stand_in.patch(deal.id(), back, None).unwrap_err().message.contains("cannot become"));
    }

    #[test]
    fn a_refused_patch_leaves_nothing_behind() {
        let stand_in = partner_center();
        let (deal, _) = stand_in.create(private()).unwrap();
        let half = json!([
            { "op": "replace", "path": "/details/notes", "value": "x" },
            { "op": "replace", "path": "/details/currency", "value": "nonsense" },
        ]);
        assert!(stand_in.patch(deal.id(), half, None).is_err());
        assert_eq!(stand_in.open().get(deal.id()).unwrap(), &deal);
    }

    #[test]
    fn visibility_needs_a_solution_and_cannot_be_taken_back() {
        const CONSENT: &str = "/consent/consentToShareReferralWithMicrosoftSellers";
        let stand_in = partner_center();
        let id = stand_in.create(private()).unwrap().0.id();
        let early = stand_in.patch(id, replace(CONSENT, json!(true)), None).unwrap_err();
        assert!(early.message.contains("Solution ID is required"));
        let both = json!([
            { "op": "replace", "path": CONSENT, "value": true },
            { "op": "add", "path": "/details/requirements/solutions/-", "value": { "id": "SOL-1" } },
        ]);
        stand_in.patch(id, both, None).unwrap();
        assert!(stand_in.patch(id, replace(CONSENT, json!(false)), None).is_err());
    }

    #[test]
    fn the_other_side_is_read_only() {
        let stand_in = partner_center();
        let (own, _) = stand_in.create(shared()).unwrap();
        let (invited, _) = stand_in.create(invitation(own.engagement())).unwrap();
        let problem = stand_in.patch(invited.id(), replace("/details/notes", json!("x")), None).unwrap_err();
        assert_eq!(problem.status, StatusCode::FORBIDDEN);
        assert_eq!(stand_in.patch(Uuid::nil(), close("Won"), None).unwrap_err().status, StatusCode::NOT_FOUND);
    }

    #[test]
    fn put_needs_a_condition_and_no_links() {
        let stand_in = partner_center();
        let (deal, _) = stand_in.create(private()).unwrap();
        let (id, etag) = (deal.id(), deal.text("/eTag").to_owned());
        let mut body = deal.0;
        assert!(stand_in.put(id, body.clone(), Some(&etag)).unwrap_err().message.contains("links"));
        body.as_object_mut().unwrap().shift_remove("links");
        assert!(stand_in.put(id, body.clone(), None).unwrap_err().message.contains("If-Match"));
        body["name"] = json!("Renamed");
        let (renamed, changes) = stand_in.put(id, body.clone(), Some(&etag)).unwrap();
        assert_eq!((renamed.text("/name"), changes.len()), ("Renamed", 1));
        let stale = stand_in.put(id, body, Some(&etag)).unwrap_err();
        assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    }
}

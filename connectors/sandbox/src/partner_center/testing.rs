//! What the unit tests of this folder share.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Organization, PartnerCenter};
use crate::{
    core::{clock::Clock, tokens::Tokens},
    events::{Events, Signer},
};

pub(super) const PARTNER: Uuid = Uuid::from_u128(0x77);

/// A stand-in without a registration for events.
pub(super) fn partner_center() -> PartnerCenter {
    let (clock, tokens) = (Arc::new(Clock::default()), Arc::new(Tokens::new().unwrap()));
    let (queue, _) = mpsc::unbounded_channel();
    let signer = Signer::new("http://127.0.0.1:1").unwrap();
    let events = Events::new("http://127.0.0.1:9", PARTNER, Arc::clone(&clock), Arc::clone(&tokens), signer, queue);
    let partner = Organization { id: PARTNER, name: "Fabrikam".to_owned(), mpn_id: "1".to_owned() };
    PartnerCenter::new("http://127.0.0.1:9/v1.0/engagements".to_owned(), partner, clock, tokens, Arc::new(events))
}

/// A deal that nobody else sees.
pub(super) fn private() -> Value {
    json!({
        "name": "Northwind warehouse rollout",
        "externalReferenceId": "OPP-1",
        "qualification": "SalesQualified", "type": "Independent",
        "customerProfile": { "name": "Northwind Cold Storage BV", "address": { "country": "NL" } },
        "consent": { "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
        "details": { "dealValue": 84000, "currency": "EUR", "closingDateTime": "2027-01-29T00:00:00Z" },
    })
}

/// A deal that Microsoft is asked to help with.
pub(super) fn shared() -> Value {
    let mut deal = private();
    deal["type"] = json!("Shared");
    deal["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(true);
    deal["customerProfile"]["team"] = json!([{ "firstName": "Iris", "lastName": "de Wit", "phoneNumber": "+3110", "email": "iris@northwind.example" }]);
    deal["details"]["requirements"] = json!({
        "solutions": [{ "id": "SOL-48120-KQP", "name": "ColdTrack", "type": "Name" }],
        "additionalRequirements": { "attributes": [{ "type": "CustomerMarketplaceIntent", "id": "HaveNotDecided" }] },
    });
    deal["target"] = json!([{ "type": "SolutionProfile", "id": "SOL-48120-KQP" }]);
    deal["inviteContext"] = json!({ "notes": "Please help.", "assistanceRequestCode": "QuotesOrLicensing" });
    deal
}

/// Microsoft's side of `engagement`.
pub(super) fn invitation(engagement: &str) -> Value {
    let mut deal = shared();
    deal["engagementId"] = json!(engagement);
    deal["target"] = json!([{ "type": "BusinessProfileLocation", "id": "msft" }]);
    deal
}

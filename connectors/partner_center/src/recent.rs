//! Finding what an interrupted attempt made.
//!
//! The API promises no idempotency for POST, and cannot filter by `externalReferenceId`. So after an attempt whose outcome is
//! unknown, the recent referrals are read and compared here, as far back as such an attempt can lie.

use std::ops::ControlFlow;

use cosell_sdk::{CallContext, CallError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::connection::{ListQuery, PartnerCenter};
use crate::referral::Referral;

/// How many referrals to look at, at most.
const FURTHEST: usize = 500;
/// How far before the newest referral to look. Its own clock decides, not ours.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);

/// The reference by which a referral will be found again. One that has none gets the call's idempotency key.
pub(crate) fn reference(referral: &mut Map<String, Value>, context: &CallContext) -> String {
    match referral.get("externalReferenceId") {
        Some(Value::String(reference)) if !reference.is_empty() => reference.clone(),
        _ => {
            let reference = context.idempotency_key.to_string();
            referral.insert("externalReferenceId".to_owned(), Value::String(reference.clone()));
            reference
        }
    }
}

/// The newest recent referral with this `externalReferenceId` that is, or is not, Microsoft's side of a deal.
pub(crate) async fn find(
    connection: &PartnerCenter,
    reference: &str,
    microsofts: bool,
    context: &CallContext,
) -> Result<Option<Referral>, CallError> {
    let query = ListQuery { order_by: Some("createdDateTime desc".to_owned()), ..ListQuery::default() };
    let (mut found, mut seen, mut newest) = (None, 0, None);
    connection
        .pages(&query, context, |_, page| {
            for referral in page {
                seen += 1;
                if referral.external_reference_id.as_deref() == Some(reference) && referral.is_microsofts() == microsofts {
                    found = Some(referral);
                    return Ok(ControlFlow::Break(()));
                }
                let created = referral.created_date_time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
                let newest = *newest.get_or_insert(created);
                let too_old = matches!((newest, created), (Some(newest), Some(created)) if newest.duration_since(created) > OLDEST);
                if too_old || seen >= FURTHEST {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
        .await?;
    Ok(found)
}

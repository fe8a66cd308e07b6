//! Partner Center referrals: the connector `partner_center`.
//!
//! A referral is a deal that a Microsoft partner and Microsoft (or another partner) know of. This connector reads,
//! creates and changes referrals by the Referrals API.
//!
//! Read in this order: [`connection`] (settings, and how requests are made), [`referral`] (what a referral is),
//! [`rules`] and [`status`] (what the API would refuse), [`changes`] (what may be changed, and how), `recent` (finding
//! what an interrupted attempt made), `invitation` (Microsoft's side of a deal), `preview` (what a write would do), `search`,
//! [`operations`], [`referral_updated`] (the trigger).

pub mod changes;
pub mod connection;
#[cfg(test)]
mod contract;
mod invitation;
pub mod operations;
mod preview;
mod recent;
pub mod referral;
pub mod referral_updated;
pub mod rules;
mod search;
pub mod status;
#[cfg(test)]
mod testing;

use cosell_sdk::{Connector, Limits};

pub use connection::{PartnerCenter, Settings};
pub use referral::Referral;

/// The connector, with all it offers.
pub fn connector() -> Connector {
    Connector::new::<PartnerCenter>(
        "partner_center",
        "Partner Center referrals",
        "Microsoft Partner Center's co-sell referrals, by the Referrals API.",
    )
    // No number is published for referrals: a modest one at once, and the rest is left to `Retry-After`.
    .limits(Limits::at_once(8))
    .operation::<operations::GetReferral>()
    .operation::<operations::ListReferrals>()
    .operation::<operations::RelatedReferrals>()
    .write::<operations::CreateReferral>()
    .write::<operations::CreateSharedReferral>()
    .write::<operations::InviteMicrosoft>()
    .write::<operations::UpdateReferral>()
    .write::<operations::RenameReferral>()
    .write::<operations::AcceptReferral>()
    .write::<operations::DeclineReferral>()
    .write::<operations::WinReferral>()
    .write::<operations::LoseReferral>()
    .write::<operations::CreateDealRegistration>()
    .write::<operations::UpdateDealRegistration>()
    .poll::<referral_updated::ReferralUpdated>()
    .build()
}

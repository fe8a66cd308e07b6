//! What the connector can do, one file each. Reads: [`GetReferral`], [`ListReferrals`], [`RelatedReferrals`]; writes:
//! [`CreateReferral`], [`CreateSharedReferral`], [`UpdateReferral`].

mod create_referral;
mod create_shared_referral;
mod get_referral;
mod list_referrals;
mod related_referrals;
mod update_referral;

pub use create_referral::{CreateReferral, CreateReferralInput};
pub use create_shared_referral::{CreateSharedReferral, CreateSharedReferralInput, SharedReferral};
pub use get_referral::{GetReferral, GetReferralInput};
pub use list_referrals::{ListReferrals, ListReferralsInput, Referrals};
pub use related_referrals::{RelatedReferrals, RelatedReferralsInput};
pub use update_referral::{UpdateReferral, UpdateReferralInput, UpdatedReferral};

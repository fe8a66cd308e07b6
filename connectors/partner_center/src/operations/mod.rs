//! What the connector can do, one file each. Reads: [`GetReferral`], [`ListReferrals`], [`RelatedReferrals`]; writes:
//! [`CreateReferral`], [`CreateSharedReferral`], [`InviteMicrosoft`], [`UpdateReferral`], [`RenameReferral`]; the
//! decisions [`AcceptReferral`], [`DeclineReferral`], [`WinReferral`], [`LoseReferral`]; and registering a won deal:
//! [`CreateDealRegistration`], [`UpdateDealRegistration`].

mod create_referral;
mod create_shared_referral;
mod deal_registration;
mod decide;
mod get_referral;
mod invite_microsoft;
mod list_referrals;
mod related_referrals;
mod rename_referral;
mod update_referral;

pub use create_referral::{CreateReferral, CreateReferralInput};
pub use create_shared_referral::{CreateSharedReferral, CreateSharedReferralInput, SharedReferral};
pub use deal_registration::{
    CreateDealRegistration, CreateDealRegistrationInput, UpdateDealRegistration, UpdateDealRegistrationInput,
};
pub use decide::{AcceptReferral, DecisionInput, DeclineReferral, LoseReferral, WinReferral};
pub use get_referral::{GetReferral, GetReferralInput};
pub use invite_microsoft::{AssistanceRequestCode, InviteMicrosoft, InviteMicrosoftInput};
pub use list_referrals::{ListReferrals, ListReferralsInput, Referrals};
pub use related_referrals::{RelatedReferrals, RelatedReferralsInput};
pub use rename_referral::{RenameReferral, RenameReferralInput};
pub use update_referral::{UpdateReferral, UpdateReferralInput, UpdatedReferral};

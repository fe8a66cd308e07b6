//! Who may call ("Referrals API authentication" and the "Requirements" of each operation's page).

use axum::http::{HeaderMap, StatusCode};

use super::{problem::Problem, referral::Referral, store::PartnerCenter, switches::MfaRefusal};
use crate::{
    core::tokens::{Caller, TokenRefusal},
    entra::PARTNER_CENTER,
};

/// What a caller may do.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// Reads and writes every referral of the partner.
    Admin(Caller),
    /// Reads the referrals whose team holds this e-mail address.
    TeamMember(Caller, String),
}

impl Access {
    /// Who it is.
    pub(super) fn caller(&self) -> &Caller {
        match self {
            Access::Admin(caller) | Access::TeamMember(caller, _) => caller,
        }
    }

    /// Whether the caller may see `referral`.
    pub(super) fn may_read(&self, referral: &Referral) -> bool {
        match self {
            Access::Admin(_) => true,
            Access::TeamMember(_, email) => referral
                .list("/team")
                .iter()
                .any(|member| member["email"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(email))),
        }
    }

    /// Refuses callers that may only read.
    pub(super) fn check_write(&self) -> Result<(), Problem> {
        match self {
            Access::Admin(_) => Ok(()),
            Access::TeamMember(..) => {
                Err(Problem::denied("Only the role Referrals admin may create or change referrals."))
            }
        }
    }
}

impl PartnerCenter {
    /// Checks the token of a request: a user's, signed in with a second factor, who has a referrals role.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Access, Problem> {
        let caller = self.tokens.verify(headers, PARTNER_CENTER, self.clock.now()).map_err(|refusal| {
            let message = match refusal {
                TokenRefusal::Missing => "The request has no bearer token.",
                TokenRefusal::Invalid => "The token is not valid.",
                TokenRefusal::Expired => "The token has expired.",
                TokenRefusal::WrongAudience => "The token is for another audience.",
            };
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
        })?;
        let switches = self.switches();
        if caller.app_only {
            const MESSAGE: &str = "Referrals need a user's token: application permissions are not enough.";
            return Err(match switches.app_only_status {
                401 => Problem::new(StatusCode::UNAUTHORIZED, "unAuthorized", MESSAGE),
                _ => Problem::denied(MESSAGE),
            });
        }
        if switches.enforce_mfa && !caller.mfa {
            return Err(match switches.mfa_refusal {
                MfaRefusal::Code => Problem::mfa_required(),
                MfaRefusal::Header => Problem::mfa_required_by_header(),
            });
        }
        if switches.claims_challenge {
            return Err(Problem::claims_challenge());
        }
        let has = |role: &str| caller.roles.iter().any(|own| own == role);
        if has("Referrals admin") {
            return Ok(Access::Admin(caller));
        }
        if has("Referrals user") {
            let email = self.tokens.principal(caller.id).and_then(|principal| principal.user_name).unwrap_or_default();
            return Ok(Access::TeamMember(caller, email));
        }
        Err(Problem::denied("The user has neither the role Referrals admin nor Referrals user."))
    }
}

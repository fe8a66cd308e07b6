//! Authorization codes: ten minutes, one redemption, and the proof key that binds them to who asked (RFC 7636).

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    errors::Refusal,
    request::{Form, Scopes},
    state::Entra,
};

/// "Auth code flow": codes expire after about ten minutes.
const CODE_SECONDS: i64 = 600;

/// A code that was handed out.
#[derive(Clone, Debug)]
pub(super) struct Code {
    expires: Timestamp,
    redeemed: bool,
    redirect_uri: String,
    challenge: Option<Challenge>,
    /// What was asked for with it.
    pub(super) scopes: Scopes,
    /// Comes back in the id token.
    pub(super) nonce: Option<String>,
    /// Whether the user signed in with a second factor.
    pub(super) mfa: bool,
}

/// What the verifier must match.
#[derive(Clone, Debug, PartialEq)]
enum Challenge {
    Plain(String),
    Sha256(String),
}

impl Challenge {
    /// Reads the challenge of an authorization request, if it has one.
    fn read(form: &Form) -> Result<Option<Challenge>, Refusal> {
        let Some(challenge) = form.get("code_challenge") else { return Ok(None) };
        // RFC 7636, 4.3: plain when no method is given.
        match form.get("code_challenge_method").unwrap_or("plain") {
            "S256" => Ok(Some(Challenge::Sha256(challenge.to_owned()))),
            "plain" => Ok(Some(Challenge::Plain(challenge.to_owned()))),
            other => Err(Refusal::new(501491, format!("'{other}' is no code_challenge_method: use S256, or plain."))),
        }
    }

    fn fits(&self, verifier: &str) -> bool {
        match self {
            Challenge::Plain(challenge) => challenge == verifier,
            Challenge::Sha256(challenge) => *challenge == URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())),
        }
    }
}

impl Entra {
    /// A new code for the authorization request `form`.
    pub(super) fn new_code(&self, form: &Form, redirect_uri: &str, scopes: Scopes) -> Result<String, Refusal> {
        let challenge = Challenge::read(form)?;
        let code = format!("0.AX{}", Uuid::new_v4().simple());
        let mut state = self.state();
        let entry = Code {
            expires: self.clock.now() + SignedDuration::from_secs(CODE_SECONDS),
            redeemed: false,
            redirect_uri: redirect_uri.to_owned(),
            challenge,
            scopes,
            nonce: form.get("nonce").map(str::to_owned),
            mfa: state.knobs.mfa,
        };
        state.codes.insert(code.clone(), entry);
        Ok(code)
    }

    /// Accepts the code of the token request `form`. Without proof of who the app is, its proof key must do.
    pub(super) fn redeem_code(&self, form: &Form, confidential: bool) -> Result<Code, Refusal> {
        let (given, redirect_uri) = (form.require("code")?, form.require("redirect_uri")?);
        let now = self.clock.now();
        let mut state = self.state();
        let code = state
            .codes
            .get_mut(given)
            .ok_or_else(|| Refusal::new(70000, "Provided grant is invalid or malformed: this code is not known."))?;
        if code.redeemed {
            return Err(Refusal::new(54005, "The authorization code was already redeemed. Start again."));
        }
        if code.expires <= now {
            return Err(Refusal::new(70008, "The authorization code has expired. Start again."));
        }
        if code.redirect_uri != redirect_uri {
            return Err(Refusal::new(
                50011,
                format!("The redirect URI '{redirect_uri}' is not the one that the code was asked for with."),
            ));
        }
        match &code.challenge {
            None if !confidential => return Err(Refusal::no_credential()),
            None => {}
            Some(challenge) if form.get("code_verifier").is_some_and(|verifier| challenge.fits(verifier)) => {}
            Some(_) => {
                return Err(Refusal::new(
                    501481,
                    "The code_verifier does not match the code_challenge of the authorization request.",
                ));
            }
        }
        code.redeemed = true;
        Ok(code.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::entra::testing::{entra, form};

    // The pair of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const REDIRECT: &str = "http://localhost:8443/callback";

    fn code(entra: &Entra, challenge: &[(&str, &str)]) -> String {
        entra.new_code(&form(challenge), REDIRECT, Scopes::default()).unwrap()
    }

    fn redeem(entra: &Entra, code: &str, verifier: &str, confidential: bool) -> Result<(), u32> {
        let form = form(&[("code", code), ("redirect_uri", REDIRECT), ("code_verifier", verifier)]);
        entra.redeem_code(&form, confidential).map(|_| ()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn the_verifier_must_match() {
        let entra = entra();
        let sha256 = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
        let issued = code(&entra, &sha256);
        assert_eq!(redeem(&entra, &issued, "wrong", true), Err(501481));
        assert_eq!(redeem(&entra, &issued, "", true), Err(501481));
        assert_eq!(redeem(&entra, &issued, VERIFIER, false), Ok(()), "the proof key is enough for a public client");
        let plain = code(&entra, &[("code_challenge", VERIFIER)]);
        assert_eq!(redeem(&entra, &plain, VERIFIER, true), Ok(()));
        let method = form(&[("code_challenge", CHALLENGE), ("code_challenge_method", "S512")]);
        assert!(entra.new_code(&method, REDIRECT, Scopes::default()).is_err());
    }

    #[test]
    fn a_code_serves_once_and_not_for_long() {
        let entra = entra();
        let issued = code(&entra, &[]);
        assert_eq!(redeem(&entra, &issued, "", false), Err(7000218));
        assert_eq!(redeem(&entra, &issued, "", true), Ok(()));
        assert_eq!(redeem(&entra, &issued, "", true), Err(54005));
        assert_eq!(redeem(&entra, "unknown", "", true), Err(70000));

        let late = code(&entra, &[]);
        entra.clock.advance(CODE_SECONDS);
        assert_eq!(redeem(&entra, &late, "", true), Err(70008));
    }

    #[test]
    fn the_redirect_address_must_be_the_same() {
        let entra = entra();
        let issued = code(&entra, &[]);
        let other = form(&[("code", &issued), ("redirect_uri", "http://localhost:8443/other")]);
        assert_eq!(entra.redeem_code(&other, true).unwrap_err().code, 50011);
    }
}

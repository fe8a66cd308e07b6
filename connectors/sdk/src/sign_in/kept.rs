//! A person's sign-in, kept in a file from one run to the next: the newest refresh token, readable by its owner alone, and
//! encrypted where there is a key.
//!
//! Several processes may share the file. Each use of a refresh token yields a newer one, and the older stays valid (Microsoft
//! identity platform, refresh tokens); so nobody waits for anybody while asking, and whoever comes back later writes over
//! what another wrote, unless a person has signed in or out meanwhile.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::file;
use super::{EntraSettings, SignedIn};
use crate::error::{CallError, Meaning};
use crate::settings::Secret;

/// After so long without use Entra forgets a refresh token (Microsoft identity platform, refresh tokens: lifetime).
pub const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(90 * 24);
/// After so long without use it is time to say so.
pub const WARN_AFTER: SignedDuration = SignedDuration::from_hours(60 * 24);

/// A person's sign-in.
#[derive(Clone, Debug)]
pub struct Kept {
    /// When the person signed in; of a configured refresh token, when it was first used.
    pub since: Timestamp,
    /// When it last gave a token; none where it has not been used yet.
    pub used: Option<Timestamp>,
    /// Who, as the sign-in service names the person.
    pub person: Option<String>,
    /// Whether there was a second factor; none where the token does not tell.
    pub second_factor: Option<bool>,
    pub(super) refresh_token: Secret,
    /// Fingerprint of the configured refresh token that this one takes the place of. Where another is configured since,
    /// that one is newer.
    in_place_of: Option<String>,
    /// Whether it is the configured refresh token itself, which stands in no file.
    is_configured: bool,
}

impl Kept {
    /// For how long it has not been used.
    pub fn idle(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.used.unwrap_or(self.since))
    }
}

/// What stands in the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    tenant: String,
    client_id: String,
    since: Timestamp,
    used: Option<Timestamp>,
    person: Option<String>,
    second_factor: Option<bool>,
    in_place_of: Option<String>,
    token: Token,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Token {
    /// As it is.
    Plain(String),
    /// Nonce and ciphertext (AES-256-GCM), as base64; bound to tenant and application.
    Encrypted(String),
}

/// The file of one sign-in.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    key: Option<Key>,
    tenant: String,
    client_id: String,
    configured: Option<Secret>,
}

#[derive(Debug)]
struct Key(RandomizedNonceKey);

impl Store {
    /// The store for these settings; none where they name no file.
    pub(super) fn new(settings: &EntraSettings) -> Result<Option<Self>, CallError> {
        let Some(path) = settings.token_file.clone() else { return Ok(None) };
        let key = settings.token_key.as_ref().map(Key::new).transpose()?;
        Ok(Some(Self {
            path,
            key,
            tenant: settings.tenant.clone(),
            client_id: settings.client_id.clone(),
            configured: settings.refresh_token.clone(),
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn encrypts(&self) -> bool {
        self.key.is_some()
    }

    /// The newest sign-in there is: the kept one, unless another refresh token was configured since.
    pub(super) fn newest(&self) -> Result<Option<Kept>, CallError> {
        let configured = self.configured.as_ref().map(|token| (token, fingerprint(token)));
        let kept = self.read()?;
        Ok(match (kept, configured) {
            (Some(kept), None) => Some(kept),
            (Some(kept), Some((_, print))) if kept.in_place_of.as_ref() == Some(&print) => Some(kept),
            (_, Some((token, print))) => Some(Kept {
                since: Timestamp::now(),
                used: None,
                person: None,
                second_factor: None,
                refresh_token: token.clone(),
                in_place_of: Some(print),
                is_configured: true,
            }),
            (None, None) => None,
        })
    }

    /// Keeps a new sign-in, in the place of whatever was.
    pub(super) fn keep(&self, signed_in: SignedIn) -> Result<(), CallError> {
        let kept = Kept {
            since: Timestamp::now(),
            used: None,
            person: signed_in.person,
            second_factor: signed_in.second_factor,
            refresh_token: signed_in.refresh_token,
            in_place_of: self.configured.as_ref().map(fingerprint),
            is_configured: false,
        };
        let _lock = self.lock()?;
        self.write(&kept)
    }

    /// Keeps what using `used` has yielded, unless somebody signed in or out meanwhile.
    pub(super) fn rotated(&self, used: &Kept, newest: SignedIn) -> Result<(), CallError> {
        let _lock = self.lock()?;
        let is_of_use = match self.read()? {
            // Another process that uses the configured one may have been first.
            Some(found) if used.is_configured => found.in_place_of != used.in_place_of,
            Some(found) => (found.since, &found.in_place_of) == (used.since, &used.in_place_of),
            None => used.is_configured,
        };
        if !is_of_use {
            return Ok(());
        }
        self.write(&Kept {
            since: used.since,
            used: Some(Timestamp::now()),
            person: newest.person.or_else(|| used.person.clone()),
            second_factor: newest.second_factor.or(used.second_factor),
            refresh_token: newest.refresh_token,
            in_place_of: used.in_place_of.clone(),
            is_configured: false,
        })
    }

    /// Forgets the sign-in; whether there was one.
    pub(super) fn forget(&self) -> Result<bool, CallError> {
        let _lock = self.lock()?;
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.unusable(&error.to_string())),
        }
    }

    fn lock(&self) -> Result<std::fs::File, CallError> {
        file::lock(&self.path).map_err(|error| self.unusable(&error.to_string()))
    }

    fn read(&self) -> Result<Option<Kept>, CallError> {
        let Some(text) = file::read(&self.path)? else { return Ok(None) };
        // What serde says of a wrong file may repeat a part of it.
        let content: Content =
            serde_json::from_str(&text).map_err(|_| self.unusable("it does not hold a sign-in; remove it"))?;
        if (&content.tenant, &content.client_id) != (&self.tenant, &self.client_id) {
            return Err(sign_in_again(
                "other_sign_in",
                format!("the sign-in in `{}` is for another tenant or application", self.path.display()),
            ));
        }
        let refresh_token = match content.token {
            Token::Plain(token) => Secret::from(token),
            Token::Encrypted(text) => self.decrypt(&text)?,
        };
        Ok(Some(Kept {
            since: content.since,
            used: content.used,
            person: content.person,
            second_factor: content.second_factor,
            refresh_token,
            in_place_of: content.in_place_of,
            is_configured: false,
        }))
    }

    fn write(&self, kept: &Kept) -> Result<(), CallError> {
        let token = match &self.key {
            None => Token::Plain(kept.refresh_token.expose().to_owned()),
            Some(key) => Token::Encrypted(key.encrypt(&kept.refresh_token, &self.bound_to())?),
        };
        let content = Content {
            tenant: self.tenant.clone(),
            client_id: self.client_id.clone(),
            since: kept.since,
            used: kept.used,
            person: kept.person.clone(),
            second_factor: kept.second_factor,
            in_place_of: kept.in_place_of.clone(),
            token,
        };
        let text = serde_json::to_string(&content).map_err(|_| self.unusable("it cannot be put together"))?;
        file::write(&self.path, &text).map_err(|error| self.unusable(&error.to_string()))
    }

    fn decrypt(&self, text: &str) -> Result<Secret, CallError> {
        let Some(key) = &self.key else {
            return Err(
                self.unusable("it is encrypted, and there is no key; set the environment variable COSELL_TOKEN_KEY")
            );
        };
        key.decrypt(text, &self.bound_to()).ok_or_else(|| {
            sign_in_again(
                "wrong_token_key",
                format!("the sign-in in `{}` was encrypted with another key; set that one, or", self.path.display()),
            )
        })
    }

    /// What an encrypted token is bound to, so that it cannot be put into another connection's file.
    fn bound_to(&self) -> Vec<u8> {
        [self.tenant.as_bytes(), b"\n", self.client_id.as_bytes()].concat()
    }

    fn unusable(&self, what: &str) -> CallError {
        file::unusable(&self.path, what)
    }
}

/// That nobody is signed in.
pub(super) fn nobody() -> CallError {
    sign_in_again("nobody_signed_in", "nobody has signed in for this connection".to_owned())
}

fn sign_in_again(code: &str, what: String) -> CallError {
    CallError::new(Meaning::SignIn, code, format!("{what}; sign in by `cosell login` with the connection's name"))
}

fn fingerprint(token: &Secret) -> String {
    STANDARD.encode(digest(&SHA256, token.expose().as_bytes()))
}

impl Key {
    fn new(setting: &Secret) -> Result<Self, CallError> {
        let key = STANDARD.decode(setting.expose().trim()).ok();
        key.and_then(|key| RandomizedNonceKey::new(&AES_256_GCM, &key).ok()).map(Self).ok_or_else(|| {
            CallError::rejected(
                "invalid_token_key",
                "the key for kept sign-ins (COSELL_TOKEN_KEY, or `sign_in.token_key`) cannot be used: expected 32 random \
                 bytes as base64, such as `openssl rand -base64 32` prints",
            )
        })
    }

    fn encrypt(&self, token: &Secret, bound_to: &[u8]) -> Result<String, CallError> {
        let mut text = token.expose().as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(bound_to), &mut text)
            .map_err(|_| CallError::rejected("no_encryption", "the sign-in cannot be encrypted on this machine"))?;
        Ok(STANDARD.encode([nonce.as_ref().as_slice(), &text].concat()))
    }

    fn decrypt(&self, text: &str, bound_to: &[u8]) -> Option<Secret> {
        let mut bytes = STANDARD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let token = self.0.open_in_place(nonce, Aad::from(bound_to), sealed).ok()?;
        String::from_utf8(token.to_vec()).ok().map(Secret::from)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn path(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("cosell-kept-{name}-{}", uuid::Uuid::new_v4()));
        folder.join("tokens/partner_center.json")
    }

    fn store(path: &Path, configured: Option<&str>, key: Option<&str>) -> Store {
        let settings = json!({ "tenant": "t", "client_id": "c", "person": true, "token_file": path,
            "refresh_token": configured, "token_key": key });
        Store::new(&serde_json::from_value(settings).unwrap()).unwrap().unwrap()
    }

    fn signed_in(token: &str) -> SignedIn {
        SignedIn { refresh_token: Secret::from(token.to_owned()), person: None, second_factor: Some(true) }
    }

    fn newest(store: &Store) -> Option<String> {
        store.newest().unwrap().map(|kept| kept.refresh_token.expose().to_owned())
    }

    #[test]
    fn whichever_is_newer_counts() {
        let path = path("newer");
        let (alone, first) = (store(&path, None, None), store(&path, Some("configured-1"), None));
        assert_eq!((newest(&alone), newest(&first).as_deref()), (None, Some("configured-1")));
        first.rotated(&first.newest().unwrap().unwrap(), signed_in("rotated-1")).unwrap();
        assert_eq!(newest(&first).as_deref(), Some("rotated-1"));
        let second = store(&path, Some("configured-2"), None);
        assert_eq!(newest(&second).as_deref(), Some("configured-2"), "another is configured since");
        second.keep(signed_in("login")).unwrap();
        assert_eq!(newest(&second).as_deref(), Some("login"), "somebody signed in since");
        assert!(second.forget().unwrap() && !second.forget().unwrap());
        assert_eq!(newest(&second).as_deref(), Some("configured-2"));
    }

    #[test]
    fn who_comes_back_late_writes_over_no_sign_in_and_none_that_was_forgotten() {
        let path = path("late");
        let store = store(&path, None, None);
        store.keep(signed_in("old")).unwrap();
        let used = store.newest().unwrap().unwrap();
        store.keep(signed_in("new")).unwrap();
        store.rotated(&used, signed_in("late")).unwrap();
        assert_eq!(newest(&store).as_deref(), Some("new"));
        let used = store.newest().unwrap().unwrap();
        store.forget().unwrap();
        store.rotated(&used, signed_in("late")).unwrap();
        assert_eq!(newest(&store), None);
    }

    #[test]
    fn with_a_key_the_file_tells_nothing() {
        let path = path("key");
        let encrypted = store(&path, None, Some(KEY));
        encrypted.keep(signed_in("the-token")).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("the-token"));
        assert_eq!(newest(&encrypted).as_deref(), Some("the-token"));
        let error = store(&path, None, None).newest().unwrap_err();
        assert!(error.message.contains("COSELL_TOKEN_KEY"), "{}", error.message);
        let other = STANDARD.encode([7; 32]);
        assert_eq!(store(&path, None, Some(&other)).newest().unwrap_err().code, "wrong_token_key");
        let short =
            json!({ "tenant": "t", "client_id": "c", "person": true, "token_file": path, "token_key": "c2hvcnQ=" });
        assert_eq!(Store::new(&serde_json::from_value(short).unwrap()).unwrap_err().code, "invalid_token_key");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let path = path("mode");
        let store = store(&path, None, None);
        store.keep(signed_in("the-token")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        for (place, lax, wanted) in [(path.as_path(), 0o640, 0o600), (path.parent().unwrap(), 0o770, 0o700)] {
            open(place, lax);
            let error = store.newest().unwrap_err();
            assert!(error.message.contains("chmod") && !error.message.contains("the-token"), "{}", error.message);
            open(place, wanted);
        }
        std::fs::write(&path, "{\"token\": {\"plain\": \"the-token\"}").unwrap();
        assert!(!store.newest().unwrap_err().message.contains("the-token"));
    }

    #[test]
    fn a_sign_in_to_another_application_does_not_count() {
        let path = path("other");
        store(&path, None, None).keep(signed_in("the-token")).unwrap();
        let settings = json!({ "tenant": "t", "client_id": "other", "person": true, "token_file": path });
        let other = Store::new(&serde_json::from_value(settings).unwrap()).unwrap().unwrap();
        assert_eq!(other.newest().unwrap_err().code, "other_sign_in");
    }
}

//! An answer of the remote system.

use bytes::Bytes;
use cosell_model::Effect;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::classify::{Failure, meaning};
use crate::error::CallError;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) effect: Effect,
    pub(super) title: &'static str,
}

impl Response {
    /// A header of the answer, if there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers of the answer that are text, by name in lower case; of several with one name the last.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the content type is one of JSON.
    pub fn is_json(&self) -> bool {
        let essence = self.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    }

    /// Whether there is a body at all.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The body as JSON of the expected form.
    ///
    /// # Errors
    /// A body that is not JSON, or of another form: to be read again, or the outcome of a write is unknown.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        if !self.is_json() {
            let content_type = self.header("content-type").unwrap_or("none");
            return Err(self.unreadable(&format!("its content type is {content_type}, expected application/json")));
        }
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| self.unreadable(&format!("at `{}`: {}", error.path(), error.inner())))?;
        reader.end().map_err(|error| self.unreadable(&error.to_string()))?;
        Ok(value)
    }

    fn unreadable(&self, what: &str) -> CallError {
        CallError::new(
            meaning(self.effect, Failure::Unreadable, None),
            "unreadable_answer",
            format!("{} answered {} with a body that cannot be read: {what}", self.title, self.status),
        )
    }

    /// Partner Center's way to say that the sign-in lacks multi-factor authentication: code 900421, or words in a header.
    pub(super) fn lacks_mfa(&self) -> bool {
        let body = String::from_utf8_lossy(&self.body);
        self.status == 401
            && (body.contains("900421")
                || body.contains("MFA")
                || self.header("www-authenticate").is_some_and(|header| header.contains("MFA")))
    }
}

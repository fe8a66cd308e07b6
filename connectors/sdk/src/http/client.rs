//! The client of one remote system, its requests and responses.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use cosell_model::Effect;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::address::{Address, add_query};
use super::classify::{Failure, meaning, retry_after};
use super::fault::{Fault, details};
use crate::context::{CallContext, RequestRecord};
use crate::error::{CallError, Meaning};
use crate::sign_in::{SignIn, Token};

/// A client for one remote system: an address, and the sign-in whose token goes with every request.
#[derive(Debug)]
pub struct Client {
    title: &'static str,
    address: Address,
    sign_in: Arc<SignIn>,
    transport: reqwest::Client,
}

impl Client {
    /// A client; `title` names the remote system in messages.
    ///
    /// # Errors
    /// Only where this machine cannot make TLS connections at all.
    pub fn new(title: &'static str, address: Address, sign_in: Arc<SignIn>) -> Result<Self, CallError> {
        Ok(Self { title, address, sign_in, transport: super::transport()? })
    }

    /// A request to read what is below the address at these path segments, each of which is escaped.
    pub fn get(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::GET, segments)
    }

    /// A request to create, or to do.
    pub fn post(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::POST, segments)
    }

    /// A request to change.
    pub fn patch(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::PATCH, segments)
    }

    /// A request to replace.
    pub fn put(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::PUT, segments)
    }

    /// A request to delete.
    pub fn delete(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::DELETE, segments)
    }

    /// A request to read what a link of the remote system leads to, such as the next page. The link is taken as it is,
    /// but host and scheme must be and become those of the address.
    ///
    /// # Errors
    /// A link that leads elsewhere.
    pub fn follow(&self, link: &str) -> Result<Request<'_>, CallError> {
        let url = self.address.resolve(link)?;
        if !self.address.holds(&url) {
            return Err(CallError::rejected(
                "foreign_link",
                format!(
                    "{} gave a link to `{}`, which is not below its address; check the address",
                    self.title,
                    url.path()
                ),
            ));
        }
        Ok(Request { url, ..self.request(Method::GET, &[]) })
    }

    /// Path and query of a link, to keep it without its host.
    ///
    /// # Errors
    /// A link that leads elsewhere.
    pub fn without_host(&self, link: &str) -> Result<String, CallError> {
        let url = self.follow(link)?.url;
        Ok(url[url::Position::BeforePath..].to_owned())
    }

    fn request(&self, method: Method, segments: &[&str]) -> Request<'_> {
        let url = self.address.below(segments);
        Request { client: self, method, url, headers: Vec::new(), body: None, allowed: Vec::new() }
    }
}

/// A request in the making.
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    client: &'a Client,
    method: Method,
    url: Url,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
    allowed: Vec<u16>,
}

impl Request<'_> {
    /// Adds a member to the query; the value is escaped.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        add_query(&mut self.url, name, value);
        self
    }

    /// Takes over the query of a link, where the link's path is not to be relied on.
    ///
    /// # Errors
    /// A link that leads to another host.
    pub fn query_of(mut self, link: &str) -> Result<Self, CallError> {
        let link = self.client.address.resolve(link)?;
        self.url.set_query(link.query());
        Ok(self)
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends this as JSON.
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Takes an answer with this status as one to be looked at, rather than as an error.
    pub fn allow(mut self, status: u16) -> Self {
        self.allowed.push(status);
        self
    }

    /// Sends it, and reads the whole answer.
    ///
    /// # Errors
    /// Every failure, classified by [`meaning`]; every status that is neither a success nor allowed.
    pub async fn send(self, context: &CallContext) -> Result<Response, CallError> {
        let token = self.client.sign_in.token().await?;
        let response = self.send_once(&token, context).await?;
        // A 401 had no effect, so a token that was merely stale may be renewed and the request sent once more. Where
        // multi-factor authentication is missing, no renewal helps (Partner Center, MFA for the partner tenant).
        if response.status == 401 && !token.fresh && !response.lacks_mfa() {
            let token = self.client.sign_in.renew(&token).await?;
            let response = self.send_once(&token, context).await?;
            return self.judge(response);
        }
        self.judge(response)
    }

    fn effect(&self) -> Effect {
        if self.method == Method::GET { Effect::Read } else { Effect::Write }
    }

    async fn send_once(&self, token: &Token, context: &CallContext) -> Result<Response, CallError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(HeaderName::from_static(name), header_value(name, value)?);
        }
        let mut authorization = header_value("authorization", &format!("Bearer {}", token.secret.expose()))?;
        authorization.set_sensitive(true);
        headers.insert("authorization", authorization);
        let mut request = self.client.transport.request(self.method.clone(), self.url.clone()).headers(headers);
        if let Some(body) = &self.body {
            request = request.json(body);
        }

        let started = Instant::now();
        let answer = match request.send().await {
            Ok(answer) => {
                let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
                answer.bytes().await.map(|body| (status, headers, body))
            }
            Err(error) => Err(error),
        };
        context.note(RequestRecord {
            method: self.method.to_string(),
            url: self.url[..url::Position::AfterPath].to_owned(),
            status: answer.as_ref().ok().map(|(status, ..)| *status),
            took: started.elapsed(),
        });
        match answer {
            Ok((status, headers, body)) => {
                Ok(Response { status, headers, body, effect: self.effect(), title: self.client.title })
            }
            Err(error) => Err(self.no_answer(&error)),
        }
    }

    fn no_answer(&self, error: &reqwest::Error) -> CallError {
        let host = self.client.address.origin();
        let title = self.client.title;
        if error.is_builder() {
            return CallError::rejected("invalid_request", format!("a request to {title} could not be put together"));
        }
        let (failure, code, what) = if error.is_connect() {
            (Failure::NotConnected, "not_connected", "cannot connect")
        } else if error.is_timeout() {
            (Failure::Broken, "no_answer", "no answer in time")
        } else {
            (Failure::Broken, "connection_broken", "the connection broke")
        };
        CallError::new(
            meaning(self.effect(), failure, None),
            code,
            format!("{title} at {host}: {what} ({})", root_cause(error)),
        )
    }

    /// Tells an answer to be looked at from an error.
    fn judge(&self, response: Response) -> Result<Response, CallError> {
        let status = response.status;
        if (200..300).contains(&status) || self.allowed.contains(&status) {
            return Ok(response);
        }
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let fault = Fault::read(&body);
        let after = response.header("retry-after").and_then(|header| retry_after(header, Timestamp::now()));
        let meaning = meaning(self.effect(), Failure::Status(status), after);
        let said = fault.message.unwrap_or_else(|| "no message".to_owned());
        let mut message =
            format!("{} answered {status} to {} {}: {said}", self.client.title, self.method, self.url.path());
        if meaning == Meaning::SignIn {
            message.push_str(if response.lacks_mfa() {
                "; sign in again interactively with multi-factor authentication, and configure the new refresh token"
            } else {
                "; check the connection's credentials and the rights of its account"
            });
        }
        let request_id =
            ["request-id", "x-ms-service-request-id", "ms-requestid"].iter().find_map(|name| response.header(name));
        Err(CallError::new(meaning, fault.code.unwrap_or_else(|| format!("http_{status}")), message)
            .details(details(status, request_id, &body)))
    }
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, CallError> {
    HeaderValue::from_str(value).map_err(|_| {
        CallError::rejected("invalid_header", format!("the value for the header `{name}` holds characters it may not"))
    })
}

/// The innermost error: the outer ones repeat the address, which may hold a query.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, error) { "no cause given".to_owned() } else { cause.to_string() }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    headers: HeaderMap,
    body: Bytes,
    effect: Effect,
    title: &'static str,
}

impl Response {
    /// A header of the answer, if there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
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
        let content_type = self.header("content-type").unwrap_or("none");
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" && !essence.ends_with("+json") {
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
    fn lacks_mfa(&self) -> bool {
        let body = String::from_utf8_lossy(&self.body);
        self.status == 401
            && (body.contains("900421")
                || body.contains("MFA")
                || self.header("www-authenticate").is_some_and(|header| header.contains("MFA")))
    }
}

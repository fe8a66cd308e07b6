//! The client of one remote system, and its requests.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cosell_model::Effect;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::address::{Address, add_query};
use super::body::{Unread, read_body};
use super::classify::{Failure, meaning, retry_after};
use super::fault::{Fault, details};
use super::response::Response;
use super::taped;
use super::transport::Transport;
use crate::context::{CallContext, RequestRecord};
use crate::error::{CallError, Meaning};
use crate::settings::Secret;
use crate::sign_in::{SignIn, Token};

/// Largest answer read, in bytes. A page of a thousand rows with all their columns takes some 30 million.
const LARGEST: usize = 128 * 1024 * 1024;
/// How many requests one call may make: a list whose every page leads to another would otherwise never end.
pub(super) const MOST_REQUESTS: usize = 10_000;

/// What goes with every request, so that the remote system knows who asks.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A header, as for an API key or a fixed `Authorization`.
    Header(HeaderName, Secret),
    /// A member of the query.
    Query(String, Secret),
    /// A token, renewed in time.
    Token(Arc<SignIn>),
}

/// A client for one remote system: an address, and the credentials that go with every request.
#[derive(Debug)]
pub struct Client {
    title: &'static str,
    address: Address,
    credentials: Credentials,
    transport: Transport,
    /// What the last answer said of the remote system's clock.
    clock: Mutex<Option<SignedDuration>>,
}

impl Client {
    /// A client that signs in for a token; `title` names the remote system in messages.
    pub fn new(title: &'static str, address: Address, sign_in: Arc<SignIn>, transport: &Transport) -> Self {
        Self::with_credentials(title, address, Credentials::Token(sign_in), transport)
    }

    /// A client with credentials of any kind; `title` names the remote system in messages.
    pub fn with_credentials(
        title: &'static str,
        address: Address,
        credentials: Credentials,
        transport: &Transport,
    ) -> Self {
        Self { title, address, credentials, transport: transport.clone(), clock: Mutex::default() }
    }

    /// Its sign-in, where it signs in for a token.
    pub fn sign_in(&self) -> Option<&Arc<SignIn>> {
        match &self.credentials {
            Credentials::Token(sign_in) => Some(sign_in),
            _ => None,
        }
    }

    /// By how much the remote system's clock is ahead of this machine's, by the `Date` of its last answer, to about a
    /// second; none before the first one.
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The address itself at these path segments, for bodies that name a record by its address.
    pub fn absolute(&self, segments: &[&str]) -> String {
        self.address.below(segments).into()
    }

    /// Path and query of a link, to keep it without its host.
    ///
    /// # Errors
    /// A link that leads elsewhere.
    pub fn without_host(&self, link: &str) -> Result<String, CallError> {
        let url = self.follow(link)?.url;
        Ok(url[url::Position::BeforePath..].to_owned())
    }

    /// A request of any method.
    pub fn request(&self, method: Method, segments: &[&str]) -> Request<'_> {
        let url = self.address.below(segments);
        let (headers, allowed) = (Vec::new(), Vec::new());
        Request { client: self, method, url, headers, body: None, allowed, reads: false, describes: false }
    }
}

/// A request in the making.
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'a> {
    client: &'a Client,
    method: Method,
    url: Url,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Option<(Cow<'static, str>, Vec<u8>)>,
    allowed: Vec<u16>,
    reads: bool,
    describes: bool,
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
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends this as JSON.
    pub fn json(self, body: Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sends this, of the content type given; a `content-type` header of its own counts for more.
    pub fn body(mut self, content_type: impl Into<Cow<'static, str>>, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some((content_type.into(), body.into()));
        self
    }

    /// Says that this only reads although its method could write, as a query sent by POST does.
    pub fn reading(mut self) -> Self {
        self.reads = true;
        self
    }

    /// Says that the answer describes the system, such as its tables, and holds no data of its users: a recording keeps it
    /// as it is.
    pub fn describing(mut self) -> Self {
        self.describes = true;
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
        if context.reads_only() && self.effect() == Effect::Write {
            return Err(CallError::rejected(
                "write_refused",
                format!("{} {} would write, which a preview never does", self.method, self.url.path()),
            ));
        }
        if context.request_count() >= MOST_REQUESTS {
            return Err(CallError::rejected(
                "too_many_requests",
                format!(
                    "one call made {MOST_REQUESTS} requests to {} and found no end; ask for less at a time",
                    self.client.title
                ),
            ));
        }
        let response =
            if context.is_taped() { self.send_taped(context).await? } else { self.exchange(context).await? };
        self.judge(response)
    }

    /// The answer, which a tape keeps or plays.
    async fn send_taped(&self, context: &CallContext) -> Result<Response, CallError> {
        let address = &self.client.address;
        let body = self.body.as_ref().map(|(_, body)| body.as_slice());
        let asked = taped::asked(address, self.method.as_str(), &self.url, body);
        let Some(tape) = context.tape_for(&asked) else { return self.exchange(context).await };
        if tape.plays() {
            let answer = tape.answer(&asked)?;
            context.note(self.record(answer.status, Duration::ZERO));
            return taped::played(answer, address, self.effect(), self.client.title);
        }
        let came = self.exchange(context).await;
        let answer = match &came {
            Ok(response) => taped::kept(response, address, self.describes),
            Err(error) => taped::failed(error.clone(), address),
        };
        tape.keep(&asked, answer);
        came
    }

    /// Sends it, with a token where one is needed.
    async fn exchange(&self, context: &CallContext) -> Result<Response, CallError> {
        let Credentials::Token(sign_in) = &self.client.credentials else {
            return self.send_once(None, context).await;
        };
        let token = sign_in.token().await?;
        let response = self.send_once(Some(&token), context).await?;
        // A 401 had no effect, so a token that was merely stale may be renewed and the request sent once more. Where
        // multi-factor authentication is missing, no renewal helps (Partner Center, MFA for the partner tenant).
        if response.status == 401 && !token.fresh && !response.lacks_mfa() {
            let token = sign_in.renew(&token).await?;
            return self.send_once(Some(&token), context).await;
        }
        Ok(response)
    }

    fn record(&self, status: Option<u16>, took: Duration) -> RequestRecord {
        let url = self.url[..url::Position::AfterPath].to_owned();
        RequestRecord { method: self.method.to_string(), url, status, took }
    }

    fn effect(&self) -> Effect {
        if self.reads || matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            Effect::Read
        } else {
            Effect::Write
        }
    }

    async fn send_once(&self, token: Option<&Token>, context: &CallContext) -> Result<Response, CallError> {
        let mut headers = HeaderMap::new();
        if let Some((content_type, _)) = &self.body {
            headers.insert(CONTENT_TYPE, header_value("content-type", content_type)?);
        }
        for (name, value) in &self.headers {
            headers.insert(header_name(name)?, header_value(name, value)?);
        }
        let mut url = self.url.clone();
        match (&self.client.credentials, token) {
            (_, Some(token)) => {
                let bearer = secret_value("authorization", &format!("Bearer {}", token.secret.expose()))?;
                headers.insert(AUTHORIZATION, bearer);
            }
            (Credentials::Header(name, secret), None) => {
                headers.insert(name.clone(), secret_value(name.as_str(), secret.expose())?);
            }
            (Credentials::Query(name, secret), None) => add_query(&mut url, name, secret.expose()),
            (Credentials::None | Credentials::Token(_), None) => {}
        }
        let mut request = self.client.transport.client().request(self.method.clone(), url).headers(headers);
        if let Some((_, body)) = &self.body {
            request = request.body(body.clone());
        }

        let started = Instant::now();
        let answer = match request.send().await {
            Ok(answer) => {
                let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
                read_body(answer, LARGEST).await.map(|body| (status, headers, body))
            }
            Err(error) => Err(Unread::Broken(error)),
        };
        context.note(self.record(answer.as_ref().ok().map(|(status, ..)| *status), started.elapsed()));
        match answer {
            Ok((status, headers, body)) => {
                if let Some(ahead) = clock_ahead(&headers) {
                    *self.client.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
                }
                // Dataverse's service protection limits; whoever runs many calls at once may slow down in time.
                let remaining = headers.get("x-ms-ratelimit-burst-remaining-xrm-requests");
                if let Some(remaining) = remaining.and_then(|value| value.to_str().ok()?.parse().ok()) {
                    context.note_remaining(remaining);
                }
                Ok(Response { status, headers, body, effect: self.effect(), title: self.client.title })
            }
            Err(Unread::Broken(error)) => Err(self.no_answer(&error)),
            Err(Unread::TooLarge) => Err(self.too_large()),
        }
    }

    /// A write has been done all the same; a read would be answered so again.
    fn too_large(&self) -> CallError {
        let meaning = if self.effect() == Effect::Write { Meaning::OutcomeUnknown } else { Meaning::Rejected };
        let title = self.client.title;
        let message = format!(
            "{title} answered {} {} with more than {LARGEST} bytes; ask for fewer columns, or fewer rows at a time",
            self.method,
            self.url.path()
        );
        CallError::new(meaning, "answer_too_large", message)
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
                "; sign in again interactively with multi-factor authentication, by `cosell login`"
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

/// By how much the clock behind an answer's `Date` is ahead of ours.
fn clock_ahead(headers: &HeaderMap) -> Option<SignedDuration> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(date.duration_since(Timestamp::now()))
}

fn header_name(name: &str) -> Result<HeaderName, CallError> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| CallError::rejected("invalid_header", format!("`{name}` is no name of a header")))
}

fn secret_value(name: &str, value: &str) -> Result<HeaderValue, CallError> {
    let mut value = header_value(name, value)?;
    value.set_sensitive(true);
    Ok(value)
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

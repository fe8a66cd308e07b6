//! The registration API below `/webhooks/v1`, and the signing certificate.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::{
    Events,
    signing::{CERTIFICATE_FOLDER, REVOCATION_LIST},
    state::{EVENT_NAMES, Registration},
};
use crate::{
    core::{
        log::Actor,
        tokens::{Caller, TokenRefusal},
    },
    entra::PARTNER_CENTER_EVENTS,
};

/// Roles that may register ("Partner Center webhooks"), and the one that the connector guide names.
const ROLES: [&str; 6] =
    ["Billing admin", "Admin agent", "Sales agent", "Helpdesk agent", "Global admin", "Referrals admin"];

/// The stand-in's routes.
pub(crate) fn router(events: Arc<Events>) -> Router {
    Router::new()
        .route("/webhooks/v1/registration", get(view).post(create).put(replace))
        .route("/webhooks/v1/registration/events", get(list_events))
        .route("/webhooks/v1/registration/validationEvents", post(request_validation))
        .route("/webhooks/v1/registration/validationEvents/{id}", get(view_validation))
        .layer(middleware::from_fn_with_state(Arc::clone(&events), admit))
        .route(&format!("{CERTIFICATE_FOLDER}{{name}}"), get(certificate))
        .route(REVOCATION_LIST, get(revocation_list))
        .with_state(events)
}

/// A refusal in this host's own flat form.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    body: Value,
    retry_after: Option<u64>,
}

impl Refusal {
    fn new(status: StatusCode, code: u32, description: &str) -> Refusal {
        let body = json!({ "code": code, "description": description, "data": [], "source": "PartnerCenterWebhooks" });
        Refusal { status, body, retry_after: None }
    }

    pub(super) fn bad_request(description: &str) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, 2000, description)
    }

    pub(super) fn no_registration() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, 2002, "There is no registration. Create one with POST.")
    }

    pub(super) fn throttled(seconds: u64, body: impl Fn(u64) -> Value) -> Refusal {
        Refusal { status: StatusCode::TOO_MANY_REQUESTS, body: body(seconds), retry_after: Some(seconds) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Lets in app-only tokens, and users with a second factor and one of the roles.
async fn admit(State(events): State<Arc<Events>>, request: Request, next: Next) -> Response {
    let ids = ["MS-CorrelationId", "MS-RequestId"].map(|name| {
        let given = request.headers().get(name).cloned();
        (name, given.or_else(|| HeaderValue::from_str(&Uuid::new_v4().to_string()).ok()))
    });
    let mut response = match events.caller(request.headers()) {
        Ok(caller) => {
            let mut response = next.run(request).await;
            response.extensions_mut().insert(Actor(caller.name));
            response
        }
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in ids {
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert("X-Locale", HeaderValue::from_static("en-US"));
    response
}

impl Events {
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let unauthorised = |code, description: &str| Refusal::new(StatusCode::UNAUTHORIZED, code, description);
        let caller =
            self.tokens.verify(headers, PARTNER_CENTER_EVENTS, self.clock.now()).map_err(|refusal| match refusal {
                TokenRefusal::Missing => unauthorised(800001, "The partner token is missing."),
                TokenRefusal::Invalid => unauthorised(400, "Access denied: the token is not valid."),
                TokenRefusal::Expired => unauthorised(400, "Access denied: the token has expired."),
                TokenRefusal::WrongAudience => unauthorised(400, "Access denied: the token is for another audience."),
            })?;
        if !caller.app_only && !caller.mfa {
            return Err(unauthorised(900421, "MFA required: sign in again with a second factor."));
        }
        if !caller.app_only && !caller.roles.iter().any(|role| ROLES.contains(&role.as_str())) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, 403, "The user has none of the roles that may register."));
        }
        Ok(caller)
    }
}

impl Registration {
    fn wire(&self, with_subscriber: bool) -> Value {
        let mut body = json!({
            "WebhookUrl": self.url,
            "WebhookEvents": self.events,
            "SignatureTokenToMsSignatureHeader": self.own_header,
        });
        if with_subscriber {
            body["SubscriberId"] = json!(self.subscriber);
        }
        body
    }

    /// Reads a request body; member names in any case, as samples and OpenAPI file differ.
    fn read(headers: &HeaderMap, body: &[u8], subscriber: Uuid) -> Result<Registration, Refusal> {
        let json =
            headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
        if !json {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                415,
                "The content type must be application/json.",
            ));
        }
        let body: serde_json::Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request(&format!("The body is not a JSON object: {error}.")))?;
        let member = |wanted: &str| {
            body.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map_or(&Value::Null, |(_, value)| value)
        };
        let url = member("WebhookUrl").as_str().unwrap_or_default();
        if !Url::parse(url).is_ok_and(|url| ["http", "https"].contains(&url.scheme())) {
            return Err(Refusal::bad_request("WebhookUrl must be an absolute HTTP or HTTPS address."));
        }
        let events: Option<Vec<String>> = serde_json::from_value(member("WebhookEvents").clone()).ok();
        let Some(events) = events.filter(|events| !events.is_empty()) else {
            return Err(Refusal::bad_request("WebhookEvents must be a list of at least one event name."));
        };
        if let Some(unknown) = events.iter().find(|event| !EVENT_NAMES.contains(&event.as_str())) {
            return Err(Refusal::bad_request(&format!("WebhookEvents holds '{unknown}', which is no event name.")));
        }
        let own_header = match member("SignatureTokenToMsSignatureHeader") {
            Value::Null => false,
            Value::Bool(flag) => *flag,
            // The connector sends the flag as text.
            Value::String(text) if text.eq_ignore_ascii_case("true") => true,
            Value::String(text) if text.eq_ignore_ascii_case("false") => false,
            _ => return Err(Refusal::bad_request("SignatureTokenToMsSignatureHeader must be true or false.")),
        };
        Ok(Registration { url: url.to_owned(), events, own_header, subscriber })
    }
}

async fn view(State(events): State<Arc<Events>>) -> Result<Json<Value>, Refusal> {
    let state = events.state();
    // The documentation's sample of a view has no SubscriberId.
    state.registration.as_ref().map(|registration| Json(registration.wire(false))).ok_or_else(Refusal::no_registration)
}

async fn create(State(events): State<Arc<Events>>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Refusal> {
    let registration = Registration::read(&headers, &body, Uuid::new_v4())?;
    let mut state = events.state();
    if state.registration.is_some() {
        return Err(Refusal::new(StatusCode::CONFLICT, 409, "A registration exists. Replace it with PUT."));
    }
    Ok(Json(state.registration.insert(registration).wire(true)))
}

async fn replace(State(events): State<Arc<Events>>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Refusal> {
    let mut state = events.state();
    let subscriber = state.registration.as_ref().ok_or_else(Refusal::no_registration)?.subscriber;
    let registration = Registration::read(&headers, &body, subscriber)?;
    Ok(Json(state.registration.insert(registration).wire(true)))
}

async fn list_events() -> Json<Value> {
    Json(json!(EVENT_NAMES))
}

async fn request_validation(State(events): State<Arc<Events>>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({ "correlationId": events.request_validation()? })))
}

async fn view_validation(State(events): State<Arc<Events>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let found = id.parse().ok().and_then(|id| events.validation(id));
    found.map(Json).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, 2003, "There is no such validation event."))
}

async fn certificate(State(events): State<Arc<Events>>, Path(name): Path<String>) -> Response {
    match events.signer.named(&name) {
        Some(identity) => {
            ([(header::CONTENT_TYPE, "application/pkix-cert")], identity.certificate.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn revocation_list(State(events): State<Arc<Events>>) -> Response {
    match events.signer.revocation_list() {
        Ok(list) => ([(header::CONTENT_TYPE, "application/pkix-crl")], list).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

//! The endpoints below `/{tenant}`, those of v1 and those of v2.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    errors::Refusal,
    request::{Form, Version},
    state::{DEVICE_CODE_SECONDS, Entra},
};

type Shared = State<Arc<Entra>>;

/// The stand-in's routes.
pub(crate) fn router(entra: Arc<Entra>) -> Router {
    let mut router = Router::new();
    for (version, oauth, configuration, keys) in [
        (Version::V1, "oauth2", ".well-known/openid-configuration", "discovery/keys"),
        (Version::V2, "oauth2/v2.0", "v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"),
    ] {
        let token = move |State(entra): Shared, Path(tenant): Path<String>, headers: HeaderMap, body: Bytes| async move {
            answer(&entra, entra.token(version, &tenant, &headers, &Form::read(&body)))
        };
        let device = move |State(entra): Shared, Path(tenant): Path<String>, body: Bytes| async move {
            answer(&entra, device_code(&entra, version, &tenant, &Form::read(&body)))
        };
        let asked = move |State(entra): Shared, Path(tenant): Path<String>, RawQuery(query): RawQuery| async move {
            entra.authorize(version, &tenant, &Form::read(query.unwrap_or_default().as_bytes()))
        };
        let posted = move |State(entra): Shared, Path(tenant): Path<String>, body: Bytes| async move {
            entra.authorize(version, &tenant, &Form::read(&body))
        };
        let described = move |State(entra): Shared, Path(tenant): Path<String>| async move {
            answer(&entra, entra.configuration(version, &tenant))
        };
        router = router
            .route(&format!("/{{tenant}}/{oauth}/token"), post(token))
            .route(&format!("/{{tenant}}/{oauth}/devicecode"), post(device))
            .route(&format!("/{{tenant}}/{oauth}/authorize"), get(asked).post(posted))
            .route(&format!("/{{tenant}}/{configuration}"), get(described))
            .route(&format!("/{{tenant}}/{keys}"), get(key_set));
    }
    router.route("/{tenant}/discovery/instance", get(instance)).with_state(entra)
}

fn answer(entra: &Entra, outcome: Result<Value, Refusal>) -> Response {
    match outcome {
        Ok(body) => ([("cache-control", "no-store"), ("pragma", "no-cache")], Json(body)).into_response(),
        Err(refusal) => refusal.into_response(entra.clock.now()),
    }
}

/// "Device authorization grant"; v1 has the same answer (its page is gone, libraries still know it).
fn device_code(entra: &Entra, version: Version, tenant: &str, form: &Form) -> Result<Value, Refusal> {
    entra.check_tenant(tenant)?;
    entra.check_client_id(form.require("client_id")?)?;
    let scopes = entra.scopes(version, form, false)?;
    scopes.require(version)?;
    let device_code = entra.new_device_code(scopes);
    let user_code = Uuid::new_v4().simple().to_string()[..9].to_uppercase();
    Ok(json!({
        "device_code": device_code,
        "message": format!("To sign in, open https://microsoft.com/devicelogin and enter the code {user_code}."),
        "user_code": user_code,
        "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": DEVICE_CODE_SECONDS,
        // The live service says 5. Nobody has to type anything here, so a client need not wait that long.
        "interval": 1,
    }))
}

async fn instance(State(entra): Shared, RawQuery(query): RawQuery) -> Response {
    answer(&entra, entra.instance(&Form::read(query.unwrap_or_default().as_bytes())))
}

async fn key_set(State(entra): Shared) -> Json<Value> {
    Json(entra.tokens.key_set())
}

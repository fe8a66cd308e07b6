//! The endpoints below `/{tenant}`.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    request::{Form, Version},
    state::{DEVICE_CODE_SECONDS, Entra},
};

#[derive(Clone)]
struct Shared {
    entra: Arc<Entra>,
    origin: Arc<str>,
}

/// The stand-in's routes; `origin` is where they are served.
pub(crate) fn router(entra: Arc<Entra>, origin: &str) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/token", post(token_v1))
        .route("/{tenant}/oauth2/v2.0/token", post(token_v2))
        .route("/{tenant}/oauth2/v2.0/devicecode", post(device_code))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .with_state(Shared { entra, origin: origin.into() })
}

async fn token_v1(
    State(shared): State<Shared>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    token(&shared.entra, Version::V1, &tenant, &headers, &body)
}

async fn token_v2(
    State(shared): State<Shared>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    token(&shared.entra, Version::V2, &tenant, &headers, &body)
}

fn token(entra: &Entra, version: Version, tenant: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    match entra.token(version, tenant, headers, &Form::read(body)) {
        Ok(body) => ([("cache-control", "no-store"), ("pragma", "no-cache")], Json(body)).into_response(),
        Err(refusal) => refusal.into_response(entra.clock.now()),
    }
}

async fn device_code(State(shared): State<Shared>, Path(tenant): Path<String>, body: Bytes) -> Response {
    let entra = &shared.entra;
    let form = Form::read(&body);
    let answer = entra
        .check_tenant(&tenant)
        .and_then(|()| entra.check_client_id(form.require("client_id")?))
        .and_then(|()| entra.new_device_code(&form));
    match answer {
        Ok(device_code) => {
            let user_code = Uuid::new_v4().simple().to_string()[..9].to_uppercase();
            Json(json!({
                "device_code": device_code,
                "message": format!("To sign in, open https://microsoft.com/devicelogin and enter the code {user_code}."),
                "user_code": user_code,
                "verification_uri": "https://microsoft.com/devicelogin",
                "expires_in": DEVICE_CODE_SECONDS,
                "interval": 1,
            }))
            .into_response()
        }
        Err(refusal) => refusal.into_response(entra.clock.now()),
    }
}

async fn configuration(State(shared): State<Shared>, Path(tenant): Path<String>) -> Response {
    if let Err(refusal) = shared.entra.check_tenant(&tenant) {
        return refusal.into_response(shared.entra.clock.now());
    }
    let base = format!("{}/{}", shared.origin, shared.entra.seed.tenant);
    Json(json!({
        "issuer": format!("https://sts.windows.net/{}/", shared.entra.seed.tenant),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
    }))
    .into_response()
}

async fn keys(State(shared): State<Shared>) -> Json<Value> {
    Json(shared.entra.tokens.key_set())
}

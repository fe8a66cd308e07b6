//! Who may ask: whoever shows the token. Where none is configured nobody may, also from this machine.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Problem, Shared};

pub(super) async fn check(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(admitted) = api.admits(shown.unwrap_or_default()) else {
        let detail = "the API is closed, because no token is configured; set `service: { token: { env: COSELL_API_TOKEN } }` in \
                      cosell.yaml and that variable to a long random text, and start the service again";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    };
    match shown {
        Some(_) if admitted => next.run(request).await,
        Some(_) => refused("the token is not the one that this service is configured with"),
        None => refused("this needs the service's token, as `Authorization: Bearer TOKEN`"),
    }
}

fn refused(detail: &str) -> Response {
    tracing::warn!("a request to the API without the right token");
    Problem::new(StatusCode::UNAUTHORIZED, detail).into_response()
}

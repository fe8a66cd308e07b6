//! Somebody who is signed in. A page that takes one is shown to nobody else.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::sign_in;
use crate::Shared;
use crate::page::Trouble;

/// Somebody who is signed in.
pub(crate) struct Visitor {
    pub(super) session: String,
    /// What every form carries that is to do something.
    pub(crate) form_secret: String,
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, desk: &Shared) -> Result<Self, Response> {
        let session = shown(&parts.headers);
        let known = session.and_then(|session| Some((session.clone(), desk.sessions.seen(&session)?)));
        if let Some((session, form_secret)) = known {
            return Ok(Self { session, form_secret });
        }
        if parts.method == Method::GET && parts.headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate") {
            let wanted =
                parts.extensions.get::<axum::extract::OriginalUri>().map_or(&parts.uri, |original| &original.0);
            return Err(Redirect::to(&sign_in::way_to(wanted)).into_response());
        }
        let detail = "You are not signed in any more. Sign in again, and then do this once more.";
        Err(Trouble::new(StatusCode::UNAUTHORIZED, detail).seen_by_nobody())
    }
}

/// The cookie's name. Browsers send cookies to every port of a host, so each port has its own.
pub(super) fn cookie(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port =
        host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    port.map_or_else(|| "cosell".to_owned(), |port| format!("cosell_{port}"))
}

/// The id of a session that the browser shows.
pub(super) fn shown(headers: &HeaderMap) -> Option<String> {
    let name = cookie(headers);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(shown, _)| *shown == name).map(|(_, id)| id.to_owned())
}

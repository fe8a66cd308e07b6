//! Where somebody shows the token, and where they are forgotten again.

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::Act;
use super::act::from_here;
use super::visitor::cookie;
use crate::page::{self, Trouble};
use crate::{BASE, Shared};

#[derive(Deserialize)]
struct Wanted {
    /// The page that was asked for.
    to: Option<String>,
}

#[derive(Deserialize)]
struct Shows {
    token: String,
    to: Option<String>,
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/sign-in", get(ask).post(sign_in)).route("/sign-out", post(sign_out))
}

/// The address of the page where somebody signs in who wanted to see another.
pub(super) fn way_to(wanted: &Uri) -> String {
    let to = wanted.path_and_query().map_or(BASE, |path| path.as_str());
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    format!("{BASE}/sign-in?{query}")
}

async fn ask(State(desk): State<Shared>, Query(Wanted { to }): Query<Wanted>) -> Response {
    match desk.api.admits("") {
        None => page::bare("Nobody may look", &closed(), StatusCode::FORBIDDEN),
        Some(_) => page::bare("Sign in", &form(to.as_deref(), None), StatusCode::OK),
    }
}

async fn sign_in(State(desk): State<Shared>, headers: HeaderMap, Form(shows): Form<Shows>) -> Response {
    if !from_here(&headers) {
        return Trouble::new(StatusCode::FORBIDDEN, "The form came from another site's page.").seen_by_nobody();
    }
    match desk.api.admits(shows.token.trim()) {
        Some(true) => {}
        Some(false) => {
            tracing::warn!("somebody showed the console a wrong token");
            let wrong = "That is not the token that this service is configured with.";
            let form = form(shows.to.as_deref(), Some(wrong));
            return page::bare("Sign in", &form, StatusCode::UNAUTHORIZED);
        }
        None => return page::bare("Nobody may look", &closed(), StatusCode::FORBIDDEN),
    }
    let to = shows.to.filter(|to| is_ours(to)).unwrap_or_else(|| BASE.to_owned());
    let kept = set_cookie(&headers, &desk.sessions.begin(), "");
    ([(SET_COOKIE, kept)], Redirect::to(&to)).into_response()
}

async fn sign_out(State(desk): State<Shared>, headers: HeaderMap, act: Act) -> Response {
    desk.sessions.end(&act.visitor.session);
    let forgotten = set_cookie(&headers, "", "; Max-Age=0");
    ([(SET_COOKIE, forgotten)], Redirect::to(&format!("{BASE}/sign-in"))).into_response()
}

/// No script reads the cookie, and no other site's form brings it along. Behind a proxy that speaks TLS, and where we do
/// ourselves, it never travels in the open.
fn set_cookie(headers: &HeaderMap, value: &str, more: &str) -> String {
    let secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
        || headers.get("origin").is_some_and(|origin| origin.as_bytes().starts_with(b"https:"));
    let secure = if secure { "; Secure" } else { "" };
    format!("{}={value}; Path={BASE}; HttpOnly; SameSite=Lax{secure}{more}", cookie(headers))
}

/// Whether an address is a page of the console, and not one that leads elsewhere.
fn is_ours(to: &str) -> bool {
    let behind = to.strip_prefix(BASE);
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?']);
    behind.is_some_and(ends) && !to.contains(['\\', '\r', '\n']) && !to.starts_with(&format!("{BASE}/sign-in"))
}

fn form(to: Option<&str>, wrong: Option<&str>) -> Markup {
    html! {
        h1 { "Sign in" }
        @if let Some(wrong) = wrong {
            p.notice.bad role="alert" id="wrong" { (wrong) }
        }
        form.stacked method="post" action={ (BASE) "/sign-in" } {
            @if let Some(to) = to { input type="hidden" name="to" value=(to); }
            label for="token" { "The service's token" }
            input type="password" id="token" name="token" required autocomplete="current-password" autofocus
                aria-describedby=[wrong.map(|_| "wrong")];
            p.hint { "It is what " code { "service: { token: … }" } " in cosell.yaml refers to." }
            button.primary type="submit" { "Sign in" }
        }
    }
}

fn closed() -> Markup {
    html! {
        h1 { "Nobody may look yet" }
        p { "The console shows deals and changes runs, so it is open only to those who know a token, and none is configured." }
        p { "Add this to cosell.yaml, set the variable " code { "COSELL_API_TOKEN" } " to a long random text, and start the service again:" }
        pre { code { "service:\n  token: { env: COSELL_API_TOKEN }\n" } }
    }
}

//! The settings: variables, connections, and whom remote systems call.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use maud::html;

use crate::Shared;
use crate::access::Visitor;
use crate::page::Page;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/settings", get(list))
}

async fn list(visitor: Visitor) -> Response {
    Page::new("Settings", "/settings", html! { h1 { "Settings" } }).seen_by(&visitor)
}

//! The flows: pictures, mappings, and what a dry run would do.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use maud::html;

use crate::Shared;
use crate::access::Visitor;
use crate::page::Page;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/flows", get(list))
}

async fn list(visitor: Visitor) -> Response {
    Page::new("Flows", "/flows", html! { h1 { "Flows" } }).seen_by(&visitor)
}

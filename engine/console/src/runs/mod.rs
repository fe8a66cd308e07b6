//! The runs: lists of them, one as a picture, and what can be done with it.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use maud::html;

use crate::Shared;
use crate::access::Visitor;
use crate::page::Page;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/runs", get(list))
}

async fn list(visitor: Visitor) -> Response {
    Page::new("Runs", "/runs", html! { h1 { "Runs" } }).seen_by(&visitor)
}

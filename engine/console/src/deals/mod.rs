//! The deals: each pair of referral and opportunity or lead, side by side.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use maud::html;

use crate::Shared;
use crate::access::Visitor;
use crate::page::Page;

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/deals", get(list))
}

async fn list(visitor: Visitor) -> Response {
    Page::new("Deals", "/deals", html! { h1 { "Deals" } }).seen_by(&visitor)
}

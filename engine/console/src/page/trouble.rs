//! Why something cannot be shown or done, as a page.

use axum::http::StatusCode;
use axum::response::Response;
use cosell_service::api::Problem;
use maud::{Markup, html};

use super::{Page, bare};
use crate::BASE;
use crate::access::Visitor;

/// Why something cannot be shown or done.
pub(crate) struct Trouble {
    status: StatusCode,
    detail: String,
}

impl Trouble {
    /// With what is wrong, and what to do next.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// As somebody gets it who is signed in.
    pub(crate) fn seen_by(&self, visitor: &Visitor) -> Response {
        let mut response = Page::new(self.title(), "none", self.body(BASE, "Go to the overview")).seen_by(visitor);
        *response.status_mut() = self.status;
        response
    }

    /// As anybody gets it.
    pub(crate) fn seen_by_nobody(&self) -> Response {
        bare(self.title(), &self.body(&format!("{BASE}/sign-in"), "Sign in"), self.status)
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("It cannot be done")
    }

    fn body(&self, way: &str, on: &str) -> Markup {
        html! {
            h1 { (self.title()) }
            p.notice.bad role="alert" { (self.detail) }
            p { a href=(way) { (on) } }
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::new(StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), problem.detail)
    }
}

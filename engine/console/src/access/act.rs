//! Something that somebody who is signed in wants done, by a form of ours.

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Visitor;
use crate::Shared;
use crate::page::Trouble;

/// The field in which a form brings back its secret.
pub(crate) const FORM_SECRET: &str = "form_secret";

/// A form that was sent from one of our own pages by somebody who is signed in.
pub(crate) struct Act {
    pub(crate) visitor: Visitor,
    pub(crate) told: Told,
}

/// What a form says: its fields in order.
pub(crate) struct Told(Vec<(String, String)>);

impl Told {
    /// The field's text; none where the form has none of this name, or an empty one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|text| !text.is_empty())
    }

    /// All fields of this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, text)| text.as_str())
    }
}

impl FromRequest<Shared> for Act {
    type Rejection = Response;

    async fn from_request(request: Request, desk: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, desk).await?;
        if !from_here(&parts.headers) {
            return Err(refused("The request came from another site's page.", &visitor));
        }
        let form = Form::<Vec<(String, String)>>::from_request(Request::from_parts(parts, body), desk).await;
        let told = match form {
            Ok(Form(fields)) => Told(fields),
            Err(error) => {
                return Err(Trouble::new(error.status(), error.body_text()).seen_by(&visitor));
            }
        };
        if told.text(FORM_SECRET) != Some(&visitor.form_secret) {
            return Err(refused(
                "The form is of another session. Open the page again, and then do this once more.",
                &visitor,
            ));
        }
        Ok(Self { visitor, told })
    }
}

fn refused(why: &str, visitor: &Visitor) -> Response {
    tracing::warn!(why, "a form of the console was refused");
    Trouble::new(StatusCode::FORBIDDEN, why).seen_by(visitor)
}

/// Whether a request came from one of our own pages, as far as the browser tells.
pub(super) fn from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match (text(ORIGIN.as_str()), text(HOST.as_str())) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, of)| of == host),
        (Some(_), None) => false,
        // No browser, whose forms of other sites are to be feared.
        (None, _) => true,
    }
}

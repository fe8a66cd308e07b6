//! Who may look and act: whoever has shown the service's token, in this browser, a few hours ago at most.
//!
//! `sessions` remembers who has, `visitor` is somebody who has, `act` is something that one wants done, `sign_in` is the page
//! where the token is shown, `headers` what every answer tells the browser to be strict about.

mod act;
mod headers;
mod sessions;
mod sign_in;
mod visitor;

pub(crate) use act::{Act, FORM_SECRET};
pub(crate) use headers::guarded;
pub(crate) use sessions::Sessions;
pub(crate) use sign_in::routes;
pub(crate) use visitor::Visitor;

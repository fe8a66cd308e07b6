//! The question before something is done: what will happen, in full, with a way back.

use axum::response::Response;
use maud::{Markup, html};

use super::{Page, form_secret};
use crate::access::Visitor;

/// A question before something is done.
pub(crate) struct Confirm<'c> {
    /// What is to be done: `Resume this run?`.
    pub(crate) title: &'c str,
    /// Which entry of the menu it belongs to.
    pub(crate) menu: &'c str,
    /// What will happen, and what it happens to.
    pub(crate) what: Markup,
    /// Fields that the form carries along, and any that can be filled in.
    pub(crate) fields: Markup,
    /// Where the form goes.
    pub(crate) action: &'c str,
    /// What the button says: `Resume the run`.
    pub(crate) button: &'c str,
    /// Where the way back leads.
    pub(crate) back: &'c str,
}

impl Confirm<'_> {
    /// The question as this visitor gets it.
    pub(crate) fn seen_by(self, visitor: &Visitor) -> Response {
        let body = html! {
            div.confirm {
                h1 { (self.title) }
                (self.what)
                form.stacked method="post" action=(self.action) {
                    (form_secret(visitor))
                    (self.fields)
                    p.actions {
                        button.primary type="submit" { (self.button) }
                        a.button href=(self.back) { "Go back" }
                    }
                }
            }
        };
        Page::new(self.title, self.menu, body).seen_by(visitor)
    }
}

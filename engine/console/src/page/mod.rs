//! What all pages share.
//!
//! This file is the frame around a page; `parts` are what pages are put together from (times, outcomes, values, lists),
//! `confirm` asks before something is done, `trouble` says why something cannot be shown or done.

mod confirm;
mod parts;
mod trouble;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::BASE;
use crate::access::{FORM_SECRET, Visitor};
use crate::assets::{ICON, SCRIPT, STYLE};

pub(crate) use confirm::Confirm;
pub(crate) use parts::*;
pub(crate) use trouble::Trouble;

/// The pages of the menu: their names, and where they are below the console's own address.
const MENU: [(&str, &str); 5] =
    [("Overview", ""), ("Deals", "/deals"), ("Runs", "/runs"), ("Flows", "/flows"), ("Settings", "/settings")];

/// A page for somebody who is signed in.
pub(crate) struct Page<'p> {
    /// What it shows, in a few words; said in the browser's tab, too.
    pub(crate) title: &'p str,
    /// Which entry of the menu it belongs to: the part of its address behind the console's own.
    pub(crate) menu: &'p str,
    /// What stands below the heading.
    pub(crate) body: Markup,
    /// Where it can be heard that something on it has changed; none where nothing does by itself.
    pub(crate) news: Option<String>,
    /// The run with whose end the news ends; none where it goes on.
    pub(crate) until: Option<String>,
}

impl Page<'_> {
    /// A page that does not change by itself.
    pub(crate) fn new<'p>(title: &'p str, menu: &'p str, body: Markup) -> Page<'p> {
        Page { title, menu, body, news: None, until: None }
    }

    /// The page as this visitor gets it.
    pub(crate) fn seen_by(&self, visitor: &Visitor) -> Response {
        Html(self.framed(visitor).into_string()).into_response()
    }

    fn framed(&self, visitor: &Visitor) -> Markup {
        let menu = html! {
            header.top {
                a.brand href=(BASE) { "cosell" }
                nav aria-label="Main" {
                    ul {
                        @for (name, path) in MENU {
                            li {
                                a href={ (BASE) (path) } aria-current=[(path == self.menu).then_some("page")] { (name) }
                            }
                        }
                    }
                }
                form.sign-out method="post" action={ (BASE) "/sign-out" } {
                    (form_secret(visitor))
                    button.quiet type="submit" { "Sign out" }
                }
            }
        };
        let body = html! {
            a.skip href="#main" { "Skip to the page" }
            (menu)
            main id="main" tabindex="-1" data-news=[self.news.as_deref()] data-until=[self.until.as_deref()] { (self.body) }
        };
        document(self.title, &body)
    }
}

/// A page for somebody who is not signed in.
pub(crate) fn bare(title: &str, body: &Markup, status: StatusCode) -> Response {
    let body = html! {
        main.alone id="main" {
            p.brand { "cosell" }
            (body)
        }
    };
    (status, Html(document(title, &body).into_string())).into_response()
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · cosell" }
                link rel="icon" href=(ICON.address);
                link rel="stylesheet" href=(STYLE.address);
                script src=(SCRIPT.address) defer {}
            }
            body { (body) }
        }
    }
}

/// What a form carries that is to do something.
pub(crate) fn form_secret(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(FORM_SECRET) value=(visitor.form_secret); }
}

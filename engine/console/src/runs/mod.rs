//! The runs: lists of them, one as a picture with its steps, two side by side, and what can be done with them.
//!
//! Read in this order: `list` and `filter` (many runs), `dead` (events that became none), `parts` (what several of these pages
//! show); then one run: `one` (the page), `head` (what it is, and why it failed), `drawing` (its picture), `seen` and `tree`
//! (its steps with what lies below them, as data), `kept` (its records by where they stand), `written` (what a write wrote),
//! `steps` (the tree as a page shows it), `room` (how much a page holds); `compare` and `differ` (two of them); `act` (what
//! can be done, with the question before it).

mod act;
mod compare;
mod dead;
mod differ;
mod drawing;
mod filter;
mod head;
mod kept;
mod list;
mod one;
mod parts;
mod room;
mod seen;
mod steps;
#[cfg(test)]
mod testing;
mod tree;
mod written;

use axum::Router;

use crate::Shared;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .merge(list::routes())
        .merge(dead::routes())
        .merge(compare::routes())
        .merge(act::routes())
        .merge(one::routes())
}

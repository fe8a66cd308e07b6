//! The deals: each pair of referral and opportunity or lead, side by side.
//!
//! Read in this order: `kept` (what the flows keep of a deal), `list` (the deals, newest first), `hidden` (what is kept out
//! of sight), `sides` (both sides as they are now), `people` (who stands around them), `recent` (sides that were read a
//! moment ago); `deal`, the page of one, made of `table` (both sides under the mapping, with their `solutions`, in words by
//! `worded`), `around` (customer, contacts and sellers under theirs) and `history` (its runs, and what the CRM's column Audit
//! says); `synchronise` does now what an event would do.

mod around;
mod deal;
mod hidden;
mod history;
mod kept;
mod list;
mod people;
mod recent;
mod sides;
mod solutions;
mod synchronise;
mod table;
mod worded;

use axum::Router;
use axum::routing::get;

use crate::Shared;
pub(crate) use recent::Recent;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/deals", get(list::page))
        .route("/deals/{id}", get(deal::page))
        .route("/deals/{id}/synchronise", get(synchronise::ask).post(synchronise::act))
}

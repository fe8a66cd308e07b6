//! The console: every deal and every run, as pages for a browser, inside the one program.
//!
//! Pages are made here, on the server; a little script (`assets/console.js`) puts times into the reader's zone and keeps
//! open pages up to date, and every page works without it. Nothing comes from elsewhere, and nothing is shown to or done
//! for anybody who has not shown the service's token.
//!
//! Read in this order: this file (what there is, and where), `facts` (what the files say, beside what the service knows),
//! `access` (who may look and act), `page` (what all pages share), `assets`; then a module for each page, in the order of
//! the menu: `overview`, `deals`, `runs`, `flows`, `settings`.

mod access;
mod assets;
mod deals;
mod facts;
mod flows;
mod overview;
mod page;
mod runs;
mod settings;

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Redirect, Response};
use axum::routing::get;
use cosell_service::api::Api;

use access::{Sessions, Visitor};
pub use facts::Facts;
use page::Trouble;

/// Where the console is.
const BASE: &str = "/console";

/// The console over a service; clones share it.
#[derive(Clone)]
pub struct Console {
    desk: Shared,
}

/// What pages are made of.
struct Desk {
    api: Arc<Api>,
    facts: RwLock<Arc<Facts>>,
    sessions: Sessions,
    recent_deals: deals::Recent,
}

type Shared = Arc<Desk>;

impl Console {
    /// The console over the runs of `api`, whose flows come from what `facts` tells.
    pub fn new(api: Arc<Api>, facts: Facts) -> Self {
        Self {
            desk: Arc::new(Desk {
                api,
                facts: RwLock::new(Arc::new(facts)),
                sessions: Sessions::default(),
                recent_deals: Default::default(),
            }),
        }
    }

    /// From now on the files say this.
    pub fn replace(&self, facts: Facts) {
        *self.desk.facts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(facts);
    }

    /// Its pages, and the way to them from `/`.
    pub fn pages(&self) -> Router {
        let pages = Router::new()
            .merge(overview::routes())
            .merge(deals::routes())
            .merge(runs::routes())
            .merge(flows::routes())
            .merge(settings::routes())
            .merge(access::routes())
            .fallback(unknown)
            .method_not_allowed_fallback(unknown)
            .with_state(Arc::clone(&self.desk))
            .merge(self.news())
            .merge(assets::routes())
            .layer(from_fn(access::guarded));
        Router::new().route("/", get(|| async { Redirect::to(BASE) })).nest(BASE, pages)
    }
}

impl Console {
    /// What happens, at once, for those who are signed in.
    fn news(&self) -> Router {
        let signed_in =
            from_fn_with_state(Arc::clone(&self.desk), |_: Visitor, request: Request, next: Next| next.run(request));
        self.desk.api.streams().layer(signed_in)
    }
}

impl Desk {
    /// What the files say now.
    fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.facts.read().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn unknown(visitor: Visitor, request: Request) -> Response {
    let detail = format!("There is no page {BASE}{} that can be asked so.", request.uri().path());
    Trouble::new(StatusCode::NOT_FOUND, detail).seen_by(&visitor)
}

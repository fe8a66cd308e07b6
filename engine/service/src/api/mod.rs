//! The API: runs seen and repaired over HTTP, under `/api/v1`; and what watches over the service itself: whether it lives,
//! whether it is ready, what it measures.
//!
//! [`paths`] lists everything that can be asked, and makes both the routes and the OpenAPI document (`openapi`) from that
//! list. Then `access` (who may ask), `asked` (reading a request), `problem` (what is said where something cannot be done), `sides` (of pages), and what there is
//! to ask: `runs`, `repair`, `events`, `flows`, `inbox`, `status`, `health`; and `rehearse`, which pages alone ask.

mod access;
mod asked;
mod events;
mod flows;
mod health;
mod inbox;
mod openapi;
mod paths;
mod problem;
mod rehearse;
mod repair;
mod runs;
mod sides;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use cosell_journal::{Journal, Reader};
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::keep::NotKept;
use cosell_runtime::memory::Engine;
use cosell_sdk::settings::Secret;
use jiff::Timestamp;

pub use flows::{Begin, Flow, Flows, Input};
pub use inbox::Letters;
pub use problem::Problem;
pub use repair::{Resume, Skip, Started};
pub use runs::{Page, Wanted};
pub use status::{Connection, Hook, HookState, Kept, Status};

use crate::watch::Watch;

/// What the API tells of and acts on.
pub struct Api {
    dispatcher: Dispatcher,
    journal: Journal,
    /// A connection of its own, so that a long list holds nothing up.
    reader: Reader,
    watch: Watch,
    token: Option<Secret>,
    began: Timestamp,
}

type Shared = Arc<Api>;

impl Api {
    /// The API to these runs; `watch` observes them. Whoever asks must show `token`; where there is none, nobody may ask.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn new(
        dispatcher: Dispatcher,
        journal: &Journal,
        watch: &Watch,
        token: Option<Secret>,
    ) -> Result<Self, NotKept> {
        let reader = journal.reader().another()?;
        let (journal, watch, began) = (journal.clone(), watch.clone(), Timestamp::now());
        let measured = watch.clone();
        journal.on_commit(move |took| measured.metrics().commit(took));
        Ok(Self { dispatcher, journal, reader, watch, token, began })
    }

    /// All routes of the API, beside `others`; requests to all of them are counted.
    pub(crate) fn beside(self: Arc<Self>, others: Router) -> Router {
        let shared = self;
        let open = Router::new()
            .route("/health", get(health::health))
            .route("/ready", get(health::ready))
            .route("/metrics", get(health::metrics))
            .with_state(Arc::clone(&shared));
        let counting = from_fn_with_state(shared.watch.clone(), count);
        Router::new().nest(paths::BASE, paths::routes(&shared)).merge(open).merge(others).layer(counting)
    }

    /// What happens, for those who may see it: `/events` of all runs, and `/runs/{run}/events` of one.
    pub fn streams(self: &Arc<Self>) -> Router {
        let router = Router::new().route("/events", get(events::of_all));
        router.route("/runs/{run}/events", get(events::of_run)).with_state(Arc::clone(self))
    }

    /// The flows and connections as they are now.
    pub fn engine(&self) -> Arc<Engine> {
        self.dispatcher.engine()
    }

    /// Whether somebody may look at runs and change them who shows this; none where nobody may, since no token is configured.
    pub fn admits(&self, shown: &str) -> Option<bool> {
        self.token.as_ref().map(|token| token.matches(shown))
    }

    /// Asks the journal, where that holds up nobody else.
    ///
    /// # Errors
    /// What `ask` says, and where it cannot be asked at all.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let api = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || ask(&api.reader)).await;
        asked.unwrap_or_else(|error| Err(NotKept(format!("the journal could not be read: {error}")).into()))
    }
}

async fn count(State(watch): State<Watch>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    watch.metrics().request(&route, response.status().as_u16());
    response
}

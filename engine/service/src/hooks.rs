//! Web hooks: `POST /hooks/{connection}` for connectors' triggers, `/in/{path}` for plain ones.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_server::tls_rustls::RustlsConfig;
use cosell_model::catalogue::Delivery;
use cosell_runtime::dispatch::{Busy, Dispatcher};
use cosell_sdk::{Incoming, Refusal};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::entrances::{Entrances, Shared};

/// Events are a few hundred bytes; Dataverse sends at most 256 KB (webhook reference, body size).
const MAX_BODY: usize = 512 * 1024;

/// After how many seconds a sender may try again: where there is no room, and where something is out of reach or restarts.
const SOON: u32 = 5;
const LATER: u32 = 30;

/// A listener for web hooks; it stops when dropped.
pub struct Hooks {
    address: SocketAddr,
    secure: bool,
    entrances: Shared,
    serving: JoinHandle<()>,
}

/// How to listen.
#[derive(Default)]
pub struct Listening {
    /// The plain web hooks beside those of connectors.
    pub entrances: Entrances,
    /// What people and programs may ask besides; none where there is nothing to ask.
    pub api: Option<Arc<Api>>,
    /// The pages that people look at besides; empty where there are none.
    pub pages: Router,
    /// Certificate and key for TLS; none where a proxy does that, or nobody.
    pub tls: Option<RustlsConfig>,
}

/// Reads a certificate, with those of its issuers, and its key; both are PEM files.
///
/// # Errors
/// They cannot be read, or do not belong together.
pub async fn tls(certificate: &std::path::Path, key: &std::path::Path) -> std::io::Result<RustlsConfig> {
    RustlsConfig::from_pem_file(certificate, key).await
}

impl Hooks {
    /// Listens at `address` (port 0: chosen by the system) and hands events to `dispatcher`.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn listen(address: SocketAddr, dispatcher: Dispatcher, how: Listening) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let entrances = Shared::new(how.entrances);
        let hooks = Router::new()
            .route("/hooks/{connection}", post(receive))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(dispatcher.clone())
            .merge(entrances.routes(dispatcher))
            .merge(how.pages);
        let app = match how.api {
            Some(api) => api.beside(hooks),
            None => hooks,
        };
        let (listener, secure) = (listener.into_std()?, how.tls.is_some());
        let serving = tokio::spawn(async move {
            let app = app.into_make_service();
            let served = match how.tls {
                Some(tls) => async { axum_server::from_tcp_rustls(listener, tls)?.serve(app).await }.await,
                None => async { axum_server::from_tcp(listener)?.serve(app).await }.await,
            };
            if let Err(error) = served {
                tracing::error!(%error, "web hooks are no longer served");
            }
        });
        Ok(Self { address, secure, entrances, serving })
    }

    /// From now on these are the plain web hooks.
    pub fn replace(&self, entrances: Entrances) {
        self.entrances.replace(entrances);
    }

    /// Where it listens: scheme, host and port.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }

    /// The address that the events of `connection` are to be sent to.
    pub fn url(&self, connection: &str) -> String {
        format!("{}/hooks/{connection}", self.origin())
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn receive(
    State(dispatcher): State<Dispatcher>,
    Path(connection): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(open) = dispatcher.engine().connection(&connection).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let began = Instant::now();
    let headers = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let request = Incoming { headers, body };
    let listening = dispatcher.listening(&connection);
    let mut triggers: Vec<&str> = listening.iter().map(|(_, trigger, _)| &**trigger).collect();
    triggers.retain(|trigger| open.delivery(trigger) == Some(Delivery::Webhook));
    triggers.sort_unstable();
    triggers.dedup();
    if triggers.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    if let Err(why) = dispatcher.admits() {
        return busy(why);
    }
    let mut wanted = Vec::new();
    for trigger in triggers {
        let events = match open.receive(trigger, request.clone()).await {
            Ok(events) => events,
            Err(refusal) => return refused(&connection, &refusal),
        };
        for event in events {
            for (flow, _, with) in listening.iter().filter(|(_, name, _)| *name == trigger) {
                match open.wants(trigger, with, &event.payload) {
                    Ok(true) => wanted.push((flow.clone(), event.clone())),
                    Ok(false) => {}
                    Err(error) => tracing::error!(%flow, %error, "the trigger's settings cannot be read"),
                }
            }
        }
    }
    match dispatcher.dispatch_all(wanted, None).await {
        Ok(()) => {
            tracing::debug!(connection, took = ?began.elapsed(), "event taken");
            StatusCode::OK.into_response()
        }
        Err(error) => refused(&connection, &Refusal::TryAgain(error.to_string())),
    }
}

/// The refusal of an event that cannot be taken now.
pub(crate) fn busy(why: Busy) -> Response {
    let (status, seconds) = match why {
        Busy::Full => (StatusCode::TOO_MANY_REQUESTS, SOON),
        Busy::Stopping => (StatusCode::SERVICE_UNAVAILABLE, LATER),
    };
    (status, [(RETRY_AFTER, seconds.to_string())]).into_response()
}

fn refused(connection: &str, refusal: &Refusal) -> Response {
    let (status, why) = match refusal {
        Refusal::Malformed(why) => (StatusCode::BAD_REQUEST, why),
        Refusal::Unauthorized(why) => (StatusCode::UNAUTHORIZED, why),
        Refusal::TryAgain(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    };
    tracing::warn!(connection, status = status.as_u16(), why, "event refused");
    match refusal {
        Refusal::TryAgain(_) => (status, [(RETRY_AFTER, LATER.to_string())]).into_response(),
        _ => status.into_response(),
    }
}

//! Web hooks: `POST /hooks/{connection}`.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cosell_model::catalogue::Delivery;
use cosell_runtime::dispatch::Dispatcher;
use cosell_sdk::{Incoming, Refusal};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Events are a few hundred bytes; Dataverse sends at most 256 KB (webhook reference, body size).
const MAX_BODY: usize = 512 * 1024;

/// A listener for web hooks; it stops when dropped.
pub struct Hooks {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Hooks {
    /// Listens at `address` (port 0: chosen by the system) and hands events to `dispatcher`.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn listen(address: SocketAddr, dispatcher: Dispatcher) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let app = Router::new()
            .route("/hooks/{connection}", post(receive))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(dispatcher);
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "web hooks are no longer served");
            }
        });
        Ok(Self { address, serving })
    }

    /// The address that the events of `connection` are to be sent to.
    pub fn url(&self, connection: &str) -> String {
        format!("http://{}/hooks/{connection}", self.address)
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
) -> StatusCode {
    let Some(open) = dispatcher.engine().connection(&connection).cloned() else { return StatusCode::NOT_FOUND };
    let headers = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let request = Incoming { headers, body };
    let mut triggers: Vec<&str> = dispatcher.listening(&connection).map(|(_, trigger, _)| trigger).collect();
    triggers.retain(|trigger| open.delivery(trigger) == Some(Delivery::Webhook));
    triggers.sort_unstable();
    triggers.dedup();
    if triggers.is_empty() {
        return StatusCode::NOT_FOUND;
    }
    let mut wanted = Vec::new();
    for trigger in triggers {
        let events = match open.receive(trigger, request.clone()).await {
            Ok(events) => events,
            Err(refusal) => return refused(&connection, &refusal),
        };
        for event in events {
            for (flow, _, with) in dispatcher.listening(&connection).filter(|(_, name, _)| *name == trigger) {
                match open.wants(trigger, with, &event.payload) {
                    Ok(true) => wanted.push((flow.clone(), event.clone())),
                    Ok(false) => {}
                    Err(error) => tracing::error!(%flow, %error, "the trigger's settings cannot be read"),
                }
            }
        }
    }
    match dispatcher.dispatch_all(wanted, None).await {
        Ok(()) => StatusCode::OK,
        Err(error) => refused(&connection, &Refusal::TryAgain(error.to_string())),
    }
}

fn refused(connection: &str, refusal: &Refusal) -> StatusCode {
    let (status, why) = match refusal {
        Refusal::Malformed(why) => (StatusCode::BAD_REQUEST, why),
        Refusal::Unauthorized(why) => (StatusCode::UNAUTHORIZED, why),
        Refusal::TryAgain(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    };
    tracing::warn!(connection, status = status.as_u16(), why, "event refused");
    status
}

//! The job written by hand: what somebody would write who writes only this.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use rusqlite::{Connection, params};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::ten_fields::mapped;

struct Service {
    events: Mutex<Connection>,
    client: reqwest::Client,
    system: String,
}

/// Serves web hooks; gives their address.
pub(crate) async fn serve(system: &str, folder: &Path) -> String {
    let events = Connection::open(folder.join("events.sqlite")).unwrap();
    events.pragma_update(None, "journal_mode", "WAL").unwrap();
    events.pragma_update(None, "synchronous", "FULL").unwrap();
    events.execute("CREATE TABLE events (id TEXT PRIMARY KEY, event TEXT NOT NULL) WITHOUT ROWID", []).unwrap();
    let service = Service { events: Mutex::new(events), client: reqwest::Client::new(), system: system.to_owned() };
    let app = Router::new().route("/events", post(receive)).with_state(Arc::new(service));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/events")
}

async fn receive(State(service): State<Arc<Service>>, Json(event): Json<Value>) -> StatusCode {
    let id = event["id"].as_str().unwrap().to_owned();
    let (keeping, key) = (Arc::clone(&service), id.clone());
    let kept = tokio::task::spawn_blocking(move || {
        let events = keeping.events.lock().unwrap();
        let mut insert = events.prepare_cached("INSERT OR IGNORE INTO events (id, event) VALUES (?1, ?2)")?;
        insert.execute(params![key, event.to_string()])
    });
    match kept.await.unwrap() {
        Ok(1) => drop(tokio::spawn(async move { service.work(&id).await.unwrap() })),
        Ok(_) => {}
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE,
    }
    StatusCode::ACCEPTED
}

impl Service {
    async fn work(&self, id: &str) -> reqwest::Result<()> {
        let answer = self.client.get(format!("{}/referrals/{id}", self.system)).send().await?;
        let referral: Value = answer.error_for_status()?.json().await?;
        if referral["status"] == "Active" {
            let row = self.client.patch(format!("{}/opportunities/{id}", self.system)).json(&mapped(&referral));
            row.send().await?.error_for_status()?.bytes().await?;
        }
        Ok(())
    }
}

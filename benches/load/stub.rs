//! The system that is read from and written to. It tells when the request that ends an event's job arrives.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Who waits for which record to be written.
type Awaited = Arc<Mutex<HashMap<String, oneshot::Sender<Instant>>>>;

/// A system that listens as long as the program runs.
#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    awaited: Awaited,
}

impl Stub {
    pub(crate) async fn start() -> Self {
        let awaited = Awaited::default();
        let app = Router::new()
            .route("/referrals/{id}", get(|Path(id): Path<String>| async { Json(referral(id)) }))
            .route("/opportunities/{id}", patch(write))
            .with_state(Arc::clone(&awaited));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, awaited }
    }

    /// Tells when this record is written.
    pub(crate) fn written(&self, id: &str) -> oneshot::Receiver<Instant> {
        let (tell, told) = oneshot::channel();
        self.awaited.lock().unwrap().insert(id.to_owned(), tell);
        told
    }
}

async fn write(State(awaited): State<Awaited>, Path(id): Path<String>, Json(row): Json<Value>) -> StatusCode {
    let arrived = Instant::now();
    assert_eq!(row.as_object().unwrap().len(), 10, "{row}");
    assert_eq!((&row["name"], &row["statuscode"]), (&json!(format!("Referral {id}")), &json!(1)), "{row}");
    let tell = awaited.lock().unwrap().remove(&id);
    let _ = tell.expect("each record is written once").send(arrived);
    StatusCode::NO_CONTENT
}

fn referral(id: String) -> Value {
    json!({
        "id": id, "name": format!("Referral {id}"), "status": "Active", "substatus": "Accepted",
        "type": "Shared", "qualification": "SalesQualified", "engagementId": "0b1b2c9f-7b5b-4a4e-9a39-d31c7c2a1ed2",
        "createdDateTime": "2026-11-02T08:15:30Z", "updatedDateTime": "2026-11-20T16:45:00Z",
        "details": {
            "dealValue": 84000.5, "currency": "EUR", "closingDateTime": "2027-01-29T00:00:00Z",
            "notes": "Wants one dashboard for three sites.",
            "requirements": { "industries": ["manufacturing"], "products": ["power-bi"], "solutions": [{ "id": "SOL-1" }] },
        },
        "customerProfile": {
            "name": "Northwind Cold Storage BV", "size": "51to250employees",
            "address": { "addressLine1": "Waalhaven 14", "city": "Rotterdam", "postalCode": "3089 JH", "country": "NL" },
            "team": [{ "firstName": "Iris", "lastName": "de Boer", "email": "iris@northwind.example" }],
        },
        "consent": { "share": true },
    })
}

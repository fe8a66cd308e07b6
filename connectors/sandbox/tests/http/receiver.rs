//! A receiver of events on this machine.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::client::{Client, EVENTS};

pub(crate) type Event = (HeaderMap, Bytes);

pub(crate) struct Receiver {
    pub(crate) url: String,
    arrived: UnboundedReceiver<Event>,
}

impl Receiver {
    /// Answers every event with `status`.
    pub(crate) async fn start(status: StatusCode) -> Receiver {
        async fn take(
            State((status, events)): State<(StatusCode, UnboundedSender<Event>)>,
            headers: HeaderMap,
            body: Bytes,
        ) -> StatusCode {
            events.send((headers, body)).unwrap();
            status
        }
        let (sender, arrived) = unbounded_channel();
        Receiver::serve(Router::new().route("/hook", post(take)).with_state((status, sender)), arrived).await
    }

    /// Answers the first `failures` events with 503 and `Retry-After`, the others with 200.
    pub(crate) async fn start_failing(failures: usize, retry_after: &'static str) -> Receiver {
        let (sender, arrived) = unbounded_channel();
        let left = Arc::new(AtomicUsize::new(failures));
        let take = move |headers: HeaderMap, body: Bytes| async move {
            sender.send((headers, body)).unwrap();
            match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
                Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", retry_after)]).into_response(),
                Err(_) => StatusCode::OK.into_response(),
            }
        };
        Receiver::serve(Router::new().route("/hook", post(take)), arrived).await
    }

    async fn serve(router: Router, arrived: UnboundedReceiver<Event>) -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Receiver { url, arrived }
    }

    /// Registers for all referral events and for test events.
    pub(crate) async fn register(&self, client: &Client, own_header: bool) {
        let token = client.app_token(EVENTS).await;
        let body = json!({
            "WebhookUrl": self.url,
            "WebhookEvents": [
                "referral-created", "referral-updated", "related-referral-created", "related-referral-updated",
                "test-created",
            ],
            "SignatureTokenToMsSignatureHeader": own_header,
        });
        let url = format!("{}/webhooks/v1/registration", client.addresses().partner_center_events);
        let response = client.http.post(url).bearer_auth(token).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }

    pub(crate) async fn next(&mut self) -> Event {
        self.arrived.recv().await.unwrap()
    }

    /// Name and resource id of the next event.
    pub(crate) async fn next_name(&mut self) -> (String, String) {
        let (_, body) = self.next().await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let uri = body["ResourceUri"].as_str().unwrap();
        (body["EventName"].as_str().unwrap().to_owned(), uri.rsplit_once('/').unwrap().1.to_owned())
    }

    /// How many events arrived that were not looked at, once the sandbox has none left.
    pub(crate) async fn rest(&mut self, client: &Client) -> usize {
        while client.control(reqwest::Method::GET, "/status", json!({})).await["events_waiting"] != 0 {
            tokio::task::yield_now().await;
        }
        let mut rest = 0;
        while self.arrived.try_recv().is_ok() {
            rest += 1;
        }
        rest
    }
}

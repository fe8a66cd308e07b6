//! Delivery: up to ten attempts per event, then silence ("Partner Center webhooks", event retries).

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinSet};
use uuid::Uuid;

use super::{Events, validation::Attempt};

/// Attempts before an event is given up.
const ATTEMPTS: u32 = 10;
/// How long the receiver may take to answer; the documentation gives no figure.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the first of a pair to be reordered waits for its second.
const PAIRING: Duration = Duration::from_secs(1);

/// One copy of one event on its way.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(super) generation: u64,
    /// The exact bytes that are signed and sent.
    pub(super) body: Vec<u8>,
    /// The test event that counts the attempts.
    pub(super) validation: Option<Uuid>,
}

/// Deliveries in the order in which they were raised.
pub(crate) type Queue = UnboundedReceiver<Delivery>;

/// Delivers what arrives in `queue` until the queue closes or the future is dropped.
///
/// First attempts go one at a time, in order; what fails is tried again beside them, so that one bad event does not hold up
/// the rest.
pub(crate) async fn run(events: Arc<Events>, mut queue: Queue) {
    let mut retries = JoinSet::new();
    let mut held: Option<Delivery> = None;
    loop {
        let mut ready = Vec::new();
        tokio::select! {
            next = queue.recv() => {
                let Some(next) = next else { return };
                match held.take() {
                    None if events.knobs().reorder_pairs => held = Some(next),
                    None => ready.push(next),
                    Some(first) => ready.extend([next, first]),
                }
            }
            () = tokio::time::sleep(PAIRING), if held.is_some() => ready.extend(held.take()),
            Some(_) = retries.join_next() => {}
        }
        for delivery in ready {
            if !events.attempt(&delivery).await {
                retries.spawn(retry(Arc::clone(&events), delivery));
            }
        }
    }
}

/// The attempts after a failed first one.
async fn retry(events: Arc<Events>, delivery: Delivery) {
    let mut pause = events.knobs().first_retry_ms;
    for _ in 1..ATTEMPTS {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if events.attempt(&delivery).await {
            return;
        }
        pause = pause.saturating_mul(events.knobs().retry_growth);
    }
    events.finish(&delivery);
}

/// One event as it travels.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Where the signature travels unless the registration says otherwise, and where if it does.
pub(super) const SIGNATURE_HEADERS: [&str; 2] = ["authorization", "x-ms-signature"];

impl Events {
    /// `body`, signed by whoever signs now.
    fn message(&self, body: &[u8], own_header: bool) -> Option<Message> {
        let identity = self.signer.current()?;
        let signature = format!("Signature {}", identity.sign(body).ok()?);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(SIGNATURE_HEADERS[usize::from(own_header)], HeaderValue::from_str(&signature).ok()?);
        let certificate = format!("{}{}", self.certificates, identity.name);
        headers.insert("x-ms-certificate-url", HeaderValue::from_str(&certificate).ok()?);
        headers.insert("x-ms-signature-algorithm", HeaderValue::from_static("rsa-sha256"));
        Some(Message { headers, body: body.to_vec() })
    }

    /// One attempt. True when nothing more is to be done: it arrived, or a reset made it void.
    async fn attempt(&self, delivery: &Delivery) -> bool {
        let (registration, forgery) = {
            let state = self.state();
            if state.generation != delivery.generation {
                return true;
            }
            (state.registration.clone(), state.knobs.forgery)
        };
        let Some(registration) = registration else { return false };
        let Some(mut message) = self.message(&delivery.body, registration.own_header) else { return false };
        if let Some(forgery) = forgery {
            forgery.apply(&mut message);
        }
        let sent = self
            .client
            .post(&registration.url)
            .timeout(PATIENCE)
            .headers(message.headers)
            .body(message.body)
            .send()
            .await;
        let status = sent.as_ref().ok().map(reqwest::Response::status);
        if let Some(validation) = delivery.validation {
            self.note_attempt(validation, Attempt { status, at: self.clock.now() });
        }
        // Whatever else the receiver says, such as Retry-After, the schedule is the service's own.
        let arrived = status.is_some_and(|status: StatusCode| status.is_success());
        if arrived {
            self.finish(delivery);
        }
        arrived
    }

    fn finish(&self, delivery: &Delivery) {
        let mut state = self.state();
        if state.generation == delivery.generation {
            state.waiting = state.waiting.saturating_sub(1);
            if let Some(validation) = delivery.validation.and_then(|id| state.validations.get_mut(&id)) {
                validation.completed = true;
            }
        }
    }
}

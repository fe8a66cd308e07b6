//! Delivery: up to ten attempts per event, then silence ("Partner Center webhooks", event retries).

use std::{sync::Arc, time::Duration};

use axum::http::{StatusCode, header};
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

impl Events {
    /// One attempt. True when nothing more is to be done: it arrived, or a reset made it void.
    async fn attempt(&self, delivery: &Delivery) -> bool {
        let registration = {
            let state = self.state();
            if state.generation != delivery.generation {
                return true;
            }
            state.registration.clone()
        };
        let (Some(registration), Ok(signature)) = (registration, self.signer.sign(&delivery.body)) else {
            return false;
        };
        let signature_header = if registration.own_header { "x-ms-signature" } else { header::AUTHORIZATION.as_str() };
        let sent = self
            .client
            .post(&registration.url)
            .timeout(PATIENCE)
            .header(header::CONTENT_TYPE, "application/json")
            .header(signature_header, format!("Signature {signature}"))
            .header("X-MS-Certificate-Url", &self.certificate_url)
            .header("X-MS-Signature-Algorithm", "rsa-sha256")
            .body(delivery.body.clone())
            .send()
            .await;
        let status = sent.as_ref().ok().map(reqwest::Response::status);
        if let Some(validation) = delivery.validation {
            self.note_attempt(validation, Attempt { status, at: self.clock.now() });
        }
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

//! What a call is told beside its input.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a call is told beside its input.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Derived from run and step, the same in every attempt: a create takes it as the new record's id, or finds by it
    /// what an earlier attempt made.
    pub idempotency_key: Uuid,
    /// True where an earlier attempt of this very call may have taken effect: the call must find out before it writes.
    pub may_have_run: bool,
    requests: Arc<Mutex<Vec<RequestRecord>>>,
}

impl CallContext {
    /// A context for one attempt.
    pub fn new(idempotency_key: Uuid, may_have_run: bool) -> Self {
        Self { idempotency_key, may_have_run, requests: Arc::default() }
    }

    /// Notes a request made for this call; the HTTP kit does so by itself.
    pub fn note(&self, request: RequestRecord) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    /// The requests made so far, in order.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One HTTP request made for a call, as a run record shows it: never headers or bodies, so never a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// HTTP method.
    pub method: String,
    /// Address without query.
    pub url: String,
    /// Status answered; none where no answer came.
    pub status: Option<u16>,
    /// Time until the answer was read.
    pub took: Duration,
}

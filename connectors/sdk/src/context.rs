//! What a call is told beside its input.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::error::CallError;
use crate::foreseen::{Foreseen, ForeseenRecord};
use crate::tape::Tape;

/// What a call is told beside its input.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// Derived from run and step, the same in every attempt: a create takes it as the new record's id, or finds by it
    /// what an earlier attempt made.
    pub idempotency_key: Uuid,
    /// True where an earlier attempt of this very call may have taken effect: the call must find out before it writes.
    pub may_have_run: bool,
    reads_only: bool,
    foreseen: Option<Foreseen>,
    tape: Option<Tape>,
    noted: Arc<Mutex<Noted>>,
}

/// What was noted during a call.
#[derive(Debug, Default)]
struct Noted {
    requests: Vec<RequestRecord>,
    /// What was asked with a tape running.
    asked: Vec<String>,
    remarks: Vec<String>,
    remaining: Option<u64>,
}

impl CallContext {
    /// A context for one attempt.
    pub fn new(idempotency_key: Uuid, may_have_run: bool) -> Self {
        Self { idempotency_key, may_have_run, reads_only: false, foreseen: None, tape: None, noted: Arc::default() }
    }

    /// The same, for a prediction: the HTTP kit refuses to send a write.
    #[must_use]
    pub fn reading_only(self) -> Self {
        Self { reads_only: true, ..self }
    }

    /// The same, for a call of a dry run: the HTTP kit refuses to send a write, and what earlier calls would have written
    /// counts as written.
    #[must_use]
    pub fn foreseeing(self, foreseen: Foreseen) -> Self {
        Self { reads_only: true, foreseen: Some(foreseen), ..self }
    }

    /// The same, with what is answered kept on a tape, or played back from one.
    #[must_use]
    pub fn taped(self, tape: Tape) -> Self {
        Self { tape: Some(tape), ..self }
    }

    /// Has `look` look at something outside the program, for a connector that does it without the HTTP kit; where a
    /// recording is played back, gives what was seen when it was made. `asked` says what is looked at, always in the same
    /// words.
    ///
    /// # Errors
    /// What `look` meets; [`NOT_RECORDED`](crate::NOT_RECORDED).
    pub async fn outside(
        &self,
        asked: &str,
        look: impl Future<Output = Result<Value, CallError>>,
    ) -> Result<Value, CallError> {
        match self.tape_for(asked) {
            Some(tape) => tape.outside(asked, look).await,
            None => look.await,
        }
    }

    /// The tape that runs, on which what is asked now is noted as asked by this call.
    pub(crate) fn tape_for(&self, asked: &str) -> Option<&Tape> {
        if self.tape.is_some() {
            self.noted().asked.push(asked.to_owned());
        }
        self.tape.as_ref()
    }

    /// Whether a tape runs.
    pub(crate) fn is_taped(&self) -> bool {
        self.tape.is_some()
    }

    /// What this call asked while a tape ran.
    pub fn asked(&self) -> Vec<String> {
        self.noted().asked.clone()
    }

    /// Notes what a prediction makes of a record, by the connector's own name for it: none where it would be gone. Nothing
    /// is noted outside a dry run.
    pub fn foresee(&self, record: impl Into<String>, value: Option<Value>) {
        if let Some(foreseen) = &self.foreseen {
            foreseen.note(record.into(), value);
        }
    }

    /// What earlier calls of a dry run would have made of a record: none where they would have left it alone, and within
    /// it none where it would be gone.
    pub fn foreseen(&self, record: &str) -> Option<Option<Value>> {
        self.foreseen.as_ref()?.of(record)
    }

    /// All records that earlier calls of a dry run were about and whose names begin so, in the order in which they first
    /// were; none outside a dry run.
    pub fn foreseen_among(&self, prefix: &str) -> Vec<ForeseenRecord> {
        self.foreseen.as_ref().map(|foreseen| foreseen.among(prefix)).unwrap_or_default()
    }

    /// Notes for people, as a sentence without values, what of that which is foreseen this call's answer leaves aside, and
    /// why.
    pub fn remark(&self, remark: String) {
        self.noted().remarks.push(remark);
    }

    /// What was remarked.
    pub fn remarks(&self) -> Vec<String> {
        self.noted().remarks.clone()
    }

    /// Whether writes are refused.
    pub fn reads_only(&self) -> bool {
        self.reads_only
    }

    /// Notes a request made for this call; the HTTP kit does so by itself.
    pub fn note(&self, request: RequestRecord) {
        self.noted().requests.push(request);
    }

    /// The requests made so far, in order.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.noted().requests.clone()
    }

    /// How many requests were made so far.
    pub fn request_count(&self) -> usize {
        self.noted().requests.len()
    }

    /// Notes how many requests the remote system says it still takes before it throttles; the HTTP kit does so by
    /// itself.
    pub fn note_remaining(&self, remaining: u64) {
        self.noted().remaining = Some(remaining);
    }

    /// How many requests the remote system last said it still takes; none where it says nothing of the kind.
    pub fn remaining(&self) -> Option<u64> {
        self.noted().remaining
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
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

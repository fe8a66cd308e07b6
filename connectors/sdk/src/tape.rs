//! What systems answer while a dry run looks at them: kept on a tape, or played back from one in their place.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::CallError;

/// The code of an error that says that a tape holds no answer to what was asked.
pub const NOT_RECORDED: &str = "not_recorded";

/// The answers of one connection. Cheap to clone; all clones are the same.
///
/// The HTTP kit keeps and plays by itself. A connector that looks elsewhere does it
/// [through the context](crate::CallContext::outside).
#[derive(Clone, Debug)]
pub struct Tape {
    plays: bool,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
}

/// What came of asking once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status, where it was asked by HTTP and answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers that say something of the body. `content-type` is there only where the body is a text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body: its value where it is JSON, else its text; null where it is empty.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
    /// Why nobody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CallError>,
    /// Whether it describes the system and holds no data of its users. Known only while it is kept.
    #[serde(skip)]
    pub describes: bool,
}

impl Tape {
    /// An empty one, which keeps what comes.
    pub fn keeping() -> Self {
        Self { plays: false, answers: Arc::default() }
    }

    /// One that plays these answers, by what was asked.
    pub fn playing(answers: impl IntoIterator<Item = (String, Answer)>) -> Self {
        Self { plays: true, answers: Arc::new(Mutex::new(answers.into_iter().collect())) }
    }

    /// All answers by what was asked, in the order of these texts.
    pub fn answers(&self) -> Vec<(String, Answer)> {
        self.locked().iter().map(|(asked, answer)| (asked.clone(), answer.clone())).collect()
    }

    /// All that was asked, in order.
    pub fn asked(&self) -> Vec<String> {
        self.locked().keys().cloned().collect()
    }

    /// Whether it has an answer to this.
    pub fn holds(&self, asked: &str) -> bool {
        self.locked().contains_key(asked)
    }

    /// Whether it plays.
    pub fn plays(&self) -> bool {
        self.plays
    }

    /// The answer to what is asked.
    ///
    /// # Errors
    /// [`NOT_RECORDED`].
    pub(crate) fn answer(&self, asked: &str) -> Result<Answer, CallError> {
        self.locked().get(asked).cloned().ok_or_else(|| CallError::rejected(NOT_RECORDED, asked))
    }

    /// Keeps an answer. Where the same was asked before, the later answer is the one: the first may be why it was repeated.
    pub(crate) fn keep(&self, asked: &str, answer: Answer) {
        self.locked().insert(asked.to_owned(), answer);
    }

    /// Has `look` answer what is asked, or plays what it answered.
    pub(crate) async fn outside(
        &self,
        asked: &str,
        look: impl Future<Output = Result<Value, CallError>>,
    ) -> Result<Value, CallError> {
        if self.plays {
            let Answer { body, failure, .. } = self.answer(asked)?;
            return failure.map_or(Ok(body), Err);
        }
        let seen = look.await;
        let answer = match &seen {
            Ok(body) => Answer { body: body.clone(), ..Answer::default() },
            Err(error) => Answer { failure: Some(error.clone()), ..Answer::default() },
        };
        self.keep(asked, answer);
        seen
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

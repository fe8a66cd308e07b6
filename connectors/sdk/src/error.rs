//! What a connector says when a call does not work: above all what the engine may do next.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Characters that a code and a message may have.
const LONGEST_CODE: usize = 200;
const LONGEST_MESSAGE: usize = 4000;

/// What an unsuccessful call means for the engine. The connector only says it; whether, when and how often to try again
/// is the engine's decision, which it writes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Nothing happened over there and the same call may work later: throttling, a busy or unreachable service.
    Retry {
        /// How long the remote system asks to wait.
        after: Option<Duration>,
    },
    /// A write may or may not have taken effect: the connection broke after the request was sent. The next attempt is
    /// told so and must find out first.
    OutcomeUnknown,
    /// The credentials are refused, and a person must sign in or be given rights.
    SignIn,
    /// The record has changed since it was read.
    Conflict,
    /// The request is wrong and would be refused again.
    Rejected,
}

/// A call that did not work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallError {
    /// What the engine may do next.
    pub meaning: Meaning,
    /// The most specific code known: the remote system's, or one of ours in snake_case.
    pub code: String,
    /// What is wrong and what to do next, for people. Never holds a secret.
    pub message: String,
    /// What the remote system said, where it helps; null otherwise. Never holds a secret. Boxed to keep the error small,
    /// since every result carries room for one.
    #[serde(default, skip_serializing_if = "is_null")]
    pub details: Box<Value>,
}

#[expect(clippy::borrowed_box, reason = "serde hands over the field as it is")]
fn is_null(details: &Box<Value>) -> bool {
    details.is_null()
}

impl CallError {
    /// An error of any meaning, without details. What remote systems put into code and message is cut to a length that
    /// people read.
    pub fn new(meaning: Meaning, code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (cut(code.into(), LONGEST_CODE), cut(message.into(), LONGEST_MESSAGE));
        Self { meaning, code, message, details: Box::default() }
    }

    /// A request that would be refused again.
    pub fn rejected(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Meaning::Rejected, code, message)
    }

    /// The same trouble, met after an earlier part of the call has already written: repeating the call blindly could
    /// write twice, so what meant "try again" now means "find out first".
    #[must_use]
    pub fn after_write(mut self) -> Self {
        if let Meaning::Retry { .. } = self.meaning {
            self.meaning = Meaning::OutcomeUnknown;
        }
        self
    }

    /// With what the remote system said.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        *self.details = details;
        self
    }
}

fn cut(mut text: String, longest: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_message_are_of_a_length_that_people_read() {
        let error = CallError::rejected("ä".repeat(100_000), "ü".repeat(100_000));
        let lengths = (error.code.chars().count(), error.message.chars().count());
        assert_eq!(lengths, (LONGEST_CODE + 1, LONGEST_MESSAGE + 1));
        assert_eq!(CallError::rejected("a", "b".repeat(LONGEST_MESSAGE)).message.len(), LONGEST_MESSAGE);
    }
}

//! Dead letters: events that became no run, each with its reason.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use cosell_journal::Reader;
use cosell_journal::waits::{DeadLetter, Place};
use cosell_runtime::inbox::Inbox;
use cosell_runtime::keep::NotKept;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::repair::{Accepted, Started, accepted};
use super::sides::Sides;
use super::{Problem, Shared};

/// How many a page has.
const PAGE: u32 = 100;

/// Which dead letters to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// `next` of the page before.
    after: Option<u64>,
    /// `previous` of the page behind; not together with `after`.
    before: Option<u64>,
}

/// Some dead letters, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Letters {
    /// The events.
    pub letters: Vec<DeadLetter>,
    /// What to give as `after` to get those that follow; none where these are the last.
    pub next: Option<u64>,
    /// What to give as `before` to get those that are newer; none where these are the newest.
    pub previous: Option<u64>,
}

impl Letters {
    /// Reads a page of them from a journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(reader: &Reader, place: Place) -> Result<Self, NotKept> {
        let mut letters = reader.dead_letters(place, PAGE + 1)?;
        let (after, before) = (matches!(place, Place::After(_)), matches!(place, Place::Before(_)));
        let sides = Sides::cut(&mut letters, PAGE as usize, after, before);
        let next = letters.last().filter(|_| sides.older).map(|last| last.number);
        let previous = letters.first().filter(|_| sides.newer).map(|first| first.number);
        Ok(Self { letters, next, previous })
    }
}

pub(super) async fn list(State(api): State<Shared>, Asked(wanted): Asked<Wanted>) -> Result<Json<Letters>, Problem> {
    let place = match (wanted.after, wanted.before) {
        (None, None) => Place::Newest,
        (Some(number), None) => Place::After(number),
        (None, Some(number)) => Place::Before(number),
        (Some(_), Some(_)) => {
            let detail = "a page stands either `after` or `before` another: give one of them";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
    };
    api.dead_letters(place).await.map(Json)
}

pub(super) async fn retry(State(api): State<Shared>, Path(number): Path<u64>) -> Accepted {
    accepted(api.retry(number).await)
}

impl super::Api {
    /// Some events that became no run, the newest first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn dead_letters(self: &Shared, place: Place) -> Result<Letters, Problem> {
        self.read(move |reader| Ok(Letters::read(reader, place)?)).await
    }

    /// The event of this number, which became no run.
    ///
    /// # Errors
    /// There is no such event; the journal cannot be read.
    pub async fn dead_letter(self: &Shared, number: u64) -> Result<DeadLetter, Problem> {
        self.read(move |reader| Ok(reader.dead_letter(number)?)).await?.ok_or_else(|| {
            let detail = format!("there is no dead letter {number}; it may have been tried again already");
            Problem::new(StatusCode::NOT_FOUND, detail)
        })
    }

    /// Has an event become a run after all.
    ///
    /// # Errors
    /// There is no such event, or its flow cannot begin with it.
    pub async fn retry(self: &Shared, number: u64) -> Result<Started, Problem> {
        let letter = self.dead_letter(number).await?;
        let started = self.start(&letter.flow, letter.trigger, letter.inputs).await?;
        self.journal.collapsed(vec![letter.run], &started.run);
        Ok(started)
    }
}

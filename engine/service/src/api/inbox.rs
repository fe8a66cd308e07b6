//! Dead letters: events that became no run, each with its reason.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use cosell_journal::waits::DeadLetter;
use cosell_runtime::inbox::Inbox;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::repair::Started;
use super::{Problem, Shared};

/// How many a page has.
const PAGE: u32 = 100;

/// Which dead letters to list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// `next` of the page before.
    after: Option<u64>,
}

/// Some dead letters, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Letters {
    /// The events.
    pub letters: Vec<DeadLetter>,
    /// What to give as `after` to get those that follow; none where these are the last.
    pub next: Option<u64>,
}

pub(super) async fn list(State(api): State<Shared>, Asked(wanted): Asked<Wanted>) -> Result<Json<Letters>, Problem> {
    let mut letters = api.read(move |reader| reader.dead_letters(wanted.after, PAGE + 1)).await?;
    let follow = letters.len() > PAGE as usize;
    letters.truncate(PAGE as usize);
    let next = letters.last().filter(|_| follow).map(|last| last.number);
    Ok(Json(Letters { letters, next }))
}

pub(super) async fn retry(
    State(api): State<Shared>,
    Path(number): Path<u64>,
) -> Result<(StatusCode, Json<Started>), Problem> {
    let letter = api.read(move |reader| reader.dead_letter(number)).await?.ok_or_else(|| {
        let detail = format!("there is no dead letter {number}; it may have been tried again already");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    let (status, Json(Started { run })) = api.start(&letter.flow, letter.trigger, letter.inputs).await?;
    api.journal.collapsed(vec![letter.run], &run);
    Ok((status, Json(Started { run })))
}

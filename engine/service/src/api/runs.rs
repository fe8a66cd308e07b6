//! Runs as they are: pages of them, and one with its steps.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cosell_journal::Reader;
use cosell_journal::past::Whole;
use cosell_journal::read::{Cursor, Filter, Listed, Shown};
use cosell_model::{FlowId, Outcome};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::sides::Sides;
use super::{Problem, Shared};

/// How many runs a page has at most, and how many where it is not said.
const MOST: u32 = 500;
const USUAL: u32 = 50;

/// Which runs to list: all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Of this flow.
    pub flow: Option<String>,
    /// Ended so: `succeeded`, `failed`, `timed_out` or `cancelled`; or `under_way`.
    pub outcome: Option<String>,
    /// That have, or had, this key: of their line or of a scope. A deal is known by its ids.
    pub key: Option<String>,
    /// That began with texts in which each of these words begins a word.
    pub text: Option<String>,
    /// Begun at or after; as RFC 3339.
    pub since: Option<String>,
    /// Begun before; as RFC 3339.
    pub until: Option<String>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// `previous` of the page behind; not together with `after`.
    pub before: Option<String>,
    /// At most so many, up to 500; otherwise 50.
    pub most: Option<u32>,
}

/// Some runs that nobody called, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The runs.
    pub runs: Vec<Listed>,
    /// What to give as `after` to get those that follow; none where these are the last.
    pub next: Option<String>,
    /// What to give as `before` to get those that are newer; none where these are the newest.
    pub previous: Option<String>,
}

impl Page {
    /// Reads one from a journal.
    ///
    /// # Errors
    /// A filter that cannot be; the journal cannot be read.
    pub fn read(reader: &Reader, wanted: Wanted) -> Result<Self, Problem> {
        let filter = wanted.filter()?;
        let most = filter.most as usize;
        let (after, before) = (filter.after.is_some(), filter.before.is_some());
        let mut runs = reader.runs(&Filter { most: filter.most + 1, ..filter })?;
        let sides = Sides::cut(&mut runs, most, after, before);
        let next = runs.last().filter(|_| sides.older).map(cursor);
        let previous = runs.first().filter(|_| sides.newer).map(cursor);
        Ok(Self { runs, next, previous })
    }
}

pub(super) async fn list(State(api): State<Shared>, Asked(wanted): Asked<Wanted>) -> Result<Json<Page>, Problem> {
    api.runs(wanted).await.map(Json)
}

pub(super) async fn show(State(api): State<Shared>, Path(run): Path<String>) -> Result<Json<Shown>, Problem> {
    api.shown(&run).await.map(Json)
}

impl super::Api {
    /// Some runs that nobody called, the newest first.
    ///
    /// # Errors
    /// A filter that cannot be; the journal cannot be read.
    pub async fn runs(self: &Shared, wanted: Wanted) -> Result<Page, Problem> {
        self.read(|reader| Page::read(reader, wanted)).await
    }

    /// One run with its steps.
    ///
    /// # Errors
    /// There is none of this id; the journal cannot be read.
    pub async fn shown(self: &Shared, run: &str) -> Result<Shown, Problem> {
        let id = run.to_owned();
        self.read(move |reader| Ok(reader.run(&id)?)).await?.ok_or_else(|| Problem::no_run(run))
    }

    /// One run with all that it called.
    ///
    /// # Errors
    /// There is none of this id; the journal cannot be read.
    pub async fn whole(self: &Shared, run: &str) -> Result<Whole, Problem> {
        let id = run.to_owned();
        self.read(move |reader| Ok(reader.whole(&id)?)).await?.ok_or_else(|| Problem::no_run(run))
    }
}

impl Wanted {
    fn filter(self) -> Result<Filter, Problem> {
        let (outcome, under_way) = match self.outcome.as_deref() {
            None => (None, false),
            Some("under_way") => (None, true),
            Some(word) => {
                let known = [Outcome::Succeeded, Outcome::Failed, Outcome::TimedOut, Outcome::Cancelled];
                let named = known.into_iter().find(|outcome| outcome.as_str() == word).ok_or_else(|| {
                    wrong(format!(
                        "`outcome` is `{word}`, and can be succeeded, failed, timed_out, cancelled or under_way"
                    ))
                })?;
                (Some(named), false)
            }
        };
        let most = self.most.unwrap_or(USUAL);
        if !(1..=MOST).contains(&most) {
            return Err(wrong(format!("`most` is {most}, and can be 1 to {MOST}")));
        }
        if self.after.is_some() && self.before.is_some() {
            return Err(wrong("a page stands either `after` or `before` another: give one of them".to_owned()));
        }
        Ok(Filter {
            flow: self.flow.map(FlowId::new),
            outcome,
            under_way,
            key: self.key,
            text: self.text,
            since: self.since.map(|text| time("since", &text)).transpose()?,
            until: self.until.map(|text| time("until", &text)).transpose()?,
            after: self.after.map(|text| place("after", "next", &text)).transpose()?,
            before: self.before.map(|text| place("before", "previous", &text)).transpose()?,
            most,
        })
    }
}

fn wrong(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

fn time(name: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| wrong(format!("`{name}` is `{text}`, and must be a time such as 2026-05-01T08:00:00Z")))
}

/// The place of a run in the list, as text that says nothing to whoever gets it.
fn cursor(of: &Listed) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}/{}", of.began.as_microsecond(), of.run))
}

fn place(name: &str, from: &str, text: &str) -> Result<Cursor, Problem> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (began, run) = text.split_once('/')?;
        let began = Timestamp::from_microsecond(began.parse().ok()?).ok()?;
        Some(Cursor { began, run: run.to_owned() })
    };
    read().ok_or_else(|| wrong(format!("`{name}` must be what `{from}` of a page was")))
}

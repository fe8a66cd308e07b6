//! How the service is.

use axum::Json;
use axum::extract::State;
use cosell_journal::Reader;
use cosell_journal::read::Count;
use cosell_journal::waits::Waits;
use cosell_runtime::dispatch::Busy;
use cosell_runtime::keep::NotKept;
use cosell_sdk::Registration;
use cosell_sdk::sign_in::kept::FORGOTTEN_AFTER;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, Shared};
use crate::registration;
use crate::watch::Pause;
use crate::watch::metrics::lag;

/// How the service is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// When the service began.
    pub began: Timestamp,
    /// Whether it is about to end, and takes nothing any more.
    pub stopping: bool,
    /// How many flows are on.
    pub flows: usize,
    /// Runs that wait in memory or are under way.
    pub in_memory: usize,
    /// What the journal tells.
    #[serde(flatten)]
    pub kept: Kept,
    /// Every connection.
    pub connections: Vec<Connection>,
    /// Whether remote systems call this service, where they should.
    pub hooks: Vec<Hook>,
}

/// How the service is as far as its journal tells, also while it does not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// What waits.
    pub waits: Waits,
    /// Age of the oldest event whose run has not begun, in seconds.
    pub lag_seconds: f64,
    /// Runs that began in each of the last 24 hours, by how they ended.
    pub hours: Vec<Count>,
    /// Bytes in use in the journal.
    pub journal_bytes: i64,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// Why it is not called now, where it is not.
    pub pause: Option<Pause>,
    /// When the sign-in of the person it acts for is forgotten unless it is used before, where it acts for one.
    pub sign_in_until: Option<Timestamp>,
}

/// A web hook that a remote system is to call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// The connection.
    pub connection: String,
    /// The trigger.
    pub trigger: String,
    /// Its address.
    pub url: String,
    /// Whom the remote system calls.
    pub state: HookState,
    /// The other address, the events that are missing, or why it is not known; empty otherwise.
    pub detail: String,
}

/// Whom a remote system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookState {
    /// This service.
    Here,
    /// This service, but not about all events that flows want.
    Partly,
    /// Somebody else.
    Elsewhere,
    /// Nobody.
    Nowhere,
    /// The remote system cannot be asked.
    Unknown,
    /// It was asked, and that failed.
    Failed,
}

impl Kept {
    /// Reads it.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(reader: &Reader) -> Result<Self, NotKept> {
        let since = Timestamp::now().saturating_sub(24.hours()).unwrap_or(Timestamp::UNIX_EPOCH);
        let waits = reader.waits()?;
        let (lag_seconds, hours) = (lag(&waits).as_secs_f64(), reader.counts(since)?);
        Ok(Self { waits, lag_seconds, hours, journal_bytes: reader.used()? })
    }
}

pub(super) async fn status(State(api): State<Shared>) -> Result<Json<Status>, Problem> {
    api.status().await.map(Json)
}

impl super::Api {
    /// How the service is.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn status(self: &Shared) -> Result<Status, Problem> {
        let kept = self.read(|reader| Ok(Kept::read(reader)?)).await?;
        let engine = self.dispatcher.engine();
        let mut pauses = self.watch.pauses();
        let connections = engine.connections().map(|name| Connection {
            name: name.to_owned(),
            pause: pauses.remove(name),
            sign_in_until: engine.connection(name).and_then(sign_in_until),
        });
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            began: self.began,
            stopping: self.dispatcher.admits() == Err(Busy::Stopping),
            flows: engine.plans().count(),
            in_memory: self.dispatcher.under_way(),
            kept,
            connections: connections.collect(),
            hooks: self.watch.hooks().into_iter().map(|(hook, found)| hook_state(hook, found)).collect(),
        })
    }
}

fn sign_in_until(connection: &cosell_sdk::Connection) -> Option<Timestamp> {
    let sign_in = connection.client()?.sign_in().filter(|sign_in| sign_in.is_for_a_person())?;
    let kept = sign_in.kept().ok().flatten()?;
    kept.used.unwrap_or(kept.since).checked_add(FORGOTTEN_AFTER).ok()
}

fn hook_state(hook: registration::Hook, found: registration::Found) -> Hook {
    let (state, detail) = match found {
        Ok(Registration::Here) => (HookState::Here, String::new()),
        Ok(Registration::Partly { missing }) => (HookState::Partly, missing.join(", ")),
        Ok(Registration::Elsewhere { url }) => (HookState::Elsewhere, url),
        Ok(Registration::Nowhere) => (HookState::Nowhere, String::new()),
        Ok(Registration::Unknown) => (HookState::Unknown, String::new()),
        Err(error) => (HookState::Failed, error.to_string()),
    };
    let registration::Hook { connection, trigger, url } = hook;
    Hook { connection, trigger, url, state, detail }
}

//! The demo as a timeline: who did what, which fields changed, from what to what.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cosell_model::{Outcome, Value};
use cosell_runtime::record::{Observer, RunRecord};
use cosell_sandbox::{Addresses, Change, Entry};
use serde_json::json;

use super::faults::Fault;
use crate::render::{BAD, DIM, GOOD, STRONG, styled};

/// The runs that ended so far, outermost only.
#[derive(Default)]
pub(super) struct Runs {
    ended: Mutex<Vec<RunRecord>>,
    retries: Mutex<usize>,
}

impl Runs {
    fn ended(&self) -> Vec<RunRecord> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Runs {
    fn retrying(&self, _: &str, _: usize, _: &str, _: u32, _: Duration, _: &str) {
        *self.retries.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn run_ended(&self, depth: usize, run: &RunRecord) {
        if depth == 0 {
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(run.clone());
        }
    }
}

/// Tells the demo, for people or for machines.
pub(super) struct Story {
    json: bool,
    scene: usize,
    told: u64,
    runs_told: usize,
}

/// Fields that say nothing to a reader, by how they begin.
const NOISE: [&str; 24] = [
    "/links",
    "/id",
    "/eTag",
    "/engagementId",
    "/favorite",
    "/quality",
    "/isSpam",
    "/qualification",
    "/direction",
    "/organization",
    "/mpnId",
    "/tags",
    "/target",
    "/registration",
    "/dealSensitivity",
    "/customerProfile/isMatching",
    "/customerProfile/size",
    "/consent",
    "/inviteContext/invitedBy",
    "donotemail",
    "isrevenuesystemcalculated",
    "ownerid",
    "statecode",
    "/expirationDateTime",
];

impl Story {
    pub(super) fn new(json: bool) -> Self {
        Self { json, scene: 0, told: 0, runs_told: 0 }
    }

    /// How far the stand-ins' log has been told.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    fn line(&self, machine: &Value, person: impl FnOnce() -> String) {
        if self.json {
            anstream::println!("{machine}");
        } else {
            anstream::println!("{}", person());
        }
    }

    pub(super) fn opening(&self, addresses: &Addresses, faults: &[Fault]) {
        let faults: Vec<String> = faults.iter().map(|fault| format!("{fault:?}").to_lowercase()).collect();
        let places = [
            ("Partner Center", &addresses.partner_center),
            ("Dynamics 365", &addresses.dataverse),
            ("Entra ID", &addresses.entra),
        ];
        self.line(&json!({ "event": "opening", "addresses": addresses_shown(addresses), "faults": faults }), || {
            let mut text = styled(STRONG, "Two systems, one deal: cosell keeps them in step.");
            for (name, address) in places {
                text += &format!("\n  {name:<15}{}", styled(DIM, address));
            }
            if !faults.is_empty() {
                text += &format!("\n  faults         {}", styled(BAD, faults.join(", ")));
            }
            text
        });
    }

    pub(super) fn scene(&mut self, title: &str, what: &str) {
        self.scene += 1;
        self.line(&json!({ "event": "scene", "number": self.scene, "title": title, "outcome": what }), || {
            format!(
                "\n{} {}\n   {}",
                styled(STRONG, format!("{}.", self.scene)),
                styled(STRONG, title),
                styled(DIM, what)
            )
        });
    }

    /// Tells what happened since the last time.
    pub(super) fn tell(&mut self, log: &[Entry], runs: &Runs) {
        for entry in log {
            self.told = self.told.max(entry.number);
            if !entry.changes.is_empty() {
                self.entry(entry);
            }
        }
        let ended = runs.ended();
        let new = &ended[self.runs_told..];
        let writes = log.iter().filter(|entry| entry.system != "control" && !entry.changes.is_empty()).count();
        let echoes = new.len().saturating_sub(1);
        for run in new.iter().filter(|run| run.outcome != Outcome::Succeeded) {
            let why = run.failure.as_ref().map(ToString::to_string).unwrap_or_default();
            self.line(&json!({ "event": "run_failed", "run": run }), || {
                format!("   {} {}: {}", styled(BAD, "✗"), run.flow, why)
            });
        }
        self.runs_told = ended.len();
        self.line(&json!({ "event": "scene_ended", "runs": new.len(), "writes": writes }), || {
            let echo = match echoes {
                0 => String::new(),
                1 => "; the echo came back and caused no write".to_owned(),
                n => format!("; {n} echoes came back and caused no further write"),
            };
            styled(DIM, format!("   {writes} writes by cosell{echo}"))
        });
    }

    fn entry(&self, entry: &Entry) {
        let actor = match (entry.system.as_str(), entry.actor.as_deref()) {
            ("control", Some(person)) => person.to_owned(),
            _ => "cosell".to_owned(),
        };
        let mut records: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
        for change in &entry.changes {
            records.entry(&change.record).or_default().push(change);
        }
        for (record, changes) in records {
            let title = changes.first().map_or("", |change| &change.title);
            self.line(&json!({
                "event": "change", "at": entry.at, "actor": actor, "system": entry.system, "record": record,
                "title": title, "fields": changes.iter().map(|c| json!({ "field": c.field, "old": c.old, "new": c.new })).collect::<Vec<_>>(),
            }), || person_reads(&actor, entry, record, title, &changes));
        }
    }

    pub(super) fn closing(&self, log: &[Entry], runs: &Runs, wrong: &[String]) {
        let by_cosell = || log.iter().filter(|entry| entry.system != "control");
        let calls = by_cosell().count();
        let writes = by_cosell().filter(|entry| !entry.changes.is_empty()).count();
        let struck = by_cosell().filter(|entry| entry.fault.is_some()).count();
        let ended = runs.ended();
        let retries = *runs.retries.lock().unwrap_or_else(PoisonError::into_inner);
        self.line(
            &json!({
                "event": "closing", "agree": wrong.is_empty(), "wrong": wrong, "calls": calls, "writes": writes,
                "runs": ended.len(), "faults_struck": struck, "retries": retries,
            }),
            || {
                let mut text = if wrong.is_empty() {
                    format!("\n{} Both sides agree: two deals, none lost, none doubled.", styled(GOOD, "✓"))
                } else {
                    format!("\n{} The sides do not agree:\n  {}", styled(BAD, "✗"), wrong.join("\n  "))
                };
                text += &format!("\n  {calls} calls in {} runs, of which {writes} wrote something", ended.len());
                if struck > 0 {
                    text += &format!("; {struck} calls were struck by a fault, {retries} attempts repeated");
                }
                text + "."
            },
        );
    }

    /// The token is of this demo alone, and is shown so that somebody can sign in.
    pub(super) fn kept(&self, addresses: &Addresses, origin: &str, token: &str) {
        let machine = json!({
            "event": "kept", "addresses": addresses_shown(addresses), "console": format!("{origin}/console"), "token": token,
        });
        self.line(&machine, || {
            let mut text = format!(
                "\nThe console is at {}\n  sign in with         {}\n\nThe stand-ins stay; interrupt to end them.",
                styled(STRONG, format!("{origin}/console")),
                styled(STRONG, token)
            );
            for (name, address) in addresses_shown(addresses).as_object().into_iter().flatten() {
                text += &format!("\n  {name:<22} {}", address.as_str().unwrap_or_default());
            }
            text
        });
    }
}

/// The addresses, without the secrets beside them.
fn addresses_shown(addresses: &Addresses) -> Value {
    json!({
        "entra": addresses.entra,
        "partner_center": addresses.partner_center,
        "partner_center_events": addresses.partner_center_events,
        "dataverse": addresses.dataverse,
        "control": addresses.control,
    })
}

fn person_reads(actor: &str, entry: &Entry, record: &str, title: &str, changes: &[&Change]) -> String {
    let time = entry.at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
    let kind = record.split(' ').next().unwrap_or_default();
    let is_new = changes.iter().all(|change| change.old.is_null()) && changes.len() > 3;
    let verb = if is_new { "creates" } else { "changes" };
    let actor_shown = if actor == "cosell" { styled(GOOD, "cosell") } else { styled(STRONG, actor) };
    let mut text =
        format!("   {} {actor_shown} {verb} {kind} {}", styled(DIM, time), styled(STRONG, format!("“{title}”")));
    let shown: Vec<&&Change> = changes
        .iter()
        .filter(|c| !c.new.is_null() || !c.old.is_null())
        .filter(|c| !NOISE.iter().any(|noise| c.field.starts_with(noise)))
        .collect();
    const MOST: usize = 12;
    for change in shown.iter().take(MOST) {
        // The long common prefix of the connector's own columns tells nothing.
        let field = change.field.trim_start_matches('/').replace('/', ".").replace("msft_microsoftpartnercenter", "");
        let new = value(&change.new);
        let line = if is_new || change.old.is_null() {
            format!("{field}: {new}")
        } else {
            format!("{field}: {} → {new}", styled(DIM, value(&change.old)))
        };
        text += &format!("\n            {line}");
    }
    if shown.len() > MOST {
        text += &styled(DIM, format!("\n            and {} more", shown.len() - MOST));
    }
    text
}

/// A value on one line.
fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".to_owned(),
        // Of several lines the first is the newest.
        Value::String(text) => text.lines().next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() > 88 { text.chars().take(87).collect::<String>() + "…" } else { text }
}

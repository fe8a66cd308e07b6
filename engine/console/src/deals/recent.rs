//! Sides that were read a moment ago: a page that is open asks for itself whenever anything happens, and the remote systems
//! should not be asked each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;

use super::sides::Sides;

/// How long they count as fresh while no run of the deal begins or ends.
const FRESH: Duration = Duration::from_secs(60);

/// How many are remembered at most.
const MOST: usize = 64;

/// Sides that were read a moment ago, by the deal's id.
#[derive(Default)]
pub(crate) struct Recent {
    read: Mutex<HashMap<String, Read>>,
}

struct Read {
    at: Instant,
    runs: Runs,
    sides: Arc<Sides>,
}

/// The deal's last runs, and how they ended.
pub(super) type Runs = Vec<(String, Option<String>)>;

impl Recent {
    /// What was read for this deal, if an open page asks for itself and no run has begun or ended since.
    pub(super) fn of(&self, headers: &HeaderMap, id: &str, runs: &Runs) -> Option<Arc<Sides>> {
        let mode = headers.get("sec-fetch-mode").and_then(|mode| mode.to_str().ok());
        // Somebody who opens the page, or loads it again, wants to see how things are.
        if mode.is_none_or(|mode| mode == "navigate") {
            return None;
        }
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let read = read.get(id).filter(|read| read.at.elapsed() < FRESH && read.runs == *runs)?;
        Some(Arc::clone(&read.sides))
    }

    pub(super) fn remember(&self, id: &str, runs: Runs, sides: &Arc<Sides>) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.retain(|_, read| read.at.elapsed() < FRESH);
        if read.len() < MOST {
            read.insert(id.to_owned(), Read { at: Instant::now(), runs, sides: Arc::clone(sides) });
        }
    }
}

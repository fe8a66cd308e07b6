//! Who has shown the token, and when. It is in memory alone: whoever was signed in shows the token again after a restart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

/// How long somebody stays signed in who does nothing.
const IDLE: Duration = Duration::from_secs(12 * 3600);

/// How many are signed in at most; whoever did nothing for longest goes first.
const MOST: usize = 256;

/// Everybody who is signed in.
#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Session>>,
}

struct Session {
    /// What forms must bring back, so that no other site's form does anything here.
    form_secret: String,
    seen: Instant,
}

impl Sessions {
    /// Signs somebody in; gives what the browser is to show from now on.
    pub(crate) fn begin(&self) -> String {
        let (id, now) = (random(), Instant::now());
        let mut open = self.open();
        open.retain(|_, session| now.duration_since(session.seen) < IDLE);
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, session)| session.seen).map(|(id, _)| id.clone())
        {
            open.remove(&oldest);
        }
        open.insert(id.clone(), Session { form_secret: random(), seen: now });
        id
    }

    /// The secret of somebody's forms; none where nobody of this id is signed in.
    pub(super) fn seen(&self, id: &str) -> Option<String> {
        let now = Instant::now();
        let mut open = self.open();
        let session = open.get_mut(id).filter(|session| now.duration_since(session.seen) < IDLE)?;
        session.seen = now;
        Some(session.form_secret.clone())
    }

    /// Signs somebody out.
    pub(super) fn end(&self, id: &str) {
        self.open().remove(id);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 244 bits that nobody can guess.
fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

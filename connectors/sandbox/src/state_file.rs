//! The state file: what survives a restart, written every few seconds while something changes and when the sandbox stops.
//!
//! Kept are the referrals, the registration for events, the CRM's rows, live refresh tokens and simulated time. Keys,
//! certificates, knobs, fault rules and the log belong to one run.

use std::{collections::HashMap, io, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{entra::RefreshToken, events::Registration, partner_center, world::World};

/// Changes when a file of an earlier version can no longer be read.
const FORMAT: u32 = 1;
/// How often a changed state is written.
const PAUSE: Duration = Duration::from_secs(2);

/// Everything that is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Snapshot {
    format: u32,
    clock_offset_seconds: i64,
    refresh_tokens: HashMap<String, RefreshToken>,
    partner_center: partner_center::Snapshot,
    registration: Option<Registration>,
    dataverse: Value,
}

/// The file and what was last written to it.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    world: Arc<World>,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    /// Requests seen by then.
    requests: Option<u64>,
    bytes: Vec<u8>,
}

impl StateFile {
    /// Puts `world` into the state that the file at `path` holds; a file that does not exist yet holds none.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub(crate) fn open(path: PathBuf, world: Arc<World>) -> Result<StateFile, String> {
        match std::fs::read(&path) {
            Ok(bytes) => restore(&world, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.to_string()),
        }
        Ok(StateFile { path, world, written: Mutex::default() })
    }

    /// Writes the state again and again, until the future is dropped.
    pub(crate) async fn keep(self: Arc<StateFile>) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let seen = self.written.lock().await.requests;
            if seen == Some(self.world.log.count()) {
                continue;
            }
            if let Err(error) = self.save().await {
                tracing::error!(%error, path = %self.path.display(), "the state cannot be written");
            }
        }
    }

    /// Writes the state, where it differs from what was last written: into a new file that then takes the old one's place,
    /// so that a reader never finds half a state.
    pub(crate) async fn save(&self) -> io::Result<()> {
        let mut written = self.written.lock().await;
        let requests = self.world.log.count();
        let bytes = serde_json::to_vec(&snapshot(&self.world))?;
        if bytes != written.bytes {
            let mut new = self.path.clone().into_os_string();
            new.push(".new");
            tokio::fs::write(&new, &bytes).await?;
            tokio::fs::rename(&new, &self.path).await?;
            written.bytes = bytes;
        }
        written.requests = Some(requests);
        Ok(())
    }
}

fn snapshot(world: &World) -> Snapshot {
    Snapshot {
        format: FORMAT,
        clock_offset_seconds: world.clock.offset(),
        refresh_tokens: world.entra.refresh_tokens(),
        partner_center: world.partner_center.snapshot(),
        registration: world.events.registration(),
        dataverse: world.dataverse.snapshot(),
    }
}

fn restore(world: &World, bytes: &[u8]) -> Result<(), String> {
    let snapshot: Snapshot =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no state of a sandbox: {error}"))?;
    if snapshot.format != FORMAT {
        return Err(format!("its format is {}, this version reads {FORMAT}", snapshot.format));
    }
    world.clock.advance(snapshot.clock_offset_seconds);
    world.entra.restore(snapshot.refresh_tokens);
    world.partner_center.restore(snapshot.partner_center);
    world.events.restore(snapshot.registration);
    world.dataverse.restore(snapshot.dataverse)
}

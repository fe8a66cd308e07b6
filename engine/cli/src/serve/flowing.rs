//! What the service runs: its engine, and what starts flows by itself.

use std::sync::Arc;
use std::time::Duration;

use cosell_journal::Journal;
use cosell_model::FlowId;
use cosell_model::flow::TriggerSource;
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::memory::Engine;
use cosell_sdk::Connector;
use cosell_service::entrances::Entrances;
use cosell_service::polls::Polls;
use cosell_service::registration::Registrations;
use cosell_service::schedules::{Clock, Schedules};
use cosell_service::watch::Watch;
use jiff::Timestamp;

use crate::Trouble;
use crate::project::{Project, version};

/// How often it is looked whether remote systems call this service.
const LOOK: Duration = Duration::from_secs(15 * 60);

/// Room on the disk for so many events that wait: far more than a week of a busy partner.
const EVENTS: usize = 1_000_000;

/// What starts flows; it stops when dropped.
pub(super) struct Flowing {
    _polls: Polls,
    _schedules: Schedules,
    _registrations: Option<Registrations>,
}

impl Flowing {
    pub(super) fn begin(project: &Project, dispatcher: &Dispatcher, watch: &Watch, every: Duration) -> Self {
        let clock: Clock = Arc::new(Timestamp::now);
        let public_url = project.configuration.service.public_url.as_deref();
        if public_url.is_none() {
            tracing::info!("no `public_url` is configured under `service`: nobody looks whether events come here");
        }
        let registrations = public_url.map(|url| Registrations::keep(dispatcher, url, LOOK));
        if let Some(registrations) = &registrations {
            watch.asks(registrations);
        }
        Self {
            _polls: Polls::begin(dispatcher, every),
            _schedules: Schedules::begin(dispatcher, &clock),
            _registrations: registrations,
        }
    }

    /// Begins with what there is now, after what there was has stopped.
    pub(super) fn again(self, project: &Project, dispatcher: &Dispatcher, watch: &Watch, every: Duration) -> Self {
        drop(self);
        Self::begin(project, dispatcher, watch, every)
    }
}

/// Every flow that is on and can be started otherwise than by a call.
fn started(project: &Project) -> Vec<FlowId> {
    let plans = project.compilation.plans.values();
    plans
        .filter(|plan| plan.trigger.source != TriggerSource::Call)
        .map(|plan| plan.flow.clone())
        .filter(|flow| project.off(flow).is_none())
        .collect()
}

/// What runs the flows as they are now, kept by the journal, with the versions that runs under way began in.
pub(super) async fn engine(project: &Project, journal: &Journal, connectors: &[Connector]) -> Result<Engine, Trouble> {
    let (name, source) = project.version();
    journal.keep_version(&name, &source).await?;
    let earlier = journal.reader().versions()?.into_iter().filter(|(other, _)| *other != name);
    let earlier = earlier.filter_map(|(name, source)| version::earlier(name, source, connectors)).collect();
    Ok(project.engine(&started(project), true, connectors)?.kept_by(Arc::new(journal.clone()), name, earlier))
}

/// What takes events for it.
pub(super) async fn dispatcher(
    project: &Project,
    journal: &Journal,
    watch: &Watch,
    connectors: &[Connector],
) -> Result<Dispatcher, Trouble> {
    let engine = engine(project, journal, connectors).await?;
    engine.reserve(journal.reader().reserved()?);
    let room = Room { events: EVENTS, ..Room::default() };
    Ok(Dispatcher::with_inbox(Arc::new(engine), Arc::new(watch.clone()), Arc::new(journal.clone()), room))
}

/// Its plain web hooks.
pub(super) fn entrances(project: &Project, engine: &Engine) -> Result<Entrances, Trouble> {
    Entrances::of(engine, |place| project.secret(place)).map_err(|error| Trouble::new(error.message))
}

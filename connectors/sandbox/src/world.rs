//! Everything the sandbox simulates, in one place.

use std::sync::Arc;

use axum::Router;

use crate::{
    Addresses,
    core::{
        clock::Clock,
        faults::Faults,
        gate::{self, Gate},
        log::Log,
    },
    dataverse::Dataverse,
    entra::Entra,
    events::Events,
    partner_center::PartnerCenter,
};

/// The simulated systems and what they share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Arc<Clock>,
    pub(crate) log: Arc<Log>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) entra: Arc<Entra>,
    pub(crate) partner_center: Arc<PartnerCenter>,
    pub(crate) events: Arc<Events>,
    pub(crate) dataverse: Arc<Dataverse>,
    pub(crate) addresses: Addresses,
}

impl World {
    /// Starts over with the seed: same ports, keys and secrets; no registration, no referral, no fault, an empty log.
    pub(crate) fn reset(&self) {
        self.events.reset();
        self.faults.set(Vec::new());
        self.clock.reset();
        self.entra.reset();
        self.partner_center.reset();
        self.dataverse.reset();
        self.log.clear();
    }

    /// `router` behind the gate of `system`.
    pub(crate) fn gated(&self, system: &'static str, router: Router) -> Router {
        let gate = Gate {
            system,
            clock: Arc::clone(&self.clock),
            log: Arc::clone(&self.log),
            faults: Arc::clone(&self.faults),
        };
        router.layer(axum::middleware::from_fn_with_state(gate, gate::pass))
    }
}

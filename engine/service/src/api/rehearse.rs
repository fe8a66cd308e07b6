//! What a run would do, found by a dry run beside those of the service: reads are real, nothing is changed, nothing is kept.

use std::time::Duration;

use axum::http::StatusCode;
use cosell_model::FlowId;
use cosell_runtime::core::entry;
use cosell_runtime::preview::{Preview, Watching};
use cosell_runtime::record::{Observer, StepRecord};
use cosell_sdk::Prediction;
use jiff::Timestamp;

use super::repair::no_flow;
use super::{Problem, Shared};
use crate::occasion::Occasion;
use crate::watch::Watch;

/// How long a dry run may take: somebody waits for it.
const LIMIT: Duration = Duration::from_secs(60);

/// Watches a dry run; what becomes of connections on the way concerns the service as well, whose limits they share.
struct Beside<'e> {
    watching: Watching<'e>,
    watch: &'e Watch,
}

impl Observer for Beside<'_> {
    fn run_began(&self, run: &str, flow: &FlowId, depth: usize) {
        self.watching.run_began(run, flow, depth);
    }

    fn step_ended(&self, run: &str, depth: usize, step: &StepRecord) {
        self.watching.step_ended(run, depth, step);
    }

    fn foreseen(&self, run: &str, depth: usize, step: &str, prediction: &Prediction) {
        self.watching.foreseen(run, depth, step, prediction);
    }

    fn remarked(&self, run: &str, depth: usize, step: &str, remark: &str) {
        self.watching.remarked(run, depth, step, remark);
    }

    fn connection_paused(&self, connection: &str, until: Timestamp, why: &str) {
        self.watch.connection_paused(connection, until, why);
    }

    fn connection_resumed(&self, connection: &str) {
        self.watch.connection_resumed(connection);
    }
}

impl super::Api {
    /// Finds out what a run of `flow` would do that began so.
    ///
    /// # Errors
    /// There is no such flow, it takes other inputs, the record cannot be read, or it takes longer than a minute.
    pub async fn rehearse(self: &Shared, flow: &str, occasion: Occasion) -> Result<Preview, Problem> {
        self.rehearse_within(flow, occasion, LIMIT).await
    }

    async fn rehearse_within(
        self: &Shared,
        flow: &str,
        occasion: Occasion,
        limit: Duration,
    ) -> Result<Preview, Problem> {
        let engine = self.engine().rehearsal();
        let flow = FlowId::new(flow);
        let plan = engine.plan(&flow).ok_or_else(|| no_flow(&engine, &flow))?;
        let found = async {
            let start = occasion.start(&engine).await.map_err(Problem::wrong)?;
            entry::accept_inputs(plan, start.inputs.clone()).map_err(|failure| Problem::wrong(failure.message))?;
            let beside = Beside { watching: Watching::new(&engine), watch: &self.watch };
            let run = engine.run(&flow, start, &beside).await;
            Ok(beside.watching.found(run))
        };
        tokio::time::timeout(limit, found).await.unwrap_or_else(|_| {
            let detail = format!(
                "the dry run was given up after {} seconds: a service answers slowly, or is not called now; nothing was \
                 changed, and it can be tried again",
                limit.as_secs()
            );
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail))
        })
    }
}

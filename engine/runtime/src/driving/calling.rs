//! What a step calls: an operation, made or foretold, or another flow.

use std::sync::Arc;

use cosell_compile::plan::{Action, Plan};
use cosell_model::flow::Sensitive;
use cosell_model::{Effect, Value};
use cosell_sdk::{CallContext, Change, Prediction};
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::Instrument;

use super::{Driving, Reported};
use crate::core::event::{Address, Happening};
use crate::memory::{Start, idempotency_key, unknown_connection};
use crate::recording::Noting;
use crate::running::Going;

/// Stands in for what a call remarks of something sensitive.
const HIDDEN_REMARK: &str =
    "Something that is foreseen is left aside; what and why is not shown, because the step is sensitive.";

impl<'r> Driving<'r> {
    pub(crate) fn call(
        &self,
        step: Address,
        attempt: u32,
        input: Arc<Value>,
        may_have_run: bool,
    ) -> BoxFuture<'r, Reported> {
        let planned = self.plan.step(step.step);
        let Action::Operation { connection, operation, effect, input: template } = &planned.action else {
            return Box::pin(std::future::pending());
        };
        let path = self.state.path(self.plan, step);
        let key = idempotency_key(self.state.id(), &path);
        let (gate, observer) = (self.engine.gate(connection), self.observer);
        let dry = self.engine.dry && *effect == Effect::Write;
        let (run, depth, hidden) = (self.state.id().to_owned(), self.depth, self.hides_change(step));
        let secret = self.hides_input(step).then(|| (template, Arc::clone(&input)));
        let noting = Noting { flow: &self.plan.flow, connection, secret, hides: hidden };
        let engine = self.engine;
        let span = tracing::info_span!("attempt", step = path, attempt, operation = %operation, connection);
        // A write rests on everything before it, so that must be safe first.
        let safe =
            self.engine.keeper().filter(|_| *effect == Effect::Write).map(|keeper| keeper.settled(self.state.id()));
        async move {
            if let Some(safe) = safe {
                safe.await?;
            }
            let context = CallContext::new(key, may_have_run);
            let called = match gate {
                Some(gate) if dry => {
                    let (input, context) = (Arc::unwrap_or_clone(input), context.clone());
                    let predicted = gate.predict(&operation.operation, input, context, observer).await;
                    predicted.map(|prediction| {
                        let told = if hidden { hide(&prediction) } else { prediction.clone() };
                        observer.foreseen(&run, depth, &path, &told);
                        prediction.record
                    })
                }
                Some(gate) => {
                    let input = Arc::unwrap_or_clone(input);
                    gate.call(&operation.operation, input, context.clone(), observer).await
                }
                None => Err(unknown_connection(connection)),
            };
            for remark in context.remarks() {
                observer.remarked(&run, depth, &path, if hidden { HIDDEN_REMARK } else { &remark });
            }
            engine.called(noting, &path, &context, &called);
            let kind = match called {
                Ok(output) => Happening::Succeeded { step, attempt, output },
                Err(error) => Happening::Failed { step, attempt, error },
            };
            Ok((kind, context.requests()))
        }
        .instrument(span)
        .boxed()
    }

    /// Runs the flow that a step calls; `begun` where it may have begun before.
    pub(crate) fn call_flow(&self, step: Address, inputs: Value, begun: bool) -> BoxFuture<'r, Reported> {
        let plan: &'r Plan = self.plan;
        let called = plan.step(step.step);
        let Action::Call { flow, .. } = &called.action else { return Box::pin(std::future::pending()) };
        let id = format!("{}/{}", self.state.id(), self.state.path(self.plan, step));
        let start = Start { inputs, ..Start::default() };
        let sensitive = Sensitive {
            input: called.sensitive.input || self.sensitive.input,
            output: called.sensitive.output || self.sensitive.output,
        };
        let (engine, flows, depth, observer) = (self.engine, self.flows, self.depth + 1, self.observer);
        let again = Arc::clone(&self.again);
        async move {
            let past = match engine.keeper().filter(|_| begun) {
                Some(keeper) => keeper.past(&id).await?,
                None => None,
            };
            // What it did in an earlier life of its caller is over.
            let past = past.filter(|past| past.began.life == again.life);
            let going = Going { id, flow, key: None, start, depth, sensitive, past, again };
            let run = engine.run_as(flows, going, observer).await?;
            let kind = Happening::FlowEnded { step, outcome: run.outcome, output: run.output, failure: run.failure };
            Ok((kind, Vec::new()))
        }
        .boxed()
    }
}

/// Leaves of a prediction only which fields it is about.
fn hide(prediction: &Prediction) -> Prediction {
    let hidden = |change: &Change| Change { old: Value::Null, new: Value::from("(sensitive)"), ..change.clone() };
    Prediction { record: Value::Null, changes: prediction.changes.iter().map(hidden).collect() }
}

//! Triggers that ask: each flow's own question, over and over.

use std::time::Duration;

use cosell_model::catalogue::Delivery;
use cosell_model::flow::TriggerSource;
use cosell_model::{FlowId, Value};
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::inbox::Position;
use cosell_sdk::Meaning;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The longest wait after questions that got no answer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Questions being asked; they stop when dropped.
pub struct Polls {
    asking: Vec<(JoinHandle<()>, watch::Receiver<u64>)>,
}

impl Polls {
    /// Asks for every flow of `dispatcher` whose trigger asks, every `interval`.
    pub fn begin(dispatcher: &Dispatcher, interval: Duration) -> Self {
        let engine = dispatcher.engine();
        let asking = engine.plans().filter_map(|plan| {
            let TriggerSource::Connector(name) = &plan.trigger.source else { return None };
            let connection = plan.trigger.connection.as_ref()?;
            let open = engine.connection(connection)?;
            if open.delivery(&name.operation) != Some(Delivery::Poll) {
                return None;
            }
            let (answered, answers) = watch::channel(0);
            let question = Question {
                flow: plan.flow.clone(),
                trigger: name.operation.to_string(),
                with: plan.trigger.with.clone(),
                connection: connection.clone(),
                dispatcher: dispatcher.clone(),
                interval,
            };
            Some((tokio::spawn(question.ask(answered)), answers))
        });
        Self { asking: asking.collect() }
    }

    /// Waits until every question asked after this call has been answered once.
    pub async fn answered(&self) {
        for (_, answers) in &self.asking {
            let mut answers = answers.clone();
            // The answer to a question already under way may be older than this call.
            let enough = *answers.borrow() + 2;
            let _ = answers.wait_for(|count| *count >= enough).await;
        }
    }

    /// Waits until every question has been answered at all: from then on nothing is missed.
    pub async fn ready(&self) {
        for (_, answers) in &self.asking {
            let _ = answers.clone().wait_for(|count| *count >= 1).await;
        }
    }
}

impl Drop for Polls {
    fn drop(&mut self) {
        self.asking.iter().for_each(|(task, _)| task.abort());
    }
}

struct Question {
    flow: FlowId,
    trigger: String,
    with: Value,
    connection: String,
    dispatcher: Dispatcher,
    interval: Duration,
}

impl Question {
    async fn ask(self, answered: watch::Sender<u64>) {
        let mut cursor = match self.dispatcher.position(self.flow.as_str()) {
            Ok(cursor) => cursor,
            Err(error) => {
                tracing::error!(flow = %self.flow, %error, "changes are asked for from now on");
                None
            }
        };
        let mut wait = self.interval;
        loop {
            if self.dispatcher.admits().is_err() {
                // What happened meanwhile comes with the next answer.
                tokio::time::sleep(self.interval).await;
                continue;
            }
            let (engine, observer) = (self.dispatcher.engine(), self.dispatcher.observer());
            match engine.poll(&self.connection, &self.trigger, self.with.clone(), cursor.clone(), observer).await {
                Ok(poll) => {
                    wait = self.interval;
                    let events = poll.events.into_iter().map(|event| (self.flow.clone(), event)).collect();
                    let moved = cursor.as_ref() != Some(&poll.cursor);
                    let position = moved.then(|| Position { of: self.flow.to_string(), at: poll.cursor.clone() });
                    match self.dispatcher.dispatch_all(events, position).await {
                        Ok(()) => cursor = Some(poll.cursor),
                        Err(error) => tracing::error!(flow = %self.flow, %error, "changes are asked for again"),
                    }
                    answered.send_modify(|count| *count += 1);
                }
                Err(error) => {
                    wait = match error.meaning {
                        Meaning::Retry { after: Some(after) } => after,
                        _ => (wait * 2).min(LONGEST_WAIT),
                    };
                    tracing::warn!(flow = %self.flow, %error, ?wait, "changes could not be asked for");
                }
            }
            tokio::time::sleep(wait).await;
        }
    }
}

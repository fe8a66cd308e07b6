//! Triggers that ask: each flow's own questions, over and over.

use std::time::Duration;

use cosell_model::catalogue::Delivery;
use cosell_model::{FlowId, SourceName, Value};
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::inbox::Position;
use cosell_sdk::Meaning;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::pace;

/// The longest wait after questions that got no answer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Questions being asked; they stop when dropped.
pub struct Polls {
    asking: Vec<Asking>,
    /// How often somebody has waited for answers so far: questions are then asked without waiting any longer.
    wanted: watch::Sender<u64>,
}

struct Asking {
    task: JoinHandle<()>,
    /// What was wanted when the question was asked that was answered last; 0 before the first answer.
    answered: watch::Receiver<u64>,
    /// Whether the flow says how often it is asked.
    at_its_own_time: bool,
}

impl Polls {
    /// Asks for every flow of `dispatcher` that triggers which ask start: at `shortest` after news and more rarely while
    /// there is none, or as often as the flow says.
    pub fn begin(dispatcher: &Dispatcher, shortest: Duration) -> Self {
        let (wanted, _) = watch::channel(1);
        let engine = dispatcher.engine();
        let sources =
            engine.plans().flat_map(|plan| plan.trigger.sources.iter().map(move |source| (&plan.flow, source)));
        let asking = sources.filter_map(|(flow, source)| {
            let open = engine.connection(&source.connection)?;
            if open.delivery(&source.trigger.operation) != Some(Delivery::Poll) {
                return None;
            }
            let question = Question {
                flow: flow.clone(),
                source: source.name.clone(),
                connection: source.connection.clone(),
                trigger: source.trigger.operation.to_string(),
                with: source.with.clone(),
                every: source.every,
                dispatcher: dispatcher.clone(),
                shortest,
            };
            let (answers, answered) = watch::channel(0);
            let task = tokio::spawn(question.ask(wanted.subscribe(), answers));
            Some(Asking { task, answered, at_its_own_time: source.every.is_some() })
        });
        Self { asking: asking.collect(), wanted }
    }

    /// Has everything asked now, and waits for the answers; but not for what flows ask at times of their own.
    pub async fn answered(&self) {
        let mut enough = 0;
        self.wanted.send_modify(|wanted| {
            *wanted += 1;
            enough = *wanted;
        });
        for asking in self.asking.iter().filter(|asking| !asking.at_its_own_time) {
            let _ = asking.answered.clone().wait_for(|answered| *answered >= enough).await;
        }
    }

    /// Waits until every question has been answered at all: from then on nothing is missed.
    pub async fn ready(&self) {
        for asking in &self.asking {
            let _ = asking.answered.clone().wait_for(|answered| *answered >= 1).await;
        }
    }
}

impl Drop for Polls {
    fn drop(&mut self) {
        self.asking.iter().for_each(|asking| asking.task.abort());
    }
}

struct Question {
    flow: FlowId,
    source: SourceName,
    connection: String,
    trigger: String,
    with: Value,
    every: Option<Duration>,
    dispatcher: Dispatcher,
    shortest: Duration,
}

impl Question {
    async fn ask(self, mut wanted: watch::Receiver<u64>, answers: watch::Sender<u64>) {
        // A trigger whose settings have changed goes on all the same: it knows whether it can.
        let of = format!("{} {}", self.flow, self.source);
        let mut cursor = self.dispatcher.position(&of).unwrap_or_else(|error| {
            tracing::error!(flow = %self.flow, source = %self.source, %error, "changes are asked for from now on");
            None
        });
        let (mut quiet, mut refused) = (0_u32, 0_u32);
        loop {
            if self.dispatcher.admits().is_err() {
                // What happened meanwhile comes with the next answer.
                tokio::time::sleep(self.shortest).await;
                continue;
            }
            let (engine, observer) = (self.dispatcher.engine(), self.dispatcher.observer());
            let asked = *wanted.borrow_and_update();
            let answer =
                engine.poll(&self.connection, &self.trigger, self.with.clone(), cursor.clone(), observer).await;
            let wait = match answer {
                Ok(poll) => {
                    quiet = if poll.events.is_empty() { quiet.saturating_add(1) } else { 0 };
                    refused = 0;
                    let events = poll.events.into_iter().map(|event| (self.flow.clone(), event)).collect();
                    let moved = cursor.as_ref() != Some(&poll.cursor);
                    let position = moved.then(|| Position { of: of.clone(), at: poll.cursor.clone() });
                    match self.dispatcher.dispatch_all(events, position).await {
                        Ok(()) => cursor = Some(poll.cursor),
                        Err(error) => {
                            tracing::error!(flow = %self.flow, source = %self.source, %error, "changes are asked for again");
                        }
                    }
                    answers.send_replace(asked);
                    pace::wait(self.shortest, self.every, quiet)
                }
                Err(error) => {
                    refused = refused.saturating_add(1);
                    let wait = match error.meaning {
                        Meaning::Retry { after: Some(after) } => after,
                        _ => pace::wait(self.shortest, None, refused).min(LONGEST_WAIT),
                    };
                    tracing::warn!(flow = %self.flow, source = %self.source, %error, ?wait, "changes could not be asked for");
                    wait
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // The sender goes only with the questions.
                _ = wanted.changed(), if self.every.is_none() => {}
            }
        }
    }
}

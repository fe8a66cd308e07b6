//! A connection as runs share it: each call waits for its turn, in order of arrival, as `limits` says.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cosell_model::Value;
use cosell_sdk::{CallContext, CallError, Connection, Foreseen, Poll, Prediction, Tape};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::breaker::Breaker;
use crate::limits::{Admission, Calls, Change, Sign};
use crate::record::Observer;
use crate::recording::explain;

/// How long a call waits for a service that is down before its failures count as attempts: a call that can never work
/// must not wait for ever where no other call shows that the service does.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// A connection with the line of those who want to call.
pub(crate) struct Gate {
    name: String,
    connection: Connection,
    /// Whoever has this is first in line; it is handed on in order of arrival.
    turn: Arc<tokio::sync::Mutex<()>>,
    calls: Arc<Mutex<Calls>>,
    /// Told when a call has ended.
    ended: Arc<Notify>,
    /// In a dry run: what writes would have left behind.
    foreseen: Option<Foreseen>,
    /// In a dry run that is recorded or played: what is answered.
    tape: Option<Tape>,
}

/// A call that has begun.
struct Pass<'g> {
    gate: &'g Gate,
    probe: bool,
    ended: bool,
}

impl Gate {
    /// Keeps to the connection's own limits.
    pub(crate) fn new(name: &str, connection: Connection) -> Self {
        let calls = Arc::new(Mutex::new(Calls::new(connection.limits(), None)));
        Self {
            name: name.to_owned(),
            connection,
            turn: Arc::default(),
            calls,
            ended: Arc::default(),
            foreseen: None,
            tape: None,
        }
    }

    /// The same, and calls wait for the service while it is down.
    pub(crate) fn patient(self) -> Self {
        Self { calls: Arc::new(Mutex::new(Calls::new(self.connection.limits(), Some(Breaker::new())))), ..self }
    }

    /// The same, and nothing is written: calls see what was predicted before.
    pub(crate) fn dry(self) -> Self {
        Self { foreseen: Some(Foreseen::default()), ..self }
    }

    /// Another to the same connection, for a dry run: its calls stand in the same line, and see what was predicted before
    /// in this dry run alone.
    pub(crate) fn rehearsal(&self) -> Self {
        Self {
            name: self.name.clone(),
            connection: self.connection.clone(),
            turn: Arc::clone(&self.turn),
            calls: Arc::clone(&self.calls),
            ended: Arc::clone(&self.ended),
            foreseen: Some(Foreseen::default()),
            tape: None,
        }
    }

    /// The same, and a tape keeps or plays what is answered.
    pub(crate) fn taped(self, tape: Tape) -> Self {
        Self { tape: Some(tape), ..self }
    }

    pub(crate) fn tape(&self) -> Option<&Tape> {
        self.tape.as_ref()
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Calls an operation once it may be called, and again as long as the service counts as down.
    pub(crate) async fn call(
        &self,
        operation: &str,
        mut input: Value,
        mut context: CallContext,
        observer: &dyn Observer,
    ) -> Result<Value, CallError> {
        if let Some(foreseen) = &self.foreseen {
            context = self.on_tape(context.foreseeing(foreseen.clone()));
        }
        let asks = self.plays().then(|| input.clone());
        let began = Instant::now();
        // Whoever waits for a dry run wants to hear that a service is down.
        let repeats = self.calls().is_patient() && self.foreseen.is_none();
        loop {
            let pass = self.enter(observer).await;
            let before = context.requests().len();
            let sent = if repeats { input.clone() } else { mem::take(&mut input) };
            let called = self.connection.call(operation, sent, context.clone()).await;
            let (sign, error) = (Sign::of(&called), called.as_ref().err());
            pass.end(sign, error, context.requests().len() - before, observer);
            if !repeats || sign != Sign::Down || !self.calls().is_down() || began.elapsed() > PATIENCE {
                return self.held(called, operation, asks.as_ref(), &context);
            }
            context.may_have_run |= error.is_some_and(|error| error.meaning == cosell_sdk::Meaning::OutcomeUnknown);
        }
    }

    /// Asks what a write would do, once the connection may be called.
    pub(crate) async fn predict(
        &self,
        operation: &str,
        input: Value,
        context: CallContext,
        observer: &dyn Observer,
    ) -> Result<Prediction, CallError> {
        let context = self.on_tape(context.foreseeing(self.foreseen.clone().unwrap_or_default()));
        let asks = self.plays().then(|| input.clone());
        let pass = self.enter(observer).await;
        let predicted = self.connection.predict(operation, input, context.clone()).await;
        pass.end(Sign::of(&predicted), predicted.as_ref().err(), context.requests().len(), observer);
        self.held(predicted, operation, asks.as_ref(), &context)
    }

    fn on_tape(&self, context: CallContext) -> CallContext {
        match &self.tape {
            Some(tape) => context.taped(tape.clone()),
            None => context,
        }
    }

    fn plays(&self) -> bool {
        self.tape.as_ref().is_some_and(Tape::plays)
    }

    /// What came of a call; where a tape plays that lacks something that it asked, that, whatever the connector made of it.
    fn held<T>(
        &self,
        called: Result<T, CallError>,
        operation: &str,
        input: Option<&Value>,
        context: &CallContext,
    ) -> Result<T, CallError> {
        let (Some(tape), Some(input)) = (&self.tape, input) else { return called };
        let asked = context.asked();
        match asked.iter().find(|asked| !tape.holds(asked)) {
            Some(asked) => Err(explain(operation, &self.name, input, asked, &tape.asked())),
            None => called,
        }
    }

    /// Asks a trigger, once it may be asked.
    pub(crate) async fn poll(
        &self,
        trigger: &str,
        with: Value,
        cursor: Option<Value>,
        observer: &dyn Observer,
    ) -> Result<Poll, CallError> {
        let pass = self.enter(observer).await;
        let asked = self.connection.poll(trigger, with, cursor).await;
        pass.end(Sign::of(&asked), asked.as_ref().err(), 1, observer);
        asked
    }

    async fn enter(&self, observer: &dyn Observer) -> Pass<'_> {
        let _turn = self.turn.lock().await;
        loop {
            let ended = self.ended.notified();
            let admission = self.calls().begin(Instant::now());
            match admission {
                Admission::Begun { probe, resumed } => {
                    if resumed {
                        self.resumed(observer);
                    }
                    return Pass { gate: self, probe, ended: false };
                }
                Admission::At(at) => {
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = ended => {}
                    }
                }
                Admission::WhenOneEnds => ended.await,
            }
        }
    }

    fn resumed(&self, observer: &dyn Observer) {
        tracing::info!(connection = self.name, "goes on");
        observer.connection_resumed(&self.name);
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    fn end(mut self, sign: Sign, error: Option<&CallError>, requests: usize, observer: &dyn Observer) {
        let change = self.over(sign, requests);
        let gate = self.gate;
        match change {
            Change::None => {}
            Change::Resumed => gate.resumed(observer),
            Change::Paused(until) => {
                let pause = until.saturating_duration_since(Instant::now());
                let why = error.map(CallError::to_string).unwrap_or_default();
                tracing::warn!(connection = gate.name, ?pause, why, "pauses");
                observer.connection_paused(&gate.name, Timestamp::now() + pause, &why);
            }
        }
    }

    fn over(&mut self, sign: Sign, requests: usize) -> Change {
        self.ended = true;
        let change = self.gate.calls().end(self.probe, sign, requests, Instant::now());
        self.gate.ended.notify_one();
        change
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.over(Sign::Nothing, 1);
        }
    }
}

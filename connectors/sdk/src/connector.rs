//! A connector as the program lists it, and a connection as the engine uses it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_model::catalogue::{ConnectorDescription, Delivery, Limits};
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::CallContext;
use crate::error::CallError;
use crate::http::Client;
use crate::operation::{ErasedOperation, Operation, Prediction, Write, parse};
use crate::trigger::{
    ErasedTrigger, How, Incoming, Poll, PollTrigger, Refusal, Registration, TriggerEvent, WebhookTrigger,
};

/// A connection type: what a connector needs to reach its remote system.
pub trait Connect: Send + Sync + Sized + 'static {
    /// Its settings in the configuration.
    type Settings: DeserializeOwned + JsonSchema;

    /// Settings, as JSON, with which it opens where nobody is ever called: where a recording is played back.
    const OFFLINE: &'static str = "{}";

    /// Checks the settings and makes a connection; calls nobody yet.
    ///
    /// # Errors
    /// What is wrong with the settings, as [`crate::Meaning::Rejected`].
    fn connect(settings: Self::Settings) -> Result<Self, CallError>;

    /// The client that its requests go through, where there is one: signing a person in, and telling how the remote system's
    /// clock goes, need it.
    fn client(&self) -> Option<&Client> {
        None
    }
}

type Open = Box<dyn Fn(Value) -> Result<Connection, CallError> + Send + Sync>;

/// A connector: its description, and the way to open connections.
pub struct Connector {
    description: ConnectorDescription,
    open: Open,
    offline: &'static str,
}

impl Connector {
    /// Begins a connector's table of contents.
    #[expect(clippy::new_ret_no_self, reason = "the builder lists the operations, `build` gives the connector")]
    pub fn new<C: Connect>(name: &str, title: &str, description: &str) -> Contents<C> {
        Contents {
            description: ConnectorDescription {
                name: name.to_owned(),
                title: title.to_owned(),
                description: description.to_owned(),
                settings: schemars::schema_for!(C::Settings).to_value(),
                operations: Vec::new(),
                triggers: Vec::new(),
                limits: Limits::default(),
            },
            table: Table { operations: BTreeMap::new(), triggers: BTreeMap::new() },
        }
    }

    /// What it offers.
    pub fn description(&self) -> &ConnectorDescription {
        &self.description
    }

    /// Opens a connection with settings from the configuration, in which secrets are already resolved.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn open(&self, settings: Value) -> Result<Connection, CallError> {
        (self.open)(settings)
    }

    /// Opens a connection over which nobody can be reached, to play back what was recorded.
    ///
    /// # Errors
    /// The connector's own settings for that are wrong.
    pub fn offline(&self) -> Result<Connection, CallError> {
        let settings = serde_json::from_str(self.offline)
            .map_err(|error| CallError::rejected("invalid_settings", format!("OFFLINE is no JSON: {error}")))?;
        (self.open)(settings).map(|connection| connection.with_limits(Limits::default()))
    }
}

struct Table<C> {
    operations: BTreeMap<&'static str, ErasedOperation<C>>,
    triggers: BTreeMap<&'static str, ErasedTrigger<C>>,
}

/// A connector's table of contents in the making.
pub struct Contents<C> {
    description: ConnectorDescription,
    table: Table<C>,
}

impl<C: Connect> Contents<C> {
    /// Adds an operation that only reads.
    #[must_use]
    pub fn operation<O: Operation<Connection = C>>(self) -> Self {
        self.add(O::NAME, ErasedOperation::of::<O>())
    }

    /// Adds an operation that writes.
    #[must_use]
    pub fn write<O: Write<Connection = C>>(self) -> Self {
        self.add(O::NAME, ErasedOperation::write::<O>())
    }

    fn add(mut self, name: &'static str, operation: ErasedOperation<C>) -> Self {
        self.description.operations.push(operation.description.clone());
        self.table.operations.insert(name, operation);
        self
    }

    /// Adds a trigger whose remote system calls.
    #[must_use]
    pub fn webhook<T: WebhookTrigger<Connection = C>>(mut self) -> Self {
        let trigger = ErasedTrigger::webhook::<T>();
        self.description.triggers.push(trigger.description.clone());
        self.table.triggers.insert(T::NAME, trigger);
        self
    }

    /// Adds a trigger that asks.
    #[must_use]
    pub fn poll<T: PollTrigger<Connection = C>>(mut self) -> Self {
        let trigger = ErasedTrigger::poll::<T>();
        self.description.triggers.push(trigger.description.clone());
        self.table.triggers.insert(T::NAME, trigger);
        self
    }

    /// Says how much the remote system takes; without this, anything.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.description.limits = limits;
        self
    }

    /// The connector.
    pub fn build(self) -> Connector {
        let table = Arc::new(self.table);
        let limits = self.description.limits;
        Connector {
            description: self.description,
            offline: C::OFFLINE,
            open: Box::new(move |settings| {
                let settings: C::Settings = parse(settings, "settings")?;
                let connection = Arc::new(C::connect(settings)?);
                Ok(Connection { opened: Arc::new(Opened { connection, table: Arc::clone(&table) }), limits })
            }),
        }
    }
}

/// An open connection: cheap to clone, shared by all runs.
#[derive(Clone)]
pub struct Connection {
    opened: Arc<dyn Erased>,
    limits: Limits,
}

impl Connection {
    /// The same connection with limits of its own.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// How much the remote system takes. Whoever calls keeps to it: the engine does.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Calls an operation.
    ///
    /// # Errors
    /// Whatever goes wrong, with what it means for the engine.
    pub async fn call(&self, operation: &str, input: Value, context: CallContext) -> Result<Value, CallError> {
        self.opened.call(operation, input, context).await
    }

    /// What calling a write would do. Nothing is written.
    ///
    /// # Errors
    /// `no_prediction` for what only reads; else whatever would keep the call from working.
    pub async fn predict(&self, operation: &str, input: Value, context: CallContext) -> Result<Prediction, CallError> {
        self.opened.predict(operation, input, context).await
    }

    /// How a trigger learns that something happened; none where there is no such trigger.
    pub fn delivery(&self, trigger: &str) -> Option<Delivery> {
        self.opened.delivery(trigger)
    }

    /// The client that its requests go through, where there is one.
    pub fn client(&self) -> Option<&Client> {
        self.opened.client()
    }

    /// Hands a web hook request to a trigger.
    ///
    /// # Errors
    /// The refusal that the caller gets.
    pub async fn receive(&self, trigger: &str, request: Incoming) -> Result<Vec<TriggerEvent>, Refusal> {
        self.opened.receive(trigger, request).await
    }

    /// Whether a flow whose trigger has these settings wants this event.
    ///
    /// # Errors
    /// Settings or an event that the trigger cannot read.
    pub fn wants(&self, trigger: &str, with: &Value, payload: &Value) -> Result<bool, CallError> {
        self.opened.wants(trigger, with, payload)
    }

    /// What has the remote system call `url` for flows whose trigger has these settings: operations, each with its input,
    /// that change nothing where all is right. None where that is not for a program to decide.
    ///
    /// # Errors
    /// Settings that the trigger cannot read.
    pub fn register(&self, trigger: &str, flows: &[Value], url: &str) -> Result<Vec<(&'static str, Value)>, CallError> {
        self.opened.register(trigger, flows, url)
    }

    /// Whether the remote system calls `url` for flows whose trigger has these settings.
    ///
    /// # Errors
    /// Whatever keeps that from being known, with what it means for the engine.
    pub async fn registered(&self, trigger: &str, flows: Vec<Value>, url: &str) -> Result<Registration, CallError> {
        self.opened.registered(trigger, flows, url.to_owned()).await
    }

    /// Asks a trigger what happened since `cursor`.
    ///
    /// # Errors
    /// Whatever goes wrong, with what it means for the engine.
    pub async fn poll(&self, trigger: &str, with: Value, cursor: Option<Value>) -> Result<Poll, CallError> {
        self.opened.poll(trigger, with, cursor).await
    }
}

struct Opened<C> {
    connection: Arc<C>,
    table: Arc<Table<C>>,
}

type Registering<'a> = BoxFuture<'a, Result<Registration, CallError>>;
type Predicting<'a> = BoxFuture<'a, Result<Prediction, CallError>>;

trait Erased: Send + Sync {
    fn call(&self, operation: &str, input: Value, context: CallContext) -> BoxFuture<'_, Result<Value, CallError>>;
    fn predict(&self, operation: &str, input: Value, context: CallContext) -> Predicting<'_>;
    fn delivery(&self, trigger: &str) -> Option<Delivery>;
    fn client(&self) -> Option<&Client>;
    fn receive(&self, trigger: &str, request: Incoming) -> BoxFuture<'_, Result<Vec<TriggerEvent>, Refusal>>;
    fn wants(&self, trigger: &str, with: &Value, payload: &Value) -> Result<bool, CallError>;
    fn register(&self, trigger: &str, flows: &[Value], url: &str) -> Result<Vec<(&'static str, Value)>, CallError>;
    fn registered(&self, trigger: &str, flows: Vec<Value>, url: String) -> Registering<'_>;
    fn poll(&self, trigger: &str, with: Value, cursor: Option<Value>) -> BoxFuture<'_, Result<Poll, CallError>>;
}

fn unknown(kind: &str, name: &str) -> CallError {
    CallError::rejected(format!("unknown_{kind}"), format!("this connector has no {kind} `{name}`"))
}

impl<C: Connect> Erased for Opened<C> {
    fn client(&self) -> Option<&Client> {
        self.connection.client()
    }

    fn call(&self, operation: &str, input: Value, context: CallContext) -> BoxFuture<'_, Result<Value, CallError>> {
        match self.table.operations.get(operation) {
            Some(operation) => (operation.call)(Arc::clone(&self.connection), input, context),
            None => Box::pin(std::future::ready(Err(unknown("operation", operation)))),
        }
    }

    fn predict(&self, operation: &str, input: Value, context: CallContext) -> Predicting<'_> {
        let failed = |error| -> Predicting<'_> { Box::pin(std::future::ready(Err(error))) };
        match self.table.operations.get(operation).map(|operation| operation.predict) {
            Some(Some(predict)) => predict(Arc::clone(&self.connection), input, context),
            Some(None) => failed(CallError::rejected(
                "no_prediction",
                format!("`{operation}` only reads, so there is nothing to predict; call it"),
            )),
            None => failed(unknown("operation", operation)),
        }
    }

    fn delivery(&self, trigger: &str) -> Option<Delivery> {
        self.table.triggers.get(trigger).map(|trigger| trigger.description.delivery)
    }

    fn receive(&self, trigger: &str, request: Incoming) -> BoxFuture<'_, Result<Vec<TriggerEvent>, Refusal>> {
        match self.table.triggers.get(trigger).map(|t| &t.how) {
            Some(How::Webhook { receive, .. }) => receive(Arc::clone(&self.connection), request),
            _ => Box::pin(std::future::ready(Err(Refusal::Malformed(format!("no web hook trigger `{trigger}`"))))),
        }
    }

    fn wants(&self, trigger: &str, with: &Value, payload: &Value) -> Result<bool, CallError> {
        match self.table.triggers.get(trigger).map(|t| &t.how) {
            Some(How::Webhook { wants, .. }) => wants(with, payload),
            _ => Err(unknown("trigger", trigger)),
        }
    }

    fn register(&self, trigger: &str, flows: &[Value], url: &str) -> Result<Vec<(&'static str, Value)>, CallError> {
        match self.table.triggers.get(trigger).map(|t| &t.how) {
            Some(How::Webhook { register, .. }) => register(flows, url),
            _ => Err(unknown("trigger", trigger)),
        }
    }

    fn registered(&self, trigger: &str, flows: Vec<Value>, url: String) -> Registering<'_> {
        match self.table.triggers.get(trigger).map(|t| &t.how) {
            Some(How::Webhook { registered, .. }) => registered(Arc::clone(&self.connection), flows, url),
            _ => Box::pin(std::future::ready(Err(unknown("trigger", trigger)))),
        }
    }

    fn poll(&self, trigger: &str, with: Value, cursor: Option<Value>) -> BoxFuture<'_, Result<Poll, CallError>> {
        match self.table.triggers.get(trigger).map(|t| &t.how) {
            Some(How::Poll { ask }) => ask(Arc::clone(&self.connection), with, cursor),
            _ => Box::pin(std::future::ready(Err(unknown("trigger", trigger)))),
        }
    }
}

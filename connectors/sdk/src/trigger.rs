//! How a connector starts runs: the remote system calls, or the connector asks.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use cosell_model::TriggerDescription;
use cosell_model::catalogue::Delivery;
use futures::FutureExt;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::CallError;
use crate::operation::parse;

/// Something that happened, as a trigger reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerEvent {
    /// What `trigger` holds in the flow.
    pub payload: Value,
    /// Two events with one key are the same event, delivered twice.
    pub dedup_key: String,
}

/// A request that reached a web hook, as it came.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Header names in lower case, with their values, in the order received.
    pub headers: Vec<(String, String)>,
    /// The raw body: signatures are over these very bytes.
    pub body: Bytes,
}

impl Incoming {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// Why a web hook request is not accepted. The text goes to the log; the caller gets only the status.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// 400: not of the form that the remote system sends.
    Malformed(String),
    /// 401: the signature or the certificate does not hold.
    Unauthorized(String),
    /// 503: it could not be decided now, so the sender should try again.
    TryAgain(String),
}

/// A trigger whose remote system calls.
pub trait WebhookTrigger: Send + Sync + 'static {
    /// The connection it needs.
    type Connection: Send + Sync + 'static;
    /// What a flow's trigger takes as `with`.
    type With: DeserializeOwned + JsonSchema + Send + Sync;
    /// What `trigger` holds in the flow.
    type Payload: Serialize + DeserializeOwned + JsonSchema;

    /// Name within the connector.
    const NAME: &'static str;
    /// A title for people.
    const TITLE: &'static str;
    /// When it starts a run, in a sentence or two.
    const DESCRIPTION: &'static str;

    /// Verifies a request and reads the events in it, each with its dedup key.
    ///
    /// # Errors
    /// The refusal that the caller gets.
    fn receive(
        connection: &Self::Connection,
        request: &Incoming,
    ) -> impl Future<Output = Result<Vec<(Self::Payload, String)>, Refusal>> + Send;

    /// Whether a flow with these settings wants this event.
    fn wants(with: &Self::With, payload: &Self::Payload) -> bool;

    /// What has the remote system call `url` for flows with these settings: operations of this connector, each with its
    /// input, that change nothing where all is right. None where that is not for a program to decide.
    fn register(_flows: &[Self::With], _url: &str) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Whether the remote system calls `url` for flows with these settings.
    ///
    /// # Errors
    /// Whatever keeps that from being known, with what it means for the engine.
    fn registered(
        _connection: &Self::Connection,
        _flows: &[Self::With],
        _url: &str,
    ) -> impl Future<Output = Result<Registration, CallError>> + Send {
        std::future::ready(Ok(Registration::Unknown))
    }
}

/// Whom a remote system calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "registration", rename_all = "snake_case")]
pub enum Registration {
    /// Us, about everything that flows want to know.
    Here,
    /// Us, but not about these events.
    Partly {
        /// The events, by the remote system's names.
        missing: Vec<String>,
    },
    /// Somebody else, and nobody but him.
    Elsewhere {
        /// His address.
        url: String,
    },
    /// Nobody.
    Nowhere,
    /// It cannot be asked.
    Unknown,
}

/// What asking for changes yields.
#[derive(Clone, Debug, PartialEq)]
pub struct Poll {
    /// What happened since the cursor, in order.
    pub events: Vec<TriggerEvent>,
    /// Where to go on next time.
    pub cursor: Value,
}

/// A trigger that asks the remote system for changes.
pub trait PollTrigger: Send + Sync + 'static {
    /// The connection it needs.
    type Connection: Send + Sync + 'static;
    /// What a flow's trigger takes as `with`.
    type With: DeserializeOwned + JsonSchema + Send;
    /// What `trigger` holds in the flow.
    type Payload: Serialize + JsonSchema;

    /// Name within the connector.
    const NAME: &'static str;
    /// A title for people.
    const TITLE: &'static str;
    /// When it starts a run, in a sentence or two.
    const DESCRIPTION: &'static str;

    /// What happened since `cursor`; without one, only where to begin: what is there already starts no run.
    ///
    /// # Errors
    /// Whatever goes wrong, with what it means for the engine.
    fn poll(
        connection: &Self::Connection,
        with: Self::With,
        cursor: Option<Value>,
    ) -> impl Future<Output = Result<Poll, CallError>> + Send;
}

type Receive<C> = fn(Arc<C>, Incoming) -> BoxFuture<'static, Result<Vec<TriggerEvent>, Refusal>>;
type Wants = fn(&Value, &Value) -> Result<bool, CallError>;
type Register = fn(&[Value], &str) -> Result<Vec<(&'static str, Value)>, CallError>;
type Registered<C> = fn(Arc<C>, Vec<Value>, String) -> BoxFuture<'static, Result<Registration, CallError>>;
type Ask<C> = fn(Arc<C>, Value, Option<Value>) -> BoxFuture<'static, Result<Poll, CallError>>;

/// A trigger with its types erased.
pub(crate) struct ErasedTrigger<C> {
    pub(crate) description: TriggerDescription,
    pub(crate) how: How<C>,
}

pub(crate) enum How<C> {
    Webhook { receive: Receive<C>, wants: Wants, register: Register, registered: Registered<C> },
    Poll { ask: Ask<C> },
}

/// The settings of several flows.
fn settings<T: WebhookTrigger>(flows: &[Value]) -> Result<Vec<T::With>, CallError> {
    flows.iter().map(|with| parse(with.clone(), "the trigger's `with`")).collect()
}

impl<C: Send + Sync + 'static> ErasedTrigger<C> {
    pub(crate) fn webhook<T: WebhookTrigger<Connection = C>>() -> Self {
        Self {
            description: TriggerDescription {
                name: T::NAME.to_owned(),
                title: T::TITLE.to_owned(),
                description: T::DESCRIPTION.to_owned(),
                delivery: Delivery::Webhook,
                input: schemars::schema_for!(T::With).to_value(),
                output: schemars::schema_for!(T::Payload).to_value(),
            },
            how: How::Webhook {
                receive: |connection, request| {
                    async move {
                        let events = T::receive(&connection, &request).await?;
                        events
                            .into_iter()
                            .map(|(payload, dedup_key)| {
                                let payload = serde_json::to_value(payload)
                                    .map_err(|error| Refusal::Malformed(error.to_string()))?;
                                Ok(TriggerEvent { payload, dedup_key })
                            })
                            .collect()
                    }
                    .boxed()
                },
                wants: |with, payload| {
                    let with: T::With = parse(with.clone(), "the trigger's `with`")?;
                    let payload: T::Payload = parse(payload.clone(), "the event")?;
                    Ok(T::wants(&with, &payload))
                },
                register: |flows, url| Ok(T::register(&settings::<T>(flows)?, url)),
                registered: |connection, flows, url| {
                    async move { T::registered(&connection, &settings::<T>(&flows)?, &url).await }.boxed()
                },
            },
        }
    }

    pub(crate) fn poll<T: PollTrigger<Connection = C>>() -> Self {
        Self {
            description: TriggerDescription {
                name: T::NAME.to_owned(),
                title: T::TITLE.to_owned(),
                description: T::DESCRIPTION.to_owned(),
                delivery: Delivery::Poll,
                input: schemars::schema_for!(T::With).to_value(),
                output: schemars::schema_for!(T::Payload).to_value(),
            },
            how: How::Poll {
                ask: |connection, with, cursor| {
                    async move {
                        let with: T::With = parse(with, "the trigger's `with`")?;
                        T::poll(&connection, with, cursor).await
                    }
                    .boxed()
                },
            },
        }
    }
}

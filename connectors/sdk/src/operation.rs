//! One thing a connector can do.

use std::future::Future;
use std::sync::Arc;

use cosell_model::{Effect, OperationDescription};
use futures::FutureExt;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::CallContext;
use crate::error::CallError;

/// One thing a connector can do. The doc comments of `Input` and `Output` become their published schemas.
///
/// A write must survive being interrupted: when [`CallContext::may_have_run`] is true, it first finds out whether the
/// earlier attempt took effect, and if so answers as that attempt would have.
pub trait Operation: Send + Sync + 'static {
    /// The connection it needs.
    type Connection: Send + Sync + 'static;
    /// What it takes.
    type Input: DeserializeOwned + JsonSchema + Send;
    /// What it gives.
    type Output: Serialize + JsonSchema;

    /// Name within the connector, a verb and a noun.
    const NAME: &'static str;
    /// A title for people.
    const TITLE: &'static str;
    /// What it does, in a sentence or two.
    const DESCRIPTION: &'static str;
    /// Whether it writes. What writes is also a [`Write`].
    const EFFECT: Effect;
    /// An input as JSON, for the documentation; it must fit the input's schema.
    const EXAMPLE: &'static str = "{}";

    /// Does it.
    ///
    /// # Errors
    /// Whatever goes wrong, with what it means for the engine.
    fn call(
        connection: &Self::Connection,
        input: Self::Input,
        context: &CallContext,
    ) -> impl Future<Output = Result<Self::Output, CallError>> + Send;
}

/// An operation that changes something: it can say beforehand what it would do.
pub trait Write: Operation {
    /// How it finds out whether an interrupted attempt took effect, in a sentence for the documentation.
    const FINDS_OUT: &'static str;

    /// What calling it would do. It may read; the HTTP kit refuses to write for it.
    ///
    /// # Errors
    /// Whatever would keep the call itself from working, as far as it can be known without writing.
    fn predict(
        connection: &Self::Connection,
        input: Self::Input,
        context: &CallContext,
    ) -> impl Future<Output = Result<Prediction<Self::Output>, CallError>> + Send;
}

/// What a write would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction<T = Value> {
    /// What the step would yield, as far as it can be known: what the remote system adds is null or missing, and the
    /// call's idempotency key stands in for an identifier that it would give.
    pub record: T,
    /// What would change over there; empty where everything is so already.
    pub changes: Vec<Change>,
}

/// One field of one record that a write would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The record, by kind and identifier as people know them, such as `opportunity c0a7…`.
    pub record: String,
    /// The field, as flows name it; `*` for the record as a whole.
    pub field: String,
    /// What it holds now; null where the record does not exist yet.
    pub old: Value,
    /// What it would hold.
    pub new: Value,
}

impl<T> Prediction<T> {
    /// That nothing would change.
    pub fn unchanged(record: T) -> Self {
        Self { record, changes: Vec::new() }
    }

    /// The same for a record made of this one.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Prediction<U> {
        Prediction { record: make(self.record), changes: self.changes }
    }
}

type Call<C> = fn(Arc<C>, Value, CallContext) -> BoxFuture<'static, Result<Value, CallError>>;

type Foresee<C> = fn(Arc<C>, Value, CallContext) -> BoxFuture<'static, Result<Prediction, CallError>>;

/// An operation with its types erased.
pub(crate) struct ErasedOperation<C> {
    pub(crate) description: OperationDescription,
    pub(crate) call: Call<C>,
    /// None for what was not added as a write.
    pub(crate) predict: Option<Foresee<C>>,
}

impl<C: Send + Sync + 'static> ErasedOperation<C> {
    pub(crate) fn of<O: Operation<Connection = C>>() -> Self {
        Self {
            description: OperationDescription {
                name: O::NAME.to_owned(),
                title: O::TITLE.to_owned(),
                description: O::DESCRIPTION.to_owned(),
                effect: O::EFFECT,
                input: schemars::schema_for!(O::Input).to_value(),
                output: schemars::schema_for!(O::Output).to_value(),
                // An example that is no JSON shows as null, which the conformance kit reports.
                example: serde_json::from_str(O::EXAMPLE).unwrap_or_default(),
                finds_out: None,
            },
            call: |connection, input, context| {
                async move {
                    let input: O::Input = parse(input, "input")?;
                    let output = O::call(&connection, input, &context).await?;
                    to_json::<O>(output)
                }
                .boxed()
            },
            predict: None,
        }
    }

    pub(crate) fn write<O: Write<Connection = C>>() -> Self {
        const { assert!(matches!(O::EFFECT, Effect::Write), "what is added as a write must have that effect") }
        let mut erased = Self::of::<O>();
        erased.description.finds_out = Some(O::FINDS_OUT.to_owned());
        erased.predict = Some(|connection, input, context| {
            async move {
                let input: O::Input = parse(input, "input")?;
                let Prediction { record, changes } = O::predict(&connection, input, &context.reading_only()).await?;
                Ok(Prediction { record: to_json::<O>(record)?, changes })
            }
            .boxed()
        });
        erased
    }
}

fn to_json<O: Operation>(output: O::Output) -> Result<Value, CallError> {
    serde_json::to_value(output)
        .map_err(|error| CallError::rejected("output_not_json", format!("{}: {error}", O::NAME)))
}

/// Reads `value` as a `T`, naming the member that does not fit.
pub(crate) fn parse<T: DeserializeOwned>(value: Value, what: &str) -> Result<T, CallError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { what.to_owned() } else { format!("{what} `{path}`") };
        CallError::rejected("invalid_input", format!("{place}: {}", error.into_inner()))
    })
}

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
    /// Whether it writes.
    const EFFECT: Effect;

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

type Call<C> = fn(Arc<C>, Value, CallContext) -> BoxFuture<'static, Result<Value, CallError>>;

/// An operation with its types erased.
pub(crate) struct ErasedOperation<C> {
    pub(crate) description: OperationDescription,
    pub(crate) call: Call<C>,
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
            },
            call: |connection, input, context| {
                async move {
                    let input: O::Input = parse(input, "input")?;
                    let output = O::call(&connection, input, &context).await?;
                    serde_json::to_value(output)
                        .map_err(|error| CallError::rejected("output_not_json", format!("{}: {error}", O::NAME)))
                }
                .boxed()
            },
        }
    }
}

/// Reads `value` as a `T`, naming the member that does not fit.
pub(crate) fn parse<T: DeserializeOwned>(value: Value, what: &str) -> Result<T, CallError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { what.to_owned() } else { format!("{what} `{path}`") };
        CallError::rejected("invalid_input", format!("{place}: {}", error.into_inner()))
    })
}

use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::Deserialize;

use super::{Written, prediction};
use crate::connection::State;

/// Which value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveInput {
    /// Its key.
    pub key: String,
}

/// Removes a value.
#[derive(Debug)]
pub struct Remove;

impl Operation for Remove {
    type Connection = State;
    type Input = RemoveInput;
    type Output = Written;

    const NAME: &'static str = "remove";
    const TITLE: &'static str = "Remove a kept value";
    const DESCRIPTION: &'static str = "Removes what is kept under a key; where nothing is, nothing changes.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str = r#"{ "key": "agreed:3f2504e0-4f89-11d3-9a0c-0305e82c3301" }"#;

    async fn call(state: &State, input: RemoveInput, _: &CallContext) -> Result<Written, CallError> {
        Ok(Written { changed: state.set(input.key, None).await? })
    }
}

impl Write for Remove {
    const FINDS_OUT: &'static str = "Removing again changes nothing.";

    async fn predict(
        state: &State,
        input: RemoveInput,
        context: &CallContext,
    ) -> Result<Prediction<Written>, CallError> {
        prediction(state, &input.key, None, context).await
    }
}

use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation, Prediction, Write};
use serde::Deserialize;
use serde_json::Value;

use super::{Written, prediction};
use crate::connection::State;

/// What to keep.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutInput {
    /// Its key.
    pub key: String,
    /// The value, of any kind; null is a value as well.
    pub value: Value,
}

/// Keeps a value.
#[derive(Debug)]
pub struct Put;

impl Operation for Put {
    type Connection = State;
    type Input = PutInput;
    type Output = Written;

    const NAME: &'static str = "put";
    const TITLE: &'static str = "Keep a value";
    const DESCRIPTION: &'static str = "Keeps a value under a key, in place of what is kept there.";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLE: &'static str =
        r#"{ "key": "agreed:3f2504e0-4f89-11d3-9a0c-0305e82c3301", "value": { "deal_value": 84000 } }"#;

    async fn call(state: &State, input: PutInput, _: &CallContext) -> Result<Written, CallError> {
        Ok(Written { changed: state.set(input.key, Some(input.value)).await? })
    }
}

impl Write for Put {
    const FINDS_OUT: &'static str = "Putting the same value again changes nothing.";

    async fn predict(state: &State, input: PutInput, context: &CallContext) -> Result<Prediction<Written>, CallError> {
        prediction(state, &input.key, Some(input.value), context).await
    }
}

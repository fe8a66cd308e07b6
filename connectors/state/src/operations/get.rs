use cosell_sdk::{CallContext, CallError, Effect, JsonSchema, Operation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::read;
use crate::connection::State;

/// Which value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetInput {
    /// Its key.
    pub key: String,
}

/// What is kept under the key.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GetOutput {
    /// Whether a value is kept there.
    pub found: bool,
    /// The value; null where none is.
    pub value: Value,
}

/// Gets a value.
#[derive(Debug)]
pub struct Get;

impl Operation for Get {
    type Connection = State;
    type Input = GetInput;
    type Output = GetOutput;

    const NAME: &'static str = "get";
    const TITLE: &'static str = "Get a kept value";
    const DESCRIPTION: &'static str = "Gets the value that is kept under a key.";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLE: &'static str = r#"{ "key": "agreed:3f2504e0-4f89-11d3-9a0c-0305e82c3301" }"#;

    async fn call(state: &State, input: GetInput, context: &CallContext) -> Result<GetOutput, CallError> {
        let value = read(state, &input.key, context).await?;
        Ok(GetOutput { found: value.is_some(), value: value.unwrap_or_default() })
    }
}

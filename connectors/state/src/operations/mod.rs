//! What the connector can do, one file each. Reads: [`Get`], [`List`]; writes: [`Put`], [`Remove`].

mod get;
mod list;
mod put;
mod remove;

pub use get::{Get, GetInput, GetOutput};
pub use list::{Kept, List, ListInput, ListOutput};
pub use put::{Put, PutInput};
pub use remove::{Remove, RemoveInput};

use cosell_sdk::{CallContext, CallError, Change, JsonSchema, Prediction};
use serde::Serialize;
use serde_json::Value;

use crate::connection::State;

/// What a write did.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Written {
    /// Whether it changed anything.
    pub changed: bool,
}

/// The value under `key`, as a dry run has made it so far.
async fn read(state: &State, key: &str, context: &CallContext) -> Result<Option<Value>, CallError> {
    if let Some(foreseen) = context.foreseen(key) {
        return Ok(foreseen);
    }
    // A list, since null is a value as well.
    let look = async { Ok(state.get(key.to_owned()).await?.into_iter().collect()) };
    let seen = context.outside(&format!("KEY {key}"), look).await?;
    Ok(seen.as_array().and_then(|seen| seen.first().cloned()))
}

/// That the value under `key` would become another.
async fn prediction(
    state: &State,
    key: &str,
    new: Option<Value>,
    context: &CallContext,
) -> Result<Prediction<Written>, CallError> {
    let old = read(state, key, context).await?;
    if old == new {
        return Ok(Prediction::unchanged(Written { changed: false }));
    }
    context.foresee(key, new.clone());
    let change = Change {
        record: format!("state {key}"),
        field: "*".to_owned(),
        old: old.unwrap_or_default(),
        new: new.unwrap_or_default(),
    };
    Ok(Prediction { record: Written { changed: true }, changes: vec![change] })
}

//! What the connector can do, one file each. The read: [`Get`]; writes: [`Put`], [`Remove`].

mod get;
mod put;
mod remove;

pub use get::{Get, GetInput, GetOutput};
pub use put::{Put, PutInput};
pub use remove::{Remove, RemoveInput};

use cosell_sdk::{Change, JsonSchema, Prediction};
use serde::Serialize;
use serde_json::Value;

/// What a write did.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Written {
    /// Whether it changed anything.
    pub changed: bool,
}

/// That the value under `key` would become another.
fn prediction(key: &str, old: Option<Value>, new: Option<Value>) -> Prediction<Written> {
    if old == new {
        return Prediction::unchanged(Written { changed: false });
    }
    let change = Change {
        record: format!("state {key}"),
        field: "*".to_owned(),
        old: old.unwrap_or_default(),
        new: new.unwrap_or_default(),
    };
    Prediction { record: Written { changed: true }, changes: vec![change] }
}

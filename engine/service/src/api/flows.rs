//! The flows that are on, and starting one by hand.

use axum::Json;
use axum::extract::{Path, State};
use cosell_model::{FlowId, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::asked::Told;
use super::repair::{Accepted, accepted};

/// All flows that are on, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flows {
    /// The flows.
    pub flows: Vec<Flow>,
}

/// A flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// Its name.
    pub flow: String,
    /// Its title.
    pub title: String,
    /// The connectors' triggers that start it, as `connection.trigger`.
    pub triggers: Vec<String>,
    /// What it takes where a person starts it.
    pub inputs: Vec<Input>,
}

/// Something that a flow takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it is where it is not given.
    pub default: Value,
}

/// What a run begins with that a person starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Begin {
    /// What `trigger` holds in the flow.
    pub trigger: Value,
    /// Its inputs, by name; null for none.
    pub inputs: Value,
}

pub(super) async fn list(State(api): State<Shared>) -> Json<Flows> {
    let engine = api.dispatcher.engine();
    let flows = engine.plans().map(|plan| Flow {
        flow: plan.flow.to_string(),
        title: plan.title.clone(),
        triggers: plan
            .trigger
            .sources
            .iter()
            .map(|source| format!("{}.{}", source.connection, source.trigger.operation))
            .collect(),
        inputs: plan
            .trigger
            .inputs
            .iter()
            .map(|input| Input {
                name: input.name.clone(),
                kind: input.kind.as_str().to_owned(),
                required: input.default.is_none(),
                default: input.default.clone().unwrap_or_default(),
            })
            .collect(),
    });
    Json(Flows { flows: flows.collect() })
}

pub(super) async fn start(
    State(api): State<Shared>,
    Path(flow): Path<FlowId>,
    Told(Begin { trigger, inputs }): Told<Begin>,
) -> Accepted {
    accepted(api.start(flow.as_str(), trigger, inputs).await)
}

//! Whether a run begins, with which inputs, and under which key.

use std::borrow::Cow;

use cosell_compile::expr::path::{Root, Scope};
use cosell_compile::plan::Plan;
use cosell_model::{Failure, Value};
use serde_json::{Map, json};

use super::start::not_computed;

/// What is known before a run begins.
struct Before<'b> {
    plan: &'b Plan,
    trigger: &'b Value,
    inputs: &'b Value,
}

impl Scope for Before<'_> {
    fn value(&self, root: Root) -> Cow<'_, Value> {
        match root {
            Root::Trigger => Cow::Borrowed(self.trigger),
            Root::Inputs => Cow::Borrowed(self.inputs),
            Root::Run => Cow::Owned(json!({ "flow": self.plan.flow.as_str() })),
            _ => Cow::Owned(Value::Null),
        }
    }
}

/// Whether the flow's own condition lets a run begin for this event.
///
/// # Errors
/// A condition that could not be computed.
pub fn is_wanted(plan: &Plan, trigger: &Value) -> Result<bool, Failure> {
    let before = Before { plan, trigger, inputs: &Value::Null };
    let when = plan.trigger.when.as_ref();
    when.map_or(Ok(true), |when| when.is_true(&before).map_err(|error| not_computed(&error)))
}

/// The run's key: runs with equal keys go one at a time. None where the flow has none, or it is null.
///
/// # Errors
/// A key that could not be computed.
pub fn key(plan: &Plan, trigger: &Value, inputs: &Value) -> Result<Option<String>, Failure> {
    let before = Before { plan, trigger, inputs };
    let Some(key) = &plan.key else { return Ok(None) };
    match key.render(&before).map_err(|error| not_computed(&error))? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Ok(Some(other.to_string())),
    }
}

/// The inputs given, completed with defaults and checked against what the flow declares.
///
/// # Errors
/// Everything that does not fit, in one message.
pub fn accept_inputs(plan: &Plan, given: Value) -> Result<Value, Failure> {
    let mut given = match given {
        Value::Null => Map::new(),
        Value::Object(map) => map,
        other => return Err(Failure::new("wrong_inputs", format!("inputs are a map, and this is {other}"))),
    };
    let mut inputs = Map::new();
    let mut wrong = Vec::new();
    for input in &plan.trigger.inputs {
        let value = given.shift_remove(&input.name);
        let value = match (value, &input.default) {
            (Some(value), _) => value,
            (None, Some(default)) => default.clone(),
            (None, None) => {
                wrong.push(format!("`{}` is missing", input.name));
                continue;
            }
        };
        if !input.kind.admits(&value) {
            wrong.push(format!("`{}` must be {}", input.name, input.kind.as_str()));
        } else if input.one_of.as_ref().is_some_and(|allowed| !value.is_null() && !allowed.contains(&value)) {
            wrong.push(format!("`{}` cannot be {value}", input.name));
        }
        inputs.insert(input.name.clone(), value);
    }
    wrong.extend(given.keys().map(|name| format!("`{name}` is not an input")));
    if wrong.is_empty() {
        return Ok(Value::Object(inputs));
    }
    Err(Failure::new("wrong_inputs", format!("flow `{}`: {}", plan.flow, wrong.join(", "))))
}

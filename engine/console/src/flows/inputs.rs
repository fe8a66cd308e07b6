//! Fields for what a flow takes, and what was written into them.

use cosell_model::Value;
use cosell_model::flow::{Flow, Input, TriggerSource, ValueType};
use maud::{Markup, html};
use serde_json::Map;

use crate::page::foreign;

/// Whether a person can start it.
pub(super) fn by_hand(flow: &Flow) -> bool {
    matches!(flow.trigger.main.kind, TriggerSource::Manual | TriggerSource::Call)
}

/// The name of an input's field.
fn field(input: &Input) -> String {
    format!("input.{}", input.name.value)
}

/// A field for each input; `told` is what stands in a field of this name already.
pub(super) fn fields<'t>(flow: &Flow, told: impl Fn(&str) -> Option<&'t str>) -> Markup {
    html! {
        @for input in &flow.trigger.inputs {
            @let name = field(input);
            @let hint = format!("{name}-hint");
            div.field {
                label for=(name) {
                    (foreign(&input.name.value))
                    @if input.default.is_none() { " (required)" }
                }
                (control(input, &name, &hint, told(&name)))
                div.hint id=(hint) {
                    (kind(input.kind))
                    @if let Some(default) = &input.default { "; left empty: " code { (default) } }
                    @if let Some(description) = &input.description { ". " (foreign(description)) }
                }
            }
        }
    }
}

fn kind(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Text => "text",
        ValueType::Integer => "a whole number",
        ValueType::Number => "a number",
        ValueType::Boolean => "true or false",
        ValueType::Object => "an object, as JSON",
        ValueType::List => "a list, as JSON",
        ValueType::Any => "any value; text, or JSON",
    }
}

fn control(input: &Input, name: &str, hint: &str, told: Option<&str>) -> Markup {
    let required = input.default.is_none();
    let truths = [Value::Bool(true), Value::Bool(false)];
    let choices = match (&input.one_of, input.kind) {
        (Some(choices), _) => Some(choices.as_slice()),
        (None, ValueType::Boolean) => Some(truths.as_slice()),
        _ => None,
    };
    html! {
        @match (choices, input.kind) {
            (Some(choices), _) => {
                select id=(name) name=(name) required[required] aria-describedby=(hint) {
                    option value="" { @if required { "choose…" } @else { "left empty" } }
                    @for choice in choices {
                        @let text = choice.as_str().map_or_else(|| choice.to_string(), str::to_owned);
                        option value=(text) selected[told == Some(&text)] { (text) }
                    }
                }
            }
            (None, ValueType::Object | ValueType::List | ValueType::Any) => {
                textarea.short id=(name) name=(name) required[required] aria-describedby=(hint) spellcheck="false" { (told.unwrap_or_default()) }
            }
            (None, kind) => {
                input id=(name) name=(name) value=(told.unwrap_or_default()) required[required] aria-describedby=(hint)
                    inputmode=[(kind != ValueType::Text).then_some("decimal")] autocomplete="off";
            }
        }
    }
}

/// The inputs that were written into the fields; null where the flow takes none.
///
/// # Errors
/// What is no value of its type.
pub(super) fn read<'t>(flow: &Flow, told: impl Fn(&str) -> Option<&'t str>) -> Result<Value, String> {
    let mut inputs = Map::new();
    for input in &flow.trigger.inputs {
        let Some(text) = told(&field(input)) else { continue };
        let value = input.kind.parse(text).map_err(|error| {
            format!("The input `{}` is {}, and `{text}` is not: {error}.", input.name.value, kind(input.kind))
        })?;
        inputs.insert(input.name.value.clone(), value);
    }
    Ok(if flow.trigger.inputs.is_empty() { Value::Null } else { Value::Object(inputs) })
}

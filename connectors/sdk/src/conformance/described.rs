//! What a connector says of itself: names, texts, schemas, examples.

use cosell_model::Effect;
use serde_json::Value;

use super::Kit;

pub(super) fn check(kit: &mut Kit<'_>) {
    let description = kit.connector.description().clone();
    check_texts(kit, "the connector", &description.name, &description.title, &description.description);
    check_schema(kit, "settings", &description.settings);
    let offline = kit.connector.offline().err();
    kit.expect(offline.is_none(), "the connector", || {
        let why = offline.map(|error| error.message).unwrap_or_default();
        format!("a recording cannot be played back, since its settings OFFLINE do not open it: {why}")
    });
    for operation in &description.operations {
        let place = operation.name.as_str();
        check_texts(kit, place, &operation.name, &operation.title, &operation.description);
        check_schema(kit, &format!("{place}, input"), &operation.input);
        check_schema(kit, &format!("{place}, output"), &operation.output);
        match jsonschema::validator_for(&operation.input) {
            Ok(validator) => {
                let wrong: Vec<String> =
                    validator.iter_errors(&operation.example).map(|error| error.to_string()).collect();
                kit.expect(wrong.is_empty(), place, || {
                    format!("EXAMPLE does not fit the input's schema: {}", wrong.join("; "))
                });
            }
            Err(error) => kit.expect(false, place, || format!("the input's schema cannot be used: {error}")),
        }
        let writes = operation.effect == Effect::Write;
        kit.expect(writes == operation.finds_out.is_some(), place, || {
            "what has the effect write must be added by `write`, and nothing else".to_owned()
        });
        if let Some(finds_out) = &operation.finds_out {
            kit.expect(is_sentence(finds_out), place, || format!("FINDS_OUT is no sentence: {finds_out}"));
        }
    }
    for trigger in &description.triggers {
        let place = format!("trigger {}", trigger.name);
        check_texts(kit, &place, &trigger.name, &trigger.title, &trigger.description);
        check_schema(kit, &format!("{place}, with"), &trigger.input);
        check_schema(kit, &format!("{place}, payload"), &trigger.output);
    }
}

fn check_texts(kit: &mut Kit<'_>, place: &str, name: &str, title: &str, description: &str) {
    kit.expect(is_snake_case(name), place, || {
        format!("the name `{name}` is not in snake_case; expected a verb and a noun, such as get_row")
    });
    kit.expect(is_title(title), place, || {
        format!("the title `{title}` should begin with a capital letter and end without a full stop")
    });
    kit.expect(is_sentence(description), place, || {
        format!("the description `{description}` should be one or more sentences, each with its full stop")
    });
}

fn check_schema(kit: &mut Kit<'_>, place: &str, schema: &Value) {
    let valid = jsonschema::meta::validate(schema).map_err(|error| error.to_string());
    kit.expect(valid.is_ok(), place, || format!("this is no valid JSON Schema: {}", valid.err().unwrap_or_default()));
    let mut bare = Vec::new();
    undescribed(schema, "", &mut bare);
    kit.expect(bare.is_empty(), place, || format!("without a description: {}", bare.join(", ")));
}

/// The properties in a schema, and in the schemas within, that have no description.
fn undescribed(schema: &Value, above: &str, bare: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (name, property) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if !is_described(property) {
                    bare.push(format!("{above}.{name}").trim_start_matches('.').to_owned());
                }
            }
            for (name, inner) in members {
                match name.as_str() {
                    // Examples and defaults are values, not schemas.
                    "default" | "examples" | "const" | "enum" => {}
                    "oneOf" => variants(inner, above, bare),
                    "properties" | "$defs" | "items" | "anyOf" | "allOf" => undescribed(inner, above, bare),
                    _ => undescribed(inner, &format!("{above}.{name}"), bare),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| undescribed(item, above, bare)),
        _ => {}
    }
}

/// A variant of an enumeration may be an object of one member, and is then described as a whole.
fn variants(choices: &Value, above: &str, bare: &mut Vec<String>) {
    for choice in choices.as_array().into_iter().flatten() {
        let members = choice.get("properties").and_then(Value::as_object).filter(|members| members.len() == 1);
        match members {
            Some(members) if is_described(choice) => members.values().for_each(|inner| undescribed(inner, above, bare)),
            _ => undescribed(choice, above, bare),
        }
    }
}

fn is_described(schema: &Value) -> bool {
    schema.get("description").and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

fn is_snake_case(name: &str) -> bool {
    name.split('_').all(|word| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

fn is_title(text: &str) -> bool {
    text.starts_with(char::is_uppercase) && !text.ends_with('.')
}

fn is_sentence(text: &str) -> bool {
    text.starts_with(char::is_uppercase) && text.ends_with('.') && text.contains(' ')
}

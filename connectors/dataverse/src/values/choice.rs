use cosell_sdk::CallError;
use serde_json::Value;

use super::wrong_value;
use crate::metadata::{Choice, Table};

/// The number of a choice, from its number or its label in any case and any language of the environment.
pub(super) fn number(table: &Table, column: &str, choices: &[Choice], value: &Value) -> Result<i64, CallError> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            let is_meant = |label: &String| label.to_lowercase() == text.to_lowercase();
            choices
                .iter()
                .find(|choice| choice.labels.iter().any(is_meant))
                .map(|choice| choice.value)
                .or_else(|| text.parse().ok())
        }
        _ => None,
    };
    number.filter(|number| choices.is_empty() || choices.iter().any(|choice| choice.value == *number)).ok_or_else(
        || {
            let known: Vec<String> = choices
                .iter()
                .map(|choice| {
                    format!("{} ({})", choice.value, choice.labels.first().map_or("no label", String::as_str))
                })
                .collect();
            wrong_value(table, column, value, &format!("one of {}, by number or label", known.join(", ")))
        },
    )
}

fn whole(number: f64) -> Option<i64> {
    // A number from a calculation may come as 3.0.
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::metadata::Kind;
    use crate::testing::table;
    use serde_json::json;

    fn rating(value: Value) -> Result<i64, CallError> {
        let table = table();
        let Kind::Choice(choices) = &table.columns["opportunityratingcode"].kind else { panic!() };
        number(&table, "opportunityratingcode", choices, &value)
    }

    #[test]
    fn by_number_or_label() {
        for value in [json!(3), json!(3.0), json!("Cold"), json!(" cold "), json!("KALT"), json!("3")] {
            assert_eq!(rating(value.clone()).unwrap(), 3, "{value}");
        }
    }

    #[test]
    fn anything_else_lists_the_labels() {
        for value in [json!("Tepid"), json!(7), json!(1.5), json!(true), json!({})] {
            let error = rating(value).unwrap_err();
            assert_eq!(error.code, "wrong_value");
            assert!(error.message.contains("1 (Hot), 2 (Warm), 3 (Cold)"), "{}", error.message);
        }
    }
}

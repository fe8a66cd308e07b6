//! Values as people write them.

use cosell_compile::mapping::Row;
use cosell_compile::mapping::form::Form;
use cosell_model::Value;
use jiff::Timestamp;
use maud::{Markup, html};

use crate::page::brief;

/// A value of one side of a row; a code with what it stands for.
pub(super) fn worded(row: &Row, side: usize, value: &Value) -> Markup {
    if let (Value::Number(code), Some(meaning)) = (value, row.meaning(side, value)) {
        return html! { (brief(meaning)) " " span.hint { "(" (code) ")" } };
    }
    match written(row.fields[side].form, value) {
        Some(text) => html! { bdi { (text) } },
        None => brief(value),
    }
}

fn written(form: Form, value: &Value) -> Option<String> {
    match (form, value) {
        (Form::Boolean, Value::Bool(is)) => Some(if *is { "Yes" } else { "No" }.to_owned()),
        (Form::Money, Value::Number(_) | Value::String(_)) => {
            let amount = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
            Some(money(amount))
        }
        (Form::DateTime, Value::String(text)) => {
            let at: Timestamp = text.parse().ok()?;
            let text = at.strftime("%Y-%m-%d %H:%M UTC").to_string();
            Some(text.strip_suffix(" 00:00 UTC").map(str::to_owned).unwrap_or(text))
        }
        _ => None,
    }
}

/// `84,000` or `1,250.50`.
fn money(amount: f64) -> String {
    let plain = format!("{:.2}", amount.abs());
    let (whole, cents) = plain.split_once('.').unwrap_or((&plain, "00"));
    let mut text = String::new();
    if amount < 0.0 {
        text.push('−');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if cents != "00" {
        text.push('.');
        text.push_str(cents);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_people_write_them() {
        for (form, value, expected) in [
            (Form::Money, json!(84_000.0), Some("84,000")),
            (Form::Money, json!("1250.5"), Some("1,250.50")),
            (Form::Money, json!(-999), Some("−999")),
            (Form::Money, json!(1e6), Some("1,000,000")),
            (Form::Money, json!("much"), None),
            (Form::Boolean, json!(false), Some("No")),
            (Form::DateTime, json!("2027-01-29T00:00:00Z"), Some("2027-01-29")),
            (Form::DateTime, json!("2027-01-29T08:15:00Z"), Some("2027-01-29 08:15 UTC")),
            (Form::DateTime, json!("soon"), None),
            (Form::Date, json!("2027-01-29"), None),
            (Form::Any, json!({}), None),
        ] {
            assert_eq!(written(form, &value).as_deref(), expected, "{form:?} {value}");
        }
    }
}

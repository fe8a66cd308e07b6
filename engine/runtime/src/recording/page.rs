//! The file of a recording: JSON that people can read, and that is the same for the same recording.

use std::collections::BTreeMap;
use std::fmt;

use cosell_model::{FlowId, Value};
use cosell_sdk::Answer;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Recording;

/// The form of the file that is written, and the only one that is read.
const FORM: u32 = 1;

/// Columns of a line; what fits into one stands on one.
const WIDTH: usize = 120;

/// How it stands in its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    cosell_recording: u32,
    flow: FlowId,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    trigger: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    inputs: Value,
    people_replaced: bool,
    answers: Answers,
    /// Answers that describe systems and hold no data: behind the others, and each on one line.
    #[serde(default)]
    descriptions: Answers,
}

/// What all forms begin with.
#[derive(Deserialize)]
struct Form {
    cosell_recording: u32,
}

/// By connection.
type Answers = BTreeMap<String, Vec<Told>>;

#[derive(Serialize, Deserialize)]
struct Told {
    asked: String,
    #[serde(flatten)]
    answer: Answer,
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, message } = self;
        write!(f, "{line}:{column}: {message}; expected a file that `cosell record` wrote: record it again")
    }
}

impl Recording {
    /// As it stands in a file.
    pub fn to_text(&self) -> String {
        let told = |(asked, answer): &(String, Answer)| Told { asked: asked.clone(), answer: answer.clone() };
        let those = |describing: bool| -> Answers {
            let of_kind = |answers: &[(String, Answer)]| -> Vec<Told> {
                answers.iter().filter(|(_, answer)| answer.describes == describing).map(told).collect()
            };
            let all = self.answers.iter().map(|(name, answers)| (name.clone(), of_kind(answers)));
            all.filter(|(_, answers)| !answers.is_empty()).collect()
        };
        let page = Page {
            cosell_recording: FORM,
            flow: self.flow.clone(),
            trigger: self.trigger.clone(),
            inputs: self.inputs.clone(),
            people_replaced: self.people_replaced,
            answers: those(false),
            descriptions: those(true),
        };
        let mut text = String::new();
        lay_out(&json!(page), &mut Vec::new(), 0, &mut text);
        text.push('\n');
        text
    }

    /// Reads what a file holds.
    ///
    /// # Errors
    /// Where it is no recording, and why.
    pub fn from_text(text: &str) -> Result<Self, Unreadable> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let wrong = |error: &serde_json::Error, path: &str| {
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or(&said);
            let is_named = [".", "?"].contains(&path) || said.contains("field `");
            let place = if is_named { String::new() } else { format!("`{path}`: ") };
            Unreadable { line: error.line(), column: error.column().max(1), message: format!("{place}{said}") }
        };
        // A file of another form is told as such, whatever else is different in it.
        let form = serde_json::from_str::<Form>(text).map(|form| form.cosell_recording).ok();
        if let Some(form) = form.filter(|form| *form != FORM) {
            let message = format!("this recording has form {form}, and this program reads {FORM}");
            return Err(Unreadable { line: 1, column: 1, message });
        }
        let page: Page = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| wrong(error.inner(), &error.path().to_string()))?;
        reader.end().map_err(|error| wrong(&error, "."))?;
        let mut answers: BTreeMap<String, Vec<(String, Answer)>> = BTreeMap::new();
        for (describes, all) in [(false, page.answers), (true, page.descriptions)] {
            for (name, told) in all {
                let told = told.into_iter().map(|Told { asked, answer }| (asked, Answer { describes, ..answer }));
                answers.entry(name).or_default().extend(told);
            }
        }
        answers.values_mut().for_each(|answers| answers.sort_by(|(one, _), (other, _)| one.cmp(other)));
        Ok(Self {
            flow: page.flow,
            trigger: page.trigger,
            inputs: page.inputs,
            people_replaced: page.people_replaced,
            answers,
        })
    }
}

/// Writes a value, which stands under `above` and behind `before` columns: on one line where it fits, else a member or an
/// item a line.
fn lay_out<'v>(value: &'v Value, above: &mut Vec<&'v str>, before: usize, out: &mut String) {
    let (begin, end) = match value {
        Value::Object(members) if !members.is_empty() => ('{', '}'),
        Value::Array(items) if !items.is_empty() => ('[', ']'),
        plain => return out.push_str(&plain.to_string()),
    };
    let mut line = String::new();
    on_one_line(value, &mut line);
    let is_description = above.first() == Some(&"descriptions") && above.len() > 2;
    if is_description || !above.is_empty() && before + line.chars().count() < WIDTH {
        return out.push_str(&line);
    }
    out.push(begin);
    let inside = "  ".repeat(above.len() + 1);
    let mut first = true;
    let mut next = |out: &mut String| {
        out.push_str(if std::mem::take(&mut first) { "\n" } else { ",\n" });
        out.push_str(&inside);
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                next(out);
                let shown = Value::from(name.as_str()).to_string();
                out.push_str(&shown);
                out.push_str(": ");
                above.push(name);
                lay_out(member, above, inside.len() + shown.chars().count() + 2, out);
                above.pop();
            }
        }
        _ => {
            for item in value.as_array().into_iter().flatten() {
                next(out);
                above.push("");
                lay_out(item, above, inside.len(), out);
                above.pop();
            }
        }
    }
    out.push('\n');
    out.push_str(&"  ".repeat(above.len()));
    out.push(end);
}

fn on_one_line(value: &Value, line: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            line.push_str("{ ");
            for (number, (name, member)) in members.iter().enumerate() {
                line.push_str(if number > 0 { ", " } else { "" });
                line.push_str(&Value::from(name.as_str()).to_string());
                line.push_str(": ");
                on_one_line(member, line);
            }
            line.push_str(" }");
        }
        Value::Array(items) if !items.is_empty() => {
            line.push('[');
            for (number, item) in items.iter().enumerate() {
                line.push_str(if number > 0 { ", " } else { "" });
                on_one_line(item, line);
            }
            line.push(']');
        }
        plain => line.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use cosell_sdk::CallError;

    fn answer(body: Value, describes: bool) -> Answer {
        Answer { status: Some(200), body, describes, ..Answer::default() }
    }

    fn recording() -> Recording {
        let failed =
            Answer { failure: Some(CallError::rejected("not_connected", "cannot connect")), ..Answer::default() };
        let long = ["a", "b", "c"].map(|letter| letter.repeat(40));
        let crm = vec![
            (
                "GET /accounts".to_owned(),
                answer(json!({ "value": [{ "name": "A", "more": null }], "long": long }), false),
            ),
            ("GET /tables".to_owned(), answer(json!({ "tables": long }), true)),
            ("GET /users".to_owned(), failed),
        ];
        let answers = BTreeMap::from([("crm".to_owned(), crm)]);
        let (flow, trigger) = (FlowId::new("greet"), json!({ "id": 1, "text": "line\nline" }));
        Recording { flow, trigger, inputs: Value::Null, people_replaced: true, answers }
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_people_can_read_it_too() {
        let text = recording().to_text();
        assert_eq!(Recording::from_text(&text).unwrap(), recording());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |text: &str| Recording::from_text(text).unwrap_err().to_string();
        let wrong = recording().to_text().replace("\"people_replaced\": true", "\"people_replaced\": 1");
        assert!(told(&wrong).starts_with("5:"), "{}", told(&wrong));
        assert!(
            told(&wrong).contains("`people_replaced`: invalid type: integer `1`, expected a boolean"),
            "{}",
            told(&wrong)
        );
        assert!(
            told("{ \"cosell_recording\": 2 }").starts_with("1:1: this recording has form 2, and this program reads 1")
        );
        assert!(told("[").starts_with("1:1: EOF"), "{}", told("["));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}", from in 0_usize..400, length in 0_usize..60) {
            let _ = Recording::from_text(&text);
            let mut whole = recording().to_text();
            let end = (from + length).min(whole.len());
            if from <= end && whole.is_char_boundary(from) && whole.is_char_boundary(end) {
                whole.replace_range(from..end, &text);
            }
            let _ = Recording::from_text(&whole).map(|recording| recording.to_text());
        }
    }
}

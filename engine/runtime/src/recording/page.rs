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
    answers: BTreeMap<String, Vec<Told>>,
}

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
        let answers = self.answers.iter().map(|(name, answers)| (name.clone(), answers.iter().map(told).collect()));
        let page = Page {
            cosell_recording: FORM,
            flow: self.flow.clone(),
            trigger: self.trigger.clone(),
            inputs: self.inputs.clone(),
            people_replaced: self.people_replaced,
            answers: answers.collect(),
        };
        let mut text = String::new();
        lay_out(&json!(page), 0, 0, &mut text);
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
            let place = if path == "." { String::new() } else { format!("`{path}`: ") };
            Unreadable { line: error.line(), column: error.column().max(1), message: format!("{place}{said}") }
        };
        let page: Page = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| wrong(error.inner(), &error.path().to_string()))?;
        reader.end().map_err(|error| wrong(&error, "."))?;
        if page.cosell_recording != FORM {
            let message = format!("this recording has form {}, and this program reads {FORM}", page.cosell_recording);
            return Err(Unreadable { line: 1, column: 1, message });
        }
        let told = |Told { asked, answer }| (asked, answer);
        let answers = page.answers.into_iter().map(|(name, all)| (name, all.into_iter().map(told).collect()));
        Ok(Self {
            flow: page.flow,
            trigger: page.trigger,
            inputs: page.inputs,
            people_replaced: page.people_replaced,
            answers: answers.collect(),
        })
    }
}

/// Writes a value: on one line where it fits behind `before` columns, else a member or an item a line.
fn lay_out(value: &Value, indent: usize, before: usize, out: &mut String) {
    let is_short = |value: &Value| {
        let mut line = String::new();
        on_one_line(value, &mut line);
        (before + line.chars().count() < WIDTH).then_some(line)
    };
    let (begin, end) = match value {
        Value::Object(members) if !members.is_empty() => ('{', '}'),
        Value::Array(items) if !items.is_empty() => ('[', ']'),
        plain => return out.push_str(&plain.to_string()),
    };
    if let Some(line) = is_short(value).filter(|_| indent > 0) {
        return out.push_str(&line);
    }
    out.push(begin);
    let inside = "  ".repeat(indent + 1);
    let mut first = true;
    let mut next = |out: &mut String| {
        out.push_str(if std::mem::take(&mut first) { "\n" } else { ",\n" });
        out.push_str(&inside);
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                next(out);
                let name = Value::from(name.as_str()).to_string();
                out.push_str(&name);
                out.push_str(": ");
                lay_out(member, indent + 1, inside.len() + name.chars().count() + 2, out);
            }
        }
        _ => {
            for item in value.as_array().into_iter().flatten() {
                next(out);
                lay_out(item, indent + 1, inside.len(), out);
            }
        }
    }
    out.push('\n');
    out.push_str(&"  ".repeat(indent));
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

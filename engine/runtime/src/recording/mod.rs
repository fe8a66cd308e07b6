//! What systems answered in a dry run, kept in a file that plays the run again without them.
//!
//! This file is the recording and how an engine makes and plays one; `page` writes and reads its file, [`redact`] puts
//! stand-ins in the place of people and secrets, with `people` for which fields are whose, and `missing` says what a
//! recording lacks.
//!
//! Requests are kept, and not what operations made of them: so the connectors do the same work again when it is played, and
//! a flow that has been changed meanwhile is foretold as well as the one that was recorded, as long as it asks the same.

mod missing;
mod page;
mod people;
pub mod redact;
mod standins;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cosell_compile::expr::template::{Template, TextPart};
use cosell_model::{FlowId, Value};
use cosell_sdk::{Answer, CallContext, CallError, NOT_RECORDED, Tape};

use crate::memory::{Engine, Start};

pub(crate) use missing::explain;
pub use page::Unreadable;

/// A dry run as it can be played again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The flow.
    pub flow: FlowId,
    /// What started it: `trigger` in the flow.
    pub trigger: Value,
    /// Its inputs, as given.
    pub inputs: Value,
    /// Whether names, e-mail addresses and telephone numbers are stand-ins.
    pub people_replaced: bool,
    /// Of each connection what it was asked, in order, and what it answered.
    pub answers: BTreeMap<String, Vec<(String, Answer)>>,
}

impl Recording {
    /// What the run begins with.
    pub fn start(&self) -> Start {
        Start { trigger: self.trigger.clone(), inputs: self.inputs.clone(), ..Start::default() }
    }

    /// All that was told when it was made, as one text: by what began it, and by answers.
    pub fn told(&self) -> String {
        let answers = self.answers.values().flatten().filter(|(_, answer)| !answer.describes);
        let bodies = answers.map(|(_, answer)| answer.body.to_string());
        [self.trigger.to_string(), self.inputs.to_string()].into_iter().chain(bodies).collect()
    }

    /// How many answers it has.
    pub fn count(&self) -> usize {
        self.answers.values().map(Vec::len).sum()
    }
}

/// Something that a step of a run asked and the recording has no answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The flow that the step stands in.
    pub flow: FlowId,
    /// The step's path in its run.
    pub step: String,
    /// What it asked, and what is nearest to it.
    pub message: String,
}

/// What a step that is sensitive was given and yielded.
#[derive(Clone, Debug, PartialEq)]
struct Hidden {
    connection: String,
    /// What its call asked.
    asked: Vec<String>,
    /// Texts and numbers.
    values: Vec<Value>,
}

/// What an engine notes beside its tapes.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    hidden: Mutex<Vec<Hidden>>,
    lacking: Mutex<Vec<Lacking>>,
}

/// A call whose answers are kept or played.
pub(crate) struct Noting<'c> {
    pub(crate) flow: &'c FlowId,
    pub(crate) connection: &'c str,
    /// Its input and what that was made by, where it is sensitive.
    pub(crate) secret: Option<(&'c Template, Arc<Value>)>,
    /// Whether what it yields is.
    pub(crate) hides: bool,
}

impl Engine {
    /// Notes what came of a call by `step`, where a tape runs: what is not to be told of it, and what it asked in vain.
    pub(crate) fn called(
        &self,
        call: Noting<'_>,
        step: &str,
        context: &CallContext,
        called: &Result<Value, CallError>,
    ) {
        let Some(notes) = &self.notes else { return };
        let mut values = Vec::new();
        if let Some((template, input)) = &call.secret {
            computed(template, input, &mut values);
        }
        match called {
            Ok(output) if call.hides => leaves(output, &mut values),
            Err(error) if error.code == NOT_RECORDED => {
                let (flow, step, message) = (call.flow.clone(), step.to_owned(), error.message.clone());
                locked(&notes.lacking).push(Lacking { flow, step, message });
            }
            _ => {}
        }
        if !values.is_empty() {
            let (connection, asked) = (call.connection.to_owned(), context.asked());
            locked(&notes.hidden).push(Hidden { connection, asked, values });
        }
    }

    /// Notes, where a tape runs, that what a step of any kind has yielded is not to be told.
    pub(crate) fn yielded(&self, output: Option<&Value>) {
        let (Some(notes), Some(output)) = (&self.notes, output) else { return };
        let (connection, asked, mut values) = (String::new(), Vec::new(), Vec::new());
        leaves(output, &mut values);
        locked(&notes.hidden).push(Hidden { connection, asked, values });
    }
}

fn locked<T>(noted: &Mutex<T>) -> MutexGuard<'_, T> {
    noted.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// The same engine for a [dry run](Self::dry) that keeps what is answered.
    #[must_use]
    pub fn recording(self) -> Self {
        self.dry().taped(|_| Tape::keeping())
    }

    /// The same engine for a [dry run](Self::dry) that calls nobody: its connections answer from a recording, at once.
    #[must_use]
    pub fn playing(self, recording: &Recording) -> Self {
        let answers = |name: &str| recording.answers.get(name).cloned().unwrap_or_default();
        self.dry().hurried().taped(|name| Tape::playing(answers(name)))
    }

    /// What was recorded of the one run that this engine has made, with nothing replaced yet but what is sensitive noted.
    pub fn recorded(&self, flow: &FlowId, start: Start) -> redact::Raw {
        let answers = self.tapes().map(|(name, tape)| (name.to_owned(), tape.answers()));
        let answers = answers.filter(|(_, answers)| !answers.is_empty()).collect();
        let hidden = self.notes.as_ref().map(|notes| locked(&notes.hidden).clone()).unwrap_or_default();
        let Start { trigger, inputs, .. } = start;
        redact::Raw::new(Recording { flow: flow.clone(), trigger, inputs, people_replaced: false, answers }, hidden)
    }

    /// What runs asked and the recording that is played has no answer to, in the order in which it was asked.
    pub fn lacking(&self) -> Vec<Lacking> {
        self.notes.as_ref().map(|notes| locked(&notes.lacking).clone()).unwrap_or_default()
    }
}

/// Adds the texts and numbers of an input that a flow does not hold itself.
fn computed(template: &Template, input: &Value, values: &mut Vec<Value>) {
    match template {
        Template::Constant(_) => {}
        Template::Expression(_) => leaves(input, values),
        Template::Text(parts) => {
            if parts.iter().any(|part| matches!(part, TextPart::Expression(_))) {
                leaves(input, values);
            }
        }
        Template::List(items) => {
            for (item, value) in items.iter().zip(input.as_array().into_iter().flatten()) {
                computed(item, value, values);
            }
        }
        Template::Map(members) => {
            for (name, member) in members {
                if let Some(value) = input.get(name) {
                    computed(member, value, values);
                }
            }
        }
    }
}

/// Adds the texts and numbers in a value. Which table a lookup leads to is no secret, and needed to follow it.
fn leaves(value: &Value, into: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            let is_lookup = members.contains_key("id") && members.contains_key("table");
            let of_record = members.iter().filter(|(name, _)| !(is_lookup && *name == "table"));
            of_record.for_each(|(_, member)| leaves(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Value::String(text) if text.is_empty() => {}
        Value::Null | Value::Bool(_) => {}
        leaf => into.push(leaf.clone()),
    }
}

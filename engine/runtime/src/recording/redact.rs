//! Redaction: stand-ins in the place of what steps mark as sensitive, and of what tells of people.
//!
//! The same data get the same stand-in wherever they occur, in answers as in what was asked; so a run that is played asks
//! with stand-ins for what was asked with the data themselves.

use cosell_model::Value;

use super::people::{Of, addresses, is_person, plain, told_by};
use super::standins::{Replacer, StandIns};
use super::{Hidden, Recording, leaves};

/// What is replaced beside what is sensitive.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    /// Whether people are left as they are.
    pub keep_people: bool,
    /// Fields that hold something else that must not be told, by name.
    pub fields: Vec<String>,
}

/// How much was replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Given names and family names.
    pub names: usize,
    /// E-mail addresses.
    pub addresses: usize,
    /// Telephone numbers.
    pub telephones: usize,
    /// Values of steps that are sensitive, and of fields that were named.
    pub hidden: usize,
}

/// A recording as it was made: to be redacted before anybody sees it.
pub struct Raw {
    recording: Recording,
    hidden: Vec<Hidden>,
}

/// What systems call the text that a coded value is shown as (Web API, formatted values).
const SHOWN: &str = "@OData.Community.Display.V1.FormattedValue";
/// What they call the table that a lookup leads to (Web API, lookup properties).
const LEADS_TO: &str = "@Microsoft.Dynamics.CRM.lookuplogicalname";

impl Raw {
    pub(super) fn new(recording: Recording, hidden: Vec<Hidden>) -> Self {
        Self { recording, hidden }
    }

    /// With stand-ins; and how much they stand for.
    pub fn redacted(self, redaction: &Redaction) -> (Recording, Replaced) {
        let Self { mut recording, hidden } = self;
        let mut stand_ins = StandIns::default();
        for hidden in &hidden {
            hidden.values.iter().filter_map(Value::as_str).for_each(|text| stand_ins.hidden(text));
        }
        let fields: Vec<String> = redaction.fields.iter().map(|field| plain(field)).collect();
        for value in told(&recording) {
            of_fields(value, &fields, &mut stand_ins);
        }
        if !redaction.keep_people {
            // Full names last: of most people the parts are known by then.
            for full in [false, true] {
                told(&recording).for_each(|value| people(value, None, full, &mut stand_ins));
            }
            let asked = recording.answers.values().flatten().map(|(asked, _)| asked.clone()).collect::<Vec<_>>();
            asked.iter().for_each(|asked| stand_ins.addresses_in(asked));
        }
        recording.people_replaced = !redaction.keep_people;
        let replaced = Replaced {
            names: stand_ins.count("given") + stand_ins.count("family"),
            addresses: stand_ins.count("address"),
            telephones: stand_ins.count("telephone"),
            hidden: stand_ins.count("hidden"),
        };
        let redactor = Redactor { stand_ins: &stand_ins, replacer: stand_ins.replacer(), fields };
        redactor.all(&mut recording, &hidden);
        (recording, replaced)
    }
}

/// Everything in a recording that holds data.
fn told(recording: &Recording) -> impl Iterator<Item = &Value> {
    let answers = recording.answers.values().flatten().map(|(_, answer)| answer);
    [&recording.trigger, &recording.inputs]
        .into_iter()
        .chain(answers.filter(|answer| !answer.describes).map(|answer| &answer.body))
}

/// Notes everything in fields that were named.
fn of_fields(value: &Value, fields: &[String], stand_ins: &mut StandIns) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if fields.contains(&plain(name)) {
                    let mut all = Vec::new();
                    leaves(member, &mut all);
                    all.iter().filter_map(Value::as_str).for_each(|text| stand_ins.hidden(text));
                } else {
                    of_fields(member, fields, stand_ins);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| of_fields(item, fields, stand_ins)),
        _ => {}
    }
}

/// Notes what tells of people: full names, or all else.
fn people(value: &Value, field: Option<Of>, full: bool, stand_ins: &mut StandIns) {
    match value {
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            let leads_to_person = text("table").is_some_and(is_person) && members.contains_key("id");
            for (name, member) in members {
                let lookup = name.strip_suffix(SHOWN).and_then(|column| text(&format!("{column}{LEADS_TO}")));
                let of = match lookup {
                    Some(table) => is_person(table).then_some(Of::Full),
                    None if leads_to_person && name == "name" => Some(Of::Full),
                    None => told_by(name),
                };
                people(member, of, full, stand_ins);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| people(item, field, full, stand_ins)),
        Value::String(text) => {
            if let Some(of) = field.filter(|of| (*of == Of::Full) == full) {
                stand_ins.person(of, text);
            }
            if !full && !addresses(text).is_empty() {
                stand_ins.addresses_in(text);
            }
        }
        _ => {}
    }
}

struct Redactor<'s> {
    stand_ins: &'s StandIns,
    replacer: Replacer<'s>,
    fields: Vec<String>,
}

impl Redactor<'_> {
    fn all(&self, recording: &mut Recording, hidden: &[Hidden]) {
        self.value(&mut recording.trigger, &[], false);
        self.value(&mut recording.inputs, &[], false);
        for (connection, answers) in &mut recording.answers {
            for (asked, answer) in answers.iter_mut().filter(|(_, answer)| !answer.describes) {
                let by_this = |hidden: &&Hidden| hidden.connection == *connection && hidden.asked.contains(asked);
                let secrets: Vec<&Value> = hidden.iter().filter(by_this).flat_map(|hidden| &hidden.values).collect();
                self.value(&mut answer.body, &secrets, false);
                answer.headers.values_mut().for_each(|header| *header = self.replacer.replaced(header));
                if let Some(failure) = &mut answer.failure {
                    failure.message = self.replacer.replaced(&failure.message);
                    self.value(&mut failure.details, &[], false);
                }
                *asked = self.replacer.replaced(asked);
            }
            answers.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
    }

    /// `secrets` are replaced where they are all of a value; `named` says that the field is one of those that were named.
    fn value(&self, value: &mut Value, secrets: &[&Value], named: bool) {
        match value {
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    let named = named || self.fields.contains(&plain(name));
                    // A person's name that is a word like others is replaced where it is one.
                    let whole = told_by(name).and_then(|_| self.stand_ins.of(member.as_str()?.trim()));
                    match whole {
                        Some(stand_in) => *member = Value::from(stand_in),
                        None => self.value(member, secrets, named),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, secrets, named)),
            Value::String(text) => {
                let secret = named || secrets.iter().any(|secret| secret.as_str() == Some(text));
                *text = match self.stand_ins.of_hidden(text).filter(|_| secret) {
                    Some(stand_in) => stand_in.to_owned(),
                    None => self.replacer.replaced(text),
                };
            }
            Value::Number(_) if named || secrets.contains(&&*value) => *value = Value::from(0),
            _ => {}
        }
    }
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use cosell_model::FlowId;
    use cosell_sdk::Answer;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// One connection was asked this, and answered so.
    fn raw(asked: &str, body: Value, values: &[Value]) -> Raw {
        let answers = vec![(asked.to_owned(), Answer { body, ..Answer::default() })];
        let answers = BTreeMap::from([("crm".to_owned(), answers)]);
        let (trigger, inputs) = (Value::Null, Value::Null);
        let recording = Recording { flow: FlowId::new("f"), trigger, inputs, people_replaced: false, answers };
        let hidden = Hidden { connection: "crm".to_owned(), asked: vec![asked.to_owned()], values: values.to_vec() };
        Raw::new(recording, vec![hidden])
    }

    fn redacted(asked: &str, body: Value, redaction: &Redaction) -> (String, Value) {
        let (mut recording, _) = raw(asked, body, &[]).redacted(redaction);
        let (asked, answer) = recording.answers.remove("crm").unwrap().remove(0);
        (asked, answer.body)
    }

    #[test]
    fn people_get_stand_ins_of_their_form_wherever_they_are_mentioned() {
        let body = json!({
            "firstname": "Iris", "lastname": "de Wit", "fullname": "Iris de Wit", "emailaddress1": "Iris.deWit@northwind.example",
            "telephone1": "+31 10 555 0101", "mobilephone": "+31105550101", "jobtitle": "Buyer", "name": "Northwind",
            "description": "Iris de Wit (iris.dewit@northwind.example) asks; call +31 10 555 0101. The irises bloom.",
            "owner": { "id": "1", "table": "systemuser", "name": "Noor Haddad" },
            "customer": { "id": "2", "table": "account", "name": "Noor Foods" },
            "_createdby_value@OData.Community.Display.V1.FormattedValue": "Sam Ito",
            "_createdby_value@Microsoft.Dynamics.CRM.lookuplogicalname": "systemuser",
            "statecode@OData.Community.Display.V1.FormattedValue": "Open",
        });
        let asked = "GET /contacts?$filter=emailaddress1 eq 'Iris.deWit@northwind.example' and lastname eq 'de Wit'";
        let (asked, body) = redacted(asked, body, &Redaction::default());
        let expected = json!({
            "firstname": "Given1", "lastname": "Family1", "fullname": "Given1 Family1", "emailaddress1": "person-1@northwind.example",
            "telephone1": "+00 00 000 0001", "mobilephone": "+00000000001", "jobtitle": "Buyer", "name": "Northwind",
            "description": "Given1 Family1 (person-1@northwind.example) asks; call +00 00 000 0001. The irises bloom.",
            "owner": { "id": "1", "table": "systemuser", "name": "Given2 Family2" },
            "customer": { "id": "2", "table": "account", "name": "Given2 Foods" },
            "_createdby_value@OData.Community.Display.V1.FormattedValue": "Given3 Family3",
            "_createdby_value@Microsoft.Dynamics.CRM.lookuplogicalname": "systemuser",
            "statecode@OData.Community.Display.V1.FormattedValue": "Open",
        });
        assert_eq!(body, expected);
        assert_eq!(
            asked,
            "GET /contacts?$filter=emailaddress1 eq 'person-1@northwind.example' and lastname eq 'Family1'"
        );
    }

    #[test]
    fn a_name_in_small_letters_is_replaced_only_where_it_is_one() {
        let body = json!({ "lastname": "contact", "table": "contact", "notes": "a contact" });
        let (_, body) = redacted("GET /contacts", body, &Redaction::default());
        assert_eq!(body, json!({ "lastname": "Family1", "table": "contact", "notes": "a contact" }));
    }

    #[test]
    fn people_stay_where_that_is_wanted_and_fields_go_that_are_named() {
        let redaction = Redaction { keep_people: true, fields: vec!["Job_Title".to_owned(), "limit".to_owned()] };
        let body = json!({ "firstname": "Iris", "jobtitle": "Chief buyer", "limit": 700, "open": true, "n": "Our Chief buyer" });
        let (_, body) = redacted("GET /a", body, &redaction);
        let expected =
            json!({ "firstname": "Iris", "jobtitle": "hidden-1", "limit": 0, "open": true, "n": "Our hidden-1" });
        assert_eq!(body, expected);
    }

    #[test]
    fn secrets_keep_only_their_form() {
        let id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
        let secrets =
            [json!("hush"), json!("ab"), json!(4711), json!(id), json!("2026-01-02T03:04:05Z"), json!("0815")];
        let body = json!({ "a": "hush", "b": "say hush, hushed", "c": 4711, "d": id, "e": "2026-01-02T03:04:05Z", "f": "0815",
            "g": "ab", "h": "ab c", "i": 5, "j": true });
        let (mut recording, replaced) = raw(&format!("GET /x({id})"), body, &secrets).redacted(&Redaction::default());
        let (asked, answer) = recording.answers.remove("crm").unwrap().remove(0);
        let stand_in = "00000000-0000-4000-8000-000000000003";
        let expected = json!({ "a": "hidden-1", "b": "say hidden-1, hushed", "c": 0, "d": stand_in, "e": "2000-01-01T00:00:00Z",
            "f": "0005", "g": "hidden-2", "h": "ab c", "i": 5, "j": true });
        assert_eq!((asked, answer.body, replaced.hidden), (format!("GET /x({stand_in})"), expected, 5));
    }

    proptest! {
        /// A run that is played builds what it asks from stand-ins, and must find what was asked with the data themselves.
        #[test]
        fn what_is_asked_with_stand_ins_is_what_is_kept(
            people in prop::collection::vec(("[A-Z][a-zé']{1,8}", "([a-z]{2} )?[A-Z][a-zü'-]{1,9}", "[a-z.]{0,5}[a-z]@[a-z]{2,6}\\.example", "\\+[0-9]{2} [0-9]{3,9}"), 1..5)
        ) {
            let quoted = |value: &Value| value.as_str().unwrap().replace('\'', "''");
            let asks = |person: &Value| format!(
                "GET /contacts?$filter=firstname eq '{}' and lastname eq '{}' and emailaddress1 eq '{}' and telephone1 eq '{}'",
                quoted(&person["firstname"]), quoted(&person["lastname"]), quoted(&person["emailaddress1"]), quoted(&person["telephone1"]),
            );
            let row = |(first, last, address, telephone): &(String, String, String, String)| {
                json!({ "firstname": first, "lastname": last, "emailaddress1": address, "telephone1": telephone })
            };
            let rows: Vec<Value> = people.iter().map(row).collect();
            let (asked, body) = redacted(&asks(&rows[0]), json!({ "value": rows }), &Redaction::default());
            prop_assert_eq!(&asked, &asks(&body["value"][0]));
            let text = format!("{asked} {body}");
            for (first, _, address, telephone) in &people {
                let kept = text.contains(address.as_str()) || text.contains(telephone.as_str()) || text.contains(&format!("\"{first}\""));
                prop_assert!(!kept, "{text} still tells {first}, {address} or {telephone}");
            }
            // Whoever is the same stays the same, and others stay others.
            for (one, first) in people.iter().enumerate() {
                for (other, second) in people.iter().enumerate() {
                    let same = body["value"][one]["emailaddress1"] == body["value"][other]["emailaddress1"];
                    prop_assert_eq!(same, first.2.eq_ignore_ascii_case(&second.2));
                }
            }
        }
    }
}

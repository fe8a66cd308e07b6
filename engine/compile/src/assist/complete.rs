//! What can stand at a cursor.

use std::ops::Range;

use cosell_model::flow::{StepKind, TriggerSource};
use cosell_model::{Catalogue, Node};
use serde_json::Value;

use super::expression::{Before, before};
use super::place::{At, word};
use super::record::{InRow, Sides};
use super::scope::{self, Member, word_of};
use super::{Cursor, Proposal, Proposals, What, words};
use crate::expr::environment;
use crate::expr::path::Segment;
use crate::mapping::Mapping;
use crate::mapping::form::Form;
use crate::read::flow::BUILT_IN;
use crate::schema::{Kind, look};

impl Proposal {
    fn new(what: What, label: &str, detail: &str, about: &str) -> Self {
        let insert = label.to_owned();
        Self { label: insert.clone(), what, detail: detail.to_owned(), about: about.to_owned(), insert }
    }
}

impl Cursor<'_> {
    /// What can stand here.
    pub fn proposals(&self) -> Proposals {
        match &self.place.at {
            At::Expression(start) => self.in_expression(*start),
            At::Key(written) => self.keys(written),
            At::Value(_) => {
                let all = self.values();
                Proposals { replaces: word(self.text, self.offset, &['.', '-']), all }
            }
        }
    }

    fn in_expression(&self, start: usize) -> Proposals {
        let written = word(self.text, self.offset, &[]);
        let from = written.start.max(start);
        let names = |members: Vec<Member>| {
            members.iter().map(|member| Proposal::new(What::Name, &member.name, &member.kind, &member.about)).collect()
        };
        let functions = |table: &[(&str, &str, &str)]| -> Vec<Proposal> {
            table.iter().map(|(name, form, about)| Proposal::new(What::Function, name, form, about)).collect()
        };
        let all = match before(&self.text[start..from]) {
            Before::Filter => functions(words::FILTERS),
            Before::Test => {
                environment::test_names().iter().map(|name| Proposal::new(What::Function, name, "", "")).collect()
            }
            Before::Mention(mention) => {
                let mut all: Vec<Proposal> = match self.scope() {
                    Some(scope) => names(scope.members(&mention)),
                    // Where columns are named, and in a flow that was never read, variables are known all the same.
                    None => names(self.variables(&mention)),
                };
                if mention.is_empty() {
                    all.extend(functions(&words::FUNCTIONS));
                }
                all
            }
            Before::Other => Vec::new(),
        };
        Proposals { replaces: from..written.end, all }
    }

    fn variables(&self, mention: &[Segment]) -> Vec<Member> {
        let variable = |(name, variable): (&String, &crate::variables::Variable)| {
            Member::new(name, &format!("{} = {}", variable.kind.as_str(), variable.current), &variable.title)
        };
        match mention {
            [] => vec![Member::new("vars", "", "The current values of variables.")],
            [Segment::Key(root)] if &**root == "vars" => self.compilation.variables.iter().map(variable).collect(),
            _ => Vec::new(),
        }
    }

    fn keys(&self, written: &Range<usize>) -> Proposals {
        let mut all = self.known_keys();
        let has_colon = self.text[written.end.min(self.text.len())..].starts_with(':');
        // An item of a list is no key, unless it is one of a map in it.
        let line = self.text[..self.offset].rsplit('\n').next().unwrap_or_default();
        let is_item = |proposal: &Proposal| proposal.what == What::Value && line.trim_start().starts_with("- ");
        for proposal in all.iter_mut().filter(|proposal| !has_colon && !is_item(proposal)) {
            proposal.insert.push_str(": ");
        }
        let start = written.start.min(self.offset);
        Proposals { replaces: start..written.end.max(self.offset), all }
    }

    fn known_keys(&self) -> Vec<Proposal> {
        let path = &self.place.path;
        let keys = |keys: Vec<&crate::schema::Key>| -> Vec<Proposal> {
            keys.iter().map(|key| Proposal::new(What::Key, key.name, "", key.about)).collect()
        };
        let names = |names: &[String]| names.iter().map(|name| Proposal::new(What::Key, name, "", "")).collect();
        if let Some(columns) = self.named_columns(path) {
            return proposed(What::Value, &columns);
        }
        if let Some((schema, inside)) = self.described(path) {
            let members = scope::of_schema(schema, schema, &inside);
            return members
                .iter()
                .map(|member| Proposal::new(What::Key, &member.name, &member.kind, &member.about))
                .collect();
        }
        match (self.kind, self.step()) {
            (Kind::Flow, _) if scope::names_steps(path) => self.already_there(),
            (Kind::Flow, Some((step, of_step))) => match (step.map(|step| &step.kind), of_step) {
                (Some(StepKind::Call { flow, .. }), [with]) if with == "with" => self.inputs_of(flow.value.as_str()),
                (_, [side]) if ["from", "to", "changed"].contains(&side.as_str()) => names(&self.sides()),
                (_, [after]) if after == "after" => self.beside(),
                (kind, of_step) => keys(look::keys_of_step(kind.and_then(word_of), of_step)),
            },
            (Kind::Mapping, _) => self.keys_of_mapping(keys(look::keys(self.kind, path))),
            (Kind::Configuration, _) => match path.last().map(String::as_str) {
                Some("variables") => {
                    let members = self.variables(&[Segment::Key("vars".into())]);
                    members.iter().map(|one| Proposal::new(What::Key, &one.name, &one.kind, &one.about)).collect()
                }
                Some("connections") => {
                    let all = self.catalogue.connectors();
                    all.map(|one| Proposal::new(What::Key, &one.name, &one.title, &one.description)).collect()
                }
                _ => keys(look::keys(self.kind, path)),
            },
            _ => keys(look::keys(self.kind, path)),
        }
    }

    /// The keys of a map in a mapping, with those that every mapping can have there.
    fn keys_of_mapping(&self, mut all: Vec<Proposal>) -> Vec<Proposal> {
        let path: Vec<&str> = self.place.path.iter().map(String::as_str).collect();
        let Some(sides) = self.sides_of(self.name) else { return all };
        let names = || sides.names.iter().map(|name| Proposal::new(What::Key, name, "", ""));
        match path.as_slice() {
            ["rows"] => self.already_there(),
            ["records"] => names().collect(),
            ["rows", _] => {
                all.splice(0..0, names());
                all
            }
            ["rows", row, "values"] => {
                let mut known = proposed(What::Key, &self.listed_in(&sides, row, 0));
                known.retain(|proposal| !self.already_there().iter().any(|there| there.label == proposal.label));
                self.already_there().into_iter().chain(known).collect()
            }
            _ => all,
        }
    }

    /// The values that the row's field on a side can have.
    fn listed_in(&self, sides: &Sides, row: &str, side: usize) -> Vec<Member> {
        let path = self.path_of(row, side);
        let record = sides.records[side].as_ref();
        record.zip(path).map_or_else(Vec::new, |(record, path)| self.listed(record, &path))
    }

    /// What can stand as a value in a mapping, where that is known of it alone.
    fn values_of_mapping(&self, sides: &Sides) -> Option<Vec<Proposal>> {
        let path = &self.place.path;
        if let [records, _] = path.as_slice()
            && records == "records"
        {
            let written = &self.text[word(self.text, self.offset, &['.', '-'])];
            return Some(proposed(What::Value, &self.records(written)));
        }
        let row = path.get(1)?;
        let fields = |side: usize| {
            let mut all = sides.records[side].as_ref().map_or_else(Vec::new, |record| self.fields(record));
            let carried = self.carried(side);
            for field in &mut all {
                if let Some((other, _)) = carried.iter().find(|(other, path)| other != row && *path == field.name) {
                    field.kind =
                        format!("{}{}in row `{other}`", field.kind, if field.kind.is_empty() { "" } else { ", " });
                }
            }
            all
        };
        Some(match sides.in_row(path)? {
            InRow::Path(side) => proposed(What::Name, &fields(side)),
            InRow::Column(side) => {
                let mut all = proposed(What::Name, &fields(side));
                all.push(Proposal::new(What::Value, "false", "", "The field is no column."));
                all
            }
            InRow::Default(side) => proposed(What::Value, &self.listed_in(sides, row, side)),
            InRow::Right => proposed(What::Value, &self.listed_in(sides, row, 1)),
            InRow::Other("as") => {
                let one = |(name, form): &(&str, Form)| Proposal::new(What::Value, name, form.describe(), "");
                Form::WORDS.iter().map(one).collect()
            }
            InRow::Left | InRow::Other(_) => return None,
        })
    }

    /// The rows of this mapping, each with the path of its field on a side.
    fn carried(&self, side: usize) -> Vec<(&str, String)> {
        let rows = self.written(&["rows".to_owned()]).and_then(Node::entries).unwrap_or_default();
        let names = rows.iter().map(|entry| entry.key.value.as_str());
        names.filter_map(|name| Some((name, self.path_of(name, side)?))).collect()
    }

    /// The columns that can stand in an input that names columns, where its table is known.
    fn named_columns(&self, path: &[String]) -> Option<Vec<Member>> {
        let (_, table) = self.names(path).filter(|(names, _)| *names != "table")?;
        Some(self.columns(&table?)).filter(|columns| !columns.is_empty())
    }

    /// The keys that the flow or the mapping has at this place already: those of a shipped one, where this is merged over it.
    fn already_there(&self) -> Vec<Proposal> {
        let node = self.written(&self.place.path);
        let title = |node: &Node| node.get("title").and_then(Node::text).unwrap_or_default().to_owned();
        let entries = node.and_then(Node::entries).unwrap_or_default();
        entries.iter().map(|entry| Proposal::new(What::Key, &entry.key.value, "", &title(&entry.value))).collect()
    }

    fn inputs_of(&self, flow: &str) -> Vec<Proposal> {
        let Some(flow) = self.compilation.flows.get(&cosell_model::FlowId::new(flow)) else { return Vec::new() };
        let input = |input: &cosell_model::flow::Input| {
            let about = input.description.as_deref().unwrap_or_default();
            Proposal::new(What::Key, &input.name.value, input.kind.as_str(), about)
        };
        flow.trigger.inputs.iter().map(input).collect()
    }

    /// The sides of the mapping that the step here names, which is no step that can be read before one of them is there.
    fn sides(&self) -> Vec<String> {
        let step = self.place.path.split_last().and_then(|(_, step)| self.written(step));
        let named = ["map", "compare", "merge"].iter().find_map(|key| step?.get(key)?.text());
        named.and_then(|name| self.sides_of(name)).map_or_else(Vec::new, |sides| sides.names.to_vec())
    }

    /// What the flow or the mapping has at a place.
    fn written(&self, path: &[String]) -> Option<&Node> {
        let documents = match self.kind {
            Kind::Mapping => &self.compilation.documents.mappings,
            _ => &self.compilation.documents.flows,
        };
        path.iter().try_fold(&documents.get(self.name)?.node, |node, key| node.get(key))
    }

    fn beside(&self) -> Vec<Proposal> {
        let scope = self.scope();
        let names = scope.iter().flat_map(super::scope::Scope::beside);
        names.map(|name| Proposal::new(What::Value, name, "", "")).collect()
    }

    pub(super) fn mapping(&self, name: &str) -> Option<&Mapping> {
        self.compilation.mappings.get(name).map(AsRef::as_ref)
    }

    fn values(&self) -> Vec<Proposal> {
        let Some((key, before)) = self.place.path.split_last() else { return Vec::new() };
        let words = |words: &[&str]| words.iter().map(|word| Proposal::new(What::Value, word, "", "")).collect();
        match self.names(&self.place.path) {
            Some(("table", _)) => return proposed(What::Value, &self.tables()),
            Some(_) => return proposed(What::Value, &self.named_columns(&self.place.path).unwrap_or_default()),
            None => {}
        }
        if let Some((_, Some(table))) = self.names(before).filter(|(names, _)| *names != "table") {
            return proposed(What::Value, &self.choices(&table, key));
        }
        if let Some((schema, path)) = self.described(&self.place.path) {
            let schema = scope::follow(schema, schema, &path);
            return schema.map_or_else(Vec::new, |schema| words(&one_of(schema)));
        }
        if self.kind == Kind::Mapping
            && let Some(known) = self.sides_of(self.name).and_then(|sides| self.values_of_mapping(&sides))
        {
            return known;
        }
        let steps = scope::steps_of(before);
        let at_step = !steps.0.is_empty() && steps.1.is_empty();
        match (self.kind, key.as_str()) {
            (Kind::Flow, "use") if at_step => operations(self.catalogue),
            (Kind::Flow, "use" | "trigger" | "also") => triggers(self.catalogue),
            (Kind::Flow, "call") if at_step => self.callable(),
            (Kind::Flow, "map" | "compare" | "merge") if at_step => self.mappings(),
            (Kind::Flow, "after") if at_step => self.beside(),
            (Kind::Mapping, "only_to" | "wins" | "final_in") => {
                let sides = self.sides_of(self.name);
                let mut sides: Vec<&str> = sides.iter().flat_map(|sides| &sides.names).map(String::as_str).collect();
                sides.extend((key == "wins").then_some("newest"));
                words(&sides)
            }
            _ => {
                let keys = match steps.0.is_empty() {
                    false if self.kind == Kind::Flow => look::keys_of_step(None, steps.1)
                        .into_iter()
                        .chain(self.step().map_or_else(Vec::new, |(step, _)| {
                            look::keys_of_step(step.and_then(|step| word_of(&step.kind)), steps.1)
                        }))
                        .collect(),
                    _ => look::keys(self.kind, before),
                };
                let of_key = keys.into_iter().filter(|known| known.name == key).map(crate::schema::Key::words);
                words(&of_key.max_by_key(Vec::len).unwrap_or_default())
            }
        }
    }

    fn callable(&self) -> Vec<Proposal> {
        let flows = self.compilation.flows.values().filter(|flow| flow.trigger.main.kind == TriggerSource::Call);
        flows
            .map(|flow| {
                Proposal::new(
                    What::File,
                    flow.id.value.as_str(),
                    &flow.title,
                    flow.description.as_deref().unwrap_or_default(),
                )
            })
            .collect()
    }

    fn mappings(&self) -> Vec<Proposal> {
        let mappings = self.compilation.mappings.values();
        mappings.map(|mapping| Proposal::new(What::File, &mapping.name, &mapping.title, "")).collect()
    }
}

/// Members, to be written as keys or as values.
fn proposed(what: What, members: &[Member]) -> Vec<Proposal> {
    members.iter().map(|member| Proposal::new(what, &member.name, &member.kind, &member.about)).collect()
}

fn operations(catalogue: &Catalogue) -> Vec<Proposal> {
    let of = |connector: &cosell_model::catalogue::ConnectorDescription| {
        let one = |operation: &cosell_model::OperationDescription| {
            let name = format!("{}.{}", connector.name, operation.name);
            Proposal::new(What::Operation, &name, &operation.title, &operation.description)
        };
        connector.operations.iter().map(one).collect::<Vec<_>>()
    };
    catalogue.connectors().flat_map(of).collect()
}

fn triggers(catalogue: &Catalogue) -> Vec<Proposal> {
    let of = |connector: &cosell_model::catalogue::ConnectorDescription| {
        let one = |trigger: &cosell_model::TriggerDescription| {
            let name = format!("{}.{}", connector.name, trigger.name);
            Proposal::new(What::Operation, &name, &trigger.title, &trigger.description)
        };
        connector.triggers.iter().map(one).collect::<Vec<_>>()
    };
    let built_in = BUILT_IN.iter().map(|(name, _)| Proposal::new(What::Operation, name, "", ""));
    built_in.chain(catalogue.connectors().flat_map(of)).collect()
}

/// The values that a schema lists.
pub(super) fn one_of(schema: &Value) -> Vec<&str> {
    if schema.get("type").is_some_and(|kind| kind == "boolean") {
        return vec!["true", "false"];
    }
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let choices = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    let chosen = choices.filter_map(|choice| choice.get("const")?.as_str());
    let items = schema.get("items").map_or_else(Vec::new, one_of);
    listed.chain(chosen).chain(items).collect()
}

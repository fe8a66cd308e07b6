//! What can stand at a cursor.

use std::ops::Range;

use cosell_model::flow::{StepKind, TriggerSource};
use cosell_model::{Catalogue, Node};
use serde_json::Value;

use super::expression::{Before, before};
use super::place::{At, word};
use super::scope::{self, Member, word_of};
use super::{Cursor, Proposal, Proposals, What, words};
use crate::expr::environment;
use crate::expr::path::Segment;
use crate::mapping::Mapping;
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
        for proposal in all.iter_mut().filter(|_| !has_colon) {
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
            (Kind::Mapping, _) if path.len() == 1 && path[0] == "rows" => self.already_there(),
            (Kind::Mapping, _) => {
                let mut all = keys(look::keys(self.kind, path));
                if let (2, Some(mapping)) = (path.len(), self.mapping(self.name)) {
                    all.splice(0..0, names(&mapping.sides));
                }
                all
            }
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
        named.and_then(|name| self.mapping(name)).map_or_else(Vec::new, |mapping| mapping.sides.to_vec())
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
        if let Some((schema, path)) = self.described(&self.place.path) {
            let schema = scope::follow(schema, schema, &path);
            return schema.map_or_else(Vec::new, |schema| words(&one_of(schema)));
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
                let mut sides: Vec<&str> =
                    self.mapping(self.name).iter().flat_map(|mapping| &mapping.sides).map(String::as_str).collect();
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
fn one_of(schema: &Value) -> Vec<&str> {
    if schema.get("type").is_some_and(|kind| kind == "boolean") {
        return vec!["true", "false"];
    }
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let choices = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    let chosen = choices.filter_map(|choice| choice.get("const")?.as_str());
    let items = schema.get("items").map_or_else(Vec::new, one_of);
    listed.chain(chosen).chain(items).collect()
}

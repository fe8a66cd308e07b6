//! What stands at a cursor, in words.

use std::fmt::Write;
use std::ops::Range;

use cosell_model::flow::{Flow, Step, StepKind};
use cosell_model::{Effect, FlowId, OperationDescription, OperationName};

use super::expression::{Before, before};
use super::place::{At, word};
use super::scope::{self, Member, word_of};
use super::{Cursor, Explanation, words};
use crate::expr::path::Segment;
use crate::mapping::Mapping;
use crate::schema::{Kind, look};

impl Cursor<'_> {
    /// What stands here, and what a user's file changes of it.
    pub fn explanation(&self) -> Option<Explanation> {
        let mut path = self.place.path.clone();
        if let At::Key(key) = &self.place.at {
            path.push(self.text[key.clone()].trim().trim_matches(['"', '\'']).to_owned());
        }
        match (self.known(), self.changed(&path)) {
            (Some(mut known), Some(changed)) => {
                known.markdown = format!("{}\n\n{changed}", known.markdown);
                Some(known)
            }
            (None, Some(markdown)) => {
                let place = match &self.place.at {
                    At::Key(key) => key.clone(),
                    At::Value(_) | At::Expression(_) => word(self.text, self.offset, &['.', '-']),
                };
                Some(Explanation { place, markdown })
            }
            (known, None) => known,
        }
    }

    fn known(&self) -> Option<Explanation> {
        let name = word(self.text, self.offset, &[]);
        match &self.place.at {
            At::Expression(start) => {
                let place = name.start.max(*start)..name.end;
                let markdown = self.of_expression(*start, &place)?;
                Some(Explanation { place, markdown })
            }
            At::Key(key) => {
                let name = self.text[key.clone()].trim().trim_matches(['"', '\'']);
                Some(Explanation { place: key.clone(), markdown: self.of_key(name)? })
            }
            At::Value(_) => {
                let place = word(self.text, self.offset, &['.', '-']);
                let markdown = self.of_value(&self.text[place.clone()])?;
                Some(Explanation { place, markdown })
            }
        }
    }

    fn of_expression(&self, start: usize, name: &Range<usize>) -> Option<String> {
        let written = &self.text[name.clone()];
        match before(&self.text[start..name.start]) {
            Before::Filter => of_function(words::FILTERS, written),
            Before::Mention(mention) => {
                if mention.is_empty() && self.text[name.end..].starts_with('(') {
                    return of_function(&words::FUNCTIONS, written);
                }
                let whole: Vec<Segment> = mention.into_iter().chain([Segment::Key(written.into())]).collect();
                let Some(scope) = self.scope() else { return self.of_variable_in_mapping(&whole) };
                if let [Segment::Key(root), Segment::Key(step)] = whole.as_slice()
                    && ["steps", "outcomes"].contains(&&**root)
                {
                    return Some(self.of_step(scope.find(step)?));
                }
                scope.member(&whole).map(|member| of_member(&member))
            }
            Before::Test | Before::Other => None,
        }
    }

    /// A variable where a path comes from it, and the field that it names.
    fn of_variable_in_mapping(&self, mention: &[Segment]) -> Option<String> {
        let [Segment::Key(root), Segment::Key(name)] = mention else { return None };
        let variable = self.compilation.variables.get(&**name).filter(|_| &**root == "vars")?;
        let field = self.of_computed_field().map(|field| format!("\n\n{field}")).unwrap_or_default();
        Some(of_variable(name, variable) + &field)
    }

    fn of_value(&self, written: &str) -> Option<String> {
        if self.kind == Kind::Mapping {
            return self.of_value_in_mapping(written);
        }
        let (key, before) = self.place.path.split_last()?;
        let (steps, keys) = scope::steps_of(before);
        let of_step = !steps.is_empty() && keys.is_empty();
        match (self.kind, key.as_str()) {
            (Kind::Flow, "use") if of_step => self
                .catalogue
                .operation(&OperationName::parse(written)?)
                .map(|operation| of_operation(written, operation)),
            (Kind::Flow, "use" | "trigger" | "also") => {
                let trigger = self.catalogue.trigger(&OperationName::parse(written)?)?;
                Some(format!("**{}**\n\n{}", trigger.title, trigger.description))
            }
            (Kind::Flow, "call") if of_step => self.compilation.flows.get(&FlowId::new(written)).map(of_flow),
            (Kind::Flow, "map" | "compare" | "merge") if of_step => self.mapping(written).map(of_mapping),
            (Kind::Flow, _) if self.place.path.contains(&"after".to_owned()) => {
                Some(self.of_step(self.scope()?.find(written)?))
            }
            _ => None,
        }
    }

    fn of_key(&self, name: &str) -> Option<String> {
        let path = &self.place.path;
        if let Some((_, Some(table))) = self.names(path).filter(|(names, _)| *names != "table") {
            return self.columns(&table).iter().find(|column| column.name == name).map(of_member);
        }
        if let Some((schema, inside)) = self.described(path) {
            let members = scope::of_schema(schema, schema, &inside);
            return members.iter().find(|member| member.name == name).map(of_member);
        }
        match self.kind {
            Kind::Flow if scope::names_steps(path) => return Some(self.of_step(self.scope()?.find(name)?)),
            Kind::Flow if path.last().is_some_and(|key| key == "after") => {
                return Some(self.of_step(self.scope()?.find(name)?));
            }
            Kind::Mapping => return self.of_key_in_mapping(name),
            Kind::Configuration if path.last().is_some_and(|key| key == "variables") => {
                let variable = self.compilation.variables.get(name)?;
                return Some(of_variable(name, variable));
            }
            Kind::Configuration if path.last().is_some_and(|key| key == "connections") => {
                let connector = self.catalogue.connector(name)?;
                return Some(format!("**{}**\n\n{}", connector.title, connector.description));
            }
            _ => {}
        }
        let keys = match self.step() {
            Some((step, keys)) => look::keys_of_step(step.and_then(|step| word_of(&step.kind)), keys),
            None => look::keys(self.kind, path),
        };
        keys.into_iter().find(|key| key.name == name).map(|key| key.about.to_owned())
    }

    /// A step: what it is called, what it does, what it yields.
    fn of_step(&self, step: &Step) -> String {
        let name = step.id.value.as_str();
        let mut text = format!("**{}**", step.title.as_deref().unwrap_or(name));
        if let Some(more) = &step.description {
            let _ = write!(text, "\n\n{}", more.trim());
        }
        match &step.kind {
            StepKind::Use { operation, .. } => {
                let known = self.catalogue.operation(&operation.value);
                let about = known.map(|known| format!(": {}", known.description)).unwrap_or_default();
                let _ = write!(text, "\n\n`{}`{about}", operation.value);
            }
            StepKind::Call { flow, .. } => {
                let _ = write!(text, "\n\nCalls the flow `{}`.", flow.value);
            }
            kind => {
                let word = word_of(kind).map(|word| format!("\n\n`{word}`"));
                text.push_str(&word.unwrap_or_default());
            }
        }
        let members = self
            .scope()
            .map_or_else(Vec::new, |scope| scope.members(&[Segment::Key("steps".into()), Segment::Key(name.into())]));
        if !members.is_empty() {
            let _ = write!(text, "\n\nYields {}.", listed(&members));
        }
        text
    }
}

/// How many members are named; who wants them all completes them.
const NAMED: usize = 12;

fn listed(members: &[Member]) -> String {
    let names: Vec<String> = members.iter().take(NAMED).map(|member| format!("`{}`", member.name)).collect();
    let more = if members.len() > NAMED { format!(" and {} more", members.len() - NAMED) } else { String::new() };
    format!("{}{more}", names.join(", "))
}

pub(super) fn of_member(member: &Member) -> String {
    let kind = if member.kind.is_empty() { String::new() } else { format!(": {}", member.kind) };
    let about = if member.about.is_empty() { String::new() } else { format!("\n\n{}", member.about) };
    format!("`{}`{kind}{about}", member.name)
}

fn of_function(table: &[(&str, &str, &str)], name: &str) -> Option<String> {
    table.iter().find(|(known, ..)| *known == name).map(|(_, form, about)| format!("`{form}`\n\n{about}"))
}

fn of_operation(name: &str, operation: &OperationDescription) -> String {
    let effect = match operation.effect {
        Effect::Read => "It reads.",
        Effect::Write => "It writes.",
    };
    let mut text = format!("**{}** (`{name}`)\n\n{} {effect}", operation.title, operation.description);
    let required = operation.input.get("required").and_then(serde_json::Value::as_array);
    let needed = |name: &str| required.is_some_and(|required| required.iter().any(|one| one == name));
    let members = scope::of_schema(&operation.input, &operation.input, &[]);
    for (number, member) in members.iter().enumerate() {
        let _ = write!(text, "{}", if number == 0 { "\n\n" } else { "\n" });
        let kind = match (needed(&member.name), member.kind.as_str()) {
            (true, "") => "needed".to_owned(),
            (true, kind) => format!("{kind}, needed"),
            (false, kind) => kind.to_owned(),
        };
        let kind = if kind.is_empty() { kind } else { format!(" ({kind})") };
        let _ = write!(text, "- `{}`{kind}: {}", member.name, member.about);
    }
    text
}

fn of_flow(flow: &Flow) -> String {
    let mut text = format!("**{}**", flow.title);
    if let Some(more) = &flow.description {
        let _ = write!(text, "\n\n{}", more.trim());
    }
    for (number, input) in flow.trigger.inputs.iter().enumerate() {
        let _ = write!(text, "{}", if number == 0 { "\n\n" } else { "\n" });
        let needed = if input.default.is_none() { ", needed" } else { "" };
        let about = input.description.as_deref().unwrap_or_default();
        let _ = write!(text, "- `{}` ({}{needed}): {about}", input.name.value, input.kind.as_str());
    }
    text
}

fn of_mapping(mapping: &Mapping) -> String {
    let [left, right] = &mapping.sides;
    format!("**{}**\n\nBetween `{left}` and `{right}`, {} rows.", mapping.title, mapping.rows.len())
}

fn of_variable(name: &str, variable: &crate::variables::Variable) -> String {
    let about = variable.description.as_deref().map(|more| format!("\n\n{}", more.trim())).unwrap_or_default();
    format!(
        "**{}**{about}\n\n`{name}`: {}, now `{}`; the default is `{}`",
        variable.title,
        variable.kind.as_str(),
        variable.current,
        variable.default
    )
}

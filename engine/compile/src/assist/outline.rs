//! What is in a file, and where a step's name stands in it: by the text as it is now, which must be YAML.

use std::ops::Range;

use cosell_model::node::{Entry, NodeKind};
use cosell_model::span::FileId;
use cosell_model::{Node, Span, ids};

use super::Cursor;
use crate::documents::Origin;
use crate::expr::parse::parse;
use crate::expr::path::Segment;
use crate::expr::text::{Piece, split};
use crate::overlay::Place;
use crate::scalar::Places;
use crate::schema::Kind;
use crate::yaml;

/// One thing in a file: a step, a row, a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its title, where it has one.
    pub title: String,
    /// Its bytes.
    pub whole: Range<usize>,
    /// The bytes of its name.
    pub place: Range<usize>,
    /// What is in it.
    pub inside: Vec<Part>,
}

/// The steps of a flow, the rows of a mapping, variables; nothing of a text that is no YAML.
pub fn outline(text: &str) -> Vec<Part> {
    let Ok(node) = yaml::parse(FileId(0), text) else { return Vec::new() };
    match (node.get("flow"), node.get("mapping"), node.get("variables")) {
        (Some(_), ..) => parts(&node, Place::Flow),
        (_, Some(_), _) => parts(&node, Place::Mapping),
        (.., Some(variables)) => {
            variables.entries().unwrap_or_default().iter().map(|entry| part(entry, Vec::new())).collect()
        }
        _ => Vec::new(),
    }
}

fn parts(node: &Node, place: Place) -> Vec<Part> {
    let mut found = Vec::new();
    for entry in node.entries().unwrap_or_default() {
        let below = place.below(&entry.key.value);
        match place {
            Place::Steps | Place::Rows => found.push(part(entry, parts(&entry.value, below))),
            Place::Flow | Place::Mapping | Place::Step | Place::Cases => found.extend(parts(&entry.value, below)),
            Place::Row | Place::Field | Place::Data => {}
        }
    }
    found
}

fn part(entry: &Entry, inside: Vec<Part>) -> Part {
    let (key, value) = (entry.key.span.range(), entry.value.span.range());
    Part {
        name: entry.key.value.clone(),
        title: entry.value.get("title").and_then(Node::text).unwrap_or_default().to_owned(),
        whole: key.start..value.end.max(key.end),
        place: key,
        inside,
    }
}

/// Where names of steps stand in a text, each with its bytes.
struct Named<'t> {
    text: &'t str,
    /// Steps that are there.
    steps: Vec<(String, Range<usize>)>,
    /// What mentions a step.
    mentions: Vec<(String, Range<usize>)>,
}

impl Cursor<'_> {
    /// The bytes of the step's name that stands here, where it can be another.
    pub fn renameable(&self) -> Option<Range<usize>> {
        self.step_named().map(|(_, _, place)| place)
    }

    /// All places in the file where the step is named whose name stands here, so that it can be called `new` in each.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn renamed(&self, new: &str) -> Result<Vec<Range<usize>>, String> {
        let Some((named, name, _)) = self.step_named() else {
            return Err("no step's name stands here that is this file's own".to_owned());
        };
        if !ids::is_identifier(new) {
            return Err(format!(
                "`{new}` is no name of a step: lower-case letters, digits and `_`, such as `new_account`"
            ));
        }
        let there = named.steps.iter().any(|(step, _)| step == new)
            || self.scope().is_some_and(|scope| scope.find(new).is_some());
        if there && new != name {
            return Err(format!("the flow has a step `{new}` already"));
        }
        let all = named.steps.into_iter().chain(named.mentions);
        let mut places: Vec<Range<usize>> = all.filter(|(step, _)| *step == name).map(|(_, place)| place).collect();
        places.sort_by_key(|place| place.start);
        places.dedup();
        Ok(places)
    }

    fn step_named(&self) -> Option<(Named<'_>, String, Range<usize>)> {
        if self.kind != Kind::Flow {
            return None;
        }
        let node = yaml::parse(FileId(0), self.text).ok()?;
        let mut named = Named { text: self.text, steps: Vec::new(), mentions: Vec::new() };
        named.walk(&node, Place::Flow);
        let here = |(_, place): &&(String, Range<usize>)| (place.start..=place.end).contains(&self.offset);
        let (name, place) = named.steps.iter().chain(&named.mentions).find(here)?.clone();
        // The step of a shipped flow has its name there.
        let shipped = self.compilation.documents.flows.get(self.name).filter(|known| known.origin == Origin::Overlaid);
        let theirs = shipped.and_then(|document| {
            let file = *document.files.first()?;
            yaml::parse(file, &self.compilation.sources.file(file).text).ok()
        });
        let is_theirs = theirs.is_some_and(|theirs| {
            let mut there = Named { text: "", steps: Vec::new(), mentions: Vec::new() };
            there.steps_of(&theirs, Place::Flow);
            there.steps.iter().any(|(step, _)| *step == name)
        });
        let is_step = named.steps.iter().any(|(step, _)| *step == name);
        (is_step && !is_theirs).then_some((named, name, place))
    }
}

impl Named<'_> {
    fn steps_of(&mut self, node: &Node, place: Place) {
        for entry in node.entries().unwrap_or_default() {
            if place == Place::Steps {
                self.steps.push((entry.key.value.clone(), entry.key.span.range()));
            }
            self.steps_of(&entry.value, place.below(&entry.key.value));
        }
    }

    fn walk(&mut self, node: &Node, place: Place) {
        match &node.kind {
            NodeKind::Text(text) => self.expressions(text, node.span),
            NodeKind::List(items) => items.iter().for_each(|item| self.walk(item, Place::Data)),
            NodeKind::Map(entries) => {
                for Entry { key, value, .. } in entries {
                    match place {
                        Place::Steps => {
                            let name = self.name(&key.value, key.span);
                            self.steps.extend(name);
                        }
                        _ => self.expressions(&key.value, key.span),
                    }
                    if place == Place::Step && key.value == "after" {
                        self.after(value);
                    }
                    self.walk(value, place.below(&key.value));
                }
            }
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => {}
        }
    }

    /// The names in `after`: one, a list, or the keys of a map.
    fn after(&mut self, node: &Node) {
        let names: Vec<(&str, Span)> = match &node.kind {
            NodeKind::Text(name) => vec![(name, node.span)],
            NodeKind::List(items) => items.iter().filter_map(|item| Some((item.text()?, item.span))).collect(),
            NodeKind::Map(entries) => entries.iter().map(|entry| (entry.key.value.as_str(), entry.key.span)).collect(),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => Vec::new(),
        };
        let names: Vec<_> = names.into_iter().filter_map(|(name, span)| self.name(name, span)).collect();
        self.mentions.extend(names);
    }

    /// The steps that the expressions in a text mention.
    fn expressions(&mut self, text: &str, span: Span) {
        let pieces = split(text).unwrap_or_default();
        let expressions = pieces.into_iter().filter_map(|piece| match piece {
            Piece::Expression(range) => Some(range),
            Piece::Plain(_) => None,
        });
        for range in expressions {
            let Ok(parsed) = parse(&text[range.clone()]) else { continue };
            let places = Places::new(text, &self.text[span.range()], span);
            for mention in
                parsed.mentions.iter().filter(|mention| ["steps", "outcomes"].contains(&mention.root.as_str()))
            {
                let Some((Segment::Key(name), within)) = mention.segments.first() else { continue };
                let part = places.part(range.start + within.start..range.start + within.end);
                let name = self.name(name, part);
                self.mentions.extend(name);
            }
        }
    }

    /// The bytes of a name in what is written at a place, which may have quotes or brackets around it.
    fn name(&self, name: &str, written: Span) -> Option<(String, Range<usize>)> {
        let start = written.range().start + self.text.get(written.range())?.find(name)?;
        Some((name.to_owned(), start..start + name.len()))
    }
}

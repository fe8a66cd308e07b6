//! Where what stands at a cursor is defined.

use cosell_model::{FlowId, Node, Span};

use super::Cursor;
use super::expression::{Before, before};
use super::place::{At, word};
use super::scope;
use crate::documents::Document;
use crate::expr::path::Segment;
use crate::schema::Kind;
use crate::yaml;

impl Cursor<'_> {
    /// Where what stands here is defined; of what a user's file changes, the shipped place.
    pub fn definition(&self) -> Option<Span> {
        match &self.place.at {
            At::Expression(start) => self.of_mention(*start),
            At::Value(_) => {
                let written = &self.text[word(self.text, self.offset, &['.', '-'])];
                self.named(written).or_else(|| self.shipped(None))
            }
            At::Key(key) => {
                let name = self.text[key.clone()].trim().trim_matches(['"', '\'']);
                let variables =
                    self.kind == Kind::Configuration && self.place.path.last().is_some_and(|key| key == "variables");
                if variables {
                    return Some(self.compilation.variables.get(name)?.declared);
                }
                if self.place.path.last().is_some_and(|key| key == "after") {
                    return Some(self.scope()?.find(name)?.id.span);
                }
                self.shipped(Some(name))
            }
        }
    }

    /// The step, variable or input that a mention names.
    fn of_mention(&self, start: usize) -> Option<Span> {
        let name = word(self.text, self.offset, &[]);
        let from = name.start.max(start);
        let Before::Mention(mut mention) = before(&self.text[start..from]) else { return None };
        mention.push(Segment::Key(self.text[from..name.end].into()));
        let [Segment::Key(root), Segment::Key(name), ..] = mention.as_slice() else { return None };
        match &**root {
            "vars" => Some(self.compilation.variables.get(&**name)?.declared),
            "steps" | "outcomes" => Some(self.scope()?.find(name)?.id.span),
            "inputs" => {
                let scope = self.scope()?;
                scope.flow.trigger.inputs.iter().find(|input| input.name.value == **name).map(|input| input.name.span)
            }
            _ => None,
        }
    }

    /// The flow, mapping or step that a value names.
    fn named(&self, written: &str) -> Option<Span> {
        let (key, before) = self.place.path.split_last().filter(|_| self.kind == Kind::Flow)?;
        let (steps, keys) = scope::steps_of(before);
        match key.as_str() {
            "call" if !steps.is_empty() && keys.is_empty() => {
                self.compilation.flows.get(&FlowId::new(written)).map(|flow| flow.id.span)
            }
            "map" | "compare" | "merge" if !steps.is_empty() && keys.is_empty() => {
                self.compilation.documents.mappings.get(written).map(Document::name)
            }
            "after" => Some(self.scope()?.find(written)?.id.span),
            _ => None,
        }
    }

    /// The place in the shipped file that this one changes here: the key itself, or the nearest one around it that is there.
    fn shipped(&self, key: Option<&str>) -> Option<Span> {
        let documents = match self.kind {
            Kind::Flow => &self.compilation.documents.flows,
            Kind::Mapping => &self.compilation.documents.mappings,
            Kind::Variables | Kind::Configuration | Kind::Test => return None,
        };
        let [shipped, _] = documents.get(self.name)?.files.as_slice() else { return None };
        let whole = yaml::parse(*shipped, &self.compilation.sources.file(*shipped).text).ok()?;
        let (mut node, mut place): (&Node, Option<Span>) = (&whole, None);
        for name in self.place.path.iter().map(String::as_str).chain(key) {
            let Some(entry) = node.entries().unwrap_or_default().iter().find(|entry| entry.key.value == name) else {
                break;
            };
            (node, place) = (&entry.value, Some(entry.key.span));
        }
        place
    }
}

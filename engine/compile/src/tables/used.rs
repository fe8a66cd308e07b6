//! Which tables and columns a flow names, and what for.
//!
//! Operations and triggers say which of their inputs hold names, by the annotation `x-names` in their schemas: `table`, or
//! columns that are read (`columns`), given to a new row (`new_columns`) or to an existing one (`changed_columns`).

use std::collections::BTreeMap;

use cosell_model::flow::{Flow, Step, StepKind, TriggerSource};
use cosell_model::node::{Entry, NodeKind};
use cosell_model::{Catalogue, Node, Schema, Span, Spanned};
use serde_json::Value;

use crate::calls::walk;
use crate::expr::parse::parse;
use crate::expr::path::Segment;
use crate::expr::text::{Piece, split};
use crate::source::Sources;
use crate::values::{constant_text, is_whole};

/// What a step, or what starts a flow, names of one table.
pub(super) struct Uses<'f> {
    pub(super) connection: String,
    pub(super) table: Spanned<String>,
    pub(super) columns: Vec<Used<'f>>,
    /// Where a new row is made of columns that are all listed: then it can be told which are missing.
    pub(super) whole: Option<Span>,
    /// Columns whose texts are cut where they are too long.
    pub(super) cut: Vec<String>,
}

/// A column that is named.
pub(super) struct Used<'f> {
    pub(super) name: Spanned<String>,
    pub(super) how: How,
    /// What it is given, where that is written beside it.
    pub(super) value: Option<&'f Node>,
}

/// What a column is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// To be read, or to find rows by.
    Read,
    /// To be given to a new row.
    New,
    /// To be given to a row that is there, or may be.
    Changed,
}

/// Everything that `flow` names.
pub(super) fn of<'f>(
    flow: &'f Flow,
    catalogue: &Catalogue,
    sources: &Sources,
    variables: &BTreeMap<String, Value>,
) -> Vec<Uses<'f>> {
    let mut all = Vec::new();
    let reading = Reading { flow, sources, variables };
    for source in flow.trigger.sources() {
        let TriggerSource::Connector(name) = &source.kind else { continue };
        let (Some(known), Some(with)) = (catalogue.trigger(name), &source.with) else { continue };
        let connection = source.connection.as_ref().map_or(&*name.connector, |name| &name.value);
        all.extend(reading.uses(&known.input, with, connection));
    }
    walk(&flow.steps, &mut |step: &'f Step| {
        let StepKind::Use { operation, connection, with: Some(with) } = &step.kind else { return };
        let Some(known) = catalogue.operation(&operation.value) else { return };
        let connection = connection.as_ref().map_or(&*operation.value.connector, |name| &name.value);
        all.extend(reading.uses(&known.input, with, connection));
    });
    all
}

struct Reading<'f, 'r> {
    flow: &'f Flow,
    sources: &'r Sources,
    variables: &'r BTreeMap<String, Value>,
}

impl<'f> Reading<'f, '_> {
    fn uses(&self, schema: &Schema, with: &'f Node, connection: &str) -> Option<Uses<'f>> {
        let inputs = schema.get("properties").and_then(Value::as_object)?;
        let of_kind = |kind: &str| {
            let fits = |(_, property): &(&String, &Value)| property["x-names"] == kind;
            inputs.iter().filter(fits).filter_map(|(name, _)| Some((name, with.get(name)?))).collect::<Vec<_>>()
        };
        let (_, table) = of_kind("table").first().copied()?;
        let table = Spanned::new(self.text(table)?, table.span);
        let mut uses =
            Uses { connection: connection.to_owned(), table, columns: Vec::new(), whole: None, cut: Vec::new() };
        for (name, node) in of_kind("columns") {
            let named = self.named(node, How::Read);
            if name == "cut" {
                uses.cut.extend(named.iter().map(|column| column.name.value.clone()));
            }
            uses.columns.extend(named);
        }
        for (_, node) in of_kind("changed_columns") {
            uses.columns.extend(self.named(node, How::Changed));
        }
        for (_, node) in of_kind("new_columns") {
            uses.whole = node.entries().map(|_| node.span);
            uses.columns.extend(self.named(node, How::New));
        }
        Some(uses)
    }

    /// The columns that a value names: the keys of a map, the items of a list, or what an expression puts together.
    fn named(&self, node: &'f Node, how: How) -> Vec<Used<'f>> {
        match &node.kind {
            NodeKind::Map(entries) => self.keys(entries, how),
            NodeKind::List(items) => {
                let item = |item: &'f Node| {
                    let name = Spanned::new(self.text(item)?, item.span);
                    Some(Used { name, how, value: None })
                };
                items.iter().filter_map(item).collect()
            }
            NodeKind::Text(text) => self.put_together(text, how),
            _ => Vec::new(),
        }
    }

    fn keys(&self, entries: &'f [Entry], how: How) -> Vec<Used<'f>> {
        let column = |entry: &'f Entry| {
            let key = Node { kind: NodeKind::Text(entry.key.value.clone()), span: entry.key.span };
            let name = Spanned::new(self.text(&key)?, entry.key.span);
            Some(Used { name, how, value: Some(&entry.value) })
        };
        entries.iter().filter_map(column).collect()
    }

    /// An expression such as `steps.made | merge(steps.own)`: the columns that a `let` it mentions names.
    fn put_together(&self, text: &str, how: How) -> Vec<Used<'f>> {
        let Some(pieces) = split(text).ok().filter(|pieces| is_whole(pieces)) else { return Vec::new() };
        let Some(Piece::Expression(range)) = pieces.into_iter().next() else { return Vec::new() };
        let source = &text[range];
        let Ok(parsed) = parse(source) else { return Vec::new() };
        let whole = parsed.mentions.iter().filter(|mention| {
            // Inside braces it is the value of one column.
            let before = &source[..mention.range.start];
            mention.root == "steps" && before.matches('{').count() == before.matches('}').count()
        });
        let step = |name: &str| {
            let mut found = None;
            walk(&self.flow.steps, &mut |step: &'f Step| {
                if step.id.value.as_str() == name {
                    found = Some(step);
                }
            });
            found
        };
        let mut columns = Vec::new();
        for mention in whole {
            let [(Segment::Key(name), _)] = mention.segments.as_slice() else { continue };
            if let Some(StepKind::Let(values)) = step(name).map(|step| &step.kind) {
                columns.extend(self.keys(values.entries().unwrap_or_default(), how));
            }
        }
        columns
    }

    /// Text in which only variables are mentioned; none where a run decides.
    fn text(&self, node: &Node) -> Option<String> {
        node.text()?;
        // What is wrong with it was reported where it is compiled.
        constant_text(node, "a name", self.sources, self.variables, &mut Vec::new())
    }
}

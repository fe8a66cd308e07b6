//! What the sides of a mapping are records of, and the fields that such records have: by what operations yield, or by what is
//! known of a table. It is what rows are checked against.

use cosell_model::tables::{Choice, Column};
use cosell_model::{Node, OperationName, Schema};
use serde_json::Value;

use super::Cursor;
use super::scope::{self, Member};
use crate::mapping::read::Given;
use crate::mapping::{Record, read, records};
use crate::shape::concrete;
use crate::tables::{self, known};

/// How deep fields of records are listed, and how many; whoever wants those below completes on.
const DEPTH: usize = 4;
const FIELDS: usize = 1000;

/// The sides of a mapping, as far as it is written.
pub(super) struct Sides {
    pub(super) names: [String; 2],
    pub(super) records: [Option<Record>; 2],
}

/// Where in a row of a mapping a place is.
pub(super) enum InRow<'p> {
    /// The path of the field on this side.
    Path(usize),
    /// The column that the field on this side stands for.
    Column(usize),
    /// The default of the field on this side.
    Default(usize),
    /// A value of the left side, which a value of the right side means.
    Left,
    /// A value of the right side.
    Right,
    /// Another key of the field on this side.
    Other(&'p str),
}

impl Sides {
    /// The number of a side, by its name.
    fn side(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|side| side == name)
    }

    /// Where the value at `path` of the mapping's file stands in a row.
    pub(super) fn in_row<'p>(&self, path: &'p [String]) -> Option<InRow<'p>> {
        let [rows, _, keys @ ..] = path else { return None };
        let keys: Vec<&'p str> = keys.iter().map(String::as_str).collect();
        match (rows.as_str(), keys.as_slice()) {
            ("rows", ["values"]) => Some(InRow::Left),
            ("rows", ["values", _]) => Some(InRow::Right),
            ("rows", [side]) => self.side(side).map(InRow::Path),
            ("rows", [side, key]) => {
                let side = self.side(side)?;
                Some(match *key {
                    "path" => InRow::Path(side),
                    "column" => InRow::Column(side),
                    "default" => InRow::Default(side),
                    other => InRow::Other(other),
                })
            }
            _ => None,
        }
    }
}

impl Cursor<'_> {
    /// The sides of a mapping, also of one with mistakes.
    pub(super) fn sides_of(&self, mapping: &str) -> Option<Sides> {
        let node = &self.compilation.documents.mappings.get(mapping)?.node;
        let names = read::sides(node.get("between")?, &mut Vec::new())?;
        let variables = tables::current(self.compilation);
        let given = Given { catalogue: self.catalogue, sources: &self.compilation.sources, variables: &variables };
        let records = node.get("records").map(|node| records::read(node, &names, given, &mut Vec::new()));
        Some(Sides { names, records: records.unwrap_or_default() })
    }

    /// The fields of a record, each by its path: what it holds, and what it means.
    pub(super) fn fields(&self, record: &Record) -> Vec<Member> {
        match record {
            Record::Table(table) => self.columns(&table.value),
            Record::Yielded { .. } => {
                let mut all = Vec::new();
                if let Some((root, schema)) = records::described(record, self.catalogue) {
                    below(root, schema, "", DEPTH, &mut all);
                }
                all
            }
        }
    }

    /// The columns of a table.
    pub(super) fn columns(&self, table: &str) -> Vec<Member> {
        let all = known::columns(self.compilation, self.catalogue, self.metadata, table);
        all.into_iter().map(|(name, column)| of_column(&name, column)).collect()
    }

    /// The tables that are known.
    pub(super) fn tables(&self) -> Vec<Member> {
        let all = known::tables(self.compilation, self.catalogue, self.metadata);
        all.iter().map(|name| Member::new(name, "table", "")).collect()
    }

    /// One field of a record, by its path.
    pub(super) fn field(&self, record: &Record, path: &str) -> Option<Member> {
        match record {
            Record::Table(table) => self.columns(&table.value).into_iter().find(|column| column.name == path),
            Record::Yielded { .. } => {
                let (root, whole) = records::described(record, self.catalogue)?;
                let (before, last) = path.rsplit_once('.').map_or((None, path), |(before, last)| (Some(before), last));
                let names = before.into_iter().flat_map(|before| before.split('.'));
                let holder = names.into_iter().try_fold(whole, |schema, name| records::inside(root, schema, name))?;
                let found = scope::of_schema(root, holder, &[]).into_iter().find(|member| member.name == last)?;
                Some(Member { name: path.to_owned(), ..found })
            }
        }
    }

    /// The values that a field can have, where they are listed: each as it is written, and what it means.
    pub(super) fn listed(&self, record: &Record, path: &str) -> Vec<Member> {
        match record {
            Record::Table(table) => self.choices(&table.value, path),
            Record::Yielded { .. } => {
                let Some((root, whole)) = records::described(record, self.catalogue) else { return Vec::new() };
                let reached = path.split('.').try_fold(whole, |schema, name| records::inside(root, schema, name));
                let schema = reached.and_then(|schema| concrete(root, schema));
                let words = schema.map_or_else(Vec::new, super::complete::one_of);
                words.into_iter().map(|word| Member::new(word, "", "")).collect()
            }
        }
    }

    /// The values that a column can have, where they are listed.
    pub(super) fn choices(&self, table: &str, column: &str) -> Vec<Member> {
        let Some(column) = known::column(self.metadata, table, column) else { return Vec::new() };
        if column.kind == "boolean" {
            return ["true", "false"].map(|word| Member::new(word, "", "")).to_vec();
        }
        let label = |choice: &Choice| choice.label.clone().unwrap_or_default();
        column.choices.iter().map(|choice| Member::new(&choice.value.to_string(), "", &label(choice))).collect()
    }

    /// What can stand as the record of a side: tables, operations, and what is a record in what they yield.
    pub(super) fn records(&self, written: &str) -> Vec<Member> {
        let mut parts = written.splitn(3, '.');
        let operation = parts.next().zip(parts.next()).and_then(|(connector, name)| {
            let name = format!("{connector}.{name}");
            self.catalogue.operation(&OperationName::parse(&name)?).map(|operation| (name, operation))
        });
        let Some((name, operation)) = operation.filter(|_| parts.next().is_some()) else {
            let yields = |operation: &&cosell_model::OperationDescription| operation.output.get("properties").is_some();
            let of = |connector: &'_ cosell_model::catalogue::ConnectorDescription| {
                let one = |operation: &cosell_model::OperationDescription| {
                    let name = format!("{}.{}", connector.name, operation.name);
                    Member::new(&name, &operation.title, &operation.description)
                };
                connector.operations.iter().filter(yields).map(one).collect::<Vec<_>>()
            };
            return self.tables().into_iter().chain(self.catalogue.connectors().flat_map(of)).collect();
        };
        let mut all = Vec::new();
        holders(&operation.output, &operation.output, &name, DEPTH, &mut all);
        all
    }

    /// The path of the row's field on a side, as it is when variables have their values.
    pub(super) fn path_of(&self, row: &str, side: usize) -> Option<String> {
        let document = self.compilation.documents.mappings.get(self.name)?;
        let sides = read::sides(document.node.get("between")?, &mut Vec::new())?;
        let field = document.node.get("rows")?.get(row)?.get(&sides[side])?;
        let path: &Node = field.get("path").unwrap_or(field);
        path.text()?;
        let variables = tables::current(self.compilation);
        crate::values::constant_text(path, "a path", &self.compilation.sources, &variables, &mut Vec::new())
    }
}

fn of_column(name: &str, column: Option<&Column>) -> Member {
    let kind = column.map(known::holds).unwrap_or_default();
    Member::new(name, kind, &column.map(known::described).unwrap_or_default())
}

/// The members of a schema and of those below, by their paths; not those in lists, into which no path leads.
fn below(root: &Schema, schema: &Schema, before: &str, depth: usize, all: &mut Vec<Member>) {
    for member in scope::of_schema(root, schema, &[]) {
        if all.len() >= FIELDS {
            return;
        }
        let name = format!("{before}{}", member.name);
        let property = concrete(root, schema).and_then(|schema| schema.get("properties")?.get(&member.name));
        all.push(Member { name: name.clone(), ..member });
        if let Some(property) = property.filter(|_| depth > 1) {
            below(root, property, &format!("{name}."), depth - 1, all);
        }
    }
}

/// What is a record, or a list of records, in what a schema describes.
fn holders(root: &Schema, schema: &Schema, before: &str, depth: usize, all: &mut Vec<Member>) {
    let Some(schema) = concrete(root, schema) else { return };
    let schema = schema.get("items").and_then(|items| concrete(root, items)).unwrap_or(schema);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let Some(inner) = concrete(root, property) else { continue };
        let record = inner.get("items").and_then(|items| concrete(root, items)).unwrap_or(inner);
        if record.get("properties").is_none() || all.len() >= FIELDS {
            continue;
        }
        let name = format!("{before}.{name}");
        let about = property.get("description").or_else(|| inner.get("description")).and_then(Value::as_str);
        all.push(Member::new(&name, &scope::kind(inner), about.unwrap_or_default()));
        if depth > 1 {
            holders(root, record, &name, depth - 1, all);
        }
    }
}

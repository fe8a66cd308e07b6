//! What can be named of tables, for whoever writes a file: what the remote system says, and where that was not asked for,
//! what flows and mappings name already.

use std::collections::BTreeSet;

use cosell_model::Catalogue;
use cosell_model::tables::{Column, Metadata};

use super::{columns as of_column, current, holding, used};
use crate::Compilation;
use crate::mapping::Record;
use crate::mapping::read::{self, Given};

/// The names of all tables.
pub(crate) fn tables(compilation: &Compilation, catalogue: &Catalogue, metadata: &Metadata) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, table) in metadata.connections.values().flatten() {
        names.extend(table.is_some().then(|| name.clone()));
    }
    let named = super::named(compilation, catalogue).into_values().flatten();
    // What the system says that it does not have is no help.
    let lacking = |name: &String| holding(metadata, name).is_some_and(|tables| matches!(tables.get(name), Some(None)));
    names.extend(named.filter(|name| super::names::is_logical(name) && !lacking(name)));
    names
}

/// Whether the remote system was asked for this table, and has it.
pub(crate) fn is_described(metadata: &Metadata, table: &str) -> bool {
    holding(metadata, table).is_some_and(|tables| matches!(tables.get(table), Some(Some(_))))
}

/// The column of this name; nothing where the remote system was not asked, or has none.
pub(crate) fn column<'m>(metadata: &'m Metadata, table: &str, name: &str) -> Option<&'m Column> {
    holding(metadata, table)?.get(table)?.as_ref()?.column(name)
}

/// The names of a table's columns, with what the remote system says of each.
pub(crate) fn columns<'m>(
    compilation: &Compilation,
    catalogue: &Catalogue,
    metadata: &'m Metadata,
    table: &str,
) -> Vec<(String, Option<&'m Column>)> {
    if let Some(Some(table)) = holding(metadata, table).and_then(|tables| tables.get(table)) {
        return table.columns.iter().map(|column| (column.name.clone(), Some(column))).collect();
    }
    let variables = current(compilation);
    let mut names = BTreeSet::new();
    for flow in compilation.flows.values() {
        let uses = used::of(flow, catalogue, &compilation.sources, &variables);
        let of_table = uses.into_iter().filter(|uses| uses.table.value == table);
        names.extend(of_table.flat_map(|uses| uses.columns).map(|column| column.name.value));
    }
    // Read once more, since one with mistakes is not among those that can be used.
    let given = Given { catalogue, sources: &compilation.sources, variables: &variables };
    let documents = compilation.documents.mappings.values();
    for mapping in documents.filter_map(|document| read::mapping(&document.node, given, &mut Vec::new())) {
        let is_side =
            |side: &usize| matches!(&mapping.records[*side], Some(Record::Table(named)) if named.value == table);
        for side in (0..2).filter(is_side) {
            names.extend(mapping.rows.iter().filter_map(|row| row.fields[side].column.clone()));
        }
    }
    names.retain(|name| super::names::is_logical(name));
    names.into_iter().map(|name| (name, None)).collect()
}

/// What a column is, as Markdown: what people read for it, what it holds, what it takes.
pub(crate) fn described(column: &Column) -> String {
    let mut text = column.label.clone().unwrap_or_default();
    let mut add = |sentence: String| {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&sentence);
    };
    if let Some(most) = column.max_length {
        add(format!("At most {most} characters."));
    }
    if !column.targets.is_empty() {
        let names: Vec<String> = column.targets.iter().map(|name| format!("`{name}`")).collect();
        add(format!("Refers to {}.", names.join(", ")));
    }
    if !column.creatable && !column.updatable {
        add("It cannot be written.".to_owned());
    } else if column.required {
        add("A new row needs it.".to_owned());
    }
    text
}

/// What a column holds, in words.
pub(crate) fn holds(column: &Column) -> &str {
    of_column::holds(column)
}

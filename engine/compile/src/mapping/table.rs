//! A mapping as people read it: a line for each row, as a field mapping guide has them.

use cosell_model::Value;

use super::form::Form;
use super::{Field, Mapping, Row};
use crate::documents::Document;
use crate::overlay::Change;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'m> {
    /// The row's id.
    pub row: &'m str,
    /// Its title.
    pub title: &'m str,
    /// The field on each side.
    pub cells: [Cell<'m>; 2],
    /// Which way values go: `↔`, `←` or `→`.
    pub arrow: &'static str,
    /// Which way they go, in words.
    pub goes: String,
    /// Pairs of equal meaning.
    pub values: Vec<[String; 2]>,
    /// What it does beside carrying a value over.
    pub rules: Vec<String>,
    /// Whether a user's file changes or adds it.
    pub changed: bool,
}

/// A field of one side.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell<'m> {
    /// Its path.
    pub path: String,
    /// The variables that the path comes from, as they are written: `vars.deal_value_column`.
    pub variables: Vec<&'m str>,
    /// How values look there: `money`, `text, at most 100`; none where nothing is said.
    pub form: Option<String>,
    /// Its value where the other side has none.
    pub default: Option<String>,
}

/// The lines of a mapping, which was read from `document`.
pub fn lines<'m>(mapping: &'m Mapping, document: Option<&'m Document>) -> Vec<Line<'m>> {
    let changes = document.map_or(&[][..], |document| &document.changes);
    let line = |row: &'m Row| Line {
        row: &row.id,
        title: &row.title,
        cells: [0, 1].map(|side| cell(mapping, document, row, side)),
        arrow: match row.only_to {
            None => "↔",
            Some(0) => "←",
            Some(_) => "→",
        },
        goes: row.only_to.map_or_else(|| "both ways".to_owned(), |side| format!("only to {}", mapping.sides[side])),
        values: row.values.iter().flatten().map(|pair| [plain(&pair[0]), plain(&pair[1])]).collect(),
        rules: rules(mapping, row),
        changed: changes.iter().any(|change: &Change| change.row() == Some(row.id.as_str())),
    };
    mapping.rows.iter().map(line).collect()
}

/// The variables that a field's path comes from, as they are written: `vars.deal_value_column`.
pub fn variables<'m>(mapping: &Mapping, document: Option<&'m Document>, row: &Row, side: usize) -> Vec<&'m str> {
    let field = document.and_then(|d| d.node.get("rows")?.get(&row.id)?.get(&mapping.sides[side]));
    let path = field.and_then(|field| field.get("path").unwrap_or(field).text()).unwrap_or_default();
    path.split("${{").skip(1).filter_map(|rest| rest.split("}}").next()).map(str::trim).collect()
}

/// Whose value is kept where both sides have changed it.
pub fn winner<'m>(mapping: &'m Mapping, row: &Row) -> &'m str {
    row.wins.map_or("newest", |side| &mapping.sides[side])
}

/// Text as it stands, everything else as JSON.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn cell<'m>(mapping: &'m Mapping, document: Option<&'m Document>, row: &'m Row, side: usize) -> Cell<'m> {
    let field: &Field = &row.fields[side];
    Cell {
        path: field.path_text(),
        variables: variables(mapping, document, row, side),
        form: match (field.form, field.form.length()) {
            (Form::Any, _) => None,
            (form, Some(length)) => Some(format!("{}, at most {length}", form.word())),
            (form, None) => Some(form.word().to_owned()),
        },
        default: field.default.as_ref().map(plain),
    }
}

/// What a row does beside carrying a value over.
fn rules(mapping: &Mapping, row: &Row) -> Vec<String> {
    let mut rules = Vec::new();
    if row.keep_when_empty {
        rules.push("empty leaves the other side".to_owned());
    }
    if row.only_to.is_none() {
        rules.push(format!("{} wins", winner(mapping, row)));
    }
    if let Some(side) = row.final_in {
        rules.push(format!("final in {}", mapping.sides[side]));
    }
    rules
}

//! What stands at a cursor in a mapping, in words; and what a user's file changes there.

use std::fmt::Write;

use cosell_model::Node;

use super::Cursor;
use super::explain::of_member;
use super::record::{InRow, Sides};
use super::scope::Member;
use crate::mapping::Record;
use crate::mapping::form::Form;
use crate::overlay::{Change, Written};
use crate::schema::{Kind, look};
use crate::tables::known;

/// How many changes are shown; `cosell flows diff` has them all.
const CHANGES: usize = 3;

impl Cursor<'_> {
    /// What a key in a mapping is.
    pub(super) fn of_key_in_mapping(&self, name: &str) -> Option<String> {
        let path: Vec<&str> = self.place.path.iter().map(String::as_str).collect();
        let sides = self.sides_of(self.name);
        let side = |name: &str| {
            let sides = sides.as_ref()?;
            let side = sides.names.iter().position(|side| side == name)?;
            Some((sides, side))
        };
        let known = match path.as_slice() {
            ["rows"] => sides.as_ref().and_then(|sides| self.of_row(name, sides)),
            ["records"] => side(name).map(|(sides, side)| of_side(sides, side)),
            ["rows", row] => side(name).map(|(sides, side)| {
                let field = self.path_of(row, side).and_then(|path| self.of_field(sides, side, &path));
                field.map_or_else(|| of_side(sides, side), |field| format!("{}\n\n{field}", of_side(sides, side)))
            }),
            ["rows", row, "values"] => {
                side(sides.as_ref()?.names[0].as_str()).and_then(|(sides, side)| self.of_listed(sides, row, side, name))
            }
            _ => None,
        };
        known.or_else(|| {
            let keys = look::keys(self.kind, &self.place.path);
            keys.into_iter().find(|key| key.name == name).map(|key| key.about.to_owned())
        })
    }

    /// What a value in a mapping is.
    pub(super) fn of_value_in_mapping(&self, written: &str) -> Option<String> {
        let sides = self.sides_of(self.name)?;
        let path = &self.place.path;
        if let [records, side] = path.as_slice()
            && records == "records"
        {
            let side = sides.names.iter().position(|name| name == side)?;
            let known = self.records(written).into_iter().find(|member| member.name == written);
            return Some(known.map_or_else(|| of_side(&sides, side), |member| of_member(&member)));
        }
        let row = path.get(1)?;
        match sides.in_row(path)? {
            InRow::Path(side) | InRow::Column(side) => self.of_field(&sides, side, written),
            InRow::Default(side) => self.of_listed(&sides, row, side, written),
            InRow::Right => self.of_listed(&sides, row, 1, written),
            InRow::Other("as") => {
                let (_, form) = Form::WORDS.into_iter().find(|(word, _)| *word == written)?;
                Some(format!("`{written}`: {}", form.describe()))
            }
            InRow::Left | InRow::Other(_) => None,
        }
    }

    /// What the field is whose path comes from a variable.
    pub(super) fn of_computed_field(&self) -> Option<String> {
        let sides = self.sides_of(self.name)?;
        let InRow::Path(side) = sides.in_row(&self.place.path)? else { return None };
        self.of_field(&sides, side, &self.path_of(self.place.path.get(1)?, side)?)
    }

    /// A row, also of a mapping with mistakes.
    fn of_row(&self, name: &str, sides: &Sides) -> Option<String> {
        let row = self.compilation.documents.mappings.get(self.name)?.node.get("rows")?.get(name)?;
        let mut text = format!("**{}**\n", row.get("title").and_then(Node::text).unwrap_or(name));
        if let Some(more) = row.get("description").and_then(Node::text) {
            let _ = write!(text, "\n{}\n", more.trim());
        }
        for (side, name_of_side) in sides.names.iter().enumerate() {
            let Some(path) = self.path_of(name, side) else { continue };
            let Some(field) = row.get(name_of_side) else { continue };
            let written = field.get("as").and_then(Node::text);
            let form = Form::WORDS.into_iter().find(|(word, form)| written == Some(word) && *form != Form::Any);
            let form = form.map_or_else(String::new, |(_, form)| format!(", {}", form.describe()));
            let length = field.get("length").and_then(|length| length.to_value().as_u64());
            let length = length.map_or_else(String::new, |length| format!(", at most {length} characters"));
            let _ = write!(text, "\n- {name_of_side}: `{path}`{form}{length}");
        }
        if let Some(only) = row.get("only_to").and_then(Node::text) {
            let _ = write!(text, "\n\nGoes only to {only}.");
        }
        Some(text)
    }

    fn of_field(&self, sides: &Sides, side: usize, path: &str) -> Option<String> {
        let record = sides.records[side].as_ref()?;
        let mut text = match (self.field(record, path), record) {
            (Some(known), _) => of_member(&known),
            (None, Record::Table(table)) if !known::is_described(self.metadata, &table.value) => format!(
                "`{path}`: a field of the table `{}`, of which nothing is known; `cosell metadata pull` asks the CRM",
                table.value
            ),
            (None, _) => return None,
        };
        let listed = self.listed(record, path);
        for (number, Member { name, about, .. }) in listed.iter().enumerate() {
            let about = if about.is_empty() { String::new() } else { format!(": {about}") };
            let _ = write!(text, "{}- `{name}`{about}", if number == 0 { "\n\n" } else { "\n" });
        }
        Some(text)
    }

    fn of_listed(&self, sides: &Sides, row: &str, side: usize, written: &str) -> Option<String> {
        let record = sides.records[side].as_ref()?;
        let all = self.listed(record, &self.path_of(row, side)?);
        all.into_iter().find(|value| value.name == written).map(|value| of_member(&value))
    }

    /// What a user's file changes of what stands at `path`, the cursor's key included: where, and what is shipped.
    pub(super) fn changed(&self, path: &[String]) -> Option<String> {
        let documents = match self.kind {
            Kind::Flow => &self.compilation.documents.flows,
            Kind::Mapping => &self.compilation.documents.mappings,
            Kind::Variables | Kind::Configuration | Kind::Test => return None,
        };
        let changes = &documents.get(self.name).filter(|_| path.len() > 1)?.changes;
        let here: Vec<&Change> = changes.iter().filter(|change| change.path.starts_with(path)).collect();
        let sources = &self.compilation.sources;
        let mut text = String::new();
        for change in here.iter().take(CHANGES) {
            let below = change.path[path.len()..].join(".");
            let below = if below.is_empty() { below } else { format!("`{below}`: ") };
            let shown = |node: &Node| Written::at(node.span, sources);
            let said = match (&change.new, &change.old) {
                (Some(new), None) => format!("added in {}", shown(new).place),
                (Some(new), Some(old)) => {
                    let old = shown(old);
                    let more = if old.lines.len() > 1 { " …" } else { "" };
                    format!("set in {}; shipped: `{}{more}`", shown(new).place, old.lines[0])
                }
                (None, _) => "left out".to_owned(),
            };
            let _ = write!(text, "{}- {below}{said}", if text.is_empty() { "" } else { "\n" });
        }
        if here.len() > CHANGES {
            let _ = write!(text, "\n- and {} more", here.len() - CHANGES);
        }
        (!text.is_empty()).then_some(text)
    }
}

fn of_side(sides: &Sides, side: usize) -> String {
    let name = &sides.names[side];
    match &sides.records[side] {
        None => format!("The side `{name}`."),
        Some(Record::Table(table)) => format!("The side `{name}`: a row of the table `{}`.", table.value),
        Some(Record::Yielded { operation, below }) if below.is_empty() => {
            format!("The side `{name}`: what `{operation}` yields.")
        }
        Some(Record::Yielded { operation, below }) => {
            format!("The side `{name}`: `{}` of what `{operation}` yields.", below.join("."))
        }
    }
}

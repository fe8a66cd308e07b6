//! The rows of a sheet, checked: either all of them are solutions, or it is told what is wrong with each.

use std::collections::HashMap;

use cosell_compile::did_you_mean;

use super::sheet::{Cell, Row, Sheet};
use super::{HEADINGS, Solution};
use crate::Trouble;

/// The types of a solution (Referrals API, SolutionTag).
pub(super) const TYPES: [&str; 3] = ["Name", "Category", "None"];

/// What else the three columns may be called; case, spaces and signs do not count.
const SYNONYMS: [&[&str]; 3] = [&["solutionid", "id"], &["name", "solutionname", "title"], &["type", "solutiontype"]];

/// How long the texts of the three columns may be, in UTF-16 code units, as Dataverse counts.
pub(super) type Limits = [Option<usize>; 3];

/// Which column of the sheet holds what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    id: usize,
    name: usize,
    /// A sheet may leave types out.
    kind: Option<usize>,
}

impl Columns {
    /// Finds the columns by their headings.
    ///
    /// # Errors
    /// Headings that are missing, unknown or there twice.
    pub(super) fn of(sheet: &Sheet) -> Result<Self, Trouble> {
        let mut places: [Option<usize>; 3] = [None; 3];
        let mut wrong = Vec::new();
        for (at, heading) in sheet.headings.iter().enumerate() {
            let shown = match heading {
                Cell::Text(text) => text,
                Cell::Other(_, shown) => shown,
                Cell::Empty if sheet.rows.iter().all(|row| empty(row, at)) => continue,
                Cell::Empty => {
                    wrong.push(format!("column {} has no heading", at + 1));
                    continue;
                }
            };
            let plain: String = shown.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
            match SYNONYMS.iter().position(|known| known.contains(&plain.as_str())) {
                None => wrong.push(format!("`{shown}` is not known")),
                Some(which) if places[which].is_some() => wrong.push(format!("`{}` is there twice", HEADINGS[which])),
                Some(which) => places[which] = Some(at),
            }
        }
        for which in 0..2 {
            if places[which].is_none() {
                wrong.push(format!("`{}` is missing", HEADINGS[which]));
            }
        }
        if let ([Some(id), Some(name), kind], true) = (places, wrong.is_empty()) {
            return Ok(Self { id, name, kind });
        }
        let found: Vec<String> = sheet.headings.iter().filter_map(shown).map(|text| format!("`{text}`")).collect();
        Err(Trouble::new(format!(
            "the headings of {} do not fit: {}\n  found:    {}\n  expected: `Solution ID`, `Name` and, if wanted, `Type`, \
             in any order\nhelp: correct the first row, or take out what does not belong there",
            sheet.place,
            wrong.join("; "),
            found.join(", ")
        )))
    }

    /// Whether the sheet says of what type solutions are.
    pub(super) fn with_types(self) -> bool {
        self.kind.is_some()
    }
}

/// A row that is a solution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its number in the sheet.
    pub(super) row: u64,
    /// What it says.
    pub(super) solution: Solution,
}

/// What is wrong in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The row's number in the sheet.
    pub(super) row: u64,
    /// Heading of the column.
    pub(super) column: &'static str,
    /// What stands there; none where nothing does.
    pub(super) found: Option<String>,
    /// Why it cannot be taken, and what to do.
    pub(super) reason: String,
}

/// Reads all rows.
///
/// # Errors
/// Everything that is wrong, in the order of the rows.
pub(super) fn check(sheet: &Sheet, columns: Columns, limits: &Limits) -> Result<Vec<Listed>, Vec<Fault>> {
    let (mut listed, mut faults) = (Vec::new(), Vec::new());
    let mut seen: HashMap<String, u64> = HashMap::new();
    for row in &sheet.rows {
        let before = faults.len();
        let mut fault = |which: usize, found: Option<&str>, reason: String| {
            let found = found.map(str::to_owned);
            faults.push(Fault { row: row.number, column: HEADINGS[which], found, reason });
        };
        let mut read = |which: usize, at: usize| {
            let text = match row.cells.get(at).unwrap_or(&Cell::Empty) {
                Cell::Empty => return None,
                Cell::Text(text) => text,
                Cell::Other(what, shown) => {
                    let reason = format!("is {what}; expected text: format the cell as text and write it anew");
                    fault(which, Some(shown), reason);
                    return None;
                }
            };
            let length = text.encode_utf16().count();
            if let Some(most) = limits[which].filter(|most| length > *most) {
                fault(which, Some(text), format!("has {length} characters, but the column takes {most}; shorten it"));
            }
            Some(text.as_str())
        };
        let (id, name) = (read(0, columns.id), read(1, columns.name));
        let kind = columns.kind.and_then(|at| read(2, at));
        let is_empty = |at: usize| empty(row, at);
        if is_empty(columns.id) {
            fault(0, None, "missing; every solution needs its id".to_owned());
        }
        if is_empty(columns.name) {
            fault(1, None, "missing; every solution needs a name".to_owned());
        }
        if let Some(id) = id {
            // Dataverse compares texts without regard to case.
            match seen.get(&id.to_lowercase()) {
                Some(first) => {
                    let reason = format!("stands in {} {first} already; keep one of them", sheet.place.row());
                    fault(0, Some(id), reason);
                }
                None => drop(seen.insert(id.to_lowercase(), row.number)),
            }
        }
        let known = kind.and_then(|kind| TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(kind)));
        if let (Some(kind), None) = (kind, known) {
            let near = did_you_mean(kind, TYPES).map_or(String::new(), |near| format!("{near} "));
            let [first, second, third] = TYPES;
            fault(2, Some(kind), format!("is no type; {near}expected {first}, {second} or {third}"));
        }
        if let (Some(id), Some(name)) = (id, name)
            && faults.len() == before
        {
            let solution = Solution { id: id.to_owned(), name: name.to_owned(), kind: known.map(str::to_owned) };
            listed.push(Listed { row: row.number, solution });
        }
    }
    faults.sort_by_key(|fault| (fault.row, HEADINGS.iter().position(|heading| *heading == fault.column)));
    if faults.is_empty() { Ok(listed) } else { Err(faults) }
}

fn empty(row: &Row, at: usize) -> bool {
    matches!(row.cells.get(at), None | Some(Cell::Empty))
}

fn shown(cell: &Cell) -> Option<&str> {
    match cell {
        Cell::Empty => None,
        Cell::Text(text) | Cell::Other(_, text) => Some(text),
    }
}

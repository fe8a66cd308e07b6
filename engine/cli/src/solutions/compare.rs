//! What must be written so that the catalogue says what the sheet says.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::rows::{Fault, Listed};
use super::table::{RowWrite, Stored, Table};
use super::{HEADINGS, Solution};

/// What becomes of a row of the sheet.
pub(super) enum Change<'a> {
    /// It is added.
    New,
    /// A row there is is changed.
    Changed(&'a Stored, Vec<Difference>),
    /// The catalogue says so already.
    Equal,
}

/// A column that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Which of the three columns.
    which: usize,
    /// What the catalogue says.
    pub(super) old: Option<String>,
    /// What the sheet says.
    pub(super) new: Option<String>,
}

impl Difference {
    /// Heading of the column.
    pub(super) fn column(&self) -> &'static str {
        HEADINGS[self.which]
    }
}

/// Compares the sheet with the catalogue. What the catalogue has beyond the sheet stays. Types are left alone where the
/// sheet has none.
///
/// # Errors
/// Solutions that stand in the catalogue more than once, so that it is not known which row is meant.
pub(super) fn compare<'a>(
    listed: &[Listed],
    with_types: bool,
    stored: &'a [Stored],
) -> Result<Vec<Change<'a>>, Vec<Fault>> {
    let mut by_id: HashMap<String, Vec<&Stored>> = HashMap::new();
    for row in stored {
        // Dataverse compares texts without regard to case.
        by_id.entry(row.solution.id.to_lowercase()).or_default().push(row);
    }
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    for Listed { row, solution } in listed {
        changes.push(match by_id.get(&solution.id.to_lowercase()).map(Vec::as_slice) {
            None => Change::New,
            Some([stored]) => match differences(&stored.solution, solution, with_types) {
                differences if differences.is_empty() => Change::Equal,
                differences => Change::Changed(stored, differences),
            },
            Some(several) => {
                let reason = format!("stands in {} rows of the catalogue; delete all but one of them", several.len());
                faults.push(Fault { row: *row, column: HEADINGS[0], found: Some(solution.id.clone()), reason });
                continue;
            }
        });
    }
    if faults.is_empty() { Ok(changes) } else { Err(faults) }
}

fn differences(old: &Solution, new: &Solution, with_types: bool) -> Vec<Difference> {
    let members = |solution: &Solution| [Some(solution.id.clone()), Some(solution.name.clone()), solution.kind.clone()];
    let pairs = members(old).into_iter().zip(members(new)).take(if with_types { 3 } else { 2 }).enumerate();
    pairs.filter(|(_, (old, new))| old != new).map(|(which, (old, new))| Difference { which, old, new }).collect()
}

impl Change<'_> {
    /// The write it takes, if any.
    pub(super) fn write(&self, listed: &Listed, table: &Table) -> Option<RowWrite> {
        let solution = &listed.solution;
        match self {
            Self::Equal => None,
            Self::New => {
                let texts = [Some(&solution.id), Some(&solution.name), solution.kind.as_ref()];
                let given =
                    table.columns.iter().zip(texts).filter_map(|(column, text)| Some((column.clone(), json!(text?))));
                Some(table.creation(given.collect()))
            }
            Self::Changed(stored, differences) => {
                let values: Map<String, Value> = differences
                    .iter()
                    .map(|difference| (table.columns[difference.which].clone(), json!(difference.new)))
                    .collect();
                Some(table.change(stored, values))
            }
        }
    }
}

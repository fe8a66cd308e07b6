//! Merging: what changed on either side since both agreed goes to the other.
//!
//! It takes three things: a record of each side as it is now, and the values that both had when they last agreed. For each
//! row, in this order:
//!
//! 1. Sides that agree are left alone.
//! 2. A row that goes one way only makes its side follow, as a comparison does.
//! 3. A side that is `final_in` and holds a value is followed.
//! 4. Where just one side has changed since, the other follows it.
//! 5. Where both have changed, the row's `wins` says whose value is kept; the other is given up, and reported.
//! 6. Where nothing is remembered, or neither side has changed and they still disagree (a mapping that was edited), the
//!    side with news is followed, unless it has nothing there: an empty value is no news.
//!
//! A flow brings the news of one side to the other, so what is remembered is what both have once the side without news has
//! taken its changes; a row whose change waits for the side with news keeps what was remembered of it before.
//!
//! With `when_empty: keep` an empty value never clears: where the side to be followed has nothing, it follows instead.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::beside::Verdict;
use super::form::is_empty;
use super::{Mapping, MappingError, Row, put, put_into, same};

/// Two records to merge; whatever has two values here has them in the order of the mapping's sides.
#[derive(Clone, Copy, Debug)]
pub struct Merging<'m> {
    /// The side that has news.
    pub from: usize,
    /// The records as they are.
    pub records: [&'m Value; 2],
    /// What both had when they last agreed, as an earlier merge yielded it: `{ row: { left: value, right: value } }`.
    pub agreed: &'m Value,
    /// When each record was last changed, where that is known.
    pub changed: [Option<Timestamp>; 2],
}

/// What a merge finds, in the making.
#[derive(Default)]
struct Merged {
    changes: [Map<String, Value>; 2],
    differences: [Vec<Value>; 2],
    conflicts: Vec<Value>,
}

impl Mapping {
    /// What must change on either side for both to agree: `{ equal, changes, differences, conflicts, agreed }`, where
    /// changes and differences are by side, and `agreed` is what to remember for the next merge.
    ///
    /// # Errors
    /// The first value that cannot be taken over.
    pub fn merge(&self, merging: &Merging<'_>) -> Result<Value, MappingError> {
        let mut merged = Merged::default();
        let mut records = merging.records.map(Cow::Borrowed);
        // What goes one way may start from a value that another row brings: so it comes last.
        let (one_way, both_ways): (Vec<&Row>, Vec<&Row>) = self.rows.iter().partition(|row| row.only_to.is_some());
        for row in both_ways.iter().chain(&one_way) {
            let now = [&*records[0], &*records[1]];
            let (follows, new, conflict) = match self.verdict(row, merging, now) {
                Verdict::Equal | Verdict::Stays => continue,
                Verdict::Follows { side, new, conflict } => (side, new, conflict),
                Verdict::Stuck(message) => return Err(self.error(row, message)),
            };
            let leads = 1 - follows;
            if conflict {
                let kept = row.fields[leads].found(&records[leads]);
                let given_up = row.fields[follows].found(&records[follows]);
                merged.conflicts.push(json!({
                    "row": row.id, "title": row.title, "wins": self.sides[leads], "kept": kept, "given_up": given_up,
                    "text": format!("{}: {} gave way to {}", row.title, shown(given_up), shown(kept)),
                }));
            }
            merged.differences[follows].push(row.difference(follows, &records[follows], &new));
            put(&mut merged.changes[follows], &row.fields[follows].path, new.clone());
            put_into(records[follows].to_mut(), &row.fields[follows].path, new);
        }
        Ok(self.report(merged, merging, [&*records[0], &*records[1]]))
    }

    /// What becomes of a row.
    pub(super) fn verdict(&self, row: &Row, merging: &Merging<'_>, records: [&Value; 2]) -> Verdict {
        let before = self.remembered(row, merging.agreed);
        let Some((leads, conflict)) = row.leader(merging, records, before) else { return Verdict::Equal };
        match row.convert(leads, records[leads]) {
            Err(message) => Verdict::Stuck(message),
            Ok(new) if new.is_null() && row.keep_when_empty && row.only_to.is_some() => Verdict::Stays,
            Ok(new) => Verdict::Follows { side: 1 - leads, new, conflict },
        }
    }

    /// What both sides had in a row when they last agreed.
    pub(super) fn remembered<'m>(&self, row: &Row, agreed: &'m Value) -> Option<[&'m Value; 2]> {
        let [left, right] = &self.sides;
        let remembered = agreed.get(&row.id)?;
        Some([remembered.get(left)?, remembered.get(right)?])
    }

    fn report(&self, merged: Merged, merging: &Merging<'_>, records: [&Value; 2]) -> Value {
        let [left, right] = &self.sides;
        let mut agreed = Map::new();
        for row in &self.rows {
            let waits = merged.differences[merging.from].iter().any(|difference| difference["row"] == *row.id);
            if waits {
                if let Some(before) = merging.agreed.get(&row.id) {
                    agreed.insert(row.id.clone(), before.clone());
                }
            } else if row.agree(0, records[0], records[1]) {
                let values = [0, 1].map(|side| row.fields[side].found(records[side]));
                agreed.insert(row.id.clone(), json!({ left: values[0], right: values[1] }));
            }
        }
        let equal = merged.differences.iter().all(Vec::is_empty);
        let ([left_changes, right_changes], [left_differences, right_differences]) =
            (merged.changes, merged.differences);
        json!({
            "equal": equal,
            "changes": { left: left_changes, right: right_changes },
            "differences": { left: left_differences, right: right_differences },
            "conflicts": merged.conflicts,
            "agreed": agreed,
        })
    }
}

/// A value as a sentence has it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("“{text}”"),
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
        value => value.to_string(),
    }
}

impl Row {
    /// The side to be followed, and whether the other's change is given up for it; none where both agree. `before` is
    /// what both had when they last agreed.
    fn leader(
        &self,
        merging: &Merging<'_>,
        records: [&Value; 2],
        before: Option<[&Value; 2]>,
    ) -> Option<(usize, bool)> {
        if self.agree(0, records[0], records[1]) {
            return None;
        }
        if let Some(to) = self.only_to {
            return Some((1 - to, false));
        }
        let changed = before.map(|before| [0, 1].map(|side| self.has_changed(side, before[side], records[side])));
        let conflict = changed == Some([true, true]);
        if let Some(side) = self.final_in.filter(|side| self.is_final(*side, records[*side])) {
            return Some((side, conflict));
        }
        let is_empty = |side: usize| is_empty(self.fields[side].found(records[side]));
        let leads = match changed {
            Some([true, true]) => self.wins.unwrap_or_else(|| merging.newest()),
            Some([true, false]) => 0,
            Some([false, true]) => 1,
            _ if is_empty(merging.from) && !is_empty(1 - merging.from) => 1 - merging.from,
            _ => merging.from,
        };
        let clears = self.convert(leads, records[leads]).is_ok_and(|new| new.is_null());
        Some((if clears && self.keep_when_empty { 1 - leads } else { leads }, conflict))
    }

    fn has_changed(&self, side: usize, before: &Value, record: &Value) -> bool {
        let field = &self.fields[side];
        let now = field.found(record);
        // One value may be written in several ways; what is no value of its form is compared as it stands.
        match (field.form.write(before), field.form.write(now)) {
            (Ok(before), Ok(now)) => !same(&before, &now),
            _ => !same(before, now),
        }
    }
}

impl Merging<'_> {
    /// The side that was changed last; the one with news where that is not known.
    fn newest(&self) -> usize {
        match self.changed {
            [Some(left), Some(right)] if left != right => usize::from(right > left),
            _ => self.from,
        }
    }
}

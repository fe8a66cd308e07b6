//! Two records beside each other, row by row: what a merge or a comparison makes of each.

use std::borrow::Cow;

use serde_json::Value;

use super::merge::Merging;
use super::{Mapping, Row, put_into};

/// A row of two records beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside<'m> {
    /// The row.
    pub row: &'m Row,
    /// Its values, in the order of the mapping's sides.
    pub now: [Value; 2],
    /// What both had when they last agreed; none where nothing is remembered of it.
    pub agreed: Option<[Value; 2]>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Both sides agree.
    Equal,
    /// They differ, and are left as they are: the row goes another way only, only a value would be taken over and there is
    /// none, or what is there is final.
    Stays,
    /// One side follows the other.
    Follows {
        /// The side that follows.
        side: usize,
        /// What it gets, in its form.
        new: Value,
        /// Whether its own change is given up for it.
        conflict: bool,
    },
    /// The value cannot be taken over; why.
    Stuck(String),
}

impl Mapping {
    /// Each row as [`merge`](Self::merge) sees it, in the order of the file. What cannot be taken over is said of its own
    /// row, and keeps nothing from the others.
    pub fn merged_beside(&self, merging: &Merging<'_>) -> Vec<Beside<'_>> {
        let mut records = merging.records.map(Cow::Borrowed);
        let mut verdicts = Vec::new();
        // As a merge goes through them.
        let (one_way, both_ways): (Vec<usize>, Vec<usize>) =
            (0..self.rows.len()).partition(|at| self.rows[*at].only_to.is_some());
        for at in both_ways.into_iter().chain(one_way) {
            let row = &self.rows[at];
            let verdict = self.verdict(row, merging, [&*records[0], &*records[1]]);
            if let Verdict::Follows { side, new, .. } = &verdict {
                put_into(records[*side].to_mut(), &row.fields[*side].path, new.clone());
            }
            verdicts.push((at, verdict));
        }
        verdicts.sort_by_key(|(at, _)| *at);
        let beside = verdicts.into_iter().map(|(at, verdict)| {
            let row = &self.rows[at];
            let agreed = self.remembered(row, merging.agreed).map(|agreed| agreed.map(Value::clone));
            Beside { row, now: row.found(merging.records), agreed, verdict }
        });
        beside.collect()
    }

    /// Each row as [`compare`](Self::compare) sees it, where the record of side `from` leads, in the order of the file.
    pub fn compared_beside(&self, from: usize, records: [&Value; 2]) -> Vec<Beside<'_>> {
        let beside = self.rows.iter().map(|row| {
            let verdict = row.following(from, records[from], records[1 - from]);
            Beside { row, now: row.found(records), agreed: None, verdict }
        });
        beside.collect()
    }
}

impl Row {
    /// What becomes of it where a record of side `from` leads.
    pub(super) fn following(&self, from: usize, leading: &Value, following: &Value) -> Verdict {
        let agree = self.agree(from, leading, following);
        if !self.goes(from) {
            return if agree { Verdict::Equal } else { Verdict::Stays };
        }
        let new = match self.convert(from, leading) {
            Ok(new) => new,
            Err(message) => return Verdict::Stuck(message),
        };
        if agree {
            Verdict::Equal
        } else if new.is_null() && self.keep_when_empty || self.is_final(1 - from, following) {
            Verdict::Stays
        } else {
            Verdict::Follows { side: 1 - from, new, conflict: false }
        }
    }

    fn found(&self, records: [&Value; 2]) -> [Value; 2] {
        [0, 1].map(|side| self.fields[side].found(records[side]).clone())
    }
}

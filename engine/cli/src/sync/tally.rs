//! What became of all records: numbers, and what someone should read.

use std::collections::BTreeMap;

use cosell_model::Value;
use serde_json::{Map, json};

use super::finished::{Finished, Verdict};
use super::records::Direction;

/// How many records are named for each reason; the rest are counted, so that a long walk stays small.
const NAMED: usize = 10;

/// What became of all records.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<(Direction, Verdict), usize>,
    conflicts: BTreeMap<Direction, usize>,
    notes: BTreeMap<(Kind, String), Note>,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A record that failed.
    Failed,
    /// A record that was refused.
    Refused,
    /// A field that both sides had changed.
    Conflict,
    /// A record that was ignored.
    Ignored,
}

/// The records for which one thing is to be said.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Note {
    /// How many there are.
    pub(super) count: usize,
    /// The first of them: direction, name, id.
    pub(super) first: Vec<(Direction, String, String)>,
}

impl Tally {
    /// Counts a record.
    pub(super) fn add(&mut self, finished: &Finished) {
        *self.counts.entry((finished.direction, finished.result)).or_default() += 1;
        let kind = match finished.result {
            Verdict::Failed => Some(Kind::Failed),
            Verdict::Refused => Some(Kind::Refused),
            Verdict::Ignored => Some(Kind::Ignored),
            Verdict::Created | Verdict::Updated | Verdict::Equal => None,
        };
        if let Some(kind) = kind {
            self.note(kind, finished.reason.clone().unwrap_or_default(), finished);
        }
        *self.conflicts.entry(finished.direction).or_default() += finished.conflicts.len();
        for conflict in &finished.conflicts {
            self.note(Kind::Conflict, told(conflict), finished);
        }
    }

    fn note(&mut self, kind: Kind, text: String, finished: &Finished) {
        let note = self.notes.entry((kind, text)).or_default();
        note.count += 1;
        if note.first.len() < NAMED {
            note.first.push((finished.direction, finished.name.clone(), finished.id.clone()));
        }
    }

    /// How many records ended so.
    pub(super) fn count(&self, direction: Direction, verdict: Verdict) -> usize {
        self.counts.get(&(direction, verdict)).copied().unwrap_or_default()
    }

    /// How many fields both sides had changed.
    pub(super) fn conflicts(&self, direction: Direction) -> usize {
        self.conflicts.get(&direction).copied().unwrap_or_default()
    }

    /// How many records were walked.
    pub(super) fn all(&self, direction: Direction) -> usize {
        Verdict::ALL.iter().map(|verdict| self.count(direction, *verdict)).sum()
    }

    /// How many did not get through.
    pub(super) fn wrong(&self) -> usize {
        let wrong = |direction| self.count(direction, Verdict::Refused) + self.count(direction, Verdict::Failed);
        Direction::ALL.into_iter().map(wrong).sum()
    }

    /// What is to be said of one kind, the most frequent first.
    pub(super) fn notes(&self, kind: Kind) -> Vec<(&str, &Note)> {
        let of_kind = self.notes.iter().filter(|((found, _), _)| *found == kind);
        let mut notes: Vec<_> = of_kind.map(|((_, text), note)| (text.as_str(), note)).collect();
        notes.sort_by_key(|(_, note)| std::cmp::Reverse(note.count));
        notes
    }

    /// The numbers of one direction, for machines.
    pub(super) fn as_json(&self, direction: Direction) -> Value {
        let count = |verdict: Verdict| (verdict.as_str().to_owned(), json!(self.count(direction, verdict)));
        let mut counts = Map::from_iter(Verdict::ALL.map(count));
        counts.insert("conflicts".to_owned(), json!(self.conflicts(direction)));
        Value::Object(counts)
    }
}

/// A conflict in a sentence: the flow's own, where it has one.
fn told(conflict: &Value) -> String {
    let text = |member: &str| match &conflict[member] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match &conflict["text"] {
        Value::String(sentence) => sentence.clone(),
        _ => format!("{}: {} was kept ({}), {} given up.", text("title"), text("kept"), text("wins"), text("given_up")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn finished(id: usize, result: Verdict, reason: &str) -> Finished {
        Finished {
            direction: Direction::Referrals,
            id: id.to_string(),
            name: format!("Deal {id}"),
            created_at: Timestamp::UNIX_EPOCH,
            result,
            reason: Some(reason.to_owned()),
            conflicts: Vec::new(),
            run: None,
        }
    }

    #[test]
    fn a_reason_is_said_once_and_only_the_first_records_are_named() {
        let mut tally = Tally::default();
        tally.add(&finished(0, Verdict::Refused, "rare"));
        (1..=25).for_each(|id| tally.add(&finished(id, Verdict::Refused, "frequent")));
        tally.add(&finished(26, Verdict::Equal, ""));
        let notes = tally.notes(Kind::Refused);
        assert_eq!(
            notes.iter().map(|(text, note)| (*text, note.count)).collect::<Vec<_>>(),
            [("frequent", 25), ("rare", 1)]
        );
        assert_eq!(notes[0].1.first.len(), NAMED);
        assert_eq!((tally.all(Direction::Referrals), tally.wrong()), (27, 26));
    }

    #[test]
    fn every_conflict_counts() {
        let mut tally = Tally::default();
        let conflicts = vec![
            json!({ "text": "Deal value: 5 of the CRM was given up." }),
            json!({ "row": "notes", "title": "Notes", "wins": "referral", "kept": "a", "given_up": 7 }),
        ];
        tally.add(&Finished { conflicts, ..finished(1, Verdict::Updated, "") });
        assert_eq!(tally.conflicts(Direction::Referrals), 2);
        let notes: Vec<&str> = tally.notes(Kind::Conflict).into_iter().map(|(text, _)| text).collect();
        assert_eq!(notes, ["Deal value: 5 of the CRM was given up.", "Notes: a was kept (referral), 7 given up."]);
    }
}

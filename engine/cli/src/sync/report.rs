//! What a walk came to: a table, and beneath it what someone should read.

use serde_json::{Value, json};

use super::finished::Verdict;
use super::journal::{Asked, Journal};
use super::records::Direction;
use super::tally::{Kind, Tally};
use super::walk::Stopped;
use crate::render::{BAD, DIM, STRONG, styled};

/// How many reasons of a kind are shown.
const REASONS: usize = 50;

/// That an earlier walk is gone on with.
pub(super) fn going_on(journal: &Journal) -> String {
    let began = journal.asked().began.strftime("%Y-%m-%d %H:%M UTC");
    let done: usize = Direction::ALL.into_iter().map(|direction| journal.tally().all(direction)).sum();
    format!("going on with the walk of {began}, of which {done} records are done; `--restart` begins anew")
}

/// Everything, at the end.
pub(super) fn closing(tally: &Tally, asked: &Asked, stopped: &Stopped, json: bool) {
    if json {
        anstream::println!("{}", summary(tally, asked, stopped));
    } else {
        anstream::println!("{}", table(tally, asked));
        anstream::print!("{}", notes(tally));
    }
    let on = "`cosell sync` goes on from here, and `cosell sync --restart` begins anew";
    match stopped {
        Stopped::AtTheEnd => {}
        Stopped::Told => anstream::eprintln!("interrupted\nhelp: {on}"),
        Stopped::Failing(why) => {
            anstream::eprintln!("{}: {why}\nhelp: once this is put right, {on}", styled(BAD, "error"));
        }
    }
}

fn summary(tally: &Tally, asked: &Asked, stopped: &Stopped) -> Value {
    let counts = asked.directions().map(|direction| match direction {
        Direction::Referrals => ("referrals", tally.as_json(direction)),
        Direction::Opportunities => ("opportunities", tally.as_json(direction)),
    });
    let mut summary: serde_json::Map<String, Value> = counts.map(|(name, counts)| (name.to_owned(), counts)).collect();
    summary.insert("finished".to_owned(), json!(matches!(stopped, Stopped::AtTheEnd)));
    json!({ "summary": summary })
}

fn table(tally: &Tally, asked: &Asked) -> String {
    let width = Direction::ALL.into_iter().map(|direction| direction.title().len()).max().unwrap_or_default();
    let heads = Verdict::ALL.map(Verdict::as_str).into_iter().chain(["conflicts"]);
    let mut lines = vec![styled(STRONG, format!("{:width$}  {}", "", heads.clone().collect::<Vec<_>>().join("  ")))];
    for direction in asked.directions() {
        let counts = Verdict::ALL.map(|verdict| tally.count(direction, verdict));
        let counts = counts.into_iter().chain([tally.conflicts(direction)]);
        let cells: Vec<String> = heads.clone().zip(counts).map(|(head, n)| format!("{n:>0$}", head.len())).collect();
        lines.push(format!("{:width$}  {}", direction.title(), cells.join("  ")));
    }
    lines.join("\n")
}

fn notes(tally: &Tally) -> String {
    let mut text = String::new();
    for (kind, title) in [
        (Kind::Failed, "Failed"),
        (Kind::Refused, "Refused"),
        (Kind::Conflict, "Conflicts"),
        (Kind::Ignored, "Ignored"),
    ] {
        let notes = tally.notes(kind);
        if notes.is_empty() {
            continue;
        }
        text += &format!("\n{}\n", styled(STRONG, title));
        for (reason, note) in notes.iter().take(REASONS) {
            let reason = if reason.is_empty() { "No reason was given." } else { reason };
            text += &format!("  {}\n", reason.replace('\n', "\n  "));
            for (direction, name, id) in &note.first {
                let what = match direction {
                    Direction::Referrals => "referral",
                    Direction::Opportunities => "opportunity",
                };
                text += &format!("    {name}  {}\n", styled(DIM, format!("{what} {id}")));
            }
            match note.count - note.first.len() {
                0 => {}
                more => text += &format!("    and {more} more\n"),
            }
        }
        match notes.len().saturating_sub(REASONS) {
            0 => {}
            more => text += &format!("  and {more} reasons more; `--json` tells each record's\n"),
        }
    }
    text
}

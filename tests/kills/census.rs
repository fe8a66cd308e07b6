//! How much there is of everything, and what was written: what an effect that was lost or doubled changes.

use std::collections::BTreeMap;

use crate::people::{People, ROWS};

const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";

/// So much of each thing, and so often each write had an effect.
pub type Census = BTreeMap<String, usize>;

/// Counts. `log` is where the log had come to before.
pub async fn take(people: &People, log: u64) -> Census {
    let mut census = effects(people, log).await;
    let mut count = |what: String| *census.entry(what).or_default() += 1;
    for set in ["opportunities", "leads", "accounts", "contacts", "opportunitycloses", ROWS] {
        for row in people.rows(set).await {
            count(set.to_owned());
            for line in row[AUDIT].as_str().unwrap_or_default().lines() {
                let said = line.split_once(" UTC - ").map_or(line, |(_, said)| said);
                count(format!("audit of {}: {}", row["name"], masked(said)));
            }
        }
    }
    for referral in people.referrals().await {
        count(format!("referrals of {}", referral["organizationId"]));
    }
    census
}

/// How often each write had an effect since the log had come to `log`.
pub async fn effects(people: &People, log: u64) -> Census {
    let mut effects = Census::new();
    for entry in people.log(log).await.iter().filter(|entry| entry.system != "control" && !entry.changes.is_empty()) {
        let fields: Vec<&str> = entry.changes.iter().map(|change| change.field.as_str()).collect();
        let write = format!("{} {}: {}", entry.method, masked(&entry.path), masked(&fields.join(", ")));
        *effects.entry(write).or_default() += 1;
    }
    effects
}

/// What differs, as lines for people.
pub fn differences(found: &Census, expected: &Census) -> Vec<String> {
    let mut all: Vec<&String> = found.keys().chain(expected.keys()).collect();
    all.sort();
    all.dedup();
    let of = |census: &Census, what: &str| census.get(what).copied().unwrap_or_default();
    all.into_iter()
        .map(|what| (what, of(found, what), of(expected, what)))
        .filter(|(_, found, expected)| found != expected)
        .map(|(what, found, expected)| format!("{found} times and not {expected}: {what}"))
        .collect()
}

/// The text without its ids.
fn masked(text: &str) -> String {
    let hexadecimal = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    let mut masked = String::new();
    for word in text.split_inclusive(|letter| !hexadecimal(letter)) {
        let end = word.trim_end_matches(|letter| !hexadecimal(letter)).len();
        let (id, rest) = word.split_at(end);
        masked += if id.len() == 36 { "[id]" } else { id };
        masked += rest;
    }
    masked
}

//! How many runs began in each of the last hours, and how they ended, as bars; the same in words for those who cannot see them.

use cosell_journal::read::Count;
use jiff::Timestamp;
use maud::{Markup, html};

/// The hours that are shown.
const HOURS: usize = 24;
/// The width of an hour, and the height of the tallest bar.
const WIDTH: usize = 20;
const HEIGHT: f64 = 90.0;

/// What a part of a bar stands for, in the order in which they are piled up.
const KINDS: [(&str, &str); 4] =
    [("good", "succeeded"), ("bad", "failed or timed out"), ("calm", "cancelled"), ("busy", "under way")];

/// How many runs of an hour are of each of [`KINDS`].
type Hour = [u32; 4];

pub(super) fn drawn(counts: &[Count], now: Timestamp) -> Markup {
    let hours = by_hour(counts, now);
    let sums: Hour = std::array::from_fn(|kind| hours.iter().map(|hour| hour[kind]).sum());
    let tallest = hours.iter().map(|hour| hour.iter().sum::<u32>()).max().unwrap_or_default().max(1);
    let words = KINDS.iter().zip(sums).map(|((_, word), runs)| format!("{runs} {word}")).collect::<Vec<_>>().join(", ");
    html! {
        svg.hours viewBox={ "0 0 " (HOURS * WIDTH) " 96" } preserveAspectRatio="none" role="img" aria-label={ "Runs by the hour: " (words) } {
            @for (at, hour) in hours.iter().enumerate() {
                @for (kind, y, height) in parts(hour, tallest) {
                    rect class=(KINDS[kind].0) x=(at * WIDTH + 2) y=(format!("{y:.1}")) width=(WIDTH - 4) height=(format!("{height:.1}")) {}
                }
            }
            line.axis x1="0" x2=(HOURS * WIDTH) y1="95.5" y2="95.5" {}
        }
        p.hint {
            @for ((class, word), runs) in KINDS.iter().zip(sums) {
                span class={ "key " (class) } {} (runs) " " (word) " \u{2003}"
            }
        }
    }
}

/// Where the parts of a bar stand: which kind, from where, how tall.
fn parts(hour: &Hour, tallest: u32) -> Vec<(usize, f64, f64)> {
    let mut top = HEIGHT + 5.0;
    let there = hour.iter().enumerate().filter(|(_, runs)| **runs > 0);
    there
        .map(|(kind, runs)| {
            let height = HEIGHT * f64::from(*runs) / f64::from(tallest);
            top -= height;
            (kind, top, height)
        })
        .collect()
}

/// The last is the hour that it is now.
fn by_hour(counts: &[Count], now: Timestamp) -> Vec<Hour> {
    let mut hours = vec![Hour::default(); HOURS];
    for count in counts {
        let ago = usize::try_from(now.duration_since(count.hour).as_secs() / 3600).unwrap_or_default();
        let kind = match count.outcome.as_deref() {
            Some("succeeded") => 0,
            Some("failed" | "timed_out") => 1,
            Some(_) => 2,
            None => 3,
        };
        // The first of the last 24 hours began before them, and the journal tells of all of it.
        hours[HOURS - 1 - ago.min(HOURS - 1)][kind] += count.runs;
    }
    hours
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_hour_that_it_is_stands_last() {
        let now: Timestamp = "2026-05-01T08:20:00Z".parse().unwrap();
        let count = |hour: &str, outcome: Option<&str>, runs| Count {
            hour: hour.parse().unwrap(),
            outcome: outcome.map(str::to_owned),
            runs,
        };
        let counts = [
            count("2026-05-01T08:00:00Z", Some("succeeded"), 3),
            count("2026-05-01T07:00:00Z", Some("failed"), 2),
            count("2026-05-01T07:00:00Z", None, 1),
            count("2026-04-30T08:00:00Z", Some("timed_out"), 4),
        ];
        let hours = by_hour(&counts, now);
        assert_eq!((hours[23], hours[22], hours[0]), ([3, 0, 0, 0], [0, 2, 0, 1], [0, 4, 0, 0]));
        assert_eq!(hours.iter().flatten().sum::<u32>(), 10);
    }

    #[test]
    fn a_bar_is_as_tall_as_its_hour() {
        assert_eq!(parts(&[3, 0, 0, 1], 8), [(0, 61.25, 33.75), (3, 50.0, 11.25)]);
    }
}

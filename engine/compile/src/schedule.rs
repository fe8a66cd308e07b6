//! When the clock starts a flow: a cron pattern in a time zone, or every so often.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::read::words::parse_duration;

/// The fields of a cron pattern, with what they hold.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day", "1 to 31, or `L` for the last"),
    ("month", "1 to 12, or `JAN` to `DEC`"),
    ("day of the week", "0 to 7, or `SUN` to `SAT`"),
];

/// When the clock starts a flow.
///
/// Where a zone's clock goes forward, a time of day that is left out comes right behind the gap; where it goes back, a time
/// of day that comes twice counts once, but what comes all the time (`*/15`) goes on through both.
#[derive(Clone, Debug)]
pub struct Schedule(When);

#[derive(Clone, Debug)]
enum When {
    Cron {
        pattern: Box<Cron>,
        /// As it was written, with single spaces.
        written: String,
        zone: TimeZone,
    },
    /// Counted from the beginning of 1970, so that a new start of the program changes nothing.
    Every(Duration),
}

impl Schedule {
    /// By a cron pattern of five fields (minute, hour, day, month, day of the week).
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn cron(pattern: &str, zone: TimeZone) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let fields: Vec<&str> = pattern.split_whitespace().collect();
        if fields.len() != FIELDS.len() && !pattern.starts_with('@') {
            return Err(format!("it has {} fields, and a cron pattern has five", fields.len()));
        }
        let parsed = parser.parse(pattern).map_err(|_| {
            // The parser does not say which field it means.
            let alone = |at: usize| (0..5).map(|other| if other == at { fields[at] } else { "*" }).collect::<Vec<_>>();
            let wrong = (0..fields.len()).find(|at| parser.parse(&alone(*at).join(" ")).is_err());
            match wrong.map(|at| (fields[at], FIELDS[at])) {
                Some((field, (name, values))) => format!("`{field}` is no {name}: that is {values}"),
                None => "it is no cron pattern".to_owned(),
            }
        })?;
        let schedule = Self(When::Cron { pattern: Box::new(parsed), written: fields.join(" "), zone });
        match schedule.next(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err("no date ever matches it".to_owned()),
        }
    }

    /// Every so often, a second at least.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn every(text: &str) -> Result<Self, String> {
        let every = parse_duration(text).map_err(|_| "it is no duration".to_owned())?;
        if every < Duration::from_secs(1) || every.subsec_nanos() > 0 {
            return Err("it must be one second or more, without fractions".to_owned());
        }
        Ok(Self(When::Every(every)))
    }

    /// The first time behind `after`; none where there is none before the end of all dates.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            When::Cron { pattern, zone, .. } => {
                let next = pattern.find_next_occurrence(&after.to_zoned(zone.clone()), false);
                next.ok().map(|next| next.timestamp())
            }
            When::Every(every) => {
                let every = i64::try_from(every.as_secs()).ok()?;
                let before = after.as_second().div_euclid(every);
                Timestamp::from_second(before.checked_add(1)?.checked_mul(every)?).ok()
            }
        }
    }

    /// The last time up to `until`, itself included.
    pub fn latest(&self, until: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            When::Cron { pattern, zone, .. } => {
                let latest = pattern.find_previous_occurrence(&until.to_zoned(zone.clone()), true);
                latest.ok().map(|latest| latest.timestamp())
            }
            When::Every(every) => {
                let every = i64::try_from(every.as_secs()).ok()?;
                Timestamp::from_second(until.as_second().div_euclid(every).checked_mul(every)?).ok()
            }
        }
    }
}

/// The same in every version of the program: what is kept of a schedule is found by it.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            When::Cron { written, zone, .. } => write!(f, "{written} {}", zone.iana_name().unwrap_or("UTC")),
            When::Every(every) => write!(f, "every {}s", every.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn cron(pattern: &str) -> Schedule {
        Schedule::cron(pattern, TimeZone::get("Europe/Amsterdam").unwrap()).unwrap()
    }

    fn times(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
        let first = schedule.next(after.parse().unwrap());
        let times = std::iter::successors(first, |time| schedule.next(*time));
        times.take(count).map(|time| time.to_string()).collect()
    }

    #[test]
    fn what_is_kept_of_a_schedule_is_found_by_what_it_says_and_nothing_else() {
        assert_eq!(cron(" 30 9  * * MON-FRI ").to_string(), "30 9 * * MON-FRI Europe/Amsterdam");
        assert_eq!(Schedule::cron("@daily", TimeZone::UTC).unwrap().to_string(), "@daily UTC");
        assert_eq!(
            ["15m", "900s"].map(|every| Schedule::every(every).unwrap().to_string()),
            ["every 900s", "every 900s"]
        );
    }

    #[test]
    fn a_time_of_day_keeps_to_the_clock_of_its_zone() {
        let days = times(&cron("30 9 * * MON-FRI"), "2026-03-26T12:00:00Z", 3);
        assert_eq!(days, ["2026-03-27T08:30:00Z", "2026-03-30T07:30:00Z", "2026-03-31T07:30:00Z"]);
    }

    #[test]
    fn a_time_that_is_left_out_comes_behind_the_gap() {
        let days = times(&cron("30 2 * * *"), "2026-03-28T12:00:00Z", 2);
        assert_eq!(days, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    }

    #[test]
    fn a_time_that_comes_twice_counts_once() {
        let days = times(&cron("30 2 * * *"), "2026-10-24T12:00:00Z", 2);
        assert_eq!(days, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn what_comes_all_the_time_goes_on_when_clocks_change() {
        for after in ["2026-03-29T00:30:00Z", "2026-10-25T00:10:00Z"] {
            let schedule = cron("*/15 * * * *");
            let first = schedule.next(after.parse().unwrap()).unwrap();
            let mut time = first;
            for _ in 0..12 {
                let next = schedule.next(time).unwrap();
                assert_eq!(next.duration_since(time).as_secs(), 900, "{time}");
                time = next;
            }
        }
    }

    #[test]
    fn every_so_often_does_not_depend_on_when_it_began() {
        let schedule = Schedule::every("15m").unwrap();
        assert_eq!(times(&schedule, "2026-11-02T08:07:31Z", 2), ["2026-11-02T08:15:00Z", "2026-11-02T08:30:00Z"]);
        assert_eq!(times(&schedule, "2026-11-02T08:15:00Z", 1), ["2026-11-02T08:30:00Z"]);
        for wrong in ["0s", "500ms", "1500ms", "often", "-1m"] {
            assert!(Schedule::every(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn patterns_that_cannot_be_meant_are_refused() {
        for wrong in ["", "* * * *", "0 * * * * *", "61 * * * *", "* * 31 2 *", "a b c d e", "@never"] {
            assert!(Schedule::cron(wrong, TimeZone::UTC).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn times_go_forward_and_the_latest_is_the_one_before_the_next(
            pattern in prop::sample::select(vec!["*/15 * * * *", "30 2 * * *", "0 9 * * MON-FRI", "7 */6 1 * *"]),
            // Two years, with four changes of the clock.
            second in 1_767_225_600i64..1_830_297_600,
        ) {
            let (schedule, at) = (cron(pattern), Timestamp::from_second(second).unwrap());
            let next = schedule.next(at).unwrap();
            prop_assert!(next > at);
            prop_assert_eq!(schedule.latest(next).unwrap(), next);
            let latest = schedule.latest(at).unwrap();
            prop_assert!(latest <= at);
            prop_assert_eq!(schedule.next(latest).unwrap(), next, "nothing lies between them");
        }
    }
}

//! Whether the service behind a connection works: a circuit breaker.
//!
//! After [`FAILURES`] failures in a row the service counts as down: nobody calls for a while. Then one call finds out
//! (a probe): where it works, everybody calls again; where it does not, nobody does for twice as long.

use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row, and the service counts as down.
pub(crate) const FAILURES: u32 = 5;
/// How long nobody calls at first.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// How long nobody calls at most, before the next probe.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// What is known of a service.
#[derive(Debug)]
pub(crate) enum Breaker {
    /// It works, as far as is known, but for so many failures in a row.
    Works { failures: u32 },
    /// It is down, and nobody calls until then; `pauses` counts those so far.
    Down { until: Instant, pauses: u32 },
    /// One call is finding out.
    Probing { pauses: u32 },
}

/// Whether a call may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Yes.
    Call,
    /// Yes, and it finds out for all others.
    Probe,
    /// Not before then.
    At(Instant),
    /// Not before the probe has ended.
    AfterProbe,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Breaker::Works { failures: 0 }
    }

    /// Whether a call may begin now.
    pub(crate) fn verdict(&self, now: Instant) -> Verdict {
        match self {
            Breaker::Works { .. } => Verdict::Call,
            Breaker::Down { until, .. } if now < *until => Verdict::At(*until),
            Breaker::Down { .. } => Verdict::Probe,
            Breaker::Probing { .. } => Verdict::AfterProbe,
        }
    }

    /// A probe begins.
    pub(crate) fn probe(&mut self) {
        if let Breaker::Down { pauses, .. } = *self {
            *self = Breaker::Probing { pauses };
        }
    }

    /// The probe was given up before it told anything: the next call is one.
    pub(crate) fn probe_given_up(&mut self, now: Instant) {
        if let Breaker::Probing { pauses } = *self {
            *self = Breaker::Down { until: now, pauses };
        }
    }

    /// The service answered a call. True where it counted as down.
    pub(crate) fn worked(&mut self) -> bool {
        let was_down = self.is_down();
        *self = Breaker::new();
        was_down
    }

    /// The service did not answer a call. Until when nobody calls, where that is new.
    pub(crate) fn failed(&mut self, probe: bool, now: Instant) -> Option<Instant> {
        let pauses = match self {
            Breaker::Works { failures } => {
                *failures += 1;
                if *failures < FAILURES {
                    return None;
                }
                0
            }
            Breaker::Probing { pauses } if probe => *pauses + 1,
            // A call from before the pause says nothing new.
            Breaker::Down { .. } | Breaker::Probing { .. } => return None,
        };
        let until = now + FIRST_PAUSE.saturating_mul(2u32.saturating_pow(pauses)).min(LONGEST_PAUSE);
        *self = Breaker::Down { until, pauses };
        Some(until)
    }

    /// Whether the service counts as down.
    pub(crate) fn is_down(&self) -> bool {
        !matches!(self, Breaker::Works { .. })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A breaker that has just opened, when it did, and until when it is.
    fn down() -> (Breaker, Instant, Instant) {
        let (mut breaker, now) = (Breaker::new(), Instant::now());
        for _ in 1..FAILURES {
            assert_eq!(breaker.failed(false, now), None);
            assert_eq!(breaker.verdict(now), Verdict::Call);
        }
        let until = breaker.failed(false, now).unwrap();
        (breaker, now, until)
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_success_between_them_does_not() {
        let (breaker, now, until) = down();
        assert_eq!((until - now, breaker.verdict(now)), (FIRST_PAUSE, Verdict::At(until)));

        let mut breaker = Breaker::new();
        for _ in 0..10 {
            assert!((1..FAILURES).all(|_| breaker.failed(false, now).is_none()));
            assert!(!breaker.worked());
        }
        assert_eq!(breaker.verdict(now), Verdict::Call);
    }

    #[test]
    fn one_call_finds_out_while_all_others_wait() {
        let (mut breaker, _, until) = down();
        assert_eq!(breaker.verdict(until), Verdict::Probe);
        breaker.probe();
        assert_eq!(breaker.verdict(until), Verdict::AfterProbe);
        assert!(breaker.worked());
        assert_eq!(breaker.verdict(until), Verdict::Call);
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let (mut breaker, _, mut until) = down();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            breaker.probe();
            let next = breaker.failed(true, until).unwrap();
            pauses.push((next - until).as_secs());
            until = next;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 120, 120]);
    }

    #[test]
    fn what_calls_from_before_the_pause_say_counts_only_where_they_worked() {
        let (mut breaker, now, until) = down();
        assert_eq!(breaker.failed(false, now), None);
        breaker.probe();
        assert_eq!(breaker.failed(false, until), None, "the probe alone decides");
        assert_eq!(breaker.verdict(until), Verdict::AfterProbe);
        assert!(breaker.worked(), "a late answer is one");
    }

    #[test]
    fn a_probe_that_is_given_up_makes_way_for_another() {
        let (mut breaker, _, until) = down();
        breaker.probe();
        breaker.probe_given_up(until);
        assert_eq!(breaker.verdict(until), Verdict::Probe);
    }
}

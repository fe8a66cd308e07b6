//! When the next call of a connection may begin: how many at once, how many in which time, pauses that the service asked for,
//! and whether it works at all. No clock and no waiting: [`crate::gate`] has those.

use std::collections::VecDeque;
use std::time::Duration;

use cosell_sdk::{CallError, Limits, Meaning};
use tokio::time::Instant;

use crate::breaker::{Breaker, Verdict};

/// The calls of one connection.
#[derive(Debug)]
pub(crate) struct Calls {
    limits: Limits,
    /// None where nobody is to wait for a service that is down.
    breaker: Option<Breaker>,
    under_way: u32,
    /// When requests began, in the stretch of time that counts.
    begun: VecDeque<Instant>,
    paused_until: Option<Instant>,
}

/// Whether a call may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It has begun.
    Begun {
        /// It finds out whether the service works again.
        probe: bool,
        /// It ends a pause that the service asked for.
        resumed: bool,
    },
    /// Not before then.
    At(Instant),
    /// Not before another call has ended.
    WhenOneEnds,
}

/// What a call says of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It answered.
    Answered,
    /// It asks to be left alone for so long.
    Busy(Duration),
    /// It could not be reached, or broke down.
    Down,
    /// Nothing: the call was given up.
    Nothing,
}

impl Sign {
    /// What the end of a call says.
    pub(crate) fn of<T>(called: &Result<T, CallError>) -> Self {
        match called.as_ref().map_err(|error| error.meaning) {
            Err(Meaning::Retry { after: Some(after) }) => Sign::Busy(after),
            Err(Meaning::Retry { after: None } | Meaning::OutcomeUnknown) => Sign::Down,
            Ok(_) | Err(Meaning::SignIn | Meaning::Conflict | Meaning::Rejected) => Sign::Answered,
        }
    }
}

/// What the end of a call changes for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// Nobody calls until then.
    Paused(Instant),
    /// The service works again.
    Resumed,
}

impl Calls {
    pub(crate) fn new(limits: Limits, breaker: Option<Breaker>) -> Self {
        Self { limits, breaker, under_way: 0, begun: VecDeque::new(), paused_until: None }
    }

    /// Begins a call, if it may begin now.
    pub(crate) fn begin(&mut self, now: Instant) -> Admission {
        if let Some(until) = self.paused_until
            && now < until
        {
            return Admission::At(until);
        }
        let verdict = self.breaker.as_ref().map_or(Verdict::Call, |breaker| breaker.verdict(now));
        match verdict {
            Verdict::At(until) => return Admission::At(until),
            Verdict::AfterProbe => return Admission::WhenOneEnds,
            Verdict::Call | Verdict::Probe => {}
        }
        if self.limits.concurrent.is_some_and(|most| self.under_way >= most.get()) {
            return Admission::WhenOneEnds;
        }
        if let Some(rate) = self.limits.rate {
            while self.begun.front().is_some_and(|begun| *begun + rate.per <= now) {
                self.begun.pop_front();
            }
            let before = self.begun.len().checked_sub(rate.requests.get() as usize);
            if let Some(begun) = before.and_then(|at| self.begun.get(at)) {
                return Admission::At(*begun + rate.per);
            }
            self.begun.push_back(now);
        }
        let probe = verdict == Verdict::Probe;
        if let (true, Some(breaker)) = (probe, &mut self.breaker) {
            breaker.probe();
        }
        self.under_way += 1;
        Admission::Begun { probe, resumed: self.paused_until.take().is_some() }
    }

    /// Ends a call that made so many `requests`; it was counted as one.
    pub(crate) fn end(&mut self, probe: bool, sign: Sign, requests: usize, now: Instant) -> Change {
        self.under_way -= 1;
        if self.limits.rate.is_some() {
            self.begun.extend(std::iter::repeat_n(now, requests.saturating_sub(1)));
        }
        if let Sign::Busy(pause) = sign {
            let until = now + pause;
            // It answers, if only to say so.
            let was_down = self.breaker.as_mut().is_some_and(Breaker::worked);
            if !pause.is_zero() && self.paused_until.is_none_or(|paused| paused < until) {
                self.paused_until = Some(until);
                return Change::Paused(until);
            }
            return if was_down { Change::Resumed } else { Change::None };
        }
        let Some(breaker) = &mut self.breaker else { return Change::None };
        match sign {
            Sign::Answered if breaker.worked() => Change::Resumed,
            Sign::Down => breaker.failed(probe, now).map_or(Change::None, Change::Paused),
            Sign::Nothing if probe => {
                breaker.probe_given_up(now);
                Change::None
            }
            _ => Change::None,
        }
    }

    /// Whether calls that fail now are to wait until the service works again.
    pub(crate) fn is_down(&self) -> bool {
        self.breaker.as_ref().is_some_and(Breaker::is_down)
    }

    /// Whether calls ever wait for a service that is down.
    pub(crate) fn is_patient(&self) -> bool {
        self.breaker.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    const BEGUN: Admission = Admission::Begun { probe: false, resumed: false };

    #[test]
    fn a_call_counts_for_as_many_requests_as_it_made() {
        let (mut calls, now) = (Calls::new(Limits::default().and(3, seconds(60)), None), Instant::now());
        assert_eq!(calls.begin(now), BEGUN);
        calls.end(false, Sign::Answered, 3, now + seconds(2));
        assert_eq!(calls.begin(now + seconds(2)), Admission::At(now + seconds(60)));
        assert_eq!(calls.begin(now + seconds(60)), BEGUN);
        calls.end(false, Sign::Answered, 0, now + seconds(60));
        assert_eq!(calls.begin(now + seconds(61)), Admission::At(now + seconds(62)));
    }

    #[test]
    fn what_the_service_asks_for_holds_for_everybody_and_the_longest_counts() {
        let (mut calls, now) = (Calls::new(Limits::default(), None), Instant::now());
        for _ in 0..3 {
            assert_eq!(calls.begin(now), BEGUN);
        }
        assert_eq!(calls.end(false, Sign::Busy(seconds(30)), 1, now), Change::Paused(now + seconds(30)));
        assert_eq!(calls.end(false, Sign::Busy(seconds(10)), 1, now), Change::None);
        assert_eq!(calls.end(false, Sign::Answered, 1, now), Change::None, "an answer to an older call ends no pause");
        assert_eq!(calls.begin(now + seconds(29)), Admission::At(now + seconds(30)));
        assert_eq!(calls.begin(now + seconds(30)), Admission::Begun { probe: false, resumed: true });
        assert_eq!(calls.begin(now + seconds(30)), BEGUN, "it is told once that the pause is over");
    }

    proptest! {
        /// Calls that come when they like and take as long as they like, always the first in line begins; time goes to
        /// the next thing that can happen.
        #[test]
        fn no_limit_is_ever_passed_and_everyone_is_served(
            concurrent in 0u32..5,
            per_minute in 0u32..8,
            calls in prop::collection::vec((0u64..40, 0u64..30, 0u8..8), 1..60),
        ) {
            let origin = Instant::now();
            let mut line = Calls::new(Limits::at_once(concurrent).and(per_minute, MINUTE), Some(Breaker::new()));
            let (mut now, mut arrives) = (origin, origin);
            let mut under_way: Vec<(Instant, bool, Sign)> = Vec::new();
            let mut begun: Vec<Instant> = Vec::new();
            for (gap, takes, sign) in calls {
                arrives += seconds(gap);
                now = now.max(arrives);
                let sign = match sign { 0 => Sign::Busy(seconds(20)), 1..=3 => Sign::Down, _ => Sign::Answered };
                loop {
                    under_way.sort_by_key(|(ends, ..)| *ends);
                    while under_way.first().is_some_and(|(ends, ..)| *ends <= now) {
                        let (ends, probe, sign) = under_way.remove(0);
                        line.end(probe, sign, 1, ends.max(arrives));
                    }
                    match line.begin(now) {
                        Admission::Begun { probe, .. } => {
                            under_way.push((now + seconds(takes), probe, sign));
                            begun.push(now);
                            break;
                        }
                        Admission::At(at) => {
                            prop_assert!(at > now, "there is something to wait for");
                            now = under_way.first().map_or(at, |(ends, ..)| at.min(*ends).max(now));
                        }
                        Admission::WhenOneEnds => {
                            prop_assert!(!under_way.is_empty(), "somebody ends");
                            now = under_way[0].0;
                        }
                    }
                }
                prop_assert!(concurrent == 0 || under_way.len() <= concurrent as usize);
            }
            if per_minute > 0 {
                for window in begun.windows(per_minute as usize + 1) {
                    prop_assert!(window[per_minute as usize] - window[0] >= MINUTE);
                }
            }
        }
    }
}

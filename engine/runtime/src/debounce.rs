//! A burst of events on one deal becomes one: which event counts, and when. No clock and no waiting: the dispatcher has
//! those.

use std::collections::HashMap;
use std::time::Duration;

use cosell_model::FlowId;
use tokio::time::Instant;

/// A burst ends after so many times the quiet that it is waited for, also where events never cease.
pub(crate) const LONGEST: u32 = 10;

/// What belongs together: the flow and the key of its run.
pub(crate) type Subject = (FlowId, String);

/// The bursts going on.
#[derive(Debug)]
pub(crate) struct Bursts<E> {
    going_on: HashMap<Subject, Burst<E>>,
}

#[derive(Debug)]
struct Burst<E> {
    began: Instant,
    last: Instant,
    quiet: Duration,
    event: E,
    before: Vec<E>,
}

impl<E> Default for Bursts<E> {
    fn default() -> Self {
        Self { going_on: HashMap::new() }
    }
}

impl<E> Burst<E> {
    fn due(&self) -> Instant {
        (self.last + self.quiet).min(self.began + self.quiet * LONGEST)
    }
}

/// What became of a burst.
#[derive(Debug, PartialEq)]
pub(crate) enum State<E> {
    /// It may go on until then.
    Until(Instant),
    /// It is over: its last event, and those that came before that one.
    Over(E, Vec<E>),
}

impl<E> Bursts<E> {
    /// Takes an event. True where it begins a burst.
    pub(crate) fn take(&mut self, subject: Subject, quiet: Duration, event: E, now: Instant) -> bool {
        let Some(burst) = self.going_on.get_mut(&subject) else {
            self.going_on.insert(subject, Burst { began: now, last: now, quiet, event, before: Vec::new() });
            return true;
        };
        burst.last = now;
        burst.before.push(std::mem::replace(&mut burst.event, event));
        false
    }

    /// What became of a burst by now; none where there is none.
    pub(crate) fn look(&mut self, subject: &Subject, now: Instant) -> Option<State<E>> {
        let due = self.going_on.get(subject)?.due();
        if now < due {
            return Some(State::Until(due));
        }
        let burst = self.going_on.remove(subject)?;
        Some(State::Over(burst.event, burst.before))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const QUIET: Duration = Duration::from_secs(5);

    proptest! {
        /// Events at any times, looked at whenever the last look said: as the dispatcher does.
        #[test]
        fn each_event_is_in_one_burst_and_none_waits_too_long(gaps in prop::collection::vec(0u64..8, 1..80)) {
            let subject = (FlowId::new("f"), "deal".to_owned());
            let origin = Instant::now();
            let mut at = origin;
            let arrivals: Vec<Instant> = gaps.iter().map(|gap| { at += Duration::from_secs(*gap); at }).collect();
            let (mut bursts, mut counted) = (Bursts::default(), 0);
            let mut next = arrivals.iter().enumerate().peekable();
            let mut look_at: Option<Instant> = None;
            let (mut began, mut last) = (origin, (0, origin));
            loop {
                match (next.peek(), look_at) {
                    (Some((number, arrives)), look) if look.is_none_or(|look| **arrives < look) => {
                        let (number, arrives) = (*number, **arrives);
                        next.next();
                        if bursts.take(subject.clone(), QUIET, number, arrives) {
                            prop_assert!(look.is_none(), "one burst at a time");
                            (look_at, began) = (Some(arrives), arrives);
                        }
                        last = (number, arrives);
                    }
                    (_, Some(now)) => match bursts.look(&subject, now) {
                        Some(State::Until(due)) => {
                            prop_assert!(due > now);
                            look_at = Some(due);
                        }
                        Some(State::Over(event, before)) => {
                            prop_assert_eq!(event, last.0, "the last one counts");
                            prop_assert!(now - began <= QUIET * LONGEST);
                            prop_assert!(now - last.1 == QUIET || now - began == QUIET * LONGEST);
                            counted += before.len() + 1;
                            look_at = None;
                        }
                        None => prop_assert!(false, "the burst is lost"),
                    },
                    _ => break,
                }
            }
            prop_assert_eq!(counted, arrivals.len(), "nothing is lost and nothing counts twice");
            prop_assert_eq!(bursts.look(&subject, at), None);
        }
    }
}

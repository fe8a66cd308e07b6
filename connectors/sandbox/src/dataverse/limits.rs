//! Service protection limits: what one user may ask within five minutes, in requests, in execution time, and at once
//! ("Service protection API limits"). The real service counts per web server; the sandbox is one.
//!
//! Execution time is measured on the machine's clock, the window on simulated time.

use std::collections::{BTreeMap, VecDeque};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::errors::Refusal;

/// The sliding window.
const WINDOW: SignedDuration = SignedDuration::from_secs(300);

/// What one user may ask. The defaults are the documented ones.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Requests in five minutes.
    pub(crate) requests: usize,
    /// Combined execution time in five minutes, in milliseconds.
    pub(crate) execution_ms: u64,
    /// Requests at once.
    pub(crate) concurrent: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { requests: 6000, execution_ms: 1_200_000, concurrent: 52 }
    }
}

/// What users have asked for lately.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// What each may ask.
    pub(super) limits: Limits,
    users: BTreeMap<Uuid, Usage>,
}

#[derive(Debug, Default)]
struct Usage {
    /// When each request of the window came, and the execution time it took in microseconds.
    requests: VecDeque<(Timestamp, u64)>,
    /// Execution time of the window, in microseconds.
    spent: u64,
    running: usize,
}

/// What is left in a user's window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Left {
    requests: usize,
    execution_ms: u64,
}

impl Budget {
    /// Lets a request of `user` begin, or tells why not and after how many seconds to come again.
    pub(super) fn begin(&mut self, user: Uuid, now: Timestamp) -> Result<(), Box<Response>> {
        let limits = self.limits;
        let usage = self.users.entry(user).or_default();
        usage.forget(now);
        let refusal = if usage.requests.len() >= limits.requests {
            let message = format!(
                "Number of requests exceeded the limit of {} over time window of 300 seconds.",
                limits.requests
            );
            Some(("0x80072322", message, usage.free_at()))
        } else if usage.spent / 1000 >= limits.execution_ms {
            let message = format!(
                "Combined execution time of incoming requests exceeded limit of {} milliseconds over time window of 300 \
                 seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.",
                grouped(limits.execution_ms)
            );
            Some(("0x80072321", message, usage.free_at()))
        } else if usage.running >= limits.concurrent {
            let message = format!("Number of concurrent requests exceeded the limit of {}.", limits.concurrent);
            Some(("0x80072326", message, None))
        } else {
            None
        };
        if let Some((code, message, free_at)) = refusal {
            let wait = free_at.map_or(1, |at| (at.duration_since(now).as_secs() + 1).clamp(1, 300));
            let refusal = Refusal { status: StatusCode::TOO_MANY_REQUESTS, code, message };
            let mut response = refusal.into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            self.left(user).stamp(response.headers_mut());
            return Err(Box::new(response));
        }
        usage.running += 1;
        usage.requests.push_back((now, 0));
        Ok(())
    }

    /// Notes that a request of `user` has ended after so many microseconds.
    pub(super) fn end(&mut self, user: Uuid, micros: u64) {
        let usage = self.users.entry(user).or_default();
        usage.running = usage.running.saturating_sub(1);
        if let Some((_, spent)) = usage.requests.back_mut() {
            *spent += micros;
            usage.spent += micros;
        }
    }

    /// What `user` has left.
    pub(super) fn left(&self, user: Uuid) -> Left {
        let (used, spent) = self.users.get(&user).map_or((0, 0), |usage| (usage.requests.len(), usage.spent));
        Left {
            requests: self.limits.requests.saturating_sub(used),
            execution_ms: self.limits.execution_ms.saturating_sub(spent / 1000),
        }
    }

    /// Sets what each may ask, and forgets what was asked.
    pub(super) fn set(&mut self, limits: Limits) {
        let running = std::mem::take(&mut self.users).into_iter().filter(|(_, usage)| usage.running > 0);
        self.users =
            running.map(|(user, usage)| (user, Usage { running: usage.running, ..Usage::default() })).collect();
        self.limits = limits;
    }
}

impl Usage {
    fn forget(&mut self, now: Timestamp) {
        while let Some((at, spent)) = self.requests.front()
            && now.duration_since(*at) >= WINDOW
        {
            self.spent = self.spent.saturating_sub(*spent);
            self.requests.pop_front();
        }
    }

    /// When the oldest request leaves the window.
    fn free_at(&self) -> Option<Timestamp> {
        self.requests.front().and_then(|(at, _)| at.checked_add(WINDOW).ok())
    }
}

impl Left {
    /// The headers that tell a client what it has left.
    pub(super) fn stamp(self, headers: &mut HeaderMap) {
        headers.insert("x-ms-ratelimit-burst-remaining-xrm-requests", HeaderValue::from(self.requests));
        let seconds = format!("{}.{:02}", grouped(self.execution_ms / 1000), self.execution_ms % 1000 / 10);
        if let Ok(value) = HeaderValue::from_str(&seconds) {
            headers.insert("x-ms-ratelimit-time-remaining-xrm-requests", value);
        }
    }
}

/// A number below a thousand million, with commas between thousands.
fn grouped(value: u64) -> String {
    match value {
        0..1000 => value.to_string(),
        _ => format!("{},{:03}", grouped(value / 1000), value % 1000),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const USER: Uuid = Uuid::from_u128(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn budget(requests: usize, execution_ms: u64, concurrent: usize) -> Budget {
        Budget { limits: Limits { requests, execution_ms, concurrent }, users: BTreeMap::new() }
    }

    fn refused(budget: &mut Budget, seconds: i64) -> Option<(u16, String)> {
        let response = budget.begin(USER, at(seconds)).err()?;
        Some((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap().to_owned()))
    }

    #[test]
    fn requests_leave_the_window_after_five_minutes() {
        let mut budget = budget(2, 1000, 10);
        for second in [0, 100] {
            assert_eq!(refused(&mut budget, second), None);
            budget.end(USER, 0);
        }
        assert_eq!(refused(&mut budget, 200), Some((429, "101".to_owned())));
        assert_eq!(refused(&mut budget, 300), None);
        assert_eq!(budget.left(USER).requests, 0);
        assert_eq!(budget.left(Uuid::nil()).requests, 2);
    }

    #[test]
    fn execution_time_is_summed_and_forgotten() {
        let mut budget = budget(100, 1500, 10);
        assert_eq!(refused(&mut budget, 0), None);
        budget.end(USER, 1_500_000);
        assert_eq!(refused(&mut budget, 10).unwrap().0, 429);
        assert_eq!(refused(&mut budget, 300), None);
    }

    #[test]
    fn so_many_run_at_once_and_no_more() {
        let mut budget = budget(100, 1000, 1);
        assert_eq!(refused(&mut budget, 0), None);
        assert_eq!(refused(&mut budget, 0), Some((429, "1".to_owned())));
        budget.end(USER, 0);
        assert_eq!(refused(&mut budget, 0), None);
    }

    #[test]
    fn what_is_left_is_told_in_both_headers() {
        let mut headers = HeaderMap::new();
        Left { requests: 5999, execution_ms: 1_199_990 }.stamp(&mut headers);
        assert_eq!(headers["x-ms-ratelimit-burst-remaining-xrm-requests"], "5999");
        assert_eq!(headers["x-ms-ratelimit-time-remaining-xrm-requests"], "1,199.99");
    }
}

//! How long to wait before the next attempt.

use std::time::Duration;

use cosell_model::flow::{Backoff, Retry};
use cosell_model::fnv::{SEED, fnv};

/// The wait before attempt `retry + 1`, where `retry` counts from 1.
///
/// Growing waits follow Power Automate: somewhere between max(low, minimum) and min(high, maximum), where low and high
/// double from retry to retry (0 to i, i to 2i, 2i to 4i, …). Where in that window is computed from `seed`, so that
/// many runs do not come back at once, and one run always waits alike. What the remote system asks for is waited at least.
pub(crate) fn wait(policy: &Retry, retry: u32, seed: u64, asked: Option<Duration>) -> Duration {
    let own = match policy.backoff {
        Backoff::Fixed => policy.interval,
        Backoff::Exponential => {
            let doubled = |times: u32| policy.interval.saturating_mul(2u32.saturating_pow(times.min(31)));
            let low = if retry <= 1 { Duration::ZERO } else { doubled(retry - 2) }.max(policy.minimum);
            let high = doubled(retry.saturating_sub(1)).min(policy.maximum);
            let low = low.min(high);
            low + (high - low).mul_f64(fraction(seed, retry))
        }
    };
    own.max(asked.unwrap_or_default())
}

/// A number from 0 to 1 that follows from `seed` and `retry` and looks like chance (SplitMix64).
fn fraction(seed: u64, retry: u32) -> f64 {
    let mut z = seed.wrapping_add(u64::from(retry).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

/// A seed that follows from names.
pub(crate) fn seed(names: &[&str]) -> u64 {
    names.iter().fold(SEED, |before, name| fnv(fnv(before, name), "\0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> Retry {
        Retry {
            count: 8,
            backoff: Backoff::Exponential,
            interval: Duration::from_secs(7),
            minimum: Duration::from_secs(5),
            maximum: Duration::from_secs(900),
        }
    }

    proptest! {
        #[test]
        fn growing_waits_stay_in_their_window(seed: u64, retry in 1u32..90) {
            let interval = 7.0;
            let low = if retry == 1 { 0.0 } else { interval * 2f64.powi(retry as i32 - 2) };
            let high = (interval * 2f64.powi(retry as i32 - 1)).min(900.0);
            let waited = wait(&policy(), retry, seed, None).as_secs_f64();
            prop_assert!(waited >= low.max(5.0).min(high) - 1e-6 && waited <= high + 1e-6, "{waited}");
        }
    }

    #[test]
    fn what_the_remote_system_asks_for_is_waited_at_least() {
        assert_eq!(wait(&policy(), 1, 1, Some(Duration::from_secs(3600))), Duration::from_secs(3600));
        assert!(wait(&policy(), 1, 1, Some(Duration::from_secs(1))) >= Duration::from_secs(5));
    }

    #[test]
    fn runs_do_not_come_back_all_at_once() {
        let waits: std::collections::BTreeSet<_> =
            (0..20).map(|run| wait(&policy(), 3, seed(&[&format!("run-{run}"), "step"]), None)).collect();
        assert!(waits.len() > 15, "{waits:?}");
    }
}

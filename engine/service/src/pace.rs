//! How long to wait before asking again: not long where there was news a moment ago, longer the longer there is none.

use std::time::Duration;

/// How many times the shortest wait the longest one is.
const LONGEST: u32 = 8;

/// How long to wait after `quiet` answers without news, one behind the other: `shortest` after news, then twice as long
/// each time, up to eight times. Where the flow says how often, exactly so long, whatever the answers are.
pub(crate) fn wait(shortest: Duration, every: Option<Duration>, quiet: u32) -> Duration {
    every.unwrap_or_else(|| shortest.saturating_mul(2_u32.saturating_pow(quiet).min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_longer_it_is_quiet_the_longer_the_wait_up_to_a_limit() {
        let waits = [0, 1, 2, 3, 4, 1000].map(|quiet| wait(SECOND, None, quiet).as_secs());
        assert_eq!(waits, [1, 2, 4, 8, 8, 8]);
    }

    proptest! {
        #[test]
        fn a_wait_never_shrinks_while_it_is_quiet_and_is_never_beyond_what_the_flow_says(
            shortest in 1_u64..100_000, every in proptest::option::of(1_u64..100_000), quiet in 0_u32..u32::MAX,
        ) {
            let [shortest, longest] = [shortest, shortest * u64::from(LONGEST)].map(Duration::from_millis);
            let every = every.map(Duration::from_millis);
            let [now, then] = [quiet, quiet.saturating_add(1)].map(|quiet| wait(shortest, every, quiet));
            prop_assert!(now <= then);
            match every {
                Some(every) => prop_assert_eq!(now, every),
                None => prop_assert!(shortest <= now && now <= longest),
            }
        }
    }
}

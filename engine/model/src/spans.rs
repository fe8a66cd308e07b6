//! Spans of time, as people read them.

use std::time::Duration;

/// How long something took.
pub fn took(took: Duration) -> String {
    if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else if took < Duration::from_secs(120) {
        format!("{:.1} s", took.as_secs_f64())
    } else {
        span(took)
    }
}

/// How long something has been so, in its two largest units.
pub fn span(took: Duration) -> String {
    let seconds = took.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_long_as_they_need_be() {
        let shown = [0.02, 1.26, 119.0, 185.0, 3700.0, 100_000.0].map(Duration::from_secs_f64).map(took);
        assert_eq!(shown, ["20 ms", "1.3 s", "119.0 s", "3 min 5 s", "1 h 1 min", "1 d 3 h"]);
    }
}

//! Moments, as people read them.

use jiff::Timestamp;

/// A moment, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

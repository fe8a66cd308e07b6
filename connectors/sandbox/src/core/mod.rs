//! What all stand-ins share, to be read in this order: the simulated `clock`, the `log` of every request, the `tokens`
//! that say who calls, the `faults` that a test may order, and the `gate` in front of each stand-in that applies both.

pub(crate) mod clock;
pub(crate) mod faults;
pub(crate) mod gate;
pub(crate) mod log;
pub(crate) mod tokens;

//! How much one expression may handle.
//!
//! The engine's own fuel counts instructions, of which an expression has few: the work is done inside filters, which loop
//! over lists and make text. So each of them pays for the items and bytes it takes and makes.

use std::cell::Cell;

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// Items and bytes that one expression may handle. A list of a thousand records of fifty fields takes some 100,000.
const LIMIT: u64 = 10_000_000;
/// What calling a filter costs by itself.
const CALL: u64 = 16;

thread_local! {
    /// What is left for the expression being computed on this thread.
    static LEFT: Cell<u64> = const { Cell::new(LIMIT) };
}

/// Begins a new expression.
pub(crate) fn renew() {
    LEFT.set(LIMIT);
}

/// Pays for `amount` items or bytes.
///
/// # Errors
/// Where not so much is left.
pub(crate) fn spend(amount: u64) -> Result<(), Error> {
    match LEFT.get().checked_sub(amount) {
        Some(left) => {
            LEFT.set(left);
            Ok(())
        }
        None => Err(Error::new(ErrorKind::OutOfFuel, "the limit of one expression is reached")),
    }
}

/// Pays for a call that takes or makes `value`.
///
/// # Errors
/// Where not so much is left.
pub(crate) fn spend_on(value: &Value) -> Result<(), Error> {
    let size = match value.kind() {
        ValueKind::String => value.as_str().map_or(0, str::len),
        _ => value.len().unwrap_or(0),
    };
    spend(CALL + size as u64)
}

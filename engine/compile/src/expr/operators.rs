//! `~` and `*`, which the engine understands otherwise than this language. Expressions are rewritten to call these.

use minijinja::Error;
use minijinja::value::Value;

use super::budget;
use super::value::{absent, invalid, kind, text_of};

/// The name that `~` goes by.
pub(crate) const CONCAT: &str = "_concat";
/// The name that `*` goes by.
pub(crate) const TIMES: &str = "_times";

/// `a ~ b`: both as text, by the rules of text around expressions: null is nothing, `true` is `true`, 5.0 is `5`.
pub(crate) fn concat(left: Value, right: Value) -> Result<Value, Error> {
    let joined = text_of(&left, "`~`")? + &text_of(&right, "`~`")?;
    budget::spend(joined.len() as u64)?;
    Ok(Value::from(joined))
}

/// `a * b`, of numbers only: repeating text or a list a billion times is nothing that a flow needs.
pub(crate) fn times(left: Value, right: Value) -> Result<Value, Error> {
    if let Some(wrong) = [&left, &right].into_iter().find(|value| !value.is_number()) {
        let hint = if absent(wrong) { "; give it a value with `| default(0)`" } else { "" };
        return Err(invalid(format!("`*` multiplies numbers, and this is {}{hint}", kind(wrong))));
    }
    if left.is_integer() && right.is_integer() {
        let (left, right) = (i128::try_from(left)?, i128::try_from(right)?);
        return left.checked_mul(right).map(Value::from).ok_or_else(|| invalid("the product is too large"));
    }
    Ok(Value::from(f64::try_from(left)? * f64::try_from(right)?))
}

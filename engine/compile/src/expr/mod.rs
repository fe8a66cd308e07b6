//! Values with expressions in them: the only place that knows the template engine and JSONPath.
//!
//! Read in this order: [`text`] finds `${{ … }}` in text; [`parse`] reads one expression and finds what it mentions (`depth`
//! looks first whether that is safe), and `write` hands the rest to the engine; [`path`] is a mention, ready to be looked up; [`template`] is a whole value,
//! compiled; [`environment`] is what expressions can use, and `filters`, `lists`, `operators` and [`jsonpath`] are ours among it;
//! `value` is the way into the engine and back; `budget` keeps an expression from taking forever.
//!
//! An expression is compiled once. What it mentions (`steps.referral.details.notes`) is cut out of it and looked up by
//! [`path::Path`], straight in the run's data; the engine gets just the values found, under short names. So a value that
//! is a mention and nothing else never meets the engine, and everything mentioned is known before anything runs.

mod budget;
mod depth;
pub mod environment;
mod filters;
pub mod jsonpath;
mod lists;
mod operators;
pub mod parse;
pub mod path;
pub mod template;
pub mod text;
pub(crate) mod value;
mod write;

//! From a tree of values to a flow as written. Nothing is looked up yet; every field is checked for form, and all
//! findings are collected.
//!
//! Read in this order: [`fields`] takes a map apart and reports keys nobody took; [`words`] reads names, durations and
//! other small things; [`flow`] and [`step`] read what they say.

pub(crate) mod fields;
pub(crate) mod flow;
pub(crate) mod step;
pub(crate) mod words;

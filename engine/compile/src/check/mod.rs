//! Checks that go beyond looking names up, one file per subject: [`conditions`] looks at those that are always the same,
//! [`forms`] at values that must be of one kind
//! wherever they stand, [`inputs`] at what an operation, a trigger or a called flow is given, [`keys`] at scopes with keys
//! inside others, [`triggers`] at the settings of built-in triggers.

pub(crate) mod conditions;
pub(crate) mod forms;
pub(crate) mod inputs;
pub(crate) mod keys;
pub(crate) mod order;
pub(crate) mod triggers;

//! Checks that go beyond looking names up, one file per subject: [`forms`] looks at values that must be of one kind
//! wherever they stand, [`inputs`] at what an operation, a trigger or a called flow is given, [`keys`] at scopes with keys
//! inside others, [`triggers`] at the settings of built-in triggers.

pub(crate) mod forms;
pub(crate) mod inputs;
pub(crate) mod keys;
pub(crate) mod triggers;

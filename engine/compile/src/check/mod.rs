//! Checks that go beyond looking names up, one file per subject.

pub(crate) mod inputs;

//! `cosell lsp`, driven over standard input and output as an editor does.
//!
//! `client` is the editor, with a project open; `flows` and `mappings` are what it asks about files of either kind; `parts` is
//! outlines and renaming; `protocol` the conversation itself.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod client;
mod flows;
mod mappings;
mod parts;
mod protocol;

//! The language server: findings while a file is written, completion, explanations, definitions, outlines and renaming, over
//! standard input and output by the Language Server Protocol
//! (<https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/>).
//!
//! What can be said of a file is [`cosell_compile::assist`]'s; this crate is the protocol around it. [`project`] is what it
//! works on; `server` takes messages in; `compiling` compiles beside it, always the newest text; `positions`, `findings` and
//! `answers` put into the protocol's words what the compiler says.

mod answers;
mod compiling;
mod findings;
mod positions;
pub mod project;
mod server;

pub use project::{Loaded, Project};
pub use server::{Ended, Trouble, serve};

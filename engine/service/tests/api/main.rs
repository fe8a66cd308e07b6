//! Runs seen and repaired over HTTP: what the document says is what is answered, nobody gets in without the token, and
//! nothing that worked is done twice.

#![allow(clippy::unwrap_used)]

mod document;
#[path = "../support/kept.rs"]
#[allow(dead_code, unreachable_pub, clippy::unwrap_used)]
mod kept;
mod repair;
mod runs;
mod watched;

/// A flow of three writes, of which the last is in a flow that it calls.
const DEAL: &str = "
flow: deal
trigger: { use: manual, inputs: { name: text } }
key: ${{ inputs.name }}
steps:
  first: { use: book.write, with: { name: \"first ${{ inputs.name }}\" } }
  second: { use: book.write, with: { name: \"second ${{ inputs.name }}\" } }
  third: { call: inner, with: { name: \"${{ inputs.name }}\" } }
output: ${{ steps.second }}
";

const INNER: &str = "
flow: inner
trigger: { use: call, inputs: { name: text } }
steps:
  third: { use: book.write, with: { name: \"third ${{ inputs.name }}\" } }
";

/// A flow that waits, so that it can be looked at, and cancelled, on its way.
const SLOW: &str = "
flow: slow
trigger: { use: manual, inputs: { name: text, long: { type: text, default: 1h } } }
key: ${{ inputs.name }}
steps:
  before: { use: book.write, with: { name: \"before ${{ inputs.name }}\" } }
  pause: { wait: \"${{ inputs.long }}\" }
  after: { use: book.write, with: { name: \"after ${{ inputs.name }}\" } }
";

/// A flow that cannot make a key of every event.
const PICKY: &str = "
flow: picky
trigger: { use: http, with: { path: picky } }
key: ${{ 10 // (trigger.body.n | int) }}
steps: { done: { use: book.write, with: { name: picky } } }
";

/// Everything that there is.
const ALL: [&str; 4] = [DEAL, INNER, SLOW, PICKY];

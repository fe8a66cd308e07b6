//! What starts runs, and that nothing of it is lost, however much goes wrong between the systems and the program.
//!
//! `world` has the sandbox and the program over it, in this process. `reconciler` loses events; `tracking` lets the CRM
//! forget what it was asked before; `hooks` has the CRM call; `registration` takes events away.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod hooks;
mod reconciler;
mod registration;
mod tracking;
mod world;

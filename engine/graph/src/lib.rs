//! Pictures of flows: what waits for what in one flow, and which flow calls which.
//!
//! Read in this order: [`picture`] (what is drawn, whatever the form), `plan` and `calls` (a flow, and all flows, as a
//! picture), [`happened`] (what a run did, to be laid over it), `folded` (as much of it as a page holds), and then a form each: `terminal`, `mermaid`, `dot`, `svg`.
//!
//! The same input gives the same text, byte for byte. Colour is never the only carrier: lines differ in their strokes and
//! have words, outcomes have marks.

mod calls;
mod dot;
mod folded;
pub mod happened;
mod mermaid;
pub mod picture;
mod plan;
mod svg;
mod terminal;

pub use calls::{Member, of_flows, started_by};
pub use happened::Ran;
pub use picture::Picture;
pub use plan::of_plan;
pub use svg::{STYLE, Within};
pub use terminal::Look;

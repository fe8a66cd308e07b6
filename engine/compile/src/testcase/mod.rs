//! Tests of flows as they are written: what is given, what happens, what is then to be so.
//!
//! This file holds what a test is; `read` reads a file of them, `acts` what happens in them, `then` what is expected,
//! `recorded` what goes together with a recording. What
//! a name in `<angle brackets>` stands for is known to whoever runs the test.

mod acts;
mod read;
mod recorded;
mod then;

use std::time::Duration;

use cosell_model::{Node, Outcome, Span, Spanned, Value};

pub use read::read;
pub(crate) use read::{is_tests, of};

/// A file of tests.
#[derive(Clone, Debug, Default)]
pub struct TestFile {
    /// The tests, in order.
    pub tests: Vec<Test>,
    /// Steps that no test can reach.
    pub unreachable: Vec<Unreachable>,
}

/// A step that no test can reach, and why.
#[derive(Clone, Debug)]
pub struct Unreachable {
    /// The flow.
    pub flow: Spanned<String>,
    /// The step.
    pub step: Spanned<String>,
    /// Why.
    pub because: String,
}

/// One test.
#[derive(Clone, Debug)]
pub struct Test {
    /// What it shows, in a sentence.
    pub name: Spanned<String>,
    /// The one flow that events start; any that listens where none is named.
    pub flow: Option<Spanned<String>>,
    /// What there is before anything happens.
    pub given: Given,
    /// What happens before the test looks on.
    pub already: Vec<Act>,
    /// What happens.
    pub when: Vec<Act>,
    /// What is then to be so; none where nobody has said it yet.
    pub then: Option<Then>,
    /// Where a `then` would be put: behind the test's last entry.
    pub end: Span,
    /// Where the test's first key stands: a `then` is indented as it is.
    pub begin: Span,
}

/// What there is before anything happens.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// A file of `cosell record`, relative to the test's own, that answers in the place of the systems.
    pub recorded: Option<Spanned<String>>,
    /// Values of variables, over those of the configuration.
    pub variables: Vec<(Spanned<String>, Value)>,
    /// Columns of the user's own in the CRM.
    pub columns: Vec<Column>,
    /// Referrals in Partner Center.
    pub referrals: Vec<Referral>,
    /// Rows in the CRM, in this order.
    pub rows: Vec<Row>,
    /// What the flows keep, by key.
    pub state: Vec<(String, Node)>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// A column that the CRM has beside those that come with it.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its table.
    pub table: String,
    /// Its logical name.
    pub name: Spanned<String>,
    /// Its type in the metadata API (Web API, AttributeMetadata), and what belongs to it.
    pub definition: Value,
}

/// A referral in Partner Center.
#[derive(Clone, Debug)]
pub struct Referral {
    /// Its name in the test.
    pub name: Spanned<String>,
    /// Whether somebody of the partner made it, in the portal; else a seller of Microsoft shared it.
    pub by_partner: bool,
    /// Members that differ from those of a plausible deal.
    pub members: Option<Node>,
}

/// A row in the CRM.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name in the test.
    pub name: Spanned<String>,
    /// Its table.
    pub table: String,
    /// Its columns; of an opportunity, those that differ from a plausible one.
    pub columns: Option<Node>,
    /// Of an opportunity: the names of its solutions; the usual one where nothing is said.
    pub solutions: Option<Vec<Spanned<String>>>,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// A rule of the sandbox, but for its name.
    pub rule: Value,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub struct Act {
    /// What.
    pub kind: ActKind,
    /// Whether the system tells of it, so that flows start.
    pub told: bool,
    /// Where it stands.
    pub span: Span,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum ActKind {
    /// Somebody saves a row in the CRM, with new values where there are any.
    Saved {
        /// The row.
        row: Spanned<String>,
        /// New values.
        with: Option<Node>,
    },
    /// Somebody deletes a row in the CRM.
    Deleted {
        /// The row.
        row: Spanned<String>,
    },
    /// Somebody closes an opportunity, with this status: 3 is won, 4 and 5 are lost.
    Closed {
        /// The opportunity.
        row: Spanned<String>,
        /// The status.
        status: u32,
    },
    /// Somebody adds a solution to an opportunity.
    Added {
        /// The solution's name.
        solution: Spanned<String>,
        /// The opportunity.
        to: Spanned<String>,
    },
    /// Partner Center tells of a referral, which somebody changes before where there are new values.
    Told {
        /// The referral.
        referral: Spanned<String>,
        /// The event.
        event: String,
        /// New values.
        with: Option<Node>,
        /// Whether somebody of the partner changes it, in the portal; else a seller of Microsoft does.
        by_partner: bool,
    },
    /// Microsoft answers the invitation to a referral's engagement.
    Answered {
        /// The referral.
        referral: Spanned<String>,
        /// Whether it accepts.
        accepts: bool,
        /// Why, where it declines.
        reason: Option<String>,
    },
    /// What was recorded happens again.
    Recorded,
    /// A flow is run.
    Run {
        /// The flow.
        flow: Spanned<String>,
        /// Its inputs.
        inputs: Option<Node>,
        /// What its trigger brings.
        event: Option<Node>,
    },
    /// Time passes in the stand-ins.
    Waits(Duration),
    /// From now on this goes wrong, and nothing else.
    Faults(Vec<Fault>),
}

/// What is to be so in the end.
#[derive(Clone, Debug)]
pub struct Then {
    /// All of it, without its key.
    pub span: Span,
    /// The key.
    pub key: Span,
    /// How the last run ended.
    pub outcome: Option<Spanned<Ended>>,
    /// What it yields.
    pub output: Option<Node>,
    /// What it answered.
    pub answer: Option<Node>,
    /// What its error says.
    pub error: Option<Node>,
    /// The writes made, all of them and in order.
    pub writes: Option<Spanned<Vec<Write>>>,
    /// What records look like.
    pub records: Vec<(Spanned<String>, Node)>,
    /// What the column Audit says.
    pub audit: Vec<Audit>,
}

/// What the column Audit of an opportunity says.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The opportunity; the only one where none is named.
    pub of: Option<Spanned<String>>,
    /// Texts that stand somewhere in it.
    pub says: Vec<Spanned<String>>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// No flow began.
    NotStarted,
    /// It began, and ended so.
    As(Outcome),
}

impl Ended {
    /// The word in YAML.
    pub fn as_str(self) -> &'static str {
        match self {
            Ended::NotStarted => "not_started",
            Ended::As(outcome) => outcome.as_str(),
        }
    }
}

/// A write that is expected.
#[derive(Clone, Debug)]
pub struct Write {
    /// What it does to the record.
    pub verb: Verb,
    /// The record; for one that is made its table, or `referral`.
    pub record: Spanned<String>,
    /// What a record that is made is called from then on.
    pub name: Option<Spanned<String>>,
    /// Values that it writes, among others.
    pub with: Option<Node>,
    /// Where it stands.
    pub span: Span,
}

/// What a write does to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Makes it.
    Create,
    /// Changes it.
    Change,
    /// Deletes it.
    Delete,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 3] = [Verb::Create, Verb::Change, Verb::Delete];

    /// The word in YAML.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Change => "change",
            Verb::Delete => "delete",
        }
    }
}

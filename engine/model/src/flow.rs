//! A flow as written: what reading a file yields, before names are looked up.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::ids::{FlowId, OperationName, StepId};
use crate::node::Node;
use crate::outcome::{Accepts, Outcome};
use crate::span::{Span, Spanned};

/// One flow file.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its name.
    pub id: Spanned<FlowId>,
    /// Its title for people; the id where none is given.
    pub title: String,
    /// What it is for.
    pub description: Option<String>,
    /// What starts it.
    pub trigger: Trigger,
    /// Runs with equal keys go one at a time, in order of arrival.
    pub key: Option<Node>,
    /// Events with equal keys wait until none has come for so long, and the last one counts.
    pub debounce: Option<Duration>,
    /// How many of its runs that events start may be under way at once.
    pub parallel: Option<u32>,
    /// Its steps.
    pub steps: Block,
    /// What a calling flow gets back.
    pub output: Option<Node>,
}

/// What starts a flow.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// What starts it first of all.
    pub main: Source,
    /// What else starts it: triggers of connectors that bring the same.
    pub also: Vec<Source>,
    /// A condition on the trigger's payload; no run starts where it is false.
    pub when: Option<Node>,
    /// Typed inputs, of `manual` and `call`.
    pub inputs: Vec<Input>,
}

impl Trigger {
    /// Everything that starts it.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.main).chain(&self.also)
    }
}

/// One thing that starts a flow.
#[derive(Clone, Debug)]
pub struct Source {
    /// A built-in trigger, or a connector's.
    pub kind: TriggerSource,
    /// Where `use` stands.
    pub span: Span,
    /// Which connection listens, where it is not the connector's own name.
    pub connection: Option<Spanned<String>>,
    /// Settings of the trigger.
    pub with: Option<Node>,
    /// How often it is asked, where it is one that asks.
    pub every: Option<Spanned<Duration>>,
}

impl Source {
    /// One without settings, as `use` at `span` names it.
    pub fn new(kind: TriggerSource, span: Span) -> Self {
        Self { kind, span, connection: None, with: None, every: None }
    }
}

/// Which trigger.
#[derive(Clone, Debug, PartialEq)]
pub enum TriggerSource {
    /// A person starts it.
    Manual,
    /// The clock starts it.
    Schedule,
    /// A plain web hook starts it.
    Http,
    /// Another flow starts it.
    Call,
    /// A connector starts it.
    Connector(OperationName),
}

/// A typed input of a flow.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: Spanned<String>,
    /// Its type.
    pub kind: ValueType,
    /// The only values allowed, where listed.
    pub one_of: Option<Vec<serde_json::Value>>,
    /// Its value where the caller gives none; an input without one is required.
    pub default: Option<serde_json::Value>,
    /// What it means.
    pub description: Option<String>,
}

/// The type of an input or a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A map.
    Object,
    /// A list.
    List,
    /// Anything.
    Any,
}

impl ValueType {
    /// Every type with its word in YAML.
    pub const WORDS: [(&'static str, ValueType); 7] = [
        ("text", ValueType::Text),
        ("integer", ValueType::Integer),
        ("number", ValueType::Number),
        ("boolean", ValueType::Boolean),
        ("object", ValueType::Object),
        ("list", ValueType::List),
        ("any", ValueType::Any),
    ];

    /// The word in YAML.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, kind)| *kind == self).map_or("any", |(word, _)| word)
    }

    /// A value of this type as a person writes it: text as it stands, the rest as JSON; of [`ValueType::Any`], text where
    /// it is no JSON.
    ///
    /// # Errors
    /// Why it is no value.
    pub fn parse(self, text: &str) -> Result<serde_json::Value, serde_json::Error> {
        match self {
            ValueType::Text => Ok(text.into()),
            ValueType::Any => Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
            _ => serde_json::from_str(text),
        }
    }

    /// Whether `value` is of this type. Null is of every type: it stands for "not given".
    pub fn admits(self, value: &serde_json::Value) -> bool {
        use serde_json::Value;
        match (self, value) {
            (_, Value::Null) | (ValueType::Any, _) => true,
            (ValueType::Text, Value::String(_))
            | (ValueType::Number, Value::Number(_))
            | (ValueType::Boolean, Value::Bool(_))
            | (ValueType::Object, Value::Object(_))
            | (ValueType::List, Value::Array(_)) => true,
            (ValueType::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
            _ => false,
        }
    }
}

/// The steps of a flow, scope, branch or loop body.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// In the order of the file.
    pub steps: Vec<Step>,
}

/// A step as written.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name, unique in the flow.
    pub id: Spanned<StepId>,
    /// Its title for people.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// A condition: false means skipped.
    pub when: Option<Node>,
    /// What it waits for, beyond what its expressions mention.
    pub after: Option<Vec<After>>,
    /// How often and how a failed attempt is repeated; the configured default where none is given.
    pub retry: Option<Retry>,
    /// Its time limit, over all attempts.
    pub timeout: Option<Duration>,
    /// What is kept out of records and logs.
    pub sensitive: Sensitive,
    /// What it does.
    pub kind: StepKind,
    /// What a step that holds a block yields: once for scopes and branches, per round for loops.
    pub output: Option<Node>,
}

/// One step that another waits for.
#[derive(Clone, Debug)]
pub struct After {
    /// The step waited for.
    pub step: Spanned<StepId>,
    /// The outcomes that let the waiting step run.
    pub accepts: Accepts,
}

/// What is kept out of records and logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sensitive {
    /// The input.
    pub input: bool,
    /// The output.
    pub output: bool,
}

/// How a failed attempt is repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// How many times, after the first attempt; 0 to 90.
    pub count: u32,
    /// How the waits grow.
    pub backoff: Backoff,
    /// The first wait.
    pub interval: Duration,
    /// No wait is shorter.
    pub minimum: Duration,
    /// No wait is longer, unless the remote system asks for it.
    pub maximum: Duration,
}

impl Retry {
    /// No second attempt.
    pub const NONE: Retry = Retry {
        count: 0,
        backoff: Backoff::Fixed,
        interval: Duration::ZERO,
        minimum: Duration::ZERO,
        maximum: Duration::ZERO,
    };
}

impl Default for Retry {
    /// Up to 8 times, growing from 7 seconds to 15 minutes: Power Automate's default on medium and high plans.
    fn default() -> Self {
        Retry {
            count: 8,
            backoff: Backoff::Exponential,
            interval: Duration::from_secs(7),
            minimum: Duration::from_secs(5),
            maximum: Duration::from_secs(900),
        }
    }
}

/// How the waits between attempts grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always the same.
    Fixed,
    /// Somewhere in a window that doubles each time.
    Exponential,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Calls a connector's operation.
    Use {
        /// The operation.
        operation: Spanned<OperationName>,
        /// Which connection, where it is not the connector's own name.
        connection: Option<Spanned<String>>,
        /// Its input.
        with: Option<Node>,
    },
    /// Runs another flow and waits for it.
    Call {
        /// The flow.
        flow: Spanned<FlowId>,
        /// Its inputs.
        with: Option<Node>,
    },
    /// Groups a block.
    Scope {
        /// What no other scope may hold at the same time: one key, or a list.
        key: Option<Node>,
        /// The block.
        body: Block,
    },
    /// Runs one of two blocks.
    If {
        /// The condition.
        condition: Node,
        /// The block where it is true.
        then: Block,
        /// The block where it is false.
        otherwise: Block,
    },
    /// Runs the block of the first equal case.
    Switch {
        /// The value compared.
        on: Node,
        /// The cases.
        cases: Vec<Case>,
        /// The block where no case is equal.
        default: Block,
    },
    /// Runs a block once per item.
    ForEach {
        /// The items.
        items: Node,
        /// How many rounds may run at once; 1 to 50.
        parallel: u32,
        /// The body.
        body: Block,
    },
    /// Runs a block until a condition holds.
    Until {
        /// The condition, tested after each round.
        condition: Node,
        /// At most so many rounds; 1 to 5000.
        count: u32,
        /// At most so long.
        time: Duration,
        /// Whether reaching a limit fails the step.
        fail_at_limit: bool,
        /// The body.
        body: Block,
    },
    /// Names values.
    Let(Node),
    /// Turns a record of one side of a mapping into the other's.
    Map {
        /// The mapping.
        mapping: Spanned<String>,
        /// The side given, and its record.
        from: Side,
    },
    /// Finds what must change in one side's record to agree with the other's.
    Compare {
        /// The mapping.
        mapping: Spanned<String>,
        /// The side that leads, and its record.
        from: Side,
        /// The side that follows, and its record.
        to: Side,
    },
    /// Finds what must change on either side for both to agree, from what changed since they last did.
    Merge {
        /// The mapping.
        mapping: Spanned<String>,
        /// The side that has news, and its record.
        from: Side,
        /// The other side, and its record.
        to: Side,
        /// What an earlier merge yielded as `agreed`.
        agreed: Option<Node>,
        /// When each side's record was last changed.
        changed: Vec<Side>,
    },
    /// Lets time pass.
    Wait(Wait),
    /// Answers whoever started the run.
    Respond {
        /// HTTP status: 2xx, 4xx or 5xx.
        status: Option<Node>,
        /// HTTP headers.
        headers: Option<Node>,
        /// The answer.
        body: Option<Node>,
    },
    /// Ends the run now.
    Stop {
        /// How it ends: succeeded, failed or cancelled.
        outcome: Outcome,
        /// A code, where it ends in failure.
        code: Option<Node>,
        /// A message.
        message: Option<Node>,
    },
}

/// One case of a switch.
#[derive(Clone, Debug)]
pub struct Case {
    /// The value it stands for; its type matters.
    pub value: Spanned<serde_json::Value>,
    /// Its block.
    pub block: Block,
}

/// A side of a mapping, with a record of it, or what is said of the record.
#[derive(Clone, Debug)]
pub struct Side {
    /// The side's name.
    pub name: Spanned<String>,
    /// The record, or what is said of it.
    pub record: Node,
}

/// How long a `wait` lasts.
#[derive(Clone, Debug)]
pub enum Wait {
    /// For a time.
    For(Node),
    /// Until an instant.
    Until(Node),
}

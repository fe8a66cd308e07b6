//! The keys of a flow file, down to its steps.

use super::step::BLOCK;
use super::table::{Key, TYPES, Table, Takes};

pub(super) static FLOW: Table = Table {
    name: "flow",
    title: "A flow",
    about: "What starts it, and a graph of steps. A file of your own with the name of a shipped flow is merged over it.",
    keys: &[
        Key::new("flow", Takes::Kebab, "The flow's name, by which others call it.").such_as(&["\"greet-customer\""]),
        Key::new("title", Takes::Text, "Its title for people."),
        Key::new("description", Takes::Text, "What it is for."),
        Key::new(
            "trigger",
            Takes::Either(&[Takes::Defined("trigger_name"), Takes::Table(&TRIGGER)]),
            "What starts a run.",
        )
        .such_as(&["\"manual\"", r#"{"use": "schedule", "with": {"every": "15m"}}"#]),
        Key::new("key", Takes::Value, "Runs with equal keys go one at a time, in order of arrival.")
            .such_as(&[r#""${{ trigger.id }}""#]),
        Key::new(
            "debounce",
            Takes::Duration,
            "A burst of events with equal keys is one run: it begins when no event has come for so long.",
        )
        .such_as(&["\"5s\""]),
        Key::new("parallel", Takes::Whole(1, 1000), "At most so many runs of this flow at once; the others wait."),
        Key::new("steps", BLOCK, "The steps, by name. Their order follows from what they mention."),
        Key::new("output", Takes::Value, "What a calling flow gets back."),
        Key::new(
            "whole",
            Takes::Truth,
            "In a file of your own: it takes the place of the shipped flow, and is not merged over it.",
        ),
        BASED_ON,
    ],
    others: None,
    needs: &["flow"],
};

pub(super) const BASED_ON: Key = Key::new(
    "based_on",
    Takes::Either(&[Takes::Text, Takes::List(&Takes::Text)]),
    "In a file of your own: fingerprints of the shipped values that it replaces; a warning follows when one changes. \
     `cosell flows diff` prints them.",
);

pub(super) static TRIGGER: Table = Table {
    name: "trigger",
    title: "A trigger",
    about: "What starts a run.",
    keys: &[
        Key::new(
            "use",
            Takes::Defined("trigger_name"),
            "Which trigger: `manual`, `call`, `schedule`, `http`, or a connector's.",
        ),
        Key::new(
            "connection",
            Takes::Identifier,
            "Which connection listens, where it is not the connector's own name.",
        ),
        Key::new("with", Takes::Constant, "Settings of the trigger; of expressions, only `vars` are known."),
        Key::new("every", Takes::Duration, "How often a trigger that asks does so.").such_as(&["\"15m\""]),
        Key::new(
            "also",
            Takes::List(&Takes::Either(&[Takes::Defined("trigger_name"), Takes::Table(&ALSO)])),
            "Other triggers that start the same flow; all of them connectors'.",
        ),
        Key::new("when", CONDITION, "A condition on `trigger`: where it is false, no run begins.")
            .such_as(&[r#""${{ trigger.change == 'saved' }}""#]),
        Key::new(
            "inputs",
            Takes::Named(&Takes::Either(&[Takes::Words(&TYPES), Takes::Table(&INPUT)])),
            "Typed inputs, of `manual` and `call`, by name.",
        )
        .such_as(&[r#"{"name": "text", "languages": {"type": "list", "default": ["en"]}}"#]),
    ],
    others: None,
    needs: &[],
};

pub(super) static ALSO: Table = Table {
    name: "also",
    title: "Another trigger",
    about: "A connector's trigger that starts the same flow.",
    keys: &[
        Key::new("use", Takes::Defined("trigger_name"), "Which trigger."),
        Key::new(
            "connection",
            Takes::Identifier,
            "Which connection listens, where it is not the connector's own name.",
        ),
        Key::new("with", Takes::Constant, "Settings of the trigger."),
        Key::new("every", Takes::Duration, "How often a trigger that asks does so.").such_as(&["\"15m\""]),
    ],
    others: None,
    needs: &["use"],
};

pub(super) static INPUT: Table = Table {
    name: "input",
    title: "An input",
    about: "What a run is given when it begins. An input without a default is required.",
    keys: &[
        Key::new("type", Takes::Words(&TYPES), "Its type; null is of every type."),
        Key::new("default", Takes::Constant, "Its value where none is given."),
        Key::new("one_of", Takes::List(&Takes::Constant), "The only values allowed."),
        Key::new("description", Takes::Text, "What it means."),
    ],
    others: None,
    needs: &[],
};

/// What is true or false once it is computed.
pub(super) const CONDITION: Takes = Takes::Either(&[Takes::Truth, Takes::Expression]);

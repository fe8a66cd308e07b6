//! The keys of a step: what every step can have, and what belongs to each kind.

use super::flow::CONDITION;
use super::table::{Key, Table, Takes};

/// A map of steps by name; nothing is no step.
pub(super) const BLOCK: Takes = Takes::Defined("block");

/// One kind of step.
pub(super) struct Kind {
    /// The key that makes a step of this kind.
    pub(super) main: Key,
    pub(super) title: &'static str,
    /// What else it takes.
    pub(super) keys: &'static [Key],
    /// Which of that a whole step of this kind cannot do without.
    pub(super) needs: &'static [&'static str],
}

/// What every step can have.
pub(super) static COMMON: [Key; 6] = [
    Key::new("title", Takes::Text, "The step's title for people."),
    Key::new("description", Takes::Text, "What it is for."),
    Key::new("when", CONDITION, "A condition: where it is false, the step is skipped.")
        .such_as(&[r#""${{ not steps.known_account }}""#]),
    Key::new(
        "after",
        Takes::Either(&[
            Takes::Identifier,
            Takes::List(&Takes::Identifier),
            Takes::Named(&Takes::Either(&[Takes::Outcome, Takes::List(&Takes::Outcome)])),
        ]),
        "What it waits for beside the steps that it mentions, with the outcomes that let it run; `succeeded` unless said \
         otherwise.",
    )
    .such_as(&[r#""send""#, r#"{"send": ["failed", "timed_out"]}"#]),
    Key::new("timeout", Takes::Duration, "Its time limit, over all attempts.").such_as(&["\"10m\""]),
    Key::new(
        "sensitive",
        Takes::Either(&[
            Takes::Truth,
            Takes::Words(&["input", "output"]),
            Takes::List(&Takes::Words(&["input", "output"])),
        ]),
        "What is kept out of records and logs.",
    )
    .such_as(&["true", r#"["output"]"#]),
];

const OUTPUT: Key = Key::new("output", Takes::Value, "What the step yields.");
const PER_ROUND: Key = Key::new("output", Takes::Value, "What each round yields.");
const DO: Key = Key::new("do", Takes::Defined("body"), "The steps of each round; at least one.");
const FROM: Key =
    Key::new("from", Takes::One(&Takes::Value), "The side of the mapping that is given, with its record.")
        .such_as(&[r#"{"referral": "${{ steps.referral }}"}"#]);
const TO: Key = Key::new("to", Takes::One(&Takes::Value), "The other side, with its record.")
    .such_as(&[r#"{"opportunity": "${{ steps.opportunity }}"}"#]);
const MAPPING: Takes = Takes::Kebab;

/// All kinds of step.
pub(super) static KINDS: [Kind; 14] = [
    Kind {
        main: Key::new(
            "use",
            Takes::Defined("operation_name"),
            "Calls a connector's operation, and yields its output.",
        )
        .such_as(&["\"dataverse.get_row\""]),
        title: "Call an operation",
        keys: &[
            Key::new("connection", Takes::Identifier, "Which connection, where it is not the connector's own name."),
            Key::new("with", Takes::Value, "The operation's input."),
            Key::new(
                "retry",
                Takes::Either(&[Takes::Words(&["none"]), Takes::Table(&RETRY)]),
                "How a failed attempt is repeated; as the configuration says where nothing is said here.",
            ),
        ],
        needs: &[],
    },
    Kind {
        main: Key::new("call", Takes::Kebab, "Runs another flow, and yields its `output`."),
        title: "Run another flow",
        keys: &[Key::new(
            "with",
            Takes::Either(&[Takes::Map(&Takes::Value), Takes::Expression, Takes::Null]),
            "The flow's inputs.",
        )],
        needs: &[],
    },
    Kind {
        main: Key::new("scope", BLOCK, "Groups steps."),
        title: "Group steps",
        keys: &[
            Key::new(
                "key",
                Takes::Value,
                "Scopes with a key in common never overlap, in whichever flows and runs they are; one key, or a list.",
            )
            .such_as(&[r#"["referral:${{ trigger.id }}"]"#]),
            OUTPUT,
        ],
        needs: &[],
    },
    Kind {
        main: Key::new("if", CONDITION, "Runs `then` where the condition is true, and `else` where it is not."),
        title: "Choose between two",
        keys: &[
            Key::new("then", BLOCK, "The steps where it is true."),
            Key::new("else", BLOCK, "The steps where it is not."),
            OUTPUT,
        ],
        needs: &[],
    },
    Kind {
        main: Key::new(
            "switch",
            Takes::Value,
            "Runs the steps of the case that equals this; types matter, 3 is not \"3\".",
        ),
        title: "Choose among several",
        keys: &[
            Key::new("cases", Takes::Map(&BLOCK), "The steps of each case, by its value."),
            Key::new("default", BLOCK, "The steps where no case is equal."),
            OUTPUT,
        ],
        needs: &["cases"],
    },
    Kind {
        main: Key::new(
            "for_each",
            Takes::Either(&[Takes::List(&Takes::Value), Takes::Expression]),
            "Runs steps once per item of a list, and yields the list of their `output`. In them, `item` and `index` are known.",
        ),
        title: "Go through a list",
        keys: &[
            DO,
            Key::new("parallel", Takes::Whole(1, 50), "At most so many rounds at once; 1 unless said otherwise."),
            PER_ROUND,
        ],
        needs: &["do"],
    },
    Kind {
        main: Key::new("until", CONDITION, "Runs steps until the condition holds; it is tested after each round."),
        title: "Repeat",
        keys: &[
            DO,
            Key::new(
                "limit",
                Takes::Table(&LIMIT),
                "How long to go on at most; 60 rounds and an hour unless said otherwise.",
            ),
            Key::new("fail_at_limit", Takes::Truth, "Whether reaching a limit fails the step."),
            PER_ROUND,
        ],
        needs: &["do"],
    },
    Kind {
        main: Key::new("let", Takes::Map(&Takes::Value), "Names values.")
            .such_as(&[r#"{"name": "${{ trigger.name | upper }}"}"#]),
        title: "Name values",
        keys: &[],
        needs: &[],
    },
    Kind {
        main: Key::new(
            "map",
            MAPPING,
            "Turns a record of one side of a mapping into the other's; this is the mapping.",
        ),
        title: "Map a record",
        keys: &[FROM],
        needs: &["from"],
    },
    Kind {
        main: Key::new(
            "compare",
            MAPPING,
            "Finds what must change on one side to agree with the other; yields `equal`, `changes`, `differences`.",
        ),
        title: "Compare two records",
        keys: &[FROM, TO],
        needs: &["from", "to"],
    },
    Kind {
        main: Key::new(
            "merge",
            MAPPING,
            "Finds what must change on either side, from what changed since both agreed; yields `equal`, `changes`, \
             `differences`, `conflicts`, `agreed`.",
        ),
        title: "Merge two records",
        keys: &[
            FROM,
            TO,
            Key::new("agreed", Takes::Value, "What an earlier merge yielded as `agreed`."),
            Key::new("changed", Takes::Map(&Takes::Value), "When each side's record was last changed."),
        ],
        needs: &["from", "to"],
    },
    Kind {
        main: Key::new(
            "wait",
            Takes::Either(&[Takes::Duration, Takes::Defined("text_with_expression"), Takes::Table(&WAIT)]),
            "Lets time pass.",
        )
        .such_as(&["\"30s\""]),
        title: "Wait",
        keys: &[],
        needs: &[],
    },
    Kind {
        main: Key::new("respond", Takes::Table(&RESPOND), "Answers whoever started the run, once."),
        title: "Answer",
        keys: &[],
        needs: &[],
    },
    Kind {
        main: Key::new("stop", Takes::Either(&[ENDS, Takes::Table(&STOP)]), "Ends the run now; not in loops."),
        title: "End the run",
        keys: &[],
        needs: &[],
    },
];

const ENDS: Takes = Takes::Words(&["succeeded", "failed", "cancelled"]);

pub(super) static RETRY: Table = Table {
    name: "retry",
    title: "Repeating failed attempts",
    about: "Where the connector says that it may help. What the service asks for (Retry-After) is waited at least.",
    keys: &[
        Key::new("policy", Takes::Words(&["fixed", "exponential"]), "Whether the waits grow."),
        Key::new("count", Takes::Whole(0, 90), "How many times, after the first attempt."),
        Key::new("interval", Takes::Duration, "The first wait.").such_as(&["\"7s\""]),
        Key::new("minimum", Takes::Duration, "No wait is shorter."),
        Key::new("maximum", Takes::Duration, "No wait is longer, unless the service asks for it."),
    ],
    others: None,
    needs: &[],
};

pub(super) static LIMIT: Table = Table {
    name: "limit",
    title: "The limits of a loop",
    about: "Whichever is reached first ends it.",
    keys: &[
        Key::new("count", Takes::Whole(1, 5000), "At most so many rounds."),
        Key::new("time", Takes::Duration, "At most so long.").such_as(&["\"5m\""]),
    ],
    others: None,
    needs: &[],
};

pub(super) static WAIT: Table = Table {
    name: "wait",
    title: "How long to wait",
    about: "For a time, or until an instant.",
    keys: &[
        Key::new("for", Takes::Either(&[Takes::Duration, Takes::Defined("text_with_expression")]), "A time.")
            .such_as(&["\"30s\""]),
        Key::new("until", Takes::Text, "An instant.").such_as(&["\"2026-11-02T08:15:30Z\""]),
    ],
    others: None,
    needs: &[],
};

pub(super) static RESPOND: Table = Table {
    name: "respond",
    title: "An answer",
    about: "What whoever started the run gets.",
    keys: &[
        Key::new(
            "status",
            Takes::Either(&[Takes::Whole(200, 599), Takes::Expression]),
            "The HTTP status: 2xx, 4xx or 5xx.",
        ),
        Key::new("headers", Takes::Value, "HTTP headers."),
        Key::new("body", Takes::Value, "The answer."),
    ],
    others: None,
    needs: &[],
};

pub(super) static STOP: Table = Table {
    name: "stop",
    title: "How a run ends",
    about: "With a code and a message, for people and for whoever called.",
    keys: &[
        Key::new("outcome", ENDS, "How it ends."),
        Key::new("code", Takes::Value, "A code, where it ends in failure.").such_as(&["\"not_sent\""]),
        Key::new("message", Takes::Value, "A message."),
    ],
    others: None,
    needs: &[],
};

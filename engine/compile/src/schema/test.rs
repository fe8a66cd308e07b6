//! The keys of a file of tests.

use super::table::{Key, Table, Takes};

/// One test at the top, or several.
pub(super) static TESTS: Table = Table {
    name: "tests",
    title: "Tests of flows",
    about: "One test, or several under `tests`. Records are named where they are given, and mentioned in angle brackets.",
    keys: &[
        Key::new("tests", Takes::List(&Takes::Table(&TEST)), "The tests."),
        Key::new("unreachable", Takes::List(&Takes::Table(&UNREACHABLE)), "Steps that no test can reach, and why."),
        NAME,
        DESCRIPTION,
        FLOW,
        GIVEN_KEY,
        ALREADY,
        WHEN,
        THEN_KEY,
    ],
    others: None,
    needs: &[],
};

const NAME: Key = Key::new("test", Takes::Text, "The test's name, in a sentence.");
const DESCRIPTION: Key = Key::new("description", Takes::Text, "What it is for.");
const FLOW: Key = Key::new("flow", Takes::Kebab, "The flow that is meant, where several begin.");
const GIVEN_KEY: Key = Key::new("given", Takes::Table(&GIVEN), "What is there before anything happens.");
const ALREADY: Key = Key::new("already", Takes::Either(ACTS), "What has happened before, and is not looked at.")
    .such_as(&[r#"{"created": "deal"}"#]);
const WHEN: Key = Key::new("when", Takes::Either(WHENS), "What happens: one thing, a list, or what was `recorded`.")
    .such_as(&[r#"{"created": "deal"}"#, r#"[{"saved": "deal", "with": {"name": "A"}}]"#]);
const THEN_KEY: Key = Key::new("then", Takes::Table(&THEN), "What comes of it.");
const WHENS: &[Takes] = &[Takes::Words(&["recorded"]), Takes::Table(&ACT), Takes::List(&Takes::Table(&ACT))];
const ACTS: &[Takes] = &[Takes::Table(&ACT), Takes::List(&Takes::Table(&ACT))];

pub(super) static TEST: Table = Table {
    name: "test",
    title: "A test",
    about: "What is given, what happens, what comes of it.",
    keys: &[NAME, DESCRIPTION, FLOW, GIVEN_KEY, ALREADY, WHEN, THEN_KEY],
    others: None,
    needs: &["test", "when"],
};

pub(super) static UNREACHABLE: Table = Table {
    name: "unreachable",
    title: "A step that no test can reach",
    about: "It does not count for coverage.",
    keys: &[
        Key::new("flow", Takes::Kebab, "Its flow."),
        Key::new("step", Takes::Identifier, "The step."),
        Key::new("because", Takes::Text, "Why it cannot be reached."),
    ],
    others: None,
    needs: &["flow", "step", "because"],
};

/// Records by name; nothing is none.
const RECORDS: Takes = Takes::Either(NAMED);
const NAMED: &[Takes] = &[Takes::Named(&Takes::Either(MEMBERS)), Takes::Null];
const MEMBERS: &[Takes] = &[Takes::Map(&Takes::Value), Takes::Null];
const BY_NAME: &[Takes] = &[Takes::Map(&Takes::Value), Takes::Null];

pub(super) static GIVEN: Table = Table {
    name: "given",
    title: "What is given",
    about: "Records in both systems, current values, columns, and what goes wrong. The rest is as the sandbox has it.",
    keys: &[
        Key::new(
            "recorded",
            Takes::Text,
            "A file of `cosell record`, relative to this one, that answers in the place of the systems.",
        ),
        Key::new("variables", Takes::Either(BY_NAME), "Current values of variables."),
        Key::new(
            "columns",
            Takes::Either(TABLES),
            "Columns that tables have besides: a type, or the numbers of a choice.",
        )
        .such_as(&[r#"{"account": {"new_countrycode": "text"}}"#]),
        Key::new(
            "referrals",
            RECORDS,
            "Referrals in Partner Center by name; each is a whole deal but for what is said.",
        ),
        Key::new("rows", Takes::Either(ROWS), "Rows in the CRM, by table and name."),
        Key::new("opportunities", RECORDS, "Opportunities by name; `solutions` lists a deal's solutions."),
        Key::new("state", Takes::Either(BY_NAME), "What the connector `state` keeps, by key."),
        Key::new("faults", FAULTS, "What goes wrong."),
    ],
    others: None,
    needs: &[],
};
const TABLES: &[Takes] = &[Takes::Map(&Takes::Map(&Takes::Value)), Takes::Null];
const ROWS: &[Takes] = &[Takes::Map(&RECORDS), Takes::Null];
const FAULTS: Takes = Takes::Either(&[Takes::Words(&["none"]), Takes::List(&Takes::Defined("fault"))]);

pub(super) static ACT: Table = Table {
    name: "act",
    title: "Something that happens",
    about: "What people do in either system, what a system tells, or a run. One thing at a time.",
    keys: &[
        Key::new("saved", Takes::Text, "A row in the CRM is saved; `with` are its new values."),
        Key::new("deleted", Takes::Text, "A row in the CRM is deleted."),
        Key::new("won", Takes::Text, "An opportunity is closed as won."),
        Key::new("lost", Takes::Text, "An opportunity is closed as lost, with this `status`."),
        Key::new("added", Takes::Text, "A solution is added `to` an opportunity."),
        Key::new("created", Takes::Text, "Partner Center tells that a referral is new."),
        Key::new(
            "updated",
            Takes::Text,
            "Partner Center tells that a referral has changed; `with` are its new values.",
        ),
        Key::new("accepted", Takes::Text, "A referral is accepted."),
        Key::new("declined", Takes::Text, "A referral is declined, for a `reason`."),
        Key::new("run", Takes::Kebab, "A flow is run, with `inputs` or an `event`."),
        Key::new("waits", Takes::Duration, "Time passes."),
        Key::new("faults", FAULTS, "What goes wrong from here on."),
        Key::new("with", Takes::Value, "New values."),
        Key::new("status", Takes::Whole(4, 5), "The status of a lost opportunity: 4 cancelled, 5 out-sold."),
        Key::new("to", Takes::Text, "The opportunity that a solution is added to."),
        Key::new("event", Takes::Value, "Which event Partner Center sends, or the event of a run."),
        Key::new("by", Takes::Words(&["microsoft", "partner"]), "Who has changed the referral."),
        Key::new("reason", Takes::Text, "Why it is declined."),
        Key::new("inputs", Takes::Value, "The inputs of a run."),
        Key::new("unnoticed", Takes::Truth, "Nobody is told of it."),
    ],
    others: None,
    needs: &[],
};

pub(super) static FAULT: Table = Table {
    name: "fault",
    title: "Something that goes wrong",
    about: "Requests that it meets, and what becomes of them.",
    keys: &[
        Key::new(
            "system",
            Takes::Words(&["partner_center", "dataverse", "partner_center_events", "entra"]),
            "In which system.",
        ),
        Key::new("method", Takes::Words(&["GET", "POST", "PATCH", "DELETE"]), "Of requests with this method."),
        Key::new("path", Takes::Text, "Of requests to this path."),
        Key::new("times", Takes::Whole(1, 1000), "So many times."),
        Key::new("every", Takes::Whole(1, 1000), "Each so manieth time."),
        Key::new(
            "does",
            Takes::Words(&[
                "throttle",
                "reset_before",
                "reset_after",
                "half_body",
                "malformed_json",
                "wrong_content_type",
            ]),
            "What becomes of the request.",
        ),
        Key::new("answers", Takes::Whole(200, 599), "The HTTP status of an answer instead."),
        Key::new("says", Takes::Text, "The message of that answer."),
        Key::new("body", Takes::Constant, "The body of that answer."),
    ],
    others: None,
    needs: &[],
};

pub(super) static THEN: Table = Table {
    name: "then",
    title: "What comes of it",
    about: "What is not said is not looked at.",
    keys: &[
        Key::new(
            "outcome",
            Takes::Words(&["succeeded", "failed", "timed_out", "cancelled", "not_started"]),
            "How the run ends.",
        ),
        Key::new("output", Takes::Value, "What the flow yields."),
        Key::new("answer", Takes::Value, "What whoever started the run is answered."),
        Key::new("error", Takes::Value, "With which error it fails."),
        Key::new(
            "writes",
            Takes::Either(&[Takes::Words(&["none"]), Takes::List(&Takes::Table(&WRITE))]),
            "All writes in order, or `none`.",
        ),
        Key::new("records", Takes::Either(BY_NAME), "What records hold in the end, by name."),
        Key::new(
            "audit",
            Takes::Either(&[Takes::Text, Takes::List(&Takes::Text), Takes::Map(&Takes::Value)]),
            "What the column Audit says.",
        ),
    ],
    others: None,
    needs: &[],
};

pub(super) static WRITE: Table = Table {
    name: "write",
    title: "A write",
    about: "What is written, and where.",
    keys: &[
        Key::new("create", Takes::Text, "A record of this kind is made; `as` names it."),
        Key::new("change", Takes::Text, "This record is changed."),
        Key::new("delete", Takes::Text, "This record is deleted."),
        Key::new("as", Takes::Identifier, "The name of the new record."),
        Key::new("with", Takes::Map(&Takes::Value), "The values written."),
    ],
    others: None,
    needs: &[],
};

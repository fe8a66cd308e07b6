//! The keys of a mapping file and of a file of variables.

use super::flow::BASED_ON;
use super::table::{FORMS, Key, TYPES, Table, Takes};

pub(super) static MAPPING: Table = Table {
    name: "mapping",
    title: "A mapping",
    about: "A table of fields between two kinds of record: one row a field, both directions from the same row. A file of \
            your own with the name of a shipped mapping is merged over it.",
    keys: &[
        Key::new("mapping", Takes::Kebab, "The mapping's name, by which flows use it.").such_as(&["\"deal-fields\""]),
        Key::new("title", Takes::Text, "Its title for people."),
        Key::new("description", Takes::Text, "What it is for."),
        Key::new("between", Takes::Two(&Takes::Identifier), "The names of the two sides.")
            .such_as(&[r#"["referral", "opportunity"]"#]),
        Key::new(
            "records",
            Takes::Map(&Takes::Text),
            "What each side is a record of: a table, or what an operation yields and where in it the record lies.",
        )
        .such_as(&[r#"{"referral": "partner_center.get_referral", "opportunity": "opportunity"}"#]),
        Key::new("rows", Takes::Named(&Takes::Table(&ROW)), "The rows, by name."),
        Key::new(
            "whole",
            Takes::Truth,
            "In a file of your own: it takes the place of the shipped mapping, and is not merged over it.",
        ),
        BASED_ON,
    ],
    others: None,
    needs: &["mapping"],
};

pub(super) static ROW: Table = Table {
    name: "row",
    title: "A row",
    about: "One field: its path on each side, under the sides' names, and how a value goes from one to the other.",
    keys: &[
        Key::new("title", Takes::Text, "Its title for people; the row's name where none is given."),
        Key::new("description", Takes::Text, "What it is for."),
        Key::new("only_to", Takes::Identifier, "The only side that the row writes to."),
        Key::new(
            "when_empty",
            Takes::Words(&["clear", "keep"]),
            "Whether an empty value clears the other side, which is usual, or leaves it.",
        ),
        Key::new(
            "values",
            Takes::Map(&Takes::Constant),
            "Values of equal meaning: the left side's by the right side's. Of a list on the right, the first is written, and \
             all mean the same.",
        )
        .such_as(&[r#"{"Won": 3, "Lost": [5, 4]}"#]),
        Key::new(
            "wins",
            Takes::Identifier,
            "Whose value is kept where both have changed: a side, or `newest`, which is usual.",
        )
        .such_as(&["\"newest\""]),
        Key::new("final_in", Takes::Identifier, "Once this side holds a value, it stays, and the other side takes it."),
    ],
    others: Some(&Takes::Either(&[Takes::Text, Takes::Table(&FIELD)])),
    needs: &[],
};

pub(super) static FIELD: Table = Table {
    name: "field",
    title: "A field of one side",
    about: "Where its value stands in a record of that side, and how it looks there.",
    keys: &[
        Key::new("path", Takes::Text, "Names joined by dots; a variable may stand for them.")
            .such_as(&["\"details.notes\"", r#""${{ vars.deal_value_column }}""#]),
        Key::new("as", Takes::Words(&FORMS), "How values look on this side."),
        Key::new("length", Takes::Whole(1, 1_048_576), "At most so many characters, of text; a longer one is cut."),
        Key::new("default", Takes::Constant, "What stands in where the other side has nothing."),
        Key::new(
            "column",
            Takes::Constant,
            "The table's column that the field is, where that is not the path; `false` where it is none.",
        ),
    ],
    others: None,
    needs: &[],
};

pub(super) static VARIABLES: Table = Table {
    name: "variables",
    title: "Variables",
    about: "Typed settings that flows read. Current values are set in the configuration; defaults are left alone.",
    keys: &[Key::new("variables", Takes::Named(&Takes::Table(&VARIABLE)), "The variables, by name.")],
    others: None,
    needs: &["variables"],
};

pub(super) static VARIABLE: Table = Table {
    name: "variable",
    title: "A variable",
    about: "Flows mention it as `vars.` and its name.",
    keys: &[
        Key::new("title", Takes::Text, "Its title for people."),
        Key::new("type", Takes::Words(&TYPES), "Its type."),
        Key::new("default", Takes::Constant, "Its value where the configuration sets none."),
        Key::new("description", Takes::Text, "What it means."),
    ],
    others: None,
    needs: &["type", "default"],
};

//! The connector `book`, which keeps its lines nowhere: they can be read and changed, unless the book is locked, and written.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use cosell_model::{Effect, Value};
use cosell_sdk::{
    CallContext, CallError, Change, Connect, Connection, Connector, JsonSchema, Operation, Prediction, Write as Writes,
};
use serde::Deserialize;
use serde_json::json;

/// Whether lines can be changed; by the number of the book.
static LOCKED: [AtomicBool; 8] = [const { AtomicBool::new(false) }; 8];

/// Locks a book, or unlocks it.
pub fn lock(number: usize, locked: bool) {
    LOCKED[number].store(locked, Ordering::SeqCst);
}

/// The connector, and a connection to the book of this number.
pub fn book(number: usize) -> (Vec<Connector>, BTreeMap<String, Connection>) {
    let connector = Connector::new::<Book>("book", "Book", "Keeps lines")
        .operation::<Get>()
        .operation::<Update>()
        .write::<Write>()
        .build();
    let connection = connector.open(json!({ "number": number })).unwrap();
    (vec![connector], BTreeMap::from([("book".to_owned(), connection)]))
}

struct Book(usize);

#[derive(Deserialize, JsonSchema)]
struct Settings {
    number: usize,
}

impl Connect for Book {
    type Settings = Settings;

    fn connect(settings: Settings) -> Result<Self, CallError> {
        Ok(Self(settings.number))
    }
}

#[derive(Deserialize, JsonSchema)]
struct Line {
    id: String,
    #[serde(default)]
    values: Value,
}

#[derive(Deserialize, JsonSchema)]
struct NewLine {
    name: String,
}

struct Get;
struct Update;
struct Write;

impl Operation for Get {
    type Connection = Book;
    type Input = Line;
    type Output = Value;
    const NAME: &'static str = "get";
    const TITLE: &'static str = "Read a line";
    const DESCRIPTION: &'static str = "Reads a line";
    const EFFECT: Effect = Effect::Read;

    async fn call(_: &Book, line: Line, _: &CallContext) -> Result<Value, CallError> {
        Ok(json!({ "id": line.id, "text": "<script>old()</script>", "pages": 3 }))
    }
}

impl Operation for Update {
    type Connection = Book;
    type Input = Line;
    type Output = Value;
    const NAME: &'static str = "update";
    const TITLE: &'static str = "Change a line";
    const DESCRIPTION: &'static str = "Changes a line";
    const EFFECT: Effect = Effect::Write;

    async fn call(book: &Book, line: Line, _: &CallContext) -> Result<Value, CallError> {
        if LOCKED[book.0].load(Ordering::SeqCst) {
            return Err(CallError::rejected("locked", format!("the line {} is <b>locked</b>", line.id)));
        }
        Ok(json!({ "changed": true, "line": line.values }))
    }
}

impl Operation for Write {
    type Connection = Book;
    type Input = NewLine;
    type Output = Value;
    const NAME: &'static str = "write";
    const TITLE: &'static str = "Write";
    const DESCRIPTION: &'static str = "Writes a line";
    const EFFECT: Effect = Effect::Write;

    async fn call(_: &Book, line: NewLine, _: &CallContext) -> Result<Value, CallError> {
        Ok(json!({ "name": line.name }))
    }
}

impl Writes for Write {
    const FINDS_OUT: &'static str = "It is written again.";

    async fn predict(_: &Book, line: NewLine, context: &CallContext) -> Result<Prediction, CallError> {
        if line.name.ends_with("<vague>") {
            context.remark(format!("What is foreseen of `{}` is left aside.", line.name));
        }
        if line.name.ends_with("<fails>") {
            return Err(CallError::rejected("refused", format!("`{}` cannot be written", line.name)));
        }
        if line.name == "<never>" {
            std::future::pending::<()>().await;
        }
        let change = Change {
            record: "line 1".to_owned(),
            field: "name".to_owned(),
            old: json!("<b>before</b>"),
            new: json!(line.name),
        };
        Ok(Prediction { record: json!({ "name": line.name }), changes: vec![change] })
    }
}

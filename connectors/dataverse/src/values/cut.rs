//! Texts cut to the lengths of their columns, where a flow says so.

use std::borrow::Cow;

use cosell_sdk::{CallContext, CallError};
use serde_json::{Map, Value};

use crate::connection::Dataverse;
use crate::metadata::{Kind, Table};

/// What stands for the rest of a text that was cut.
const MARK: char = '…';

/// The values, with the texts of `columns` no longer than their columns take.
///
/// # Errors
/// `unknown_column` and `no_text_column`, and what reading the lengths brings.
pub async fn cut<'v>(
    dataverse: &Dataverse,
    table: &Table,
    values: &'v Map<String, Value>,
    columns: &[String],
    context: &CallContext,
) -> Result<Cow<'v, Map<String, Value>>, CallError> {
    for name in columns {
        if table.column(name)?.kind != Kind::Text {
            return Err(CallError::rejected(
                "no_text_column",
                format!(
                    "the column `{name}` of {} holds no text, so it cannot be cut; leave it out",
                    table.head.logical_name
                ),
            ));
        }
    }
    if columns.iter().all(|name| !values.get(name).is_some_and(Value::is_string)) {
        return Ok(Cow::Borrowed(values));
    }
    let lengths = dataverse.lengths(&table.head, context).await?;
    let mut values = values.clone();
    for name in columns {
        if let (Some(Value::String(text)), Some(most)) = (values.get_mut(name), lengths.get(name)) {
            *text = shortened(text, *most);
        }
    }
    Ok(Cow::Owned(values))
}

/// A text of at most `most` UTF-16 code units, as Dataverse counts (.NET strings), the last of them the mark where anything
/// was cut. A character of two units stays whole or goes.
fn shortened(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(MARK.len_utf16());
    let fits = |character: &char| {
        let fits = character.len_utf16() <= left;
        left = if fits { left - character.len_utf16() } else { 0 };
        fits
    };
    text.chars().take_while(fits).chain((most > 0).then_some(MARK)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::{SET, call, open, script_metadata, stored, writes};
    use cosell_sdk::stub::{Reply, Stub};
    use serde_json::json;

    #[test]
    fn utf16_units_count_and_no_character_is_split() {
        for (text, most, cut) in [
            ("abcd", 4, "abcd"),
            ("abcde", 4, "abc…"),
            ("ab🙂", 4, "ab🙂"),
            ("abc🙂", 4, "abc…"),
            ("ab🙂e", 4, "ab…"),
            ("🙂🙂", 3, "🙂…"),
            ("éé", 1, "…"),
            ("x", 0, ""),
        ] {
            let shown = shortened(text, most);
            assert_eq!(shown, cut, "{text}");
            assert!(shown.encode_utf16().count() <= most);
        }
    }

    #[tokio::test]
    async fn only_the_columns_named_are_cut() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        stub.on("POST", SET, [Reply::json(201, stored())]);
        let long = "x".repeat(301);
        let values = json!({ "name": long, "description": long, "estimatedvalue": 5 });
        let input = json!({ "table": "opportunity", "values": values, "cut": ["name", "description"] });
        let connection = open(&stub);
        call(&connection, "create_row", input, false).await.unwrap();
        let sent = writes(&stub)[0].json();
        assert_eq!(sent["name"], format!("{}…", "x".repeat(299)));
        assert_eq!(sent["description"], long, "its column takes 2000");
        let before = stub.requests().len();
        let input = json!({ "table": "opportunity", "values": { "name": long }, "cut": [] });
        call(&connection, "create_row", input, false).await.unwrap();
        assert_eq!(writes(&stub)[1].json()["name"], long);
        assert_eq!(stub.requests().len(), before + 1, "lengths are not asked for where nothing is cut");
    }

    #[tokio::test]
    async fn a_column_that_cannot_be_cut_is_refused() {
        let stub = Stub::start().await;
        script_metadata(&stub);
        let connection = open(&stub);
        for (column, code, part) in
            [("nam", "unknown_column", "did you mean `name`?"), ("estimatedvalue", "no_text_column", "holds no text")]
        {
            let input = json!({ "table": "opportunity", "values": {}, "cut": [column] });
            let error = call(&connection, "create_row", input, false).await.unwrap_err();
            assert_eq!(error.code, code);
            assert!(error.message.contains(part), "{}", error.message);
        }
        assert!(writes(&stub).is_empty());
    }
}

//! JSONPath (RFC 9535), read once and kept.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

/// Queries written in flows, which are few. Queries made up at run time are not kept.
static KNOWN: LazyLock<RwLock<HashMap<String, Arc<JpQuery>>>> = LazyLock::new(RwLock::default);

fn read(path: &str) -> Result<JpQuery, String> {
    if !path.starts_with('$') {
        return Err("it begins with `$`".to_owned());
    }
    // The reader passes over blanks wherever they are, and takes `$.a b` for a name of three letters.
    if let Some(rest) = behind_wrong_blank(path) {
        return Err(format!("it cannot be read from `{rest}` on: a name with blanks in it is written `['…']`"));
    }
    // What the reader expected it says in words of its grammar; only the place is of use: ` --> line:column`.
    parse_json_path(path).map_err(|error| {
        let text = error.to_string();
        let place = text.split_once("-->").and_then(|(_, rest)| rest.split_once(':'));
        let column =
            place.and_then(|(_, rest)| rest.split(|char: char| !char.is_ascii_digit()).next()?.parse::<usize>().ok());
        let rest: String = path.chars().skip(column.unwrap_or(1).saturating_sub(1)).collect();
        if rest.is_empty() {
            "something is missing at its end".to_owned()
        } else {
            format!("it cannot be read from `{rest}` on")
        }
    })
}

/// What follows blanks that stand, outside of quotes, behind a dot or within a name or a number (RFC 9535, 2.5).
fn behind_wrong_blank(path: &str) -> Option<&str> {
    let is_of_name = |letter: char| letter.is_alphanumeric() || letter == '_' || !letter.is_ascii();
    let (mut quote, mut is_escaped, mut before, mut is_apart) = (None, false, ' ', false);
    for (place, letter) in path.char_indices() {
        if let Some(end) = quote {
            if letter == end && !is_escaped {
                quote = None;
            }
            is_escaped = letter == '\\' && !is_escaped;
        } else if matches!(letter, ' ' | '\t' | '\n' | '\r') {
            is_apart = true;
            continue;
        } else if is_apart && (before == '.' || is_of_name(before) && is_of_name(letter)) {
            return path.get(place..);
        } else if matches!(letter, '\'' | '"') {
            quote = Some(letter);
        }
        (before, is_apart) = (letter, false);
    }
    None
}

/// Checks a query written in a flow, and keeps it.
///
/// # Errors
/// What keeps it from being a JSONPath.
pub(crate) fn check(path: &str) -> Result<(), String> {
    let query = Arc::new(read(path)?);
    if let Ok(mut known) = KNOWN.write() {
        known.insert(path.to_owned(), query);
    }
    Ok(())
}

/// Everything in `value` that `path` selects, in order.
///
/// # Errors
/// What keeps `path` from being a JSONPath, or from being followed here.
pub fn select(path: &str, value: &Value) -> Result<Vec<Value>, String> {
    let known = KNOWN.read().ok().and_then(|known| known.get(path).cloned());
    let query = match known {
        Some(query) => query,
        None => Arc::new(read(path)?),
    };
    let found = js_path_process(&query, value).map_err(|error| error.to_string())?;
    Ok(found.into_iter().map(|found| found.val().clone()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn selects_by_rfc_9535() {
        let value = json!({"s": [{"t": "Name", "id": 1}, {"t": "Category", "id": 2}, {"t": "Name", "id": 3}]});
        assert_eq!(select("$.s[?@.t == 'Name'].id", &value).unwrap(), [json!(1), json!(3)]);
        assert_eq!(select("$.none", &value).unwrap(), Vec::<Value>::new());
    }

    #[test]
    fn what_is_no_path_is_told_where() {
        for (path, message) in [
            ("s.t", "it begins with `$`"),
            ("", "it begins with `$`"),
            ("$.s[", "something is missing at its end"),
            ("$.s[?@.t ==]", "it cannot be read from `]` on"),
            ("$.ä[?x]", "it cannot be read from `x]` on"),
            ("$.a b", "it cannot be read from `b` on: a name with blanks in it is written `['…']`"),
            ("$. a", "it cannot be read from `a` on: a name with blanks in it is written `['…']`"),
            ("$.. ä", "it cannot be read from `ä` on: a name with blanks in it is written `['…']`"),
            (
                "$['a b'].s[?@.t\n t == 'x y']",
                "it cannot be read from `t == 'x y']` on: a name with blanks in it is written `['…']`",
            ),
            ("$[1 2]", "it cannot be read from `2]` on: a name with blanks in it is written `['…']`"),
        ] {
            assert_eq!(check(path), Err(message.to_owned()), "{path}");
            assert!(select(path, &json!({})).is_err(), "{path}");
        }
    }

    #[test]
    fn blanks_are_welcome_where_they_part_nothing() {
        let value = json!({ "a b": [{ "t": "x \" y", "n": 1 }, { "t": "z", "n": 2 }] });
        for path in [
            "$ ['a b'] [ 0 ].n",
            "$['a b'][? ( @.t == 'x \" y' && @ .n < 2 )].n",
            "$[\"a b\"][ 0 : 1 ] .n",
            "$..[?@['t'] != 'z']\n.n",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
            assert_eq!(select(path, &value).unwrap(), [json!(1)], "{path}");
        }
    }
}

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
        ] {
            assert_eq!(check(path), Err(message.to_owned()), "{path}");
            assert!(select(path, &json!({})).is_err(), "{path}");
        }
    }
}

//! What is said where a recording has no answer: what was asked, by whom, and what is nearest to it.

use cosell_model::Value;
use cosell_sdk::{CallError, NOT_RECORDED};

/// How much of an input is repeated.
const MOST: usize = 200;

/// That a call asked what the recording has no answer to.
pub(crate) fn explain(operation: &str, connection: &str, input: &Value, asked: &str, known: &[String]) -> CallError {
    let mut input = input.to_string();
    if let Some((end, _)) = input.char_indices().nth(MOST) {
        input.truncate(end);
        input.push('…');
    }
    let nearest = nearest(asked, known).map_or_else(
        || format!("nothing was asked of `{connection}` when it was made"),
        |near| format!("nearest is {near}{}", difference(asked, near)),
    );
    let message = format!(
        "no answer was recorded for `{operation}` of `{connection}`, given {input}\nit asks {asked}\n{nearest}"
    );
    CallError::rejected(NOT_RECORDED, message)
}

/// The one that shares most: the address first, then as much as possible from the beginning.
fn nearest<'k>(asked: &str, known: &'k [String]) -> Option<&'k str> {
    let path = |asked: &str| asked.split('?').next().unwrap_or_default().to_owned();
    let shared = |one: &str| one.chars().zip(asked.chars()).take_while(|(a, b)| a == b).count();
    let score = |one: &&String| (path(one) == path(asked), shared(one));
    known.iter().max_by_key(score).map(String::as_str)
}

/// Which members of the query differ, where the address is the same.
fn difference(asked: &str, near: &str) -> String {
    let (Some((path, query)), Some((near_path, near_query))) = (asked.split_once('?'), near.split_once('?')) else {
        return String::new();
    };
    if path != near_path {
        return String::new();
    }
    let members = |query: &str| -> Vec<(String, String)> {
        let member = |member: &str| {
            let (name, value) = member.split_once('=').unwrap_or((member, ""));
            (name.to_owned(), value.to_owned())
        };
        query.split('&').map(member).collect()
    };
    let (asked, near) = (members(query), members(near_query));
    let value = |of: &[(String, String)], name: &str| {
        of.iter().find(|(known, _)| known == name).map_or("nothing".to_owned(), |(_, value)| format!("`{value}`"))
    };
    let mut names: Vec<&String> = asked.iter().chain(&near).map(|(name, _)| name).collect();
    names.dedup();
    let mut told: Vec<String> = Vec::new();
    for name in names {
        let (wanted, has) = (value(&asked, name), value(&near, name));
        let line = format!("{name} is {has} there, and {wanted} here");
        if wanted != has && !told.contains(&line) {
            told.push(line);
        }
    }
    if told.is_empty() { String::new() } else { format!("\n{}", told.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_nearest_is_named_with_what_differs() {
        let known = ["GET /accounts(1)?$select=a,b", "GET /accounts(2)?$select=c", "GET /contacts"].map(str::to_owned);
        let error = explain("get_row", "crm", &json!({ "id": 1 }), "GET /accounts(1)?$select=a", &known);
        assert_eq!(error.code, NOT_RECORDED);
        assert_eq!(
            error.message,
            "no answer was recorded for `get_row` of `crm`, given {\"id\":1}\nit asks GET /accounts(1)?$select=a\n\
             nearest is GET /accounts(1)?$select=a,b\n$select is `a,b` there, and `a` here"
        );
        let error = explain("get", "state", &json!({}), "KEY a", &[]);
        assert!(error.message.ends_with("nothing was asked of `state` when it was made"), "{}", error.message);
    }
}

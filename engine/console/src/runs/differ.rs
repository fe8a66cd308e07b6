//! Where two values differ, member by member.

use cosell_model::Value;

/// How deep values are taken apart.
const DEEP: usize = 8;

/// A place where two values differ.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference<'v> {
    /// Where: `details.dealValue`, `rows[2].name`; empty for the whole.
    pub(super) path: String,
    /// What stands on the left; none where the place is not there.
    pub(super) left: Option<&'v Value>,
    /// The same for the right.
    pub(super) right: Option<&'v Value>,
}

/// All places where they differ, at most `most`, and whether there are more.
pub(super) fn differences<'v>(left: &'v Value, right: &'v Value, most: usize) -> (Vec<Difference<'v>>, bool) {
    let mut found = Vec::new();
    compare(String::new(), Some(left), Some(right), DEEP, most + 1, &mut found);
    let more = found.len() > most;
    found.truncate(most);
    (found, more)
}

fn compare<'v>(
    path: String,
    left: Option<&'v Value>,
    right: Option<&'v Value>,
    deep: usize,
    most: usize,
    found: &mut Vec<Difference<'v>>,
) {
    if left == right || found.len() >= most {
        return;
    }
    match (left, right) {
        (Some(Value::Object(one)), Some(Value::Object(other))) if deep > 0 => {
            let new = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(new) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(path, one.get(name), other.get(name), deep - 1, most, found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if deep > 0 => {
            for at in 0..one.len().max(other.len()) {
                compare(format!("{path}[{at}]"), one.get(at), other.get(at), deep - 1, most, found);
            }
        }
        _ => found.push(Difference { path, left, right }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(left: &Value, right: &Value) -> Vec<(String, Value, Value)> {
        let value = |value: Option<&Value>| value.cloned().unwrap_or_else(|| json!("absent"));
        let (found, _) = differences(left, right, 50);
        found.into_iter().map(|found| (found.path, value(found.left), value(found.right))).collect()
    }

    #[test]
    fn only_what_differs_is_told() {
        let left = json!({ "a": 1, "b": { "c": [1, 2], "d": null }, "e": "x" });
        let right = json!({ "a": 1, "b": { "c": [1, 3, 4] }, "e": { "f": 1 } });
        let expected = [
            ("b.c[1]", json!(2), json!(3)),
            ("b.c[2]", json!("absent"), json!(4)),
            ("b.d", json!(null), json!("absent")),
            ("e", json!("x"), json!({ "f": 1 })),
        ];
        assert_eq!(told(&left, &right), expected.map(|(path, left, right)| (path.to_owned(), left, right)));
        assert_eq!(told(&left, &left), []);
        assert_eq!(told(&json!(1), &json!(2)), [(String::new(), json!(1), json!(2))]);
    }

    #[test]
    fn a_long_list_ends_where_it_should() {
        let (left, right) = (json!(vec![1; 100]), json!(vec![2; 100]));
        let (found, more) = differences(&left, &right, 10);
        assert_eq!((found.len(), more), (10, true));
        assert!(!differences(&left, &right, 100).1);
    }
}

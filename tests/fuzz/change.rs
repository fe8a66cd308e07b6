//! Strange input out of good one: small changes to its bytes, or to the values in its JSON.

use std::ops::Deref;
use std::panic::RefUnwindSafe;

use bolero::TypeGenerator;
use serde_json::{Value, json};

/// One change, at a place given as a share of the length.
#[derive(Clone, Debug, TypeGenerator)]
pub enum Change {
    Insert {
        at: u16,
        piece: u8,
    },
    Bytes {
        at: u16,
        bytes: Vec<u8>,
    },
    Remove {
        at: u16,
        length: u8,
    },
    Repeat {
        at: u16,
        length: u8,
        times: u8,
    },
    Cut {
        at: u16,
    },
    /// Puts another value in the place of one of the JSON's. Leaves other bytes alone.
    Value {
        at: u16,
        value: u8,
    },
}

/// What makes trouble where it does not belong.
const PIECES: [&str; 32] = [
    "\0",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\t",
    "\u{feff}",
    "ä",
    "🦀",
    "\\u0000",
    "\\ud800",
    "\"",
    "'",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "-",
    "1e999",
    "-0",
    "18446744073709551616",
    "null",
    "//",
    "..",
    "%00",
    "%",
    "=",
    ";",
    "${{",
    "}}",
];

/// Values that are of another type, or at the end of what a type can hold.
fn strange(which: u8) -> Value {
    match which % 24 {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1.797e308),
        7 => json!(0.1),
        8 => json!(""),
        9 => json!("ä🦀\0\u{feff}"),
        10 => json!("x".repeat(70_000)),
        11 => json!([]),
        12 => json!({}),
        13 => (0..100).fold(Value::Null, |inner, _| json!([inner])),
        14 => json!("9999-12-31T23:59:59.999999999Z"),
        15 => json!("-009999-01-01T00:00:00Z"),
        16 => json!("/Date(9223372036854775807)/"),
        17 => json!("http://169.254.169.254/latest"),
        18 => json!("../../../$metadata"),
        19 => json!("18446744073709551616"),
        20 => json!("header\r\ninjected: yes"),
        21 => json!({ "value": [{ "a": null }] }),
        22 => json!("00000000-0000-0000-0000-000000000000"),
        _ => json!(["x", 1, null]),
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: u16| usize::from(at) * (length + 1) / 65_536;
        match self {
            Self::Insert { at, piece } => {
                let (at, piece) = (place(*at), PIECES[usize::from(*piece) % PIECES.len()]);
                bytes.splice(at..at, piece.bytes());
            }
            Self::Bytes { at, bytes: new } => {
                let at = place(*at);
                bytes.splice(at..length.min(at + new.len()), new.iter().copied());
            }
            Self::Remove { at, length: taken } => {
                let at = place(*at);
                bytes.drain(at..length.min(at + usize::from(*taken)));
            }
            Self::Repeat { at, length: taken, times } => {
                let at = place(*at);
                let again = bytes[at..length.min(at + usize::from(*taken))].repeat(usize::from(*times));
                bytes.splice(at..at, again);
            }
            Self::Cut { at } => bytes.truncate(place(*at)),
            Self::Value { at, value } => {
                if let Ok(mut json) = serde_json::from_slice::<Value>(bytes) {
                    let mut left = usize::from(*at) * count(&json) / 65_536;
                    replace(&mut json, &mut left, &strange(*value));
                    *bytes = json.to_string().into_bytes();
                }
            }
        }
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// Replaces the value that comes after `left` others; whether it was among these.
fn replace(value: &mut Value, left: &mut usize, by: &Value) -> bool {
    if *left == 0 {
        *value = by.clone();
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| replace(item, left, by)),
        Value::Object(members) => members.values_mut().any(|member| replace(member, left, by)),
        _ => false,
    }
}

/// The bytes with all these changes.
pub fn changed(bytes: impl AsRef<[u8]>, changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.as_ref().to_vec();
    for change in changes.iter().take(8) {
        change.apply(&mut bytes);
    }
    bytes
}

/// One of several, by a share of their number.
pub fn one<T>(of: &[T], which: u16) -> &T {
    &of[usize::from(which) * of.len() / 65_536]
}

/// What a target works with, and goes on with to make a failure smaller: nothing that it does leaves it in a state of which
/// this could not be said.
pub struct Lasting<T>(pub T);

impl<T> RefUnwindSafe for Lasting<T> {}

impl<T> Deref for Lasting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

//! A preview in words: its values and sums as people read them, wherever they do.

use cosell_model::Value;
use cosell_model::outcome::SkipReason;
use cosell_model::words::counted;

use super::{Foreseen, Origin, Preview, Totals};

/// How much of a text is shown.
const MOST: usize = 80;

/// The steps that people are told of. What lies in a branch that was not taken is told by the step that chose.
pub fn told(found: &Preview) -> impl Iterator<Item = &Foreseen> {
    found.steps.iter().filter(|step| step.skipped != Some(SkipReason::NotTaken))
}

/// A value on one line. Long ones are cut: all of it is in the JSON.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Object(lookup) if lookup.contains_key("id") && lookup.contains_key("table") => {
            let text = |name: &str| lookup[name].as_str().unwrap_or_default();
            let name = lookup.get("name").and_then(Value::as_str);
            name.map_or_else(
                || format!("{} {}", text("table"), text("id")),
                |name| format!("{name} ({} {})", text("table"), text("id")),
            )
        }
        value => {
            let text = value.to_string();
            match text.char_indices().nth(MOST) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}

/// A row of a mapping.
pub fn row(origin: &Origin) -> String {
    format!("{}: {}", origin.mapping, origin.row)
}

/// What it comes to, in two sentences.
pub fn totals(totals: &Totals) -> String {
    let would = match (totals.writes, totals.unchanged) {
        (0, 0) => "Nothing would change: nothing would be written.".to_owned(),
        (0, unchanged) => format!("Nothing would change: {} would find all so already.", counted(unchanged, "write")),
        (writes, unchanged) => {
            let fields = format!("{} would change {}", counted(writes, "write"), counted(totals.fields, "field"));
            match unchanged {
                0 => format!("{fields}."),
                unchanged => format!("{fields}, and {} nothing.", counted(unchanged, "more write")),
            }
        }
    };
    let (succeeded, requests) = (counted(totals.succeeded, "step"), counted(totals.requests, "request"));
    format!(
        "{would} {succeeded} succeeded, {} skipped, {} failed; {requests}, all of them reading.",
        totals.skipped, totals.failed
    )
}

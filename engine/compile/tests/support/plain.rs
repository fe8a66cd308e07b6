//! YAML as JSON has it.

use serde_json::Value;

/// A value as JSON has it: the keys of a map are text.
pub(crate) fn plain(value: serde_yaml::Value) -> Value {
    match value {
        serde_yaml::Value::Sequence(items) => items.into_iter().map(plain).collect(),
        serde_yaml::Value::Mapping(entries) => {
            let text = |key: serde_yaml::Value| match key {
                serde_yaml::Value::String(text) => text,
                other => plain(other).to_string(),
            };
            entries.into_iter().map(|(key, value)| (text(key), plain(value))).collect()
        }
        scalar => serde_json::to_value(scalar).unwrap(),
    }
}

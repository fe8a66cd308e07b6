//! Settings of connections: secrets, and where the configuration says they are kept.

use std::fmt;
use std::path::Path;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::CallError;

/// A secret text. It never shows itself: neither `Debug` nor `Display` give it away, and it cannot be serialised.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether a stranger's text is this secret, in a time that does not tell how much of it is right.
    pub fn matches(&self, text: &str) -> bool {
        verify_slices_are_equal(self.expose().as_bytes(), text.as_bytes()).is_ok()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = text_or_reference(generator);
        schema.insert(
            "description".to_owned(),
            "A secret. Keep it out of the configuration: write `{env: NAME}` to take \
            it from an environment variable, or `{file: PATH}` to read it from a file."
                .into(),
        );
        schema
    }
}

/// The schema of a text that the configuration may also keep elsewhere: `{env: NAME}` or `{file: PATH}`.
pub fn text_or_reference(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string" },
            {
                "type": "object",
                "properties": { "env": { "type": "string", "description": "Name of an environment variable." } },
                "required": ["env"],
                "additionalProperties": false
            },
            {
                "type": "object",
                "properties": {
                    "file": { "type": "string", "description": "Path of a file, relative to the configuration." }
                },
                "required": ["file"],
                "additionalProperties": false
            }
        ]
    })
}

/// Replaces every map of exactly `{env: NAME}` or `{file: PATH}` in `settings` by the text it stands for, without its
/// trailing line break. Paths are relative to `base_dir`; `env` looks up an environment variable.
///
/// # Errors
/// A variable that is not set or a file that cannot be read, as [`crate::Meaning::Rejected`], naming the member.
pub fn resolve(mut settings: Value, base_dir: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Value, CallError> {
    // The settings themselves stand for no text, even where `file` is the only one.
    resolve_inside(&mut settings, "", base_dir, env)?;
    Ok(settings)
}

fn resolve_at(
    value: &mut Value,
    place: &str,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(), CallError> {
    if let Some(text) = look_up(value, place, base_dir, env)? {
        *value = Value::String(text.trim_end_matches(['\r', '\n']).to_owned());
        return Ok(());
    }
    resolve_inside(value, place, base_dir, env)
}

fn resolve_inside(
    value: &mut Value,
    place: &str,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(), CallError> {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                resolve_at(member, &place, base_dir, env)?;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                resolve_at(item, &format!("{place}[{index}]"), base_dir, env)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The text that `value` stands for, if it stands for one.
fn look_up(
    value: &Value,
    place: &str,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, CallError> {
    let Some(members) = value.as_object().filter(|members| members.len() == 1) else { return Ok(None) };
    if let Some(name) = members.get("env").and_then(Value::as_str) {
        return match env(name) {
            Some(text) => Ok(Some(text)),
            None => Err(CallError::rejected(
                "variable_not_set",
                format!(
                    "setting `{place}` takes the environment variable `{name}`, which is not set; set it and start again"
                ),
            )),
        };
    }
    if let Some(path) = members.get("file").and_then(Value::as_str) {
        let path = base_dir.join(path);
        return std::fs::read_to_string(&path).map(Some).map_err(|error| {
            CallError::rejected(
                "file_not_readable",
                format!("setting `{place}` takes the file `{}`, which cannot be read: {error}", path.display()),
            )
        });
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn env(name: &str) -> Option<String> {
        (name == "SET").then(|| "from the environment\n".to_owned())
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::from("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
        assert_eq!(secret.expose(), "hunter2");
        assert!(secret.matches("hunter2") && !secret.matches("hunter") && !secret.matches("hunter3"));
    }

    #[test]
    fn variables_and_files_are_replaced_wherever_they_stand() {
        let dir = std::env::temp_dir().join(format!("cosell-settings-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("secret.txt"), "from a file\r\n").unwrap();
        let settings = json!({
            "sign_in": { "client_secret": { "env": "SET" } },
            "list": [{ "file": "secret.txt" }],
            "kept": { "env": "SET", "other": 1 }
        });
        let resolved = resolve(settings, &dir, &env).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(
            resolved,
            json!({
                "sign_in": { "client_secret": "from the environment" },
                "list": ["from a file"],
                "kept": { "env": "SET", "other": 1 }
            })
        );
    }

    #[test]
    fn a_setting_may_be_called_file_and_stand_alone() {
        let settings = json!({ "file": "kept.jsonl" });
        assert_eq!(resolve(settings.clone(), Path::new("/nowhere"), &env), Ok(settings));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = resolve(json!({ "a": [{ "env": "UNSET" }] }), Path::new("."), &env).unwrap_err();
        assert_eq!(error.code, "variable_not_set");
        assert!(error.message.contains("`a[0]`") && error.message.contains("`UNSET`"), "{}", error.message);

        let error = resolve(json!({ "a": { "file": "no/such" } }), Path::new("/nowhere"), &env).unwrap_err();
        assert_eq!(error.code, "file_not_readable");
        assert!(error.message.contains("`a`") && error.message.contains("/nowhere/no/such"), "{}", error.message);
    }
}

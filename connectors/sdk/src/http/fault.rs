//! What a remote system says when it refuses: code and message from its several forms, with secrets taken out.

use serde_json::{Map, Value, json};

/// Longest message kept, in characters (the Referrals API promises no more than 1024).
const LONGEST: usize = 1024;
/// Bytes of what is kept of a remote system's error.
const LONGEST_DETAILS: usize = 16 * 1024;

/// What a refusal says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fault {
    /// The most specific code.
    pub(crate) code: Option<String>,
    /// The message that goes with it, or with the outer error.
    pub(crate) message: Option<String>,
}

impl Fault {
    /// Reads a body in one of the forms met:
    ///
    /// - `{error: {code, message, innerError: {code, message}}}`: Referrals API response codes; Dataverse error body;
    /// - `{statusCode, message}`: Partner Center throttling guidance;
    /// - `{code, description}`: Partner Center REST error codes.
    pub(crate) fn read(body: &Value) -> Self {
        if let Some(error @ Value::Object(_)) = body.get("error") {
            return Self::innermost(error);
        }
        Self {
            code: text(body.get("code")).or_else(|| text(body.get("error"))).map(|code| normalise_code(&code)),
            message: ["message", "description", "error_description"].iter().find_map(|name| text(body.get(*name))),
        }
    }

    fn innermost(error: &Value) -> Self {
        let outer = Self {
            code: text(error.get("code")).map(|code| normalise_code(&code)),
            message: text(error.get("message")),
        };
        let inner = error.as_object().and_then(|members| {
            members.iter().find(|(name, _)| name.eq_ignore_ascii_case("innerError")).map(|(_, inner)| inner)
        });
        match inner.filter(|inner| inner.is_object()).map(Self::innermost) {
            // The reference says to use the most specific code; an inner error without one only explains to developers.
            Some(inner) if inner.code.is_some() => Self { code: inner.code, message: inner.message.or(outer.message) },
            _ => outer,
        }
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(scrub_text(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// One spelling for Dataverse's codes: bodies carry `0x80072322`, other places the same number as `-2147015902`. Other
/// codes stay as they are.
pub fn normalise_code(code: &str) -> String {
    if let Some(digits) = code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")) {
        return format!("0x{}", digits.to_ascii_lowercase());
    }
    match code.parse::<i32>() {
        Ok(number) if number < 0 => format!("{number:#010x}"),
        _ => code.to_owned(),
    }
}

/// What goes into the details of an error: status, request id, and what the remote system said about itself.
pub(crate) fn details(status: u16, request_id: Option<&str>, body: &Value) -> Value {
    let mut error = scrub(body.get("error").unwrap_or(body));
    if error.to_string().len() > LONGEST_DETAILS {
        error = Value::String(format!("left out: more than {LONGEST_DETAILS} bytes"));
    }
    json!({ "status": status, "request_id": request_id, "error": error })
}

fn scrub(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(scrub_text(text)),
        Value::Array(items) => Value::Array(items.iter().map(scrub).collect()),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| {
                    let secret = ["token", "secret", "assertion", "password", "authorization"]
                        .iter()
                        .any(|word| name.to_ascii_lowercase().contains(word));
                    (name.clone(), if secret { Value::String("[secret]".to_owned()) } else { scrub(value) })
                })
                .collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}

/// Shortens a text of the remote system, and takes out what looks like a token: a JSON Web Token begins with `eyJ`.
pub(crate) fn scrub_text(text: &str) -> String {
    let mut clean: String = text
        .split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=')))
        .map(|word| match word.find("eyJ") {
            Some(at) if word.len() - at > 20 => {
                let end =
                    word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=')));
                format!("{}[secret]{}", &word[..at], &word[end.len()..])
            }
            _ => word.to_owned(),
        })
        .collect();
    if let Some((end, _)) = clean.char_indices().nth(LONGEST) {
        clean.truncate(end);
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> (Option<String>, Option<String>) {
        let fault = Fault::read(&body);
        (fault.code, fault.message)
    }

    fn said(code: &str, message: &str) -> (Option<String>, Option<String>) {
        (Some(code.to_owned()), Some(message.to_owned()))
    }

    #[test]
    fn the_innermost_code_wins_in_either_spelling() {
        let body = json!({ "error": { "code": "preconditionFailed", "message": "outer",
            "innerError": { "code": "resourceModified", "innererror": { "code": "deepest", "message": "inner" } } } });
        assert_eq!(read(body), said("deepest", "inner"));
        let body = json!({ "error": { "code": "0x80040217", "message": "m", "innererror": { "type": "x" } } });
        assert_eq!(read(body), said("0x80040217", "m"));
    }

    #[test]
    fn the_flat_forms() {
        let throttled = json!({ "statusCode": 429, "message": "Rate limit is exceeded." });
        assert_eq!(read(throttled), (None, Some("Rate limit is exceeded.".to_owned())));
        assert_eq!(read(json!({ "code": 800001, "description": "no token", "data": [] })), said("800001", "no token"));
        assert_eq!(read(json!("text")), (None, None));
    }

    #[test]
    fn dataverse_codes_have_one_spelling() {
        for (given, one) in [
            ("0x80072322", "0x80072322"),
            ("-2147015902", "0x80072322"),
            ("0x8006088D", "0x8006088d"),
            ("-2147015903", "0x80072321"),
            ("-2147015898", "0x80072326"),
            ("900421", "900421"),
            ("accessDenied", "accessDenied"),
        ] {
            assert_eq!(normalise_code(given), one);
        }
    }

    #[test]
    fn tokens_do_not_appear() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl";
        let text = scrub_text(&format!("Bearer {token}, expired; token={token}."));
        assert!(!text.contains("eyJ") && text.contains("expired"), "{text}");
        let details = details(401, None, &json!({ "error": { "refresh_token": "0.AX", "message": token } }));
        assert_eq!(details["error"], json!({ "refresh_token": "[secret]", "message": "[secret]" }));
    }

    #[test]
    fn an_error_of_any_size_leaves_details_of_ours() {
        let body = json!({ "error": { "code": "x", "all": vec!["text"; 10_000] } });
        assert_eq!(details(400, None, &body)["error"], "left out: more than 16384 bytes");
    }

    #[test]
    fn messages_are_cut_at_a_character() {
        let cut = scrub_text(&"ü".repeat(2000));
        assert_eq!(cut.chars().count(), LONGEST + 1);
    }
}

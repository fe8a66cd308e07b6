//! A configuration as it may be shown: findings repeat the lines that they point at, and secrets may stand there.

use std::borrow::Cow;

/// Settings whose values are secrets.
const SECRETS: [&str; 8] =
    ["client_secret", "refresh_token", "token_key", "webhook_secret", "private_key", "password", "token", "key"];

/// The text with stars in the place of secrets, byte for byte, so that places stay what they are. Flows have none: they say
/// where theirs are kept.
pub(super) fn hidden(text: &str) -> Cow<'_, str> {
    if !text.contains("connections") {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.as_bytes().to_vec();
    for name in SECRETS {
        for (at, _) in text.match_indices(name) {
            if text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let rest = &text[at + name.len()..];
            let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start_matches(' ');
            let Some(value) = rest.strip_prefix(':').map(|rest| rest.trim_start_matches(' ')) else { continue };
            // `{env: NAME}` says where it is kept, which is no secret.
            let end = match value.chars().next() {
                None | Some('{') => continue,
                Some(quote @ ('"' | '\'')) => value[1..].find(quote).map(|end| end + 1),
                Some(_) => value.find([',', '}', '\n']),
            };
            let begin = text.len() - value.len();
            let end = begin + end.unwrap_or(value.len());
            bytes[begin..end].iter_mut().filter(|byte| !b"\"'\r\n ".contains(byte)).for_each(|byte| *byte = b'*');
        }
    }
    String::from_utf8(bytes).map_or_else(|_| Cow::Owned(String::new()), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_stars_and_everything_else_stays_where_it_is() {
        for (line, expected) in [
            ("    client_secret: äbc d", "    client_secret: **** *"),
            ("{ tenant: t, client_secret: abc, person: true }", "{ tenant: t, client_secret: ***, person: true }"),
            ("{\"client_secret\":\"a,b}c\",\"tenant\":\"t\"}", "{\"client_secret\":\"*****\",\"tenant\":\"t\"}"),
            ("api_key: { key: 'abc', header: x }", "api_key: { key: '***', header: x }"),
            ("client_secret: { env: NAME }", "client_secret: { env: NAME }"),
            ("refresh_token:", "refresh_token:"),
            ("no_such_token: abc", "no_such_token: abc"),
        ] {
            assert_eq!(hidden(&format!("connections:\n{line}")), format!("connections:\n{expected}"));
        }
        assert_eq!(hidden("flow: a\nkey: abc"), "flow: a\nkey: abc");
    }
}

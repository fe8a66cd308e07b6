//! What is being written in an expression, by the text before the cursor.

use crate::expr::path::Segment;

/// What the text before a word in an expression makes of the word.
#[derive(Debug, PartialEq)]
pub(super) enum Before {
    /// The next name of a mention that has come this far; the first one, where nothing has come.
    Mention(Vec<Segment>),
    /// A filter.
    Filter,
    /// A test.
    Test,
    /// Nothing that is known: text in quotes, the member of a computed value.
    Other,
}

/// Looks at the expression up to the word.
pub(super) fn before(text: &str) -> Before {
    if in_quotes(text) {
        return Before::Other;
    }
    if let Some(value) = text.strip_suffix('.') {
        return mention(value).map_or(Before::Other, Before::Mention);
    }
    let trimmed = text.trim_end();
    let ends_in = |word: &str| {
        let before = trimmed.strip_suffix(word);
        before.is_some_and(|before| !before.ends_with(|char: char| char.is_alphanumeric() || "_.".contains(char)))
    };
    if trimmed.ends_with('|') {
        Before::Filter
    } else if trimmed.len() < text.len() && (ends_in("is") || ends_in("is not")) {
        Before::Test
    } else {
        Before::Mention(Vec::new())
    }
}

fn in_quotes(text: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    for char in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if char == '\\' => escaped = true,
            Some(open) if open == char => quote = None,
            None if matches!(char, '\'' | '"') => quote = Some(char),
            _ => {}
        }
    }
    quote.is_some()
}

/// The mention that a text ends with: `steps.a['b'][0]`.
fn mention(text: &str) -> Option<Vec<Segment>> {
    let mut rest = text;
    let mut segments = Vec::new();
    loop {
        if let Some(inside) = rest.strip_suffix(']') {
            let open = inside.rfind('[')?;
            let item = inside[open + 1..].trim();
            segments.push(match item.parse() {
                Ok(number) => Segment::Index(number),
                Err(_) => {
                    let name = item.strip_prefix('\'').and_then(|item| item.strip_suffix('\''));
                    let name = name.or_else(|| item.strip_prefix('"').and_then(|item| item.strip_suffix('"')))?;
                    Segment::Key(name.into())
                }
            });
            rest = &inside[..open];
            continue;
        }
        let name = rest.trim_end_matches(|char: char| char.is_ascii_alphanumeric() || char == '_').len();
        if name == rest.len() {
            return None;
        }
        segments.push(Segment::Key(rest[name..].into()));
        match rest[..name].strip_suffix('.') {
            Some(more) => rest = more,
            None => break,
        }
    }
    segments.reverse();
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_written_follows_from_what_stands_before() {
        let keys = |names: &[&str]| Before::Mention(names.iter().map(|name| Segment::Key((*name).into())).collect());
        for (text, expected) in [
            ("", keys(&[])),
            ("a == ", keys(&[])),
            ("steps.", keys(&["steps"])),
            ("not steps.a.b.", keys(&["steps", "a", "b"])),
            ("steps['a'].", keys(&["steps", "a"])),
            ("x | ", Before::Filter),
            ("x|", Before::Filter),
            ("x is ", Before::Test),
            ("x is not ", Before::Test),
            ("this ", keys(&[])),
            ("'steps.", Before::Other),
            ("f(x).", Before::Other),
            ("a[b].", Before::Other),
            ("'it\\'s' ~ vars.", keys(&["vars"])),
        ] {
            assert_eq!(before(text), expected, "{text}");
        }
        let with_index = vec![Segment::Key("a".into()), Segment::Index(0)];
        assert_eq!(before("a[0]."), Before::Mention(with_index));
    }
}

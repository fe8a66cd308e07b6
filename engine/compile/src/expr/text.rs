//! Finding `${{ … }}` in text.

use std::ops::Range;

/// A piece of a text value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// Plain text, with `$${{` already turned into `${{`.
    Plain(String),
    /// An expression: where it stands in the text, without the braces and the space beside them.
    Expression(Range<usize>),
}

/// What is wrong with the braces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BraceError {
    /// `${{` at this offset is not closed.
    Unclosed(usize),
    /// The quote at this offset, in an expression, is not closed.
    Quote(usize),
    /// Nothing stands between the braces at this range.
    Empty(Range<usize>),
}

pub(crate) const OPEN: &str = "${{";

/// Splits `text` into pieces.
///
/// # Errors
/// The first pair of braces that is not one.
pub(crate) fn split(text: &str) -> Result<Vec<Piece>, BraceError> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(OPEN) {
        let open = at + found;
        if text[..open].ends_with('$') {
            // `$${{` stands for the three characters themselves.
            plain.push_str(&text[at..open - 1]);
            plain.push_str(OPEN);
            at = open + OPEN.len();
            continue;
        }
        plain.push_str(&text[at..open]);
        let start = open + OPEN.len();
        let end = close(text, start).map_err(|quote| quote.map_or(BraceError::Unclosed(open), BraceError::Quote))?;
        let inner = &text[start..end];
        let lead = inner.len() - inner.trim_start().len();
        let trimmed = inner.trim();
        if trimmed.is_empty() {
            return Err(BraceError::Empty(open..end + 2));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Plain(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Expression(start + lead..start + lead + trimmed.len()));
        at = end + 2;
    }
    plain.push_str(&text[at..]);
    if !plain.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Plain(plain));
    }
    Ok(pieces)
}

/// The offset of the `}}` that ends an expression beginning at `start`: not one inside a string or a map. Where there is
/// none, the quote that hides it, if one does.
fn close(text: &str, start: usize) -> Result<usize, Option<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut quote) = (start, 0usize, None);
    while at < bytes.len() {
        let byte = bytes[at];
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some((q, _)) if byte == q => quote = None,
            Some(_) => {}
            None => match byte {
                b'\'' | b'"' => quote = Some((byte, at)),
                b'{' => depth += 1,
                b'}' if depth > 0 => depth -= 1,
                b'}' if bytes.get(at + 1) == Some(&b'}') => return Ok(at),
                _ => {}
            },
        }
        at += 1;
    }
    Err(quote.map(|(_, at)| at))
}

/// Where `{{ … }}` stands in the plain parts of `text`, without a dollar before it.
pub(crate) fn bare_braces(text: &str, pieces: &[Piece]) -> Vec<Range<usize>> {
    let inside =
        |at: usize| pieces.iter().any(|piece| matches!(piece, Piece::Expression(range) if range.contains(&at)));
    let found = text.match_indices("{{").filter(|(at, _)| !text[..*at].ends_with(['$', '{']) && !inside(*at));
    found.filter_map(|(at, _)| Some(at..at + text[at..].find("}}")? + 2)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |piece| match piece {
            Piece::Plain(plain) => format!("'{plain}'"),
            Piece::Expression(range) => text[range].to_owned(),
        };
        split(text).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn pieces_are_found_where_they_stand() {
        assert_eq!(shown("${{ a }}"), ["a"]);
        assert_eq!(shown("x ${{a}} y ${{ b }}"), ["'x '", "a", "' y '", "b"]);
        assert_eq!(shown("${{ {'a': {'b': 1}} }}"), ["{'a': {'b': 1}}"]);
        assert_eq!(shown("${{ '}}' ~ \"\\\"}}\" }}"), ["'}}' ~ \"\\\"}}\""]);
        assert_eq!(shown("$${{ a }}"), ["'${{ a }}'"]);
        assert_eq!(shown("costs $5 and {{ b }}"), ["'costs $5 and {{ b }}'"]);
        assert_eq!(shown(""), ["''"]);
    }

    #[test]
    fn braces_without_a_dollar_are_found_outside_expressions() {
        let bare = |text: &str| {
            let found = bare_braces(text, &split(text).unwrap());
            found.into_iter().map(|range| text[range].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(bare("a {{ b }} ${{ c }} {{d}}"), ["{{ b }}", "{{d}}"]);
        assert_eq!(bare("${{ {'a': {'b': 1}} }} $${{ c }}"), Vec::<String>::new());
        assert_eq!(bare("{{ not closed"), Vec::<String>::new());
    }

    #[test]
    fn braces_that_do_not_pair_are_errors() {
        assert_eq!(split("x ${{ a").unwrap_err(), BraceError::Unclosed(2));
        assert_eq!(split("${{  }}").unwrap_err(), BraceError::Empty(0..7));
        assert_eq!(split("${{ 'a\" }} b").unwrap_err(), BraceError::Quote(4));
        assert_eq!(split("${{ {'a': 1 }}").unwrap_err(), BraceError::Unclosed(0));
    }
}

//! From a place in a text to its place in the file: quotes, escapes, indentation and folded lines lie between the two.

use std::ops::Range;

use cosell_model::Span;

/// Where the characters of a text stand in its file.
pub(crate) struct Places {
    span: Span,
    /// Every character that is not space: where it begins in the text, and its bytes as written. Nothing where what was
    /// written could not be followed.
    visible: Vec<(usize, Range<usize>)>,
}

impl Places {
    /// Follows `text` through `written`, which is what stands at `span`.
    pub(crate) fn new(text: &str, written: &str, span: Span) -> Self {
        let mut units = Units::of(written);
        let mut visible = Vec::new();
        for (at, char) in text.char_indices().filter(|(_, char)| !char.is_whitespace()) {
            match units.next() {
                Some((unit, place)) if unit == char => visible.push((at, place)),
                _ => return Self { span, visible: Vec::new() },
            }
        }
        Self { span, visible }
    }

    /// The place in the file of these bytes of the text; the whole text's where it is not known.
    pub(crate) fn part(&self, range: Range<usize>) -> Span {
        let from = self.visible.partition_point(|(at, _)| *at < range.start);
        let to = self.visible.partition_point(|(at, _)| *at < range.end);
        match (self.visible.get(from), self.visible[..to].last()) {
            (Some((_, first)), Some((_, last))) if from < to => self.span.part(first.start, last.end),
            // Nothing to be seen there, such as behind the end: just behind what stands before it.
            (_, Some((_, before))) => self.span.part(before.end, before.end),
            _ => self.span,
        }
    }
}

/// The visible characters that YAML reads out of what is written, each with its bytes there.
struct Units<'w> {
    written: &'w str,
    at: usize,
    quote: Option<char>,
}

impl<'w> Units<'w> {
    fn of(written: &'w str) -> Self {
        let first = written.chars().next();
        let at = match first {
            Some('\'' | '"') => 1,
            // A block begins on the line below its `|` or `>`.
            Some('|' | '>') => written.find('\n').unwrap_or(written.len()),
            _ => 0,
        };
        Self { written, at, quote: first.filter(|char| matches!(char, '\'' | '"')) }
    }

    /// The character that the escape at the current place stands for, and its length.
    fn escape(&self) -> (Option<char>, usize) {
        let rest = &self.written[self.at + 1..];
        let hex = |digits: usize| {
            let code = rest.get(1..=digits).and_then(|code| u32::from_str_radix(code, 16).ok());
            (code.and_then(char::from_u32), digits + 2)
        };
        match rest.chars().next() {
            Some('x') => hex(2),
            Some('u') => hex(4),
            Some('U') => hex(8),
            Some('0') => (Some('\0'), 2),
            Some('a') => (Some('\u{7}'), 2),
            Some('b') => (Some('\u{8}'), 2),
            Some('e') => (Some('\u{1b}'), 2),
            Some(char @ ('"' | '\\' | '/')) => (Some(char), 2),
            // Tabs, line ends and the other kinds of space.
            Some(space) => (None, 1 + space.len_utf8()),
            None => (None, 1),
        }
    }
}

impl Iterator for Units<'_> {
    type Item = (char, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = &self.written[self.at..];
            let char = rest.chars().next()?;
            let start = self.at;
            let (char, length) = match self.quote {
                Some('"') if char == '\\' => self.escape(),
                Some('\'') if rest.starts_with("''") => (Some('\''), 2),
                _ => (Some(char), char.len_utf8()),
            };
            let end = (start + length).min(self.written.len());
            self.at = end;
            if let Some(char) = char.filter(|char| !char.is_whitespace()) {
                return Some((char, start..end));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use cosell_model::span::FileId;

    /// What stands in the file at the place of `part`, in the value of `a`.
    fn found(file: &str, part: &str) -> String {
        let node = crate::yaml::parse(FileId(0), file).unwrap();
        let value = node.get("a").unwrap();
        let text = value.text().unwrap();
        let start = text.rfind(part).unwrap();
        let places = Places::new(text, &file[value.span.range()], value.span);
        file[places.part(start..start + part.len()).range()].to_owned()
    }

    #[test]
    fn parts_of_a_text_are_found_however_it_is_written() {
        assert_eq!(found("a: x ü steps.b\n", "steps.b"), "steps.b");
        assert_eq!(found("ä: ö\na: x steps.b y\n", "steps.b"), "steps.b");
        assert_eq!(found("a: 'it''s ''b'' and b'\n", "'b'"), "''b''");
        assert_eq!(found("a: 'it''s ''b'' and b'\n", "and b"), "and b");
        assert_eq!(found(r#"a: "\u00fc \"b\" \\ \x41\tc\n d""#, "\"b\""), r#"\"b\""#);
        assert_eq!(found(r#"a: "\u00fc \"b\" \\ \x41\tc\n d""#, "A\tc"), r"\x41\tc");
        assert_eq!(found("a: \"one \\\n  two\\\n  three\"\n", "twothree"), "two\\\n  three");
        assert_eq!(found("a: |\n  one\n    two\n  three\n", "two\nthree"), "two\n  three");
        assert_eq!(found("a: >- # a remark\n  one\n  two\n\n  three\n", "one two"), "one\n  two");
        assert_eq!(found("a: one\n  two\n  three\n", "two three"), "two\n  three");
        assert_eq!(found("a: one\r\n  two\r\n", "two"), "two");
        assert_eq!(found("a: |2\n    one\n   two\nb: 1\n", "two"), "two");
    }

    #[test]
    fn nothing_is_found_just_behind_what_stands_before_it() {
        let span = Span::new(FileId(0), 10, 20);
        let places = Places::new("ab  ", "'ab  '", span);
        assert_eq!(places.part(4..4), Span::new(FileId(0), 13, 13));
        assert_eq!(Places::new("ab", "xy", span).part(0..1), span, "what cannot be followed is the whole");
    }
}

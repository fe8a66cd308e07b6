//! Where a cursor stands in a file, by the text alone: a file that is being written is often no YAML yet.

use std::ops::Range;

use crate::expr::text::OPEN;

/// Where a cursor stands.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    /// The keys that lead there from the top of the file; items of lists do not count. Where a value is written, its own key
    /// is the last.
    pub(super) path: Vec<String>,
    pub(super) at: At,
}

/// What stands, or is to stand, at a cursor; with its bytes.
#[derive(Debug, PartialEq)]
pub(super) enum At {
    /// A key.
    Key(Range<usize>),
    /// A value.
    Value(Range<usize>),
    /// Something in an expression, which begins at the first offset.
    Expression(usize),
}

/// Where `offset` is in `text`.
pub(super) fn place(text: &str, offset: usize) -> Place {
    let mut offset = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    if text[offset..].starts_with('\n') && text[..offset].ends_with('\r') {
        offset -= 1;
    }
    let mut outline = Outline { text, offset, open: Vec::new(), scalar: None, flow: None };
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let end = begin + line.trim_end_matches(['\n', '\r']).len();
        if let Some(place) = outline.line(begin, end, offset <= end) {
            return place.in_expression(text, offset);
        }
        begin += line.len();
    }
    // Behind the last line end.
    let last = outline.line(text.len(), text.len(), true);
    last.unwrap_or(Place { path: Vec::new(), at: At::Key(offset..offset) })
}

/// The word around `offset`, of which names are made.
pub(super) fn word(text: &str, offset: usize, also: &[char]) -> Range<usize> {
    let part = |char: char| char.is_ascii_alphanumeric() || char == '_' || also.contains(&char);
    let start = text[..offset].char_indices().rev().take_while(|(_, char)| part(*char)).last();
    let end = text[offset..].char_indices().find(|(_, char)| !part(*char));
    start.map_or(offset, |(at, _)| at)..end.map_or(text.len(), |(at, _)| offset + at)
}

/// What a flow, a mapping or variables say at their top: which of them it is, and its name.
pub(super) fn title(text: &str) -> Option<(&'static str, &str)> {
    // A test names the flow that it is of.
    let tests = text.lines().any(|line| line.starts_with("test:") || line.starts_with("tests:"));
    if tests {
        return Some(("test", ""));
    }
    text.lines().find_map(|line| {
        let (key, name) = line.split_once(':')?;
        let kind = ["flow", "mapping", "variables"].into_iter().find(|kind| *kind == key)?;
        Some((kind, name.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\''])))
    })
}

/// A key whose value has begun.
struct Open {
    indent: usize,
    name: String,
    /// Where its value begins.
    value: usize,
    /// Whether a value stands in its line.
    inline: bool,
}

/// What is read of a file so far.
struct Outline<'t> {
    text: &'t str,
    offset: usize,
    open: Vec<Open>,
    /// The indentation of the key whose block of text (`|` or `>`) goes on.
    scalar: Option<usize>,
    /// The braces and brackets that are open.
    flow: Option<Flow>,
}

/// Maps and lists in braces and brackets.
struct Flow {
    frames: Vec<Frame>,
    /// Where what stands between two commas begins.
    word: usize,
}

struct Frame {
    is_map: bool,
    key: Option<String>,
}

impl Outline<'_> {
    /// Reads a line; the place, where the cursor is in it.
    fn line(&mut self, begin: usize, end: usize, here: bool) -> Option<Place> {
        let line = &self.text[begin..end];
        let blank = line.trim().is_empty();
        let mut indent = line.len() - line.trim_start_matches(' ').len();
        if self.flow.is_some() {
            // What is in braces is indented; a line that is not follows a brace that is still to be closed.
            let around = self.open.last().map_or(0, |open| open.indent + 1);
            if blank || indent >= around {
                return self.flow(begin, end, here);
            }
            self.flow = None;
        }
        if let Some(of) = self.scalar {
            let inside = if blank { !here || self.offset > begin + of } else { indent > of };
            if inside {
                return here.then(|| self.value());
            }
            self.scalar = None;
        }
        if blank {
            return here.then(|| self.key(self.offset, self.offset.saturating_sub(begin)));
        }
        let mut rest = &line[indent..];
        if rest.starts_with('#') {
            return here.then(|| Place { path: Vec::new(), at: At::Value(self.offset..self.offset) });
        }
        while let Some(item) = rest.strip_prefix("- ") {
            self.open.retain(|open| open.indent <= indent);
            indent += 2 + (item.len() - item.trim_start().len());
            rest = item.trim_start();
        }
        let start = end - rest.len();
        if here && self.offset < start {
            return Some(self.key(self.offset, self.offset - begin));
        }
        match key_of(rest) {
            Some((name, length, after)) => {
                self.open.retain(|open| open.indent < indent);
                if here && self.offset <= start + length {
                    return Some(Place { path: self.path(), at: At::Key(start..start + length) });
                }
                let value = rest[after..].trim_start();
                let from = end - value.len();
                let inline = !value.is_empty() && !value.starts_with('#');
                self.open.push(Open { indent, name, value: start + after, inline });
                if value.starts_with(['|', '>']) {
                    self.scalar = Some(indent);
                }
                if value.starts_with(['{', '[']) && (!here || self.offset > from) {
                    self.flow = Some(Flow { frames: Vec::new(), word: from });
                    return self.flow(from, end, here);
                }
                here.then(|| self.value())
            }
            None if rest.starts_with(['{', '[']) => {
                self.flow = Some(Flow { frames: Vec::new(), word: start });
                self.flow(start, end, here)
            }
            // Text that goes on from the line above, or a key in the making.
            None if self.open.last().is_some_and(|open| open.inline && open.indent < indent) => {
                here.then(|| self.value())
            }
            None => here.then(|| self.key(start, indent)),
        }
    }

    fn path(&self) -> Vec<String> {
        self.open.iter().map(|open| open.name.clone()).collect()
    }

    /// A key to be written at this indentation, of which the beginning may be there.
    fn key(&mut self, from: usize, indent: usize) -> Place {
        self.open.retain(|open| open.indent < indent);
        Place { path: self.path(), at: At::Key(from.min(self.offset)..word(self.text, self.offset, &[]).end) }
    }

    fn value(&self) -> Place {
        let from = self.open.last().map_or(self.offset, |open| open.value);
        Place { path: self.path(), at: At::Value(from.min(self.offset)..self.offset) }
    }

    /// Goes on through braces and brackets, to the cursor where it is here.
    fn flow(&mut self, begin: usize, end: usize, here: bool) -> Option<Place> {
        let stop = if here { self.offset.clamp(begin, end) } else { end };
        let text = self.text;
        let flow = self.flow.as_mut()?;
        let mut at = begin;
        while at < stop {
            let rest = &text[at..end];
            let char = rest.chars().next()?;
            if rest.starts_with(OPEN) {
                at += rest.find("}}").map_or(rest.len(), |found| found + 2);
                continue;
            }
            match char {
                '"' | '\'' if text[flow.word..at].trim().is_empty() => {
                    at += rest[1..].find(char).map_or(rest.len(), |found| found + 2);
                    continue;
                }
                '{' | '[' => {
                    flow.frames.push(Frame { is_map: char == '{', key: None });
                    flow.word = at + 1;
                }
                '}' | ']' => {
                    flow.frames.pop();
                    flow.word = at + 1;
                    if flow.frames.is_empty() {
                        self.flow = None;
                        return here.then(|| self.value());
                    }
                }
                ',' => {
                    if let Some(frame) = flow.frames.last_mut() {
                        frame.key = None;
                    }
                    flow.word = at + 1;
                }
                ':' if rest[1..].chars().next().is_none_or(char::is_whitespace) => {
                    if let Some(frame) = flow.frames.last_mut().filter(|frame| frame.is_map && frame.key.is_none()) {
                        frame.key = Some(bare(&text[flow.word..at]));
                        flow.word = at + 1;
                    }
                }
                _ => {}
            }
            at += char.len_utf8();
        }
        if !here {
            return None;
        }
        let (from, flow) = (flow.word.min(self.offset), self.flow.as_ref()?);
        let is_key = flow.frames.last().is_some_and(|frame| frame.is_map && frame.key.is_none());
        let mut path = self.path();
        path.extend(flow.frames.iter().filter_map(|frame| frame.key.clone()));
        let at = if is_key {
            let written = word(text, self.offset, &[]);
            At::Key(if text[from..self.offset].contains(OPEN) { from..self.offset } else { written })
        } else {
            At::Value(from..self.offset)
        };
        Some(Place { path, at })
    }
}

impl Place {
    /// The same, in an expression where one is open before the cursor.
    fn in_expression(self, text: &str, offset: usize) -> Self {
        let from = match &self.at {
            At::Key(range) | At::Value(range) => range.start,
            At::Expression(start) => *start,
        };
        let Some(open) = text[from..offset].rfind(OPEN) else { return self };
        let start = from + open + OPEN.len();
        if text[..from + open].ends_with('$') || closed(&text[start..offset]) {
            return self;
        }
        Self { path: self.path, at: At::Expression(start) }
    }
}

/// Whether the braces of an expression are closed in this text behind them.
fn closed(text: &str) -> bool {
    let (mut quote, mut depth, mut before) = (None, 0usize, ' ');
    for char in text.chars() {
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(char),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => depth -= 1,
            (None, '}') if before == '}' => return true,
            _ => {}
        }
        before = if quote.is_none() && depth == 0 { char } else { ' ' };
    }
    false
}

/// The key that a line begins with: its name, its length, and where what is behind its colon begins.
fn key_of(line: &str) -> Option<(String, usize, usize)> {
    let quote = line.chars().next().filter(|char| matches!(char, '"' | '\''));
    let length = match quote {
        Some(quote) => line[1..].find(quote)? + 2,
        None if line.starts_with(['{', '[', '#', '&', '*', '|', '>']) => return None,
        None => {
            line.match_indices(':').find(|(at, _)| line[at + 1..].chars().next().is_none_or(char::is_whitespace))?.0
        }
    };
    line[length..].starts_with(':').then(|| (bare(&line[..length]), length, length + 1))
}

fn bare(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of the `‸` in a text: its path, and what stands there, up to the cursor.
    fn at(marked: &str) -> (String, &'static str, String) {
        let offset = marked.find('‸').unwrap_or_default();
        let text = marked.replace('‸', "");
        let place = place(&text, offset);
        let (what, from) = match place.at {
            At::Key(range) => ("key", range.start),
            At::Value(range) => ("value", range.start),
            At::Expression(start) => ("expression", start),
        };
        (place.path.join("/"), what, text[from..offset].trim_start().to_owned())
    }

    #[test]
    fn a_cursor_is_found_by_indentation_braces_and_quotes() {
        for (text, path, what, before) in [
            ("‸", "", "key", ""),
            ("fl‸", "", "key", "fl"),
            ("flow: a\nsteps:\n  ‸", "steps", "key", ""),
            ("flow: a\nsteps:\n  a:\n    us‸", "steps/a", "key", "us"),
            ("flow: a\nsteps:\n  a:\n    use: data‸", "steps/a/use", "value", "data"),
            ("steps:\n  a:\n    use: x\n  ‸\n  b:\n    wait: 1s\n", "steps", "key", ""),
            ("steps:\n  a:\n    use: x\n‸", "", "key", ""),
            ("steps:\n  a: { use: x.y, with: { ta‸ble: a } }\n", "steps/a/with", "key", "ta"),
            ("steps:\n  a: { use: x.y, with: { table: a‸ } }\n", "steps/a/with/table", "value", "a"),
            ("steps:\n  a: { use: x.y, with: { table: a }, ‸ }\n", "steps/a", "key", ""),
            ("steps:\n  a:\n    with: {\n      table: a,\n      whe‸\n", "steps/a/with", "key", "whe"),
            ("steps:\n  a:\n    with: { id: \"${{ steps.‸\n", "steps/a/with/id", "expression", "steps."),
            ("steps:\n  a:\n    with: { id: ${{ steps.‸ }} }\n", "steps/a/with/id", "expression", "steps."),
            ("steps:\n  a:\n    with: { \"${{ vars.‸\": 1 }\n", "steps/a/with", "expression", "vars."),
            ("a:\n  b: { c: [\n  d: { e‸", "a/d", "key", "e"),
            ("a: ${{ x }} and ${{ y‸ }}", "a", "expression", "y"),
            ("a: ${{ x }} and ‸ ${{ y }}", "a", "value", "${{ x }} and "),
            ("a: ${{ '}}' ~ x‸ }}", "a", "expression", "'}}' ~ x"),
            ("a: ${{ {'b': {}}[x‸", "a", "expression", "{'b': {}}[x"),
            ("a: $${{ x‸", "a", "value", "$${{ x"),
            ("a:\n  b: ${{ x\n  c: y‸", "a/c", "value", "y"),
            ("a: >-\n  ${{ one\n  or tw‸\nb: 1\n", "a", "expression", "one\n  or tw"),
            ("a: |\n  text: more‸\nb: 1\n", "a", "value", "|\n  text: more"),
            ("t:\n  also:\n    - use: x\n      every: 1‸", "t/also/every", "value", "1"),
            ("t:\n  also:\n  - use: x\n  - us‸: y", "t/also", "key", "us"),
            ("a: 1\n# steps: ‸\n", "", "value", ""),
            ("\"a b\": {c: ‸}\n", "a b/c", "value", ""),
        ] {
            assert_eq!(at(text), (path.to_owned(), what, before.to_owned()), "{text}");
        }
    }
}

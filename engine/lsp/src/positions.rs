//! Bytes of a text, and lines and columns of the protocol: from 0, columns in UTF-16 code units.

use std::ops::Range;

use lsp_types::Position;

/// Where `offset` bytes into the text are.
pub(crate) fn position(text: &str, offset: usize) -> Position {
    let offset = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..offset];
    let line = before.bytes().filter(|byte| *byte == b'\n').count();
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    Position::new(number(line), number(before[begin..].encode_utf16().count()))
}

/// How many bytes into the text a position is; the end of the line, or of the text, where it lies behind it.
pub(crate) fn offset(text: &str, position: Position) -> usize {
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(position.line as usize).map(str::len).sum();
    let line = lines.next().unwrap_or_default().trim_end_matches(['\n', '\r']);
    let mut units = 0;
    for (at, char) in line.char_indices() {
        if units >= position.character as usize {
            return before + at;
        }
        units += char.len_utf16();
    }
    before + line.len()
}

/// A stretch of bytes.
pub(crate) fn range(text: &str, bytes: Range<usize>) -> lsp_types::Range {
    lsp_types::Range::new(position(text, bytes.start), position(text, bytes.end))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_utf_16_code_units() {
        let text = "a: ü\r\n𝄞b: x\n";
        for (at, line, column) in [(0, 0, 0), (3, 0, 3), (5, 0, 4), (7, 1, 0), (11, 1, 2), (text.len(), 2, 0)] {
            assert_eq!(position(text, at), Position::new(line, column), "{at}");
            assert_eq!(offset(text, Position::new(line, column)), at, "{line}:{column}");
        }
        assert_eq!(offset(text, Position::new(0, 99)), 5, "behind the end of a line is its end");
        assert_eq!(offset(text, Position::new(99, 0)), text.len());
        assert_eq!(position(text, 4), Position::new(0, 3), "inside a character is before it");
    }
}

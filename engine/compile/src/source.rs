//! The files given to the compiler, and the way from a byte to a line and a column.

use cosell_model::Span;
use cosell_model::span::FileId;

/// Whose file it is: a user's own is merged over a shipped one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Comes with the program.
    Shipped,
    /// The user's.
    Own,
}

/// One file to compile.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its name, as messages show it.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whose it is.
    pub layer: Layer,
}

/// All files of one compilation; a [`FileId`] is a place in it.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    /// Where each line begins, per file: places are asked for often.
    lines: Vec<Vec<usize>>,
}

impl Sources {
    /// The files, in the order in which findings are reported.
    pub fn new(files: Vec<SourceFile>) -> Self {
        let begins = |file: &SourceFile| {
            let breaks = file.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect()
        };
        let lines = files.iter().map(begins).collect();
        Self { files, lines }
    }

    /// Every file with its id.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(at, file)| (FileId(u32::try_from(at).unwrap_or(u32::MAX)), file))
    }

    /// The file of this id.
    ///
    /// # Panics
    /// Where the id comes from another compilation.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// The text at `span`.
    pub fn slice(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.range()).unwrap_or_default()
    }

    /// Line and column of a span's start, both from 1; columns count characters.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let (text, lines) = (&self.file(span.file).text, &self.lines[span.file.0 as usize]);
        let mut before = (span.start as usize).min(text.len());
        while !text.is_char_boundary(before) {
            before -= 1;
        }
        let line = lines.partition_point(|begin| *begin <= before);
        (line, text[lines[line - 1]..before].chars().count() + 1)
    }

    /// File and line of a span's start, as messages name them.
    pub fn place(&self, span: Span) -> String {
        format!("{}:{}", self.file(span.file).path, self.line_column(span).0)
    }
}

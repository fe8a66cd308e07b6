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
}

impl Sources {
    /// The files, in the order in which findings are reported.
    pub fn new(files: Vec<SourceFile>) -> Self {
        Self { files }
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
        let text = &self.file(span.file).text;
        let mut before = (span.start as usize).min(text.len());
        while !text.is_char_boundary(before) {
            before -= 1;
        }
        let before = &text[..before];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

//! A change as people see it: what it touches, and both values as they are written.

use cosell_model::Span;

use super::{Change, Place};
use crate::source::Sources;

/// A value as it is written, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<'s> {
    /// File and line.
    pub place: String,
    /// Its lines, moved to the left as far as the first is; never none.
    pub lines: Vec<&'s str>,
}

impl<'s> Written<'s> {
    /// The value at `span`.
    pub fn at(span: Span, sources: &'s Sources) -> Self {
        let (_, column) = sources.line_column(span);
        let text = sources.slice(span);
        let text = if text.is_empty() { "~" } else { text };
        let lines = text.lines().enumerate().map(|(at, line)| {
            let blanks = line.len() - line.trim_start().len();
            let line = if at == 0 { line } else { &line[blanks.min(column - 1)..] };
            line.trim_end()
        });
        Self { place: sources.place(span), lines: lines.collect() }
    }
}

impl Change {
    /// The step that it changes or adds, in a flow: the innermost that its path names.
    pub fn step(&self) -> Option<&str> {
        self.innermost(Place::Flow, Place::Steps)
    }

    /// The row that it changes or adds, in a mapping.
    pub fn row(&self) -> Option<&str> {
        self.innermost(Place::Mapping, Place::Rows)
    }

    fn innermost(&self, top: Place, holder: Place) -> Option<&str> {
        let (mut place, mut found) = (top, None);
        for key in &self.path {
            if place == holder {
                found = Some(key.as_str());
            }
            place = place.below(key);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_belongs_to_the_innermost_step_around_it() {
        let change = |path: &str| Change { path: path.split('.').map(str::to_owned).collect(), old: None, new: None };
        for (path, step) in [
            ("title", None),
            ("steps.a", Some("a")),
            ("steps.a.with.steps.b", Some("a")),
            ("steps.a.cases.then.b.let.c", Some("b")),
            ("steps.a.scope.b.else.c.when", Some("c")),
        ] {
            assert_eq!(change(path).step(), step, "{path}");
        }
        assert_eq!(change("rows.name.referral.path").row(), Some("name"));
        assert_eq!(change("title").row(), None);
    }
}

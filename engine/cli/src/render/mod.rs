//! How things are shown: [`diagnostic`] findings (`hidden`: without the secrets beside them; [`github`] and [`sarif`]: for
//! other programs), [`run`] runs while they happen, [`past`] runs afterwards, [`table`] tables, [`time`] times. Colour is a
//! second carrier only, and is left out where output is not a terminal.

pub(crate) mod diagnostic;
pub(crate) mod github;
mod hidden;
pub(crate) mod past;
pub(crate) mod run;
pub(crate) mod sarif;
pub(crate) mod table;
pub(crate) mod time;

use anstyle::{AnsiColor, Style};
pub(crate) use cosell_model::words::counted;

/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What may go wrong.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What matters most.
pub(crate) const STRONG: Style = Style::new().bold();

/// `text` in `style`.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}

/// A name in backticks.
pub(crate) fn marked(name: &str) -> String {
    format!("`{name}`")
}

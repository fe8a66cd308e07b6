//! What was found, and how it is shown.

use serde_json::{Value, json};

use crate::render::{BAD, GOOD, STRONG, WARN, counted, styled};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Something will go wrong sooner or later, or for some deals.
    Warning,
    /// The flows cannot work.
    Error,
}

/// One thing that was looked at.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What kind of thing was looked at, the same however it was found.
    code: &'static str,
    /// Which one: a connection, a table, a folder.
    about: String,
    found: String,
    remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(code: &'static str, about: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, code, about: about.into(), found: found.into(), remedy: None }
    }

    pub(super) fn warning(code: &'static str, about: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::ok(code, about, found) }
    }

    pub(super) fn error(code: &'static str, about: impl Into<String>, found: impl Into<String>) -> Self {
        Self { level: Level::Error, ..Self::ok(code, about, found) }
    }

    /// What to do about it.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    pub(super) fn for_machines(&self) -> Value {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        json!({ "level": level, "code": self.code, "about": self.about, "found": self.found, "remedy": self.remedy })
    }
}

/// Shows findings, those about one thing beneath its name.
pub(super) fn show(findings: &[Finding]) {
    let mut last = "";
    for finding in findings {
        if finding.about != last {
            anstream::println!("{}", styled(STRONG, &finding.about));
            last = &finding.about;
        }
        let sign = match finding.level {
            Level::Ok => styled(GOOD, "✓"),
            Level::Warning => styled(WARN, "!"),
            Level::Error => styled(BAD, "✗"),
        };
        anstream::println!("  {sign} {}: {}", finding.code, indented(&finding.found));
        if let Some(remedy) = &finding.remedy {
            anstream::println!("    help: {}", indented(remedy));
        }
    }
    let count = |level, what| counted(findings.iter().filter(|finding| finding.level == level).count(), what);
    anstream::println!("\n{}, {}", count(Level::Error, "error"), count(Level::Warning, "warning"));
}

/// Further lines beneath the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

//! What tests found, in the terminal: a line a file, what is different where something is, and what no test reaches.

use std::fmt::Write as _;

use super::Tested;
use super::coverage::{Coverage, Of, percent};
use super::files::Read;
use super::judge::Difference;
use crate::render::{BAD, DIM, GOOD, STRONG, counted, styled};
use cosell_model::spans::took;

/// The tests, file by file.
pub(super) fn page(read: &Read, tested: &[Tested]) -> String {
    let mut page = String::new();
    for of_file in tested.chunk_by(|one, next| one.file == next.file) {
        let failed = of_file.iter().filter(|test| !test.passed()).count();
        let sign = if failed == 0 { styled(GOOD, "✓") } else { styled(BAD, "✗") };
        let count = counted(of_file.len(), "test");
        let note = if failed == 0 { count } else { format!("{count}, {failed} failed") };
        let _ = writeln!(page, "{sign} {}  {}", read.path(of_file[0].file), styled(DIM, note));
        for test in of_file.iter().filter(|test| !test.passed()) {
            page += &failure(read, test);
        }
    }
    page
}

fn failure(read: &Read, test: &Tested) -> String {
    let mut text = format!("\n  {} {}\n", styled(BAD, "✗"), styled(STRONG, &test.name));
    if test.open {
        let _ = writeln!(text, "    {}", styled(DIM, read.place(test.place)));
        let _ = writeln!(text, "    it has no `then`; `--accept` writes down what was found");
    }
    for difference in &test.differences {
        let about = if difference.what.is_empty() { "the test" } else { &difference.what };
        let _ = writeln!(text, "    {about}  {}", styled(DIM, read.place(difference.place)));
        text += &sides(difference);
    }
    for line in &test.story {
        let _ = writeln!(text, "    {}", styled(DIM, line));
    }
    text + "\n"
}

/// Expected and found, one under the other.
fn sides(difference: &Difference) -> String {
    let mut text = String::new();
    for (word, style, value) in [("expected", GOOD, &difference.expected), ("found   ", BAD, &difference.found)] {
        let lines: Vec<&str> = value.lines().collect();
        let shown = lines.join("\n                ");
        let _ = writeln!(text, "      {word}  {}", styled(style, shown));
    }
    text
}

/// How many of them passed.
pub(super) fn totals(tested: &[Tested], all: std::time::Duration) -> String {
    let failed = tested.iter().filter(|test| !test.passed()).count();
    let count = counted(tested.len(), "test");
    let word = if failed == 0 { styled(GOOD, "all passed") } else { styled(BAD, format!("{failed} failed")) };
    format!("{count}: {word}, in {}\n", took(all))
}

/// What is reached, and what is not.
pub(super) fn coverage(coverage: &Coverage) -> String {
    let mut page = format!("\n{}\n", styled(STRONG, "Coverage"));
    let name = |of: &Of| match of {
        Of::Flow(name) => name.clone(),
        Of::Mapping(name) => format!("mapping {name}"),
    };
    let width = coverage.parts.iter().map(|part| name(&part.of).len()).max().unwrap_or_default();
    for part in &coverage.parts {
        let reached = percent(part.reached, part.all);
        let style = if reached == 100 { GOOD } else { BAD };
        let of = format!("{} of {}", part.reached, part.all);
        let shown = styled(style, format!("{reached:>3} %"));
        let _ = writeln!(page, "  {:width$}  {shown}  {}", name(&part.of), styled(DIM, of));
        for (place, what) in &part.missing {
            let _ = writeln!(page, "      {} {what}", styled(DIM, place));
        }
        for (place, what) in &part.excused {
            let _ = writeln!(page, "      {}", styled(DIM, format!("{place} {what}")));
        }
    }
    let (reached, all) = coverage.totals();
    let _ = writeln!(page, "{} % of {all} steps, branches and rows are reached", percent(reached, all));
    page
}

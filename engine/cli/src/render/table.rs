//! Tables, for terminals and for Markdown.

use comfy_table::{ContentArrangement, Table as Drawn, presets};

use super::{DIM, STRONG, styled};

/// How wide a table gets in a terminal.
const WIDTH: u16 = 120;

/// A table: cells may hold several lines.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new<'h>(head: impl IntoIterator<Item = &'h str>) -> Self {
        Self { head: head.into_iter().map(str::to_owned).collect(), rows: Vec::new() }
    }

    /// Adds a row, a cell a column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// For people: aligned, wrapped where it would be too wide.
    pub(crate) fn for_terminal(&self) -> String {
        let mut drawn = Drawn::new();
        drawn
            .load_style(presets::UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(WIDTH)
            .set_header(&self.head);
        for row in &self.rows {
            drawn.add_row(row);
        }
        let lines = drawn.to_string();
        // Everything up to the first double line is the head.
        let mut in_head = true;
        let shown = lines.lines().map(|line| {
            let line = line.trim_end();
            in_head = in_head && !line.contains('═');
            match line {
                rule if rule.starts_with(['─', '═']) => styled(DIM, rule),
                head if in_head => styled(STRONG, head),
                row => row.to_owned(),
            }
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    /// As GitHub's Markdown has tables.
    pub(crate) fn for_markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', "<br>")).collect();
            format!("| {} |", cells.join(" | "))
        };
        let rule = vec!["---".to_owned(); self.head.len()];
        let lines = [line(&self.head), line(&rule)].into_iter().chain(self.rows.iter().map(|row| line(row)));
        lines.collect::<Vec<_>>().join("\n")
    }
}

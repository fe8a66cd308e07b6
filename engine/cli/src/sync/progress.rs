//! How far the walk is, on a terminal; for machines, a line for each record.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::finished::Finished;
use super::records::Direction;
use super::tally::Tally;

/// Shows the walk while it goes on. Where standard error is no terminal, nothing is drawn.
pub(super) struct Progress {
    bar: ProgressBar,
    json: bool,
}

impl Progress {
    /// Shows each record as JSON, if told so.
    pub(super) fn new(json: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style =
            ProgressStyle::with_template("{prefix}  {bar:30}  {human_pos}/{human_len}  {rate}  {wide_msg:.dim}");
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            // What is written goes to a text, which takes everything.
            let _ = write!(out, "{:.1}/s", state.per_sec());
        };
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate));
        Self { bar, json }
    }

    /// A page of `direction` came, with which `ahead` records are known to be ahead.
    pub(super) fn page(&self, direction: Direction, tally: &Tally, ahead: usize) {
        let walked = tally.all(direction) as u64;
        if self.bar.prefix() != direction.title() {
            self.bar.set_prefix(direction.title());
            // The rate is that of this direction, and of this part of the walk.
            self.bar.reset();
            self.bar.set_position(walked);
            self.bar.reset_eta();
        }
        self.bar.set_length(walked + ahead as u64);
        self.done_so_far(direction, tally);
    }

    /// A record is done.
    pub(super) fn record(&self, finished: &Finished, tally: &Tally) {
        self.done_so_far(finished.direction, tally);
        if self.json {
            let line = serde_json::to_string(finished).unwrap_or_default();
            self.bar.suspend(|| anstream::println!("{line}"));
        }
    }

    fn done_so_far(&self, direction: Direction, tally: &Tally) {
        self.bar.set_position(tally.all(direction) as u64);
        let wrong = tally.wrong();
        self.bar.set_message(if wrong == 0 { String::new() } else { format!("{wrong} refused or failed") });
    }

    /// A service asks for patience.
    pub(super) fn waiting(&self, after: Duration, why: &str) {
        let why = why.lines().next().unwrap_or_default();
        self.bar.set_message(format!("next attempt in {} s: {why}", after.as_secs_f64().ceil()));
    }

    /// Says something meanwhile.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| anstream::eprintln!("{text}"));
    }

    /// Takes it off the screen.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

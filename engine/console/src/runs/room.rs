//! How much a page holds: what would make it too large is left to pages of its own, and to the download.

use std::cell::Cell;

use cosell_model::Value;
use maud::{Markup, html};

use crate::page::json_up_to;

/// How many bytes of values and pictures a page holds.
const PAGE: usize = 480_000;
/// How many characters of each value are shown: on a page with many, and on one about a single step.
const OF_MANY: usize = 4_000;
const OF_ONE: usize = 40_000;

/// The room that is left on a page.
pub(super) struct Room {
    left: Cell<usize>,
    /// How many characters of each value are shown.
    value: usize,
}

impl Room {
    /// For a page with many values, of which each shows its beginning.
    pub(super) fn for_many() -> Self {
        Self { left: Cell::new(PAGE), value: OF_MANY }
    }

    /// For a page about one step.
    pub(super) fn for_one() -> Self {
        Self { left: Cell::new(PAGE), value: OF_ONE }
    }

    /// What is written, where there is still room for it.
    pub(super) fn takes(&self, markup: Markup) -> Option<Markup> {
        let left = self.left.get().checked_sub(markup.0.len())?;
        self.left.set(left);
        Some(markup)
    }

    /// Whether there is room for anything more.
    pub(super) fn any(&self) -> bool {
        self.left.get() > 0
    }

    /// A value with its name; `alone` is the address of a page that has more room for it.
    pub(super) fn value(&self, name: &str, value: &Value, alone: &str) -> Markup {
        let shown = if self.any() { self.takes(json_up_to(value, self.value)) } else { None };
        html! { p.label { (name) } (shown.unwrap_or_else(|| self.refused(alone))) }
    }

    /// What is said where there is no room; `alone` is the address of a page that has more.
    pub(super) fn refused(&self, alone: &str) -> Markup {
        html! {
            p.hint {
                @if self.value == OF_ONE { "Too much for this page: download the run to see it." }
                @else { "Too much for this page: " a href=(alone) { "show it alone" } ", or download the run." }
            }
        }
    }
}

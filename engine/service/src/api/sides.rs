//! What pages of lists have on either side.

/// Whether there are others beside a page.
pub(super) struct Sides {
    pub(super) newer: bool,
    pub(super) older: bool,
}

impl Sides {
    /// Cuts what was read for a page, one more than it holds, to `most`. The one more tells whether there are others on the
    /// far side; on the side that the page is asked from, `after` another or `before` one, there are.
    pub(super) fn cut<T>(page: &mut Vec<T>, most: usize, after: bool, before: bool) -> Self {
        let more = page.len() > most;
        if more && before {
            page.remove(0);
        }
        page.truncate(most);
        Self { newer: if before { more } else { after }, older: more || before }
    }
}

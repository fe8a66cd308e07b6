//! What pages are put together from.
//!
//! Whatever comes from elsewhere stands in `bdi`, so that text in one direction cannot turn around what is beside it.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use cosell_model::{Value, spans};
use cosell_service::api::{Connection, HookState};
use jiff::Timestamp;
use maud::{Markup, Render, html};
use url::form_urlencoded;

use crate::BASE;

/// As much of a value as is shown at once, in characters. All of it is in what can be downloaded.
const MUCH: usize = 20_000;

/// A moment: in UTC, until the script puts it into the reader's zone.
pub(crate) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()) } }
}

/// How long something took.
pub(crate) fn took(took: Duration) -> String {
    spans::took(took)
}

/// How something ended, by its word: `succeeded`, `failed`…; none while it goes on. The mark says the same as the colour.
pub(crate) fn outcome(word: Option<&str>) -> Markup {
    let (class, mark, words) = match word {
        Some("succeeded") => ("good", "✓", "Succeeded"),
        Some("failed") => ("bad", "✗", "Failed"),
        Some("timed_out") => ("bad", "⧖", "Timed out"),
        Some("skipped") => ("calm", "·", "Skipped"),
        Some("cancelled") => ("calm", "⊘", "Cancelled"),
        Some(other) => ("calm", "?", other),
        None => ("busy", "…", "Under way"),
    };
    badge(class, mark, words)
}

/// A word with a mark, in one of the tones `good`, `bad`, `warn`, `busy`, `calm`.
pub(crate) fn badge(tone: &str, mark: &str, words: impl Display) -> Markup {
    html! { span class={ "badge " (tone) } { span.mark aria-hidden="true" { (mark) } " " (words) } }
}

/// Whether a connection is called now.
pub(crate) fn called(connection: &Connection) -> Markup {
    match connection.pause {
        Some(_) => badge("warn", "⏸", "not called"),
        None => badge("good", "✓", "called as usual"),
    }
}

/// Text from elsewhere.
pub(crate) fn foreign(text: impl Display) -> Markup {
    html! { bdi { (text) } }
}

/// A JSON value as text; a long one is cut, and says so.
pub(crate) fn json(value: &Value) -> Markup {
    json_up_to(value, MUCH)
}

/// The same with at most so many characters of it.
pub(crate) fn json_up_to(value: &Value, most: usize) -> Markup {
    let text = match value {
        Value::String(text) => text.clone(),
        value => format!("{value:#}"),
    };
    let end = text.char_indices().nth(most).map(|(end, _)| end);
    html! {
        pre.value tabindex="0" dir="auto" { (&text[..end.unwrap_or(text.len())]) }
        @if let Some(end) = end {
            p.hint { "Cut: " (text.len() - end) " more bytes. Download the run to see all of it." }
        }
    }
}

/// A value in a few words, on one line.
pub(crate) fn brief(value: &Value) -> Markup {
    const LETTERS: usize = 160;
    const TITLE: usize = 1_000;
    match value {
        Value::Null => html! { span.nothing { "nothing" } },
        Value::String(text) if text.is_empty() => html! { span.nothing { "empty text" } },
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let short: String = text.chars().take(LETTERS).collect();
            let cut = short.len() < text.len();
            let title = cut.then(|| text.chars().take(TITLE).collect::<String>());
            html! { bdi title=[title] { (short) @if cut { "…" } } }
        }
    }
}

/// Whom a remote system calls, as far as it says.
pub(crate) fn hooked(state: HookState) -> Markup {
    let (tone, mark, words) = match state {
        HookState::Here => ("good", "✓", "calls this service"),
        HookState::Partly => ("warn", "!", "calls this service about some events only"),
        HookState::Elsewhere => ("bad", "✗", "calls somebody else"),
        HookState::Nowhere => ("bad", "✗", "calls nobody"),
        HookState::Unknown => ("calm", "?", "does not say whom it calls"),
        HookState::Failed => ("warn", "!", "could not be asked whom it calls"),
    };
    badge(tone, mark, words)
}

/// A cell at the head of a column.
pub(crate) enum Head<'h> {
    Words(Cow<'h, str>),
    /// Above numbers.
    Number(&'h str),
    /// Where what stands below says it to everybody who sees it.
    Unseen(&'h str),
    Made(Markup),
}

impl<'h> From<&'h str> for Head<'h> {
    fn from(words: &'h str) -> Self {
        Self::Words(words.into())
    }
}

impl From<String> for Head<'_> {
    fn from(words: String) -> Self {
        Self::Words(words.into())
    }
}

impl From<Markup> for Head<'_> {
    fn from(made: Markup) -> Self {
        Self::Made(made)
    }
}

/// The head of a table.
pub(crate) fn heads<'h>(heads: impl IntoIterator<Item: Into<Head<'h>>>) -> Markup {
    html! {
        thead {
            tr {
                @for head in heads {
                    @match head.into() {
                        Head::Words(words) => th scope="col" { (words) },
                        Head::Number(words) => th.number scope="col" { (words) },
                        Head::Unseen(words) => th scope="col" { span.unseen { (words) } },
                        Head::Made(made) => th scope="col" { (made) },
                    }
                }
            }
        }
    }
}

/// Something that can be unfolded.
pub(crate) fn unfold(id: impl Display, summary: impl Render, body: impl Render) -> Markup {
    html! { details id=(id) { summary { (summary) } div.unfolded { (body) } } }
}

/// How many steps of a flow are drawn at most: nobody could read more, and the page would be too large.
pub(crate) const DRAWN: usize = 400;

/// A picture, as large as it is in a place of its own that scrolls, or as wide as the page where the reader wants that. `id`
/// tells it apart on its page, and `label` says what it shows.
pub(crate) fn drawing(id: &str, label: &str, picture: impl Render) -> Markup {
    let fits = format!("{id}-fits");
    html! {
        div.framed {
            input.fits type="checkbox" id=(fits);
            label for=(fits) { "Fit to the page" }
            div.drawing tabindex="0" role="region" aria-label=(label) { (picture) }
        }
    }
}

/// Where the other pages of a list are, of which the newest is the first; none where there is none.
#[derive(Default)]
pub(crate) struct Pages {
    pub(crate) newest: Option<String>,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
}

/// The ways to them.
pub(crate) fn pages(pages: &Pages) -> Markup {
    html! {
        span.ways {
            @if let Some(newest) = &pages.newest { a.button rel="first" href=(newest) { "⇤ Newest" } }
            @if let Some(newer) = &pages.newer { a.button rel="prev" href=(newer) { "← Newer" } }
            @if let Some(older) = &pages.older { a.button rel="next" href=(older) { "Older →" } }
        }
    }
}

/// A part of a page that is exchanged when something has changed; `id` tells it apart on its page.
pub(crate) fn live(id: &str, body: impl Render) -> Markup {
    html! { div id=(id) data-live { (body) } }
}

/// An address in the console: `address(&["runs", id], &[("flow", name)])`. Parts and values may hold anything.
pub(crate) fn address(parts: &[&str], query: &[(&str, &str)]) -> String {
    let mut address = BASE.to_owned();
    for part in parts {
        address.push('/');
        address.extend(
            form_urlencoded::byte_serialize(part.as_bytes()).map(|piece| if piece == "+" { "%20" } else { piece }),
        );
    }
    if !query.is_empty() {
        let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        address.push('?');
        address.push_str(&query);
    }
    address
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_hold_anything() {
        assert_eq!(
            address(&["runs", "a/b c?d"], &[("text", "ü & x")]),
            "/console/runs/a%2Fb%20c%3Fd?text=%C3%BC+%26+x"
        );
        assert_eq!(address(&[], &[]), "/console");
    }

    #[test]
    fn what_comes_from_elsewhere_is_only_text() {
        let shown = brief(&json!("<script>alert(1)</script>")).into_string();
        assert_eq!(shown, "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
        let long = brief(&json!("é".repeat(200))).into_string();
        assert!(long.ends_with("…</bdi>") && long.contains("title="), "{long}");
        assert!(json(&json!({ "a": "</pre><script>" })).into_string().contains("&lt;/pre&gt;&lt;script&gt;"));
    }
}

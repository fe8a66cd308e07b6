//! Which runs a reader wants to see, as it stands in the address.

use cosell_service::api::Wanted;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::page::address;

/// How a run can end, with the words for it; the last is for those that have not.
const OUTCOMES: [(&str, &str); 5] = [
    ("succeeded", "Succeeded"),
    ("failed", "Failed"),
    ("timed_out", "Timed out"),
    ("cancelled", "Cancelled"),
    ("under_way", "Under way"),
];

/// Which runs a reader wants to see: texts as they came, so that a wrong one can be put right.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filters {
    flow: Option<String>,
    outcome: Option<String>,
    key: Option<String>,
    text: Option<String>,
    since: Option<String>,
    until: Option<String>,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
}

impl Filters {
    /// What an address says; what is empty is not asked.
    ///
    /// # Errors
    /// The name of something that cannot be asked.
    pub(super) fn of(query: Vec<(String, String)>) -> Result<Self, String> {
        let mut filters = Self::default();
        for (name, value) in query {
            let place = match name.as_str() {
                "flow" => &mut filters.flow,
                "outcome" => &mut filters.outcome,
                "key" => &mut filters.key,
                "text" => &mut filters.text,
                "since" => &mut filters.since,
                "until" => &mut filters.until,
                "after" => &mut filters.after,
                "before" => &mut filters.before,
                _ => return Err(name),
            };
            *place = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
        Ok(filters)
    }

    /// The same for the API.
    pub(super) fn wanted(&self) -> Wanted {
        let time =
            |text: &Option<String>| text.as_ref().map(|text| moment(text).map_or(text.clone(), |at| at.to_string()));
        Wanted {
            flow: self.flow.clone(),
            outcome: self.outcome.clone(),
            key: self.key.clone(),
            text: self.text.clone(),
            since: time(&self.since),
            until: time(&self.until),
            after: self.after.clone(),
            before: self.before.clone(),
            most: None,
        }
    }

    /// Whether anything is asked, besides the page.
    pub(super) fn any(&self) -> bool {
        *self != Self { after: self.after.clone(), before: self.before.clone(), ..Self::default() }
    }

    /// Whether the newest are asked for.
    pub(super) fn newest(&self) -> bool {
        self.after.is_none() && self.before.is_none()
    }

    /// The list with these filters, at its beginning or where `place` says, `after` or `before` what.
    pub(super) fn address(&self, place: Option<(&str, &str)>) -> String {
        let all = [
            ("flow", self.flow.as_deref()),
            ("outcome", self.outcome.as_deref()),
            ("key", self.key.as_deref()),
            ("text", self.text.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
        ];
        let given = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let given: Vec<(&str, &str)> = given.chain(place).collect();
        address(&["runs"], &given)
    }

    /// The fields to fill in; `flows` are names and titles.
    pub(super) fn form(&self, flows: &[(String, String)]) -> Markup {
        let (flow, outcome) = (self.flow.as_deref().unwrap_or_default(), self.outcome.as_deref().unwrap_or_default());
        let unknown = !flow.is_empty() && !flows.iter().any(|(id, _)| id == flow);
        html! {
            form.filter method="get" action=(address(&["runs"], &[])) role="search" {
                div.field {
                    label for="flow" { "Flow" }
                    select id="flow" name="flow" {
                        option value="" { "All flows" }
                        @if unknown { option value=(flow) selected { (flow) } }
                        @for (id, title) in flows { option value=(id) selected[id == flow] { (title) } }
                    }
                }
                div.field {
                    label for="outcome" { "Outcome" }
                    select id="outcome" name="outcome" {
                        option value="" { "Any" }
                        @for (word, words) in OUTCOMES { option value=(word) selected[word == outcome] { (words) } }
                    }
                }
                div.field {
                    label for="text" { "Words" }
                    input type="search" id="text" name="text" value=[&self.text] placeholder="Fabrikam Berlin";
                }
                div.field {
                    label for="key" { "Deal or other key" }
                    input type="text" id="key" name="key" value=[&self.key] spellcheck="false" autocomplete="off";
                }
                (time("since", "Begun from (UTC)", self.since.as_deref()))
                (time("until", "Begun before (UTC)", self.until.as_deref()))
                div.field { button.primary type="submit" { "Show" } }
                @if self.any() { div.field { a.button href=(address(&["runs"], &[])) { "Clear" } } }
            }
        }
    }
}

fn time(name: &str, label: &str, text: Option<&str>) -> Markup {
    let shown = text.and_then(moment).map(|at| at.strftime("%Y-%m-%dT%H:%M:%S").to_string());
    html! {
        div.field {
            label for=(name) { (label) }
            input type="datetime-local" id=(name) name=(name) step="1" value=[shown];
        }
    }
}

/// A moment with its zone, or without one, as browsers send it: then it is UTC, as the field says.
fn moment(text: &str) -> Option<Timestamp> {
    let civil = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(civil)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(query: &[(&str, &str)]) -> Result<Filters, String> {
        Filters::of(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn times_without_a_zone_are_utc() {
        let filters = of(&[("since", "2026-05-01T08:00"), ("until", "2026-05-01T08:00:00+02:00")]).unwrap();
        let wanted = filters.wanted();
        assert_eq!(wanted.since.as_deref(), Some("2026-05-01T08:00:00Z"));
        assert_eq!(wanted.until.as_deref(), Some("2026-05-01T06:00:00Z"));
        assert!(filters.form(&[]).into_string().contains(r#"name="until" step="1" value="2026-05-01T06:00:00""#));
        let wrong = of(&[("since", "yesterday")]).unwrap().wanted();
        assert_eq!(wrong.since.as_deref(), Some("yesterday"), "the API says what is wrong with it");
    }

    #[test]
    fn an_address_says_what_a_form_said() {
        let filters = of(&[("flow", ""), ("text", " a&b "), ("outcome", "failed"), ("after", "x")]).unwrap();
        assert_eq!(filters.address(Some(("after", "y"))), "/console/runs?outcome=failed&text=a%26b&after=y");
        assert!(filters.any() && !of(&[("after", "x"), ("key", "")]).unwrap().any());
        assert_eq!(of(&[("colour", "red")]), Err("colour".to_owned()));
    }

    #[test]
    fn what_is_asked_stands_in_the_form_as_text() {
        let filters = of(&[("flow", "\"><script>"), ("text", "<b>")]).unwrap();
        let form = filters.form(&[("deal".to_owned(), "Deal".to_owned())]).into_string();
        assert!(form.contains("<option value=\"&quot;&gt;&lt;script&gt;\" selected>"), "{form}");
        assert!(!form.contains("<script>") && !form.contains("<b>"), "{form}");
    }
}

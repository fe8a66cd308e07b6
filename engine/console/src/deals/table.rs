//! Both sides of a deal under the mapping, row by row, with what both last agreed on and what follows.

use std::sync::Arc;

use cosell_compile::mapping::Mapping;
use cosell_compile::mapping::beside::{Beside, Verdict};
use cosell_compile::mapping::merge::Merging;
use cosell_model::Value;
use jiff::Timestamp;
use maud::{Markup, html};

use super::hidden::Hidden;
use super::sides::Sides;
use super::worded::worded;
use crate::facts::Facts;
use crate::page::{badge, brief, foreign};

/// Partner Center's side, and the CRM's, in the mappings of deals.
pub(super) const REFERRAL: usize = 0;
pub(super) const CRM: usize = 1;

/// The rows of a deal.
pub(super) struct Compared<'m> {
    pub(super) rows: Vec<Beside<'m>>,
    /// Whether the record of a side can no longer be changed.
    pub(super) is_closed: [bool; 2],
    /// Whether both sides are there.
    pub(super) is_pair: bool,
}

/// The mapping that the flows compare a deal by.
pub(super) fn mapping<'f>(facts: &'f Facts, sides: &Sides) -> Option<&'f Arc<Mapping>> {
    let (name, crm) = if sides.is_lead { ("referral-lead", "lead") } else { ("referral-opportunity", "opportunity") };
    let mapping = facts.compilation.mappings.get(name)?;
    (mapping.sides == ["referral".to_owned(), crm.to_owned()]).then_some(mapping)
}

impl<'m> Compared<'m> {
    /// Compares both sides as the flows would now.
    pub(super) fn new(mapping: &'m Mapping, sides: &Sides) -> Self {
        let records = [sides.referral.record(), sides.crm.record()];
        let is_pair = records.iter().all(Option::is_some);
        let records = records.map(|record| record.unwrap_or(&Value::Null));
        let rows = if sides.is_lead || !is_pair {
            mapping.compared_beside(REFERRAL, records)
        } else {
            let changed = [changed(records[REFERRAL], "updatedDateTime"), changed(records[CRM], "modifiedon")];
            // Who has news is not known, so it is whoever was changed last.
            let from = if changed[CRM] > changed[REFERRAL] { CRM } else { REFERRAL };
            let agreed = sides.kept.as_ref().map_or(&Value::Null, |kept| &kept.value["agreed"]);
            mapping.merged_beside(&Merging { from, records, agreed, changed })
        };
        let is_closed = [records[REFERRAL]["status"] == "Closed", records[CRM]["statecode"].as_i64().unwrap_or(0) != 0];
        Self { rows, is_closed, is_pair }
    }

    /// How many rows go to this side.
    pub(super) fn going(&self, to: usize) -> usize {
        let goes = |row: &&Beside<'_>| matches!(row.verdict, Verdict::Follows { side, .. } if side == to);
        if self.is_closed[to] { 0 } else { self.rows.iter().filter(goes).count() }
    }

    /// In how many rows a change of one side is given up for the other's.
    pub(super) fn conflicts(&self) -> usize {
        let is_one = |row: &&Beside<'_>| matches!(row.verdict, Verdict::Follows { side, conflict: true, .. } if !self.is_closed[side]);
        self.rows.iter().filter(is_one).count()
    }
}

fn changed(record: &Value, member: &str) -> Option<Timestamp> {
    record[member].as_str()?.parse().ok()
}

/// The table.
pub(super) fn table(compared: &Compared<'_>, sides: &Sides, hidden: &Hidden) -> Markup {
    let crm = if sides.is_lead { "lead" } else { "opportunity" };
    html! {
        div.table tabindex="0" role="region" aria-label="Both sides" {
            table aria-label="Both sides" {
                thead {
                    tr {
                        th scope="col" { "Field" }
                        th scope="col" { "Partner Center" }
                        th scope="col" { "CRM (" (crm) ")" }
                        @if !sides.is_lead { th scope="col" { "Last agreed" } }
                        th scope="col" { "What follows" }
                    }
                }
                tbody {
                    @for row in &compared.rows { (shown(row, compared, sides, hidden)) }
                    @if !sides.is_lead && compared.is_pair { (solutions(sides, hidden)) }
                }
            }
        }
    }
}

fn shown(beside: &Beside<'_>, compared: &Compared<'_>, sides: &Sides, hidden: &Hidden) -> Markup {
    let class = match &beside.verdict {
        _ if !compared.is_pair => None,
        Verdict::Follows { conflict: true, .. } => Some("conflict"),
        Verdict::Follows { side, .. } if !compared.is_closed[*side] => Some("differs"),
        Verdict::Stuck(_) => Some("conflict"),
        _ => None,
    };
    let value = |side: usize, hider: Option<&str>, is_there: bool| {
        html! {
            @if !is_there { span.nothing { "–" } }
            @else if hider.is_some() { span.nothing { "hidden" } }
            @else { (worded(beside.row, side, &beside.now[side])) }
        }
    };
    html! {
        tr class=[class] {
            th scope="row" {
                (foreign(&beside.row.title))
                @if let Some(to) = beside.row.only_to {
                    div.hint { @if to == CRM { "→ only to the CRM" } @else { "← only to Partner Center" } }
                }
            }
            td { (value(REFERRAL, hidden.referral.as_deref(), sides.referral.record().is_some())) }
            td { (value(CRM, hidden.crm.as_deref(), sides.crm.record().is_some())) }
            @if !sides.is_lead { td { (agreed(beside, hidden)) } }
            td { @if compared.is_pair { (follows(beside, compared, hidden)) } @else { span.nothing { "–" } } }
        }
    }
}

/// What both sides had; one value where it reads the same.
fn agreed(beside: &Beside<'_>, hidden: &Hidden) -> Markup {
    let Some(agreed) = &beside.agreed else { return html! { span.nothing { "–" } } };
    if hidden.kept.is_some() {
        return html! { span.nothing { "hidden" } };
    }
    let [left, right] = [REFERRAL, CRM].map(|side| worded(beside.row, side, &agreed[side]).into_string());
    let is_code = beside.row.meaning(CRM, &agreed[CRM]).is_some();
    html! {
        (maud::PreEscaped(&left))
        @if left != right && !is_code { div.hint { "CRM: " (maud::PreEscaped(&right)) } }
    }
}

fn follows(beside: &Beside<'_>, compared: &Compared<'_>, hidden: &Hidden) -> Markup {
    let name = |side: usize| if side == CRM { "the CRM" } else { "Partner Center" };
    match &beside.verdict {
        Verdict::Equal => badge("good", "=", "agree"),
        Verdict::Stays => html! {
            (badge("calm", "·", "stays"))
            div.hint { "They differ, and nothing is to be taken over." }
        },
        Verdict::Stuck(message) => html! {
            (badge("bad", "✗", "cannot be taken over"))
            div.hint { @if hidden.any().is_some() { "Why is hidden." } @else { (foreign(message)) } }
        },
        Verdict::Follows { side, .. } if compared.is_closed[*side] => html! {
            (badge("calm", "·", "stays"))
            div.hint { "They differ, and " (name(*side)) " has closed the deal: nothing of it is changed any more." }
        },
        Verdict::Follows { side, new, conflict } => html! {
            @if *conflict {
                (badge("bad", "⚡", format!("conflict: {} wins", name(1 - side))))
                div.hint { "Both have changed it. The value of " (name(*side)) " is given up." }
            } @else {
                (badge("warn", if *side == CRM { "→" } else { "←" }, format!("goes to {}", name(*side))))
            }
            @if hidden.any().is_none() {
                @let [there, becomes] = [&beside.now[1 - side], new].map(|value| value.to_string());
                @if there != becomes { div.hint { "becomes " (worded(beside.row, *side, new)) } }
            }
        },
    }
}

/// The solutions: what one side took away since both last agreed goes, what it added comes.
fn solutions(sides: &Sides, hidden: &Hidden) -> Markup {
    let none = Vec::new();
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let theirs =
        sides.referral.record().map_or(none, |referral| list(&referral["details"]["requirements"]["solutions"]));
    let before = sides.kept.as_ref().map(|kept| list(&kept.value["solutions"]));
    let ids = |solutions: &[Value]| solutions.iter().map(|solution| solution["id"].clone()).collect::<Vec<_>>();
    let (left, right) = (ids(&theirs), ids(&sides.solutions));
    let only = |of: &[Value], not: &[Value], was: bool| {
        let is_meant =
            |id: &&Value| !not.contains(id) && before.as_ref().is_some_and(|before| before.contains(id)) == was;
        of.iter().filter(is_meant).count()
    };
    let changes = [
        (only(&left, &right, false), "to come to the CRM"),
        (only(&right, &left, true), "to go from the CRM"),
        (only(&right, &left, false), "to come to Partner Center"),
        (only(&left, &right, true), "to go from Partner Center"),
    ];
    let is_equal = changes.iter().all(|(count, _)| *count == 0);
    let names = |solutions: &[Value], hider: Option<&str>| {
        html! {
            @if hider.is_some() { span.nothing { "hidden" } }
            @else if solutions.is_empty() { span.nothing { "nothing" } }
            @for solution in solutions {
                div { (brief(&solution["name"])) " " span.hint { (brief(&solution["id"])) } }
            }
        }
    };
    html! {
        tr class=[(!is_equal).then_some("differs")] {
            th scope="row" { "Solutions" }
            td { (names(&theirs, hidden.referral.as_deref())) }
            td { (names(&sides.solutions, hidden.crm.as_deref())) }
            td {
                @match (&before, &hidden.kept) {
                    (Some(_), Some(_)) => span.nothing { "hidden" },
                    (Some(before), None) if !before.is_empty() => @for id in before { div { (brief(id)) } },
                    _ => span.nothing { "–" },
                }
            }
            td {
                @if is_equal { (badge("good", "=", "agree")) }
                @else {
                    (badge("warn", "±", "differ"))
                    @for (count, what) in changes.iter().filter(|(count, _)| *count > 0) { div.hint { (count) " " (what) } }
                    div.hint { "The last solution of a deal stays." }
                }
            }
        }
    }
}

//! Both sides of a deal under the mapping, row by row, with what both last agreed on and what follows.

use std::sync::Arc;

use cosell_compile::mapping::Mapping;
use cosell_compile::mapping::beside::{Beside, Verdict};
use cosell_compile::mapping::merge::Merging;
use cosell_model::Value;
use jiff::Timestamp;
use maud::{Markup, html};

use super::hidden::Hidden;
use super::sides::{Sides, column};
use super::solutions::Solutions;
use super::worded::worded;
use crate::facts::Facts;
use crate::page::{badge, foreign, heads};

/// Partner Center's side, and the CRM's, in the mappings of deals.
pub(super) const REFERRAL: usize = 0;
pub(super) const CRM: usize = 1;

/// A deal, compared.
pub(super) struct Compared<'m> {
    rows: Vec<Beside<'m>>,
    /// Its solutions, where it is an opportunity and both sides are there.
    solutions: Option<Solutions>,
    /// What keeps either side from being changed.
    pub(super) held: [Option<&'static str>; 2],
    /// Whether both sides are there.
    pub(super) is_pair: bool,
}

/// How many values go where.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// To either side.
    pub(super) going: [usize; 2],
    /// Among them those that both sides have changed.
    pub(super) conflicts: usize,
    /// Those that cannot be taken over.
    pub(super) stuck: usize,
}

/// The mapping that the flows compare a deal by.
pub(super) fn mapping<'f>(facts: &'f Facts, sides: &Sides) -> Option<&'f Arc<Mapping>> {
    let (name, crm) = if sides.is_lead { ("referral-lead", "lead") } else { ("referral-opportunity", "opportunity") };
    let mapping = facts.compilation.mappings.get(name)?;
    (mapping.sides == ["referral".to_owned(), crm.to_owned()]).then_some(mapping)
}

impl<'m> Compared<'m> {
    /// Compares both sides as the flows would now; `is_on` are the flows that bring it over.
    pub(super) fn new(mapping: &'m Mapping, sides: &Sides, facts: &Facts, is_on: [bool; 2]) -> Self {
        let records = [sides.referral.record(), sides.crm.record()];
        let is_pair = records.iter().all(Option::is_some);
        let records = records.map(|record| record.unwrap_or(&Value::Null));
        let rows = if sides.is_lead {
            mapping.compared_beside(REFERRAL, records)
        } else {
            let changed = [changed(records[REFERRAL], "updatedDateTime"), changed(records[CRM], "modifiedon")];
            // Who has news is not known, so it is whoever was changed last.
            let from = if changed[CRM] > changed[REFERRAL] { CRM } else { REFERRAL };
            let agreed = sides.kept.as_ref().map_or(&Value::Null, |kept| &kept.value["agreed"]);
            mapping.merged_beside(&Merging { from, records, agreed, changed })
        };
        let held = held(sides, records, facts, is_on);
        let solutions = (is_pair && !sides.is_lead).then(|| Solutions::new(sides));
        Self { rows, solutions, held, is_pair }
    }

    /// The rows that go to this side.
    pub(super) fn going(&self, to: usize) -> impl Iterator<Item = &Beside<'m>> {
        self.rows.iter().filter(move |row| {
            self.held[to].is_none() && matches!(row.verdict, Verdict::Follows { side, .. } if side == to)
        })
    }

    /// Whether solutions come to this side or go from it.
    pub(super) fn moves_solutions(&self, to: usize) -> bool {
        self.held[to].is_none() && self.solutions.as_ref().is_some_and(|solutions| solutions.moves(to))
    }

    pub(super) fn tally(&self) -> Tally {
        let going = [REFERRAL, CRM].map(|to| self.going(to).count() + usize::from(self.moves_solutions(to)));
        let rows = [REFERRAL, CRM].into_iter().flat_map(|to| self.going(to));
        let conflicts = rows.filter(|row| matches!(row.verdict, Verdict::Follows { conflict: true, .. })).count();
        let stuck = self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Stuck(_))).count();
        Tally { going, conflicts, stuck }
    }
}

/// What keeps either side from being changed, whatever differs.
fn held(sides: &Sides, records: [&Value; 2], facts: &Facts, is_on: [bool; 2]) -> [Option<&'static str>; 2] {
    let is_synced = sides.is_lead || records[CRM][column(facts, "sync_column")] == true;
    let referral = if records[REFERRAL]["status"] == "Closed" {
        Some("Partner Center has closed the deal, so nothing of it is changed there any more.")
    } else if !is_synced {
        Some("\u{201c}Sync with Partner Center\u{201d} is not set to Yes, so nothing goes there.")
    } else if !is_on[CRM] {
        Some("The flow that would take it to Partner Center is off.")
    } else {
        None
    };
    let crm = if records[CRM]["statecode"].as_i64().unwrap_or(0) != 0 {
        Some("The CRM has closed the deal, so nothing of it is changed there any more.")
    } else if !is_on[REFERRAL] {
        Some("The flow that would take it to the CRM is off.")
    } else {
        None
    };
    [referral, crm]
}

fn changed(record: &Value, member: &str) -> Option<Timestamp> {
    record[member].as_str()?.parse().ok()
}

/// The table.
pub(super) fn table(compared: &Compared<'_>, sides: &Sides, hidden: &Hidden) -> Markup {
    let crm = if sides.is_lead { "lead" } else { "opportunity" };
    html! {
        div.table tabindex="0" role="region" aria-label="Both sides" {
            table.sides aria-label="Both sides" {
                (heads(
                    ["Field", "Partner Center", &format!("CRM ({crm})")]
                        .into_iter()
                        .chain((!sides.is_lead).then_some("Last agreed"))
                        .chain(["What follows"])
                ))
                tbody {
                    @for row in &compared.rows { (shown(row, compared, sides, hidden)) }
                    @if let Some(solutions) = &compared.solutions { (solutions.row(compared, hidden)) }
                }
            }
        }
    }
}

fn shown(beside: &Beside<'_>, compared: &Compared<'_>, sides: &Sides, hidden: &Hidden) -> Markup {
    let class = match &beside.verdict {
        _ if !compared.is_pair => None,
        Verdict::Follows { side, .. } if compared.held[*side].is_some() => None,
        Verdict::Follows { conflict: true, .. } => Some("conflict"),
        Verdict::Follows { .. } => Some("differs"),
        Verdict::Stuck(_) => Some("conflict"),
        _ => None,
    };
    let is_there = [&sides.referral, &sides.crm].map(|side| side.record().is_some());
    html! {
        tr class=[class] {
            (values(beside, is_there, [hidden.referral.is_some(), hidden.crm.is_some()]))
            @if !sides.is_lead { td { (agreed(beside, hidden)) } }
            td { @if compared.is_pair { (follows(beside, compared, hidden)) } @else { span.nothing { "–" } } }
        }
    }
}

/// The title of a row, and its value on either side; of a side that is not there none, and none that is hidden.
pub(super) fn values(beside: &Beside<'_>, is_there: [bool; 2], is_hidden: [bool; 2]) -> Markup {
    html! {
        th scope="row" {
            (foreign(&beside.row.title))
            @if let Some(to) = beside.row.only_to {
                div.hint { @if to == CRM { "→ only to the CRM" } @else { "← only to Partner Center" } }
            }
        }
        @for side in [REFERRAL, CRM] {
            td {
                @if !is_there[side] { span.nothing { "–" } }
                @else if is_hidden[side] { span.nothing { "hidden" } }
                @else { (worded(beside.row, side, &beside.now[side])) }
            }
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
        Verdict::Follows { side, .. } if let Some(why) = compared.held[*side] => html! {
            (badge("calm", "·", "stays"))
            div.hint { "They differ. " (why) }
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

//! The customer's account, its contacts and the sellers, side by side under the mappings that carry them.

use cosell_compile::mapping::Mapping;
use cosell_compile::mapping::beside::Verdict;
use cosell_model::Value;
use maud::{Markup, html};

use super::hidden::Hidden;
use super::people::{Kind, Pair};
use super::sides::{Side, Sides};
use super::table::{CRM, REFERRAL, values};
use crate::facts::Facts;
use crate::page::{badge, foreign, heads};

impl Kind {
    /// What the two sides call them, and what is said where neither has any.
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::Account => ["Customer", "account", "Neither side names a customer."],
            Self::Contact => ["Contacts at the customer", "contact", "Neither side names a contact."],
            Self::User => ["Sellers", "user", "Neither side names a seller."],
        }
    }
}

/// Who stands around a deal; nothing where it is a lead, which holds its customer itself, or not in the CRM.
pub(super) fn around(sides: &Sides, hidden: &Hidden, facts: &Facts) -> Markup {
    if sides.is_lead || sides.crm == Side::Nowhere {
        return html! {};
    }
    html! {
        section aria-labelledby="around" {
            h2 id="around" { "Customer and people" }
            p.hint {
                "The flows carry these once, when they make a record on the other side. What changes later stays as it is, on either side."
            }
            @if let Some(step) = hidden.around().filter(|step| hidden.any() != Some(step)) {
                p.notice { "Some values are not shown, since the step " code { (step) } " keeps them out of records." }
            }
            @for kind in Kind::ALL { (of(kind, sides, hidden, facts)) }
            @if sides.people.left_out > 0 { p.hint { "The referral names " (sides.people.left_out) " more, who are not looked for." } }
        }
    }
}

fn of(kind: Kind, sides: &Sides, hidden: &Hidden, facts: &Facts) -> Markup {
    let [title, _, nobody] = kind.words();
    let pairs = sides.people.of(kind);
    html! {
        h3 { (title) }
        @match kind.mapping(facts) {
            None => p.nothing { "No mapping between what both sides have of these is known here." },
            Some(_) if pairs.is_empty() => p.nothing { (nobody) },
            Some(mapping) => (table(kind, pairs, mapping, [hidden.referral.is_some(), hidden.of_kind(kind).is_some()])),
        }
    }
}

fn table(kind: Kind, pairs: &[Pair], mapping: &Mapping, is_hidden: [bool; 2]) -> Markup {
    let [title, record, _] = kind.words();
    html! {
        div.table tabindex="0" role="region" aria-label={ (title) " on both sides" } {
            table.sides.around aria-label={ (title) " on both sides" } {
                (heads(["Field", "Partner Center", &format!("CRM ({record})"), "Do they agree?"]))
                @for pair in pairs { (shown(kind, pair, mapping, is_hidden)) }
            }
        }
    }
}

/// A pair, below a line that says on which sides it is.
fn shown(kind: Kind, pair: &Pair, mapping: &Mapping, is_hidden: [bool; 2]) -> Markup {
    let is_there = [&pair[REFERRAL], &pair[CRM]].map(|side| side.record().is_some());
    let records = [&pair[REFERRAL], &pair[CRM]].map(|side| side.record().unwrap_or(&Value::Null));
    // What either side takes over without a change reads the same.
    let [rows, back] = [REFERRAL, CRM].map(|from| mapping.compared_beside(from, records));
    let id = records[CRM][format!("{}id", kind.table())].as_str();
    let is_pair = is_there == [true, true];
    html! {
        tbody {
            tr.whose {
                th colspan="4" scope="rowgroup" {
                    (whose(pair, is_hidden != [false, false])) @if let Some(id) = id { " " span.hint.mono { (kind.words()[1]) " " (foreign(id)) } }
                }
            }
            @for (row, back) in rows.iter().zip(&back).filter(|_| is_there != [false, false]) {
                @let agree = [row, back].iter().any(|row| row.verdict == Verdict::Equal);
                tr {
                    (values(row, is_there, is_hidden))
                    td { @if !is_pair { span.nothing { "–" } } @else if agree { (badge("good", "=", "agree")) } @else { (badge("calm", "≠", "differ")) } }
                }
            }
        }
    }
}

fn whose(pair: &Pair, is_hidden: bool) -> Markup {
    let unknown = |words: &str, why: &str| {
        html! { (badge("warn", "?", words)) " " span.hint { @if is_hidden { "Why is hidden." } @else { (foreign(why)) } } }
    };
    match pair {
        [Side::Here(_), Side::Here(_)] => badge("good", "⇄", "on both sides"),
        [Side::Here(_), Side::Nowhere] => badge("calm", "←", "only in Partner Center"),
        [Side::Unknown(why), _] => unknown("Partner Center’s is not known now", why),
        [_, Side::Unknown(why)] => unknown("the CRM’s is not known now", why),
        [Side::Nowhere, _] => badge("calm", "→", "only in the CRM"),
    }
}

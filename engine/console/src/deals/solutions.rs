//! The solutions of a deal on both sides: what one side took away since both last agreed goes, what it added comes.

use cosell_model::Value;
use maud::{Markup, html};

use super::hidden::Hidden;
use super::sides::Sides;
use super::table::{CRM, Compared, REFERRAL};
use crate::page::{badge, brief};

/// The solutions of both sides, and what they last agreed on.
pub(super) struct Solutions {
    /// In the order of the sides.
    there: [Vec<Value>; 2],
    /// Ids; none where nothing is remembered.
    agreed: Option<Vec<Value>>,
}

impl Solutions {
    pub(super) fn new(sides: &Sides) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let referral = sides.referral.record().map(|record| list(&record["details"]["requirements"]["solutions"]));
        let agreed = sides.kept.as_ref().map(|kept| list(&kept.value["solutions"]));
        Self { there: [referral.unwrap_or_default(), sides.solutions.clone()], agreed }
    }

    /// How many only this side has that both had when they last agreed, or, where it is not `agreed`, that they had not.
    fn only(&self, side: usize, agreed: bool) -> usize {
        let has = |side: usize, id: &Value| self.there[side].iter().any(|solution| solution["id"] == *id);
        let was = |id: &Value| self.agreed.iter().flatten().any(|known| known == id);
        let ids = self.there[side].iter().map(|solution| &solution["id"]);
        ids.filter(|id| !has(1 - side, id) && was(id) == agreed).count()
    }

    /// How many come to this side, and how many go from it.
    fn changes(&self, side: usize) -> [usize; 2] {
        [self.only(1 - side, false), self.only(side, true)]
    }

    /// Whether any come to this side or go from it.
    pub(super) fn moves(&self, side: usize) -> bool {
        self.changes(side) != [0, 0]
    }

    /// Their row in the table of both sides.
    pub(super) fn row(&self, compared: &Compared<'_>, hidden: &Hidden) -> Markup {
        let is_moved = [REFERRAL, CRM].into_iter().any(|side| compared.moves_solutions(side));
        let nothing = |words: &str| html! { span.nothing { (words) } };
        let names = |side: usize, hider: Option<&str>| {
            html! {
                @if hider.is_some() { (nothing("hidden")) }
                @else if self.there[side].is_empty() { (nothing("nothing")) }
                @else {
                    @for solution in &self.there[side] {
                        div { (brief(&solution["name"])) " " span.hint { (brief(&solution["id"])) } }
                    }
                }
            }
        };
        html! {
            tr class=[is_moved.then_some("differs")] {
                th scope="row" { "Solutions" }
                td { (names(REFERRAL, hidden.referral.as_deref())) }
                td { (names(CRM, hidden.crm.as_deref())) }
                td {
                    @match (self.agreed.as_deref(), &hidden.kept) {
                        (Some(_), Some(_)) => (nothing("hidden")),
                        (None | Some([]), _) => (nothing("–")),
                        (Some(ids), None) => @for id in ids { div { (brief(id)) } },
                    }
                }
                td { (self.follows(compared)) }
            }
        }
    }

    fn follows(&self, compared: &Compared<'_>) -> Markup {
        let sides = [(CRM, "the CRM"), (REFERRAL, "Partner Center")];
        if sides.iter().all(|(side, _)| !self.moves(*side)) {
            return badge("good", "=", "agree");
        }
        html! {
            @for (side, name) in sides.into_iter().filter(|(side, _)| self.moves(*side)) {
                @let [come, go] = self.changes(side);
                @if let Some(why) = compared.held[side] {
                    (badge("calm", "·", "stays"))
                    div.hint { "They differ. " (why) }
                } @else {
                    (badge("warn", if side == CRM { "→" } else { "←" }, format!("goes to {name}")))
                    @if come > 0 { div.hint { (come) " to come" } }
                    @if go > 0 { div.hint { (go) " to go; the last one of a deal stays" } }
                }
            }
        }
    }
}

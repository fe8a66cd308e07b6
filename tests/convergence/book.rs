//! What people did, as far as the verdict needs to know it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::Kind;

/// One of the two systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Crm,
    Center,
}

/// All deals of a case.
#[derive(Debug, Default)]
pub struct Book {
    pub deals: Vec<Deal>,
    /// How many edits were done, beside the making of the deals.
    pub edits: usize,
    /// How many writes people made through the Web API, which the sandbox's log cannot tell from the program's.
    pub by_web_api: usize,
}

/// What a field should hold in the end, unless the other side wrote it as well.
#[derive(Debug)]
struct Wish {
    value: Value,
    /// It was written in the CRM, in Partner Center, since everybody knew of everything.
    by: [bool; 2],
}

/// One deal.
#[derive(Debug)]
pub struct Deal {
    pub kind: Kind,
    /// Where it was made in Partner Center.
    pub referral: Option<String>,
    /// Where it was made in the CRM.
    pub opportunity: Option<String>,
    /// People closed it in the CRM, in Partner Center.
    pub closed: [bool; 2],
    /// People changed something in the CRM, in Partner Center, that the other side may not have heard of.
    untold: [bool; 2],
    /// Changes may get lost, so that rest does not mean that everybody heard of everything.
    unsure: bool,
    /// What people last wrote, by field, in Partner Center's form.
    wishes: BTreeMap<&'static str, Wish>,
    /// What both sides have when it is closed may differ: something was done on one side that it was too late for.
    pub too_late: bool,
}

impl Deal {
    pub fn of_referral(kind: Kind, id: String) -> Self {
        Self { referral: Some(id), ..Self::of(kind) }
    }

    pub fn of_opportunity(kind: Kind, id: String) -> Self {
        Self { opportunity: Some(id), ..Self::of(kind) }
    }

    fn of(kind: Kind) -> Self {
        // Its making, too, is something that the other side must hear of.
        let untold =
            [matches!(kind, Kind::Private | Kind::CoSell), matches!(kind, Kind::Shared | Kind::Lead | Kind::Portal)];
        Self {
            kind,
            referral: None,
            opportunity: None,
            closed: [false; 2],
            untold,
            unsure: false,
            wishes: BTreeMap::new(),
            too_late: false,
        }
    }

    /// Something was done on a side; `closes` says whether it was the end of the deal.
    pub fn edited(&mut self, side: Side, closes: bool) {
        let other = 1 - side as usize;
        self.too_late |= self.closed.contains(&true) || (closes && self.untold[other]);
        self.untold[side as usize] = true;
        self.closed[side as usize] |= closes;
    }

    /// A field was written on a side; none where nothing follows of it for the other.
    pub fn wished(&mut self, side: Side, field: &'static str, value: Option<Value>) {
        let mut by = self.wishes.remove(field).map_or([false; 2], |wish| wish.by);
        by[side as usize] = true;
        // Null stands for what nobody can foresee.
        let value = value.filter(|_| by != [true; 2]).unwrap_or_default();
        self.wishes.insert(field, Wish { value, by });
    }

    /// What must have come of the edits, by field.
    pub fn expected(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.wishes.iter().map(|(field, wish)| (*field, &wish.value)).filter(|(_, value)| !value.is_null())
    }

    /// Nobody was told of what happens now.
    pub fn lost(&mut self) {
        self.unsure = true;
    }

    /// Everything came to rest.
    pub fn rested(&mut self) {
        if !self.unsure {
            self.untold = [false; 2];
            self.wishes.values_mut().for_each(|wish| wish.by = [false; 2]);
        }
    }
}

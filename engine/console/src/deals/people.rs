//! Who stands around a deal on both sides: the customer's account, its contacts, and the sellers.
//!
//! Which record belongs to whom is not decided here. The opportunity names its account, its contact and its owner; which
//! contact a person of the referral is, the flow `customize` says, asked in a dry run. Only for the sellers, among whom the
//! flows look nobody up, it is the one of whom the mapping says most.

use std::sync::Arc;

use cosell_compile::mapping::Mapping;
use cosell_compile::mapping::beside::Verdict;
use cosell_model::Value;
use futures::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::kept::{LIMIT, Readings, silent};
use super::sides::{Side, by_id};
use super::table::{CRM, REFERRAL};
use crate::facts::Facts;

/// As many people of a list as are looked for at once.
const MOST: usize = 10;

/// Who stands around a deal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct People {
    pub(super) accounts: Vec<Pair>,
    pub(super) contacts: Vec<Pair>,
    pub(super) users: Vec<Pair>,
    /// How many more the referral has, contacts and sellers.
    pub(super) left_out: usize,
}

/// The same account or person on both sides, Partner Center's first.
pub(super) type Pair = [Side; 2];

/// Of what kind they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Account,
    Contact,
    User,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Account, Self::Contact, Self::User];

    /// The CRM's table.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Contact => "contact",
            Self::User => "systemuser",
        }
    }

    /// The mapping that the flows carry them by.
    pub(super) fn mapping(self, facts: &Facts) -> Option<&Arc<Mapping>> {
        let (name, between) = match self {
            Self::Account => ("customer-account", ["customer", "account"]),
            Self::Contact => ("person-contact", ["person", "contact"]),
            Self::User => ("member-user", ["member", "user"]),
        };
        facts.compilation.mappings.get(name).filter(|mapping| mapping.sides == between)
    }
}

impl People {
    pub(super) fn of(&self, kind: Kind) -> &[Pair] {
        match kind {
            Kind::Account => &self.accounts,
            Kind::Contact => &self.contacts,
            Kind::User => &self.users,
        }
    }

    /// Reads those of a referral and its opportunity, all at once. Who cannot be read keeps nobody else from being shown.
    pub(super) async fn read(readings: &Readings, facts: &Facts, sides: [&Side; 2]) -> Self {
        let [referral, opportunity] = sides;
        let account = named(opportunity, &["parentaccountid", "customerid"], Kind::Account);
        let contact = named(opportunity, &["parentcontactid"], Kind::Contact);
        let owner = named(opportunity, &["ownerid"], Kind::User);
        let (persons, more_persons) = first(listed(referral, "/customerProfile/team"));
        let (members, more_members) = first(listed(referral, "/team"));
        let look_up = |person: Value| contact_of(readings, referral.record().unwrap_or(&Value::Null), person, &account);
        let (account_row, contact_row, owner, found) = tokio::join!(
            read(readings, Kind::Account, &account),
            read(readings, Kind::Contact, &contact),
            read(readings, Kind::User, &owner),
            join_all(persons.into_iter().map(look_up)),
        );
        let customer = part(referral, "/customerProfile");
        let is_any = [&customer, &account_row].into_iter().any(|side| *side != Side::Nowhere);
        let users = users(referral, members, owner, Kind::User.mapping(facts).map(|mapping| &**mapping));
        Self {
            accounts: if is_any { vec![[customer, account_row]] } else { Vec::new() },
            contacts: told(referral, contacts(referral, found, &contact, contact_row)),
            users: told(referral, users),
            left_out: more_persons + more_members,
        }
    }
}

/// Whom a record names.
enum Named {
    This(String),
    Nobody,
    /// The record is not known; why.
    Unknown(String),
}

/// Whom the opportunity names in the first of these columns that names one of this kind.
fn named(opportunity: &Side, columns: &[&str], kind: Kind) -> Named {
    let row = match opportunity {
        Side::Here(row) => row,
        Side::Nowhere => return Named::Nobody,
        Side::Unknown(why) => return Named::Unknown(why.clone()),
    };
    let fits = |lookup: &&Value| lookup["table"].as_str().is_none_or(|table| table == kind.table());
    let ids = columns.iter().map(|column| &row[*column]).filter(fits).filter_map(|lookup| lookup["id"].as_str());
    ids.map(str::to_owned).next().map_or(Named::Nobody, Named::This)
}

/// A part of a record that is an object.
fn part(side: &Side, pointer: &str) -> Side {
    match side {
        Side::Here(record) => match record.pointer(pointer) {
            Some(part @ Value::Object(_)) => Side::Here(part.clone()),
            _ => Side::Nowhere,
        },
        side => side.clone(),
    }
}

fn listed(side: &Side, pointer: &str) -> Vec<Value> {
    let list = side.record().and_then(|record| record.pointer(pointer)).and_then(Value::as_array);
    list.into_iter().flatten().filter(|member| member.is_object()).cloned().collect()
}

/// As many as are looked for, and how many are left.
fn first(mut all: Vec<Value>) -> (Vec<Value>, usize) {
    let left_out = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    (all, left_out)
}

async fn read(readings: &Readings, kind: Kind, who: &Named) -> Side {
    match who {
        Named::This(id) => by_id(readings, kind.table(), id).await,
        Named::Nobody => Side::Nowhere,
        Named::Unknown(why) => Side::Unknown(why.clone()),
    }
}

/// A person of the referral, and the contact that the flows find for them at the account; none where they would make one.
async fn contact_of(readings: &Readings, referral: &Value, person: Value, account: &Named) -> Pair {
    let account = match account {
        Named::This(id) => id,
        Named::Nobody => return [Side::Here(person), Side::Nowhere],
        Named::Unknown(why) => return [Side::Here(person), Side::Unknown(why.clone())],
    };
    let mut asked = referral.clone();
    asked["customerProfile"]["team"] = json!([person]);
    // What is foreseen for one person must not be found for another, or when the contact is read: one who would only be made
    // is nowhere.
    let alone = readings.beside();
    let look_up = async {
        let inputs = json!({ "do": "contact", "referral": asked, "account_id": account });
        match alone.ask("customize", inputs).await {
            Err(error) => Side::Unknown(error.message),
            Ok(found) => match found["id"].as_str() {
                Some(id) => by_id(readings, Kind::Contact.table(), id).await,
                None => Side::Nowhere,
            },
        }
    };
    let contact = timeout(LIMIT, look_up).await;
    [Side::Here(person), contact.unwrap_or_else(|_| Side::Unknown(silent("customize").message))]
}

/// The people of the referral with their contacts, and the opportunity's contact where that is none of these.
fn contacts(referral: &Side, mut found: Vec<Pair>, named: &Named, contact: Side) -> Vec<Pair> {
    let is = |row: &Value| matches!(named, Named::This(id) if row["contactid"] == **id);
    if contact == Side::Nowhere || found.iter().any(|[_, known]| known.record().is_some_and(is)) {
        return found;
    }
    // It may be one of those who could not be looked up.
    let unsure = found.iter().find(|[_, known]| matches!(known, Side::Unknown(_))).map(|[_, known]| known.clone());
    if !matches!((&unsure, &contact), (Some(_), Side::Unknown(_))) {
        found.push([unsure.unwrap_or_else(|| absent(referral)), contact]);
    }
    found
}

/// The sellers of the referral; beside the one of whom the mapping says most, the opportunity's owner.
fn users(referral: &Side, members: Vec<Value>, owner: Side, mapping: Option<&Mapping>) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = match &owner {
        Side::Unknown(_) => members.into_iter().map(|member| [Side::Here(member), owner.clone()]).collect(),
        _ => members.into_iter().map(|member| [Side::Here(member), Side::Nowhere]).collect(),
    };
    match owner {
        Side::Here(row) => {
            let best = mapping.and_then(|mapping| alike(mapping, &pairs, &row));
            match best {
                Some(at) => pairs[at][CRM] = Side::Here(row),
                None => pairs.push([absent(referral), Side::Here(row)]),
            }
        }
        Side::Unknown(why) if pairs.is_empty() => pairs.push([absent(referral), Side::Unknown(why)]),
        _ => {}
    }
    pairs
}

/// The same; where Partner Center does not say whom it has, that is told, instead of that there is nobody.
fn told(referral: &Side, mut pairs: Vec<Pair>) -> Vec<Pair> {
    if pairs.is_empty() && matches!(referral, Side::Unknown(_)) {
        pairs.push([referral.clone(), Side::Nowhere]);
    }
    pairs
}

/// What Partner Center has where a record of the CRM has no partner.
fn absent(referral: &Side) -> Side {
    match referral {
        Side::Unknown(why) => Side::Unknown(why.clone()),
        _ => Side::Nowhere,
    }
}

/// Where the member stands who has most values in common with a row: at least half of those that both have.
fn alike(mapping: &Mapping, members: &[Pair], row: &Value) -> Option<usize> {
    let common = |member: &Value| {
        let beside = mapping.compared_beside(REFERRAL, [member, row]);
        let both: Vec<_> = beside.iter().filter(|row| row.now.iter().all(|value| !is_empty(value))).collect();
        let same = both.iter().filter(|row| row.verdict == Verdict::Equal).count();
        (same > 0 && same * 2 >= both.len()).then_some(same)
    };
    let found = members.iter().enumerate();
    let found = found.filter_map(|(at, [member, _])| Some((common(member.record()?)?, at)));
    // Of equals the first.
    found.max_by_key(|(same, at)| (*same, std::cmp::Reverse(*at))).map(|(_, at)| at)
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

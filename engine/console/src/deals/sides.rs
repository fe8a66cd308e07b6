//! Both sides of a deal as they are now.

use cosell_model::Value;
use cosell_sdk::CallError;
use jiff::Timestamp;
use serde_json::json;

use super::kept::{Kept, Readings};
use super::people::People;
use crate::facts::Facts;

/// A deal as it is on both sides.
#[derive(Clone, Debug)]
pub(super) struct Sides {
    /// What is kept of it; none where nothing is.
    pub(super) kept: Option<Kept>,
    pub(super) referral: Side,
    pub(super) crm: Side,
    /// Whether the CRM has it as a lead, and not as an opportunity.
    pub(super) is_lead: bool,
    /// The solutions of the opportunity, as Partner Center has them.
    pub(super) solutions: Vec<Value>,
    /// Who stands around it; nobody where it is no opportunity.
    pub(super) people: People,
    /// When they were read.
    pub(super) at: Timestamp,
}

/// What a system has of a deal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Side {
    /// This record.
    Here(Value),
    /// Nothing.
    Nowhere,
    /// It did not say; why.
    Unknown(String),
}

impl Side {
    pub(super) fn record(&self) -> Option<&Value> {
        match self {
            Self::Here(record) => Some(record),
            _ => None,
        }
    }

    fn of(read: Result<Value, CallError>) -> Self {
        match read {
            Ok(Value::Null) => Self::Nowhere,
            Ok(record) => Self::Here(record),
            // As Partner Center says that there is none of this id; and what is no id is nobody's.
            Err(error) if ["itemNotFound", "not_a_guid"].contains(&&*error.code) => Self::Nowhere,
            Err(error) => Self::Unknown(error.message),
        }
    }
}

/// What the flows call the columns.
pub(super) fn column(facts: &Facts, variable: &str) -> String {
    let variable = facts.compilation.variables.get(variable);
    variable.and_then(|variable| variable.current.as_str()).unwrap_or_default().to_owned()
}

impl Sides {
    /// Reads both sides of the deal that is known by `id`, its referral's or, where nothing is kept of it, perhaps its
    /// opportunity's.
    pub(super) async fn read(readings: &Readings, facts: &Facts, id: &str, kept: Option<Kept>) -> Self {
        let known = kept.as_ref().and_then(|kept| kept.opportunity.as_deref());
        let supposed = if kept.is_some() { known } else { Some(id) };
        let (referral, named) = tokio::join!(referral(readings, id), async {
            match supposed {
                Some(opportunity) => by_id(readings, "opportunity", opportunity).await,
                None => Side::Nowhere,
            }
        });
        let (crm, is_lead) = match (named, &referral) {
            (Side::Nowhere, Side::Here(referral)) => linked(readings, facts, referral, kept.as_ref()).await,
            (Side::Nowhere, _) => match kept.as_ref().and_then(|kept| kept.lead.as_deref()) {
                Some(lead) => (by_id(readings, "lead", lead).await, true),
                None => (Side::Nowhere, false),
            },
            (named, _) => (named, false),
        };
        let read = [referral.clone(), crm.clone()];
        let people = async {
            if is_lead { People::default() } else { People::read(readings, facts, [&read[0], &read[1]]).await }
        };
        let (solutions, nobody, at) = (Vec::new(), People::default(), Timestamp::now());
        let mut sides = Self { kept, referral, crm, is_lead, solutions, people: nobody, at };
        let ((), people) = tokio::join!(sides.lay_beside(readings), people);
        sides.people = people;
        sides
    }

    /// What the flows lay beside the values before they compare: names without the mark, the code of the currency, the
    /// help that was asked for.
    async fn lay_beside(&mut self, readings: &Readings) {
        let help = self.kept.as_ref().map(|kept| kept.value["help"].clone()).unwrap_or_default();
        if let Side::Here(referral) = &mut self.referral {
            prepare(referral, help);
        }
        let Some(row) = self.crm.record() else { return };
        if self.is_lead {
            let currency = row["transactioncurrencyid"]["id"].as_str();
            let code = match currency {
                Some(id) => {
                    let input = json!({ "table": "transactioncurrency", "id": id, "select": ["isocurrencycode"] });
                    readings.read("dataverse", "get_row", input).await
                }
                None => Ok(Value::Null),
            };
            match (code, &mut self.crm) {
                (Ok(code), Side::Here(row)) => row["currency_code"] = code["isocurrencycode"].clone(),
                (Err(error), crm) => *crm = Side::Unknown(error.message),
                _ => {}
            }
            return;
        }
        // As the flows get them, so that what somebody has customized counts here as well.
        match readings.ask("customize", json!({ "do": "get_details", "opportunity": row })).await {
            Ok(mut details) => {
                self.crm = Side::Here(details["opportunity"].take());
                if let Value::Array(solutions) = details["solutions"].take() {
                    self.solutions = solutions;
                }
            }
            Err(error) => self.crm = Side::Unknown(error.message),
        }
    }
}

/// As the flows have a referral when they compare it: the mark is no part of the name, and nobody has asked for help yet where
/// the code says Unknown.
fn prepare(referral: &mut Value, help: Value) {
    let is_mark = |letter: char| letter.is_whitespace() || ['✔', '✖'].contains(&letter);
    if let Some(name) = referral["name"].as_str() {
        referral["name"] = Value::from(name.trim_matches(is_mark));
    }
    let code = referral["inviteContext"]["assistanceRequestCode"].take();
    let help = if help.is_null() && code != "Unknown" { code } else { help };
    referral["inviteContext"] = json!({ "assistanceRequestCode": help });
}

async fn referral(readings: &Readings, id: &str) -> Side {
    Side::of(readings.read("partner_center", "get_referral", json!({ "id": id })).await)
}

async fn find(readings: &Readings, table: &str, column: &str, value: &str) -> Side {
    let input = json!({ "table": table, "where": { column: value } });
    Side::of(readings.read("dataverse", "find_row", input).await)
}

pub(super) async fn by_id(readings: &Readings, table: &str, id: &str) -> Side {
    find(readings, table, &format!("{table}id"), id).await
}

/// The opportunity or lead that a referral is linked with, in the order in which the flows look for it; and whether it is a
/// lead.
async fn linked(readings: &Readings, facts: &Facts, referral: &Value, kept: Option<&Kept>) -> (Side, bool) {
    let external = referral["externalReferenceId"].as_str().filter(|id| !id.is_empty());
    let identifier = column(facts, "referral_identifier_column");
    let id = referral["id"].as_str().unwrap_or_default();
    let (named, carrying) = tokio::join!(
        async {
            match external {
                Some(external) => by_id(readings, "opportunity", external).await,
                None => Side::Nowhere,
            }
        },
        find(readings, "opportunity", &identifier, id),
    );
    for found in [named, carrying] {
        if found != Side::Nowhere {
            return (found, false);
        }
    }
    for lead in external.into_iter().chain(kept.and_then(|kept| kept.lead.as_deref())) {
        let found = by_id(readings, "lead", lead).await;
        if found != Side::Nowhere {
            return (found, true);
        }
    }
    (Side::Nowhere, false)
}

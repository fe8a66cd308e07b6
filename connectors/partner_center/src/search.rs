//! Searches for referrals, which in a dry run see what the run would have written before.
//!
//! What Partner Center answers is right but for the referrals that predictions were about. Those are judged here, by the same
//! filter: they are left out, shown as they would be, or stand where the order puts them. Where nobody can say, the answer
//! stays, and a remark says so.

use std::ops::ControlFlow;

use cosell_sdk::filter::{Filter, Held, instant};
use cosell_sdk::{CallContext, CallError};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::connection::{ListQuery, PartnerCenter};
use crate::preview;
use crate::referral::Referral;

/// What Partner Center sets by itself whenever a referral changes.
const SET_BY_ITSELF: [&str; 2] = ["updatedDateTime", "eTag"];
/// What it can put referrals in order by (Referrals API, get a list of referrals).
const ORDERS: [&str; 2] = ["createdDateTime", "updatedDateTime"];

/// A referral that predictions were about.
struct Foretold {
    name: String,
    referral: Value,
    is_found: Result<bool, String>,
    began: u64,
    written: u64,
}

/// When something was; what is only foreseen comes after all that was.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Moment {
    Unknown,
    At(Timestamp),
    Later(u64),
}

/// What was found.
pub(crate) struct Found {
    pub(crate) referrals: Vec<Referral>,
    /// How many pass the filter; none where that was not asked for.
    pub(crate) count: Option<u64>,
}

impl PartnerCenter {
    /// Looks for referrals, on so many pages at most.
    pub(crate) async fn search(
        &self,
        query: &ListQuery,
        max_pages: usize,
        context: &CallContext,
    ) -> Result<Found, CallError> {
        let foretold = foretold(query.filter.as_deref(), context);
        if foretold.is_empty() {
            return self.read(query, max_pages, context).await;
        }
        let (ours, skip) = (u32::try_from(foretold.len()).unwrap_or(u32::MAX), query.skip.unwrap_or(0));
        let order = query.order_by.as_deref().and_then(order);
        let select = query.select.as_ref().map(|select| {
            let is_missing = |name: &&str| !select.split(',').any(|own| own.trim() == *name);
            let more = ["id"].into_iter().chain(order.map(|(name, _)| name)).filter(is_missing);
            std::iter::once(select.as_str()).chain(more).collect::<Vec<_>>().join(",")
        });
        // Ours may stand in the place of others, or be left out.
        let top = query.top.map(|top| top.saturating_add(skip).saturating_add(ours));
        let asked = ListQuery { select, top, skip: None, ..query.clone() };
        let found = self.read(&asked, max_pages, context).await?;
        let is_all = top.is_none_or(|top| found.referrals.len() < top as usize);
        let (mut referrals, difference) = merged(found.referrals, &foretold, order);
        referrals.drain(..(skip as usize).min(referrals.len()));
        referrals.truncate(query.top.map_or(usize::MAX, |top| top as usize));
        if let Some(select) = &query.select {
            for referral in &mut referrals {
                if let Value::Object(members) = referral {
                    members.retain(|name, _| select.split(',').any(|own| own.trim() == name));
                }
            }
        }
        if found.count.is_some() && difference != 0 && !is_all {
            left_aside(&foretold, |_| Some("referrals are counted as they are, where not all are read"), context);
        }
        let count = found.count.map(|count| if is_all { count.saturating_add_signed(difference) } else { count });
        let referrals = referrals.into_iter().map(preview::read).collect::<Result<_, _>>()?;
        Ok(Found { referrals, count })
    }

    async fn read(&self, query: &ListQuery, max_pages: usize, context: &CallContext) -> Result<Found, CallError> {
        let enough = query.top.map_or(usize::MAX, |top| top as usize);
        let mut referrals = Vec::new();
        let count = self
            .pages(query, context, |number, page| {
                if number > max_pages {
                    return Err(CallError::rejected(
                        "too_many_pages",
                        format!(
                            "there are more referrals than fit in {max_pages} pages; narrow `filter`, give `top`, or \
                             raise `max_pages`"
                        ),
                    ));
                }
                referrals.extend(page);
                Ok(if referrals.len() >= enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })
            .await?;
        referrals.truncate(enough);
        Ok(Found { referrals, count })
    }
}

/// The referrals that predictions were about, judged by a filter; remarks where that cannot be done.
fn foretold(filter: Option<&str>, context: &CallContext) -> Vec<Foretold> {
    let filter = filter.map(Filter::read).transpose();
    let records = context.foreseen_among("referrals/").into_iter().enumerate();
    let foretold = records.filter_map(|(began, record)| {
        let referral = record.value?;
        let is_found = match &filter {
            Ok(None) => Ok(true),
            Ok(Some(filter)) => filter.holds(&|member| held(&referral, member)),
            Err(why) => Err(format!("the filter cannot be read, as {why}")),
        };
        Some(Foretold { name: record.name, referral, is_found, began: began as u64, written: record.written })
    });
    let foretold: Vec<Foretold> = foretold.collect();
    left_aside(&foretold, |of| of.is_found.as_ref().err().map(String::as_str), context);
    foretold
}

fn left_aside<'f>(foretold: &'f [Foretold], why: impl Fn(&'f Foretold) -> Option<&'f str>, context: &CallContext) {
    for of in foretold {
        if let Some(why) = why(of) {
            context.remark(format!("What is foreseen of {} is left aside: {why}.", of.name));
        }
    }
}

/// Whether it is not there yet: what is there has a version.
fn is_new(referral: &Value) -> bool {
    referral["eTag"].is_null()
}

/// What a foreseen referral would hold in a member of a filter.
fn held(referral: &Value, member: &str) -> Result<Held, String> {
    let value = referral.pointer(&format!("/{member}")).ok_or_else(|| format!("`{member}` is not a known member"))?;
    if SET_BY_ITSELF.contains(&member) || is_new(referral) && value.is_null() {
        return Err(format!("Partner Center fills in `{member}` by itself"));
    }
    Ok(match value {
        Value::Null => Held::Null,
        Value::Bool(yes) => Held::Bool(*yes),
        Value::Number(number) => Held::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => instant(text).map_or_else(|| Held::Text(text.clone()), Held::Time),
        Value::Array(_) | Value::Object(_) => return Err(format!("`{member}` is more than one value")),
    })
}

/// What the order goes by, and whether it falls.
fn order(text: &str) -> Option<(&'static str, bool)> {
    let mut words = text.split_whitespace();
    let name = words.next()?;
    Some((ORDERS.into_iter().find(|known| *known == name)?, words.next() == Some("desc")))
}

/// An answer with what is foreseen laid over it, and how many more there are now.
fn merged(found: Vec<Referral>, foretold: &[Foretold], order: Option<(&'static str, bool)>) -> (Vec<Value>, i64) {
    let moment = |referral: &Value, foretold: Option<&Foretold>| {
        let (name, _) = order?;
        let later = match (foretold, name) {
            (Some(of), "createdDateTime") => is_new(&of.referral).then_some(of.began),
            (of, _) => of.map(|of| of.written),
        };
        let at = || referral[name].as_str().and_then(instant).map_or(Moment::Unknown, Moment::At);
        Some(later.map_or_else(at, Moment::Later))
    };
    let mut rows: Vec<(Value, Option<Moment>)> = Vec::new();
    let (mut placed, mut difference) = (vec![false; foretold.len()], 0);
    for referral in found {
        let name = format!("referrals/{}", referral.id.as_deref().unwrap_or_default());
        match foretold.iter().position(|of| of.name.eq_ignore_ascii_case(&name)) {
            None => {
                let referral = json!(referral);
                let moment = moment(&referral, None);
                rows.push((referral, moment));
            }
            Some(place) => match (&foretold[place].is_found, order) {
                (Ok(true), Some(_)) => difference -= 1,
                (Ok(false), _) => difference -= 1,
                (Ok(true) | Err(_), _) => {
                    placed[place] = true;
                    rows.push((foretold[place].referral.clone(), moment(&foretold[place].referral, None)));
                }
            },
        }
    }
    for (of, _) in foretold.iter().zip(placed).filter(|(of, placed)| of.is_found == Ok(true) && !placed) {
        difference += 1;
        let own = moment(&of.referral, Some(of));
        let falls = order.is_some_and(|(_, falls)| falls);
        let behind = |(_, other): &(Value, Option<Moment>)| if falls { *other < own } else { *other > own };
        let place = rows.iter().position(behind).unwrap_or(rows.len());
        rows.insert(place, (of.referral.clone(), own));
    }
    (rows.into_iter().map(|(referral, _)| referral).collect(), difference)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cosell_sdk::stub::{Reply, Stub};
    use cosell_sdk::{Connection, Foreseen};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{BASE, ENGAGEMENT, ID, connect, stored};

    const OTHER: &str = "99999999-2222-4333-8444-555555555555";

    struct Dry {
        _stub: Stub,
        connection: Connection,
        foreseen: Foreseen,
    }

    impl Dry {
        /// With one deal of ours that would be new, and one that is there and would be renamed.
        async fn begin() -> Self {
            let stub = Stub::start().await;
            let mut other = stored();
            (other["id"], other["createdDateTime"]) = (json!(OTHER), json!("2026-11-02T08:00:00Z"));
            let both = json!({ "value": [stored(), other], "@odata.count": 2 });
            stub.on("GET", &format!("{BASE}/referrals"), [Reply::json(200, both)]);
            stub.on("GET", &format!("{BASE}/referrals/{ID}"), [Reply::json(200, stored())]);
            let dry = Self { connection: connect(&stub), _stub: stub, foreseen: Foreseen::default() };
            let deal = json!({
                "name": "New", "type": "Independent", "qualification": "SalesQualified",
                "customerProfile": { "name": "Contoso", "address": { "country": "US" } }, "consent": {}, "details": { "dealValue": 5 },
            });
            dry.predict("create_referral", json!({ "referral": deal }), 1).await;
            dry.predict("update_referral", json!({ "id": ID, "changes": { "externalReferenceId": "CRM-1" } }), 2).await;
            dry
        }

        async fn predict(&self, operation: &str, input: Value, key: u128) -> Value {
            let context = CallContext::new(Uuid::from_u128(key), false).foreseeing(self.foreseen.clone());
            self.connection.predict(operation, input, context).await.unwrap().record
        }

        /// The referrals found, as `new`, `changed` or `other`; the count; and what is remarked.
        async fn list(&self, input: Value) -> (String, Value, Vec<String>) {
            let context = CallContext::new(Uuid::nil(), false).foreseeing(self.foreseen.clone());
            let is_counted = input["count"] == true;
            let mut found = self.connection.call("list_referrals", input, context.clone()).await.unwrap();
            let count = if is_counted { found["count"].take() } else { Value::Null };
            let names = found["referrals"].as_array().unwrap().iter().map(|referral| {
                let is_changed = referral["externalReferenceId"] == "CRM-1";
                match (referral["id"].as_str(), is_changed) {
                    (Some(ID), true) => "changed",
                    (Some(OTHER), false) => "other",
                    (Some(_), _) => "new",
                    (None, _) => "-",
                }
            });
            (names.collect::<Vec<_>>().join(" "), count, context.remarks())
        }
    }

    #[tokio::test]
    async fn a_list_has_what_the_run_would_have_written() {
        let dry = Dry::begin().await;
        for (input, expected, count) in [
            (json!({ "count": true }), "changed other new", json!(3)),
            (json!({ "filter": "externalReferenceId eq 'OPP-20417'", "count": true }), "other", json!(1)),
            (json!({ "filter": "customerProfile/address/country eq 'US'", "count": true }), "other new", json!(2)),
            (json!({ "filter": "status eq 'Closed' or details/dealValue gt 6" }), "changed other", json!(null)),
            (json!({ "order_by": "createdDateTime" , "top": 1 }), "other", json!(null)),
            (json!({ "order_by": "createdDateTime desc", "top": 1 }), "new", json!(null)),
            (json!({ "order_by": "updatedDateTime desc" }), "changed new other", json!(null)),
            (json!({ "order_by": "updatedDateTime desc", "skip": 1, "top": 1 }), "new", json!(null)),
            (json!({ "order_by": "createdDateTime desc", "select": "name", "top": 2 }), "- -", json!(null)),
            (json!({ "filter": format!("engagementId eq '{ENGAGEMENT}'") }), "changed other", json!(null)),
        ] {
            assert_eq!(dry.list(input.clone()).await, (expected.to_owned(), count, vec![]), "{input}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_judged_is_remarked() {
        let dry = Dry::begin().await;
        for (filter, why) in [
            ("team/any(t:t/email eq 'a@b.c')", "`team/any(…)`"),
            ("updatedDateTime gt 2026-01-01T00:00:00Z", "by itself"),
            ("email eq 'x'", "not a known member"),
        ] {
            let (found, _, remarks) = dry.list(json!({ "filter": filter })).await;
            assert_eq!(found, "changed other", "{filter}");
            assert!(remarks.len() == 2 && remarks[0].contains(why), "{remarks:?}");
        }
    }
}

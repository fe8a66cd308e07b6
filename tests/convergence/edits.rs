//! What people do with a deal, as requests. Whatever a system refuses was not done.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::book::{Book, Deal, Side};
use crate::case::{Center, Crm, Edit};
use crate::people::{CURRENCIES, HELP, IDENTIFIER, People, ROWS, SOLUTIONS, SYNC, VISIBLE, moment, tags};

/// Words that people write; the fourth is longer than a description may be in the CRM.
fn notes(number: usize) -> String {
    match number {
        0 => String::new(),
        1 => "Wants five cold stores.".to_owned(),
        2 => "Decides in March.\nThe budget is there.".to_owned(),
        3 => "A long story, told in many words. ".repeat(70),
        _ => "Asks for a demonstration – first of all.".to_owned(),
    }
}

/// Names that people give; the last is longer than a name may be in the CRM.
fn name(deal: usize, number: usize) -> String {
    match number {
        0 => format!("Cold rooms {deal}"),
        1 => format!("Stock rooms, phase {deal}"),
        2 => format!("{deal} × harbour"),
        _ => format!("{deal} {}", "very long name ".repeat(21).trim_end()),
    }
}

impl People {
    /// A person does what the edit says, where it can be done; what was done stands in the book.
    pub async fn act(&self, book: &mut Book, number: usize, edit: &Edit) {
        let number = number % book.deals.len();
        let deal = &book.deals[number];
        let done = match edit {
            Edit::Crm(edit) => match self.opportunity_of(deal).await {
                Some(row) => self.in_crm(number, &row, edit).await,
                None => Done::Nothing,
            },
            Edit::Portal(edit) => self.in_center("partner", number, deal, edit).await,
            Edit::Seller(edit) => self.in_center("seller", number, deal, edit).await,
            Edit::Answer { accepts } => match self.referral_of(deal).await {
                Some(referral) => {
                    let answer = if *accepts { "accept" } else { "decline" };
                    let engagement = referral["engagementId"].as_str().unwrap();
                    let path = format!("/seller/engagements/{engagement}/{answer}");
                    Done::if_ok(&self.control("POST", &path, &json!({})).await)
                }
                None => Done::Nothing,
            },
        };
        if matches!(done, Done::Nothing) {
            return;
        }
        book.edits += 1;
        book.by_web_api += usize::from(matches!(done, Done::ByWebApi));
        let (side, closes) = match edit {
            Edit::Crm(edit) => (Side::Crm, matches!(edit, Crm::Win | Crm::Lose)),
            Edit::Portal(edit) | Edit::Seller(edit) => {
                (Side::Center, matches!(edit, Center::Win | Center::Lose | Center::Decline))
            }
            Edit::Answer { .. } => (Side::Center, false),
        };
        book.deals[number].edited(side, closes);
        if let Some((field, value)) = self.wish(number, &book.deals[number], edit).await {
            book.deals[number].wished(side, field, value);
        }
    }

    /// The field that an edit writes, and what it should hold then.
    async fn wish(&self, number: usize, deal: &Deal, edit: &Edit) -> Option<(&'static str, Option<Value>)> {
        let value = |thousands: u32| (thousands > 0).then(|| json!(f64::from(thousands * 1000)));
        Some(match edit {
            Edit::Crm(Crm::Value(thousands)) => ("value", value(*thousands)),
            Edit::Crm(Crm::Day(day)) => ("day", Some(json!(format!("2027-01-{day:02}")))),
            Edit::Crm(Crm::Notes(text)) => ("notes", Some(json!(notes(*text)))),
            Edit::Crm(Crm::Name { name: given, .. }) => ("name", Some(json!(name(number, *given)))),
            Edit::Crm(Crm::Currency(code)) => ("currency", Some(json!(CURRENCIES[*code]))),
            Edit::Crm(Crm::AddSolution(_) | Crm::RemoveSolution(_)) => {
                let row = self.opportunity_of(deal).await?;
                let rows = self.solution_rows(row["opportunityid"].as_str()?).await;
                let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["msft_solutionid"].as_str()).collect();
                // The last one stays.
                ("solutions", (!ids.is_empty()).then(|| json!(ids)))
            }
            Edit::Portal(edit) | Edit::Seller(edit) => match edit {
                Center::Value(thousands) => ("value", value(*thousands)),
                Center::Day(day) => ("day", Some(json!(format!("2027-01-{day:02}")))),
                Center::Notes(text) => ("notes", Some(json!(notes(*text)))),
                Center::Name(given) => ("name", Some(json!(name(number, *given)))),
                Center::Currency(code) => ("currency", Some(json!(CURRENCIES[*code]))),
                Center::Solutions(chosen) => {
                    let ids: BTreeSet<&str> = chosen.iter().map(|solution| SOLUTIONS[*solution].0).collect();
                    ("solutions", Some(json!(ids)))
                }
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The deal's opportunity, where it has one.
    pub async fn opportunity_of(&self, deal: &Deal) -> Option<Value> {
        let rows = self.rows("opportunities").await;
        let own = |row: &Value| match (&deal.opportunity, &deal.referral) {
            (Some(id), _) => row["opportunityid"] == **id,
            (None, id) => row[IDENTIFIER].as_str() == id.as_deref(),
        };
        rows.into_iter().find(own)
    }

    /// The deal's referral, where it has one.
    pub async fn referral_of(&self, deal: &Deal) -> Option<Value> {
        let own = |referral: &Value| match (&deal.referral, &deal.opportunity) {
            (Some(id), _) => referral["id"] == **id,
            (None, id) => referral["externalReferenceId"].as_str() == id.as_deref(),
        };
        self.own_referrals().await.into_iter().find(own)
    }

    async fn in_center(&self, who: &str, number: usize, deal: &Deal, edit: &Center) -> Done {
        let Some(referral) = self.referral_of(deal).await else { return Done::Nothing };
        let members = match edit {
            Center::Value(thousands) => json!({ "details": { "dealValue": thousands * 1000 } }),
            Center::Day(day) => json!({ "details": { "closingDateTime": moment(*day) } }),
            Center::Notes(text) => json!({ "details": { "notes": notes(*text) } }),
            Center::Name(given) => json!({ "name": name(number, *given) }),
            Center::Currency(code) => json!({ "details": { "currency": CURRENCIES[*code] } }),
            Center::Solutions(chosen) => json!({ "details": { "requirements": { "solutions": tags(chosen) } } }),
            Center::Consent => json!({ "consent": { "consentToShareReferralWithMicrosoftSellers": true } }),
            Center::Accept => json!({ "status": "Active", "substatus": "Accepted" }),
            Center::Decline => json!({ "status": "Closed", "substatus": "Declined" }),
            Center::Win => json!({ "status": "Closed", "substatus": "Won" }),
            Center::Lose => json!({ "status": "Closed", "substatus": "Lost" }),
            Center::Team(who) => {
                json!({ "team": [{ "firstName": "Sam", "lastName": "Ito", "email": format!("sam{who}@example.com"), "phoneNumber": "+1" }] })
            }
        };
        let path = format!("/{who}/referrals/{}", referral["id"].as_str().unwrap());
        Done::if_ok(&self.control("PATCH", &path, &members).await)
    }

    async fn in_crm(&self, number: usize, row: &Value, edit: &Crm) -> Done {
        let id = row["opportunityid"].as_str().unwrap();
        let members = match edit {
            Crm::Value(thousands) => json!({ "estimatedvalue": thousands * 1000 }),
            Crm::Day(day) => json!({ "estimatedclosedate": format!("2027-01-{day:02}") }),
            Crm::Notes(text) => json!({ "description": notes(*text) }),
            Crm::Name { name: given, mark } => json!({ "name": format!("{mark}{}", name(number, *given)) }),
            Crm::Currency(code) => json!({ "transactioncurrencyid@odata.bind": self.currency(*code).await }),
            Crm::Help(code) => json!({ HELP: 299_600_000 + code }),
            Crm::Visible(visible) => json!({ VISIBLE: visible }),
            Crm::InProgress => json!({ "statuscode": 1 }),
            Crm::OnHold => json!({ "statuscode": 2 }),
            Crm::Sync(sync) => json!({ SYNC: sync }),
            Crm::AddSolution(solution) => return self.add(id, *solution).await,
            Crm::RemoveSolution(place) => return self.remove(id, *place).await,
            Crm::Win => return self.close(id, 3).await,
            Crm::Lose => return self.close(id, 5).await,
        };
        Done::if_ok(&self.control("PATCH", &format!("/crm/rows/opportunities/{id}"), &members).await)
    }

    async fn solution_rows(&self, opportunity: &str) -> Vec<Value> {
        let rows = self.rows(ROWS).await;
        rows.into_iter().filter(|row| row["_msft_opportunity_value"] == opportunity).collect()
    }

    /// Nobody adds a solution twice.
    async fn add(&self, opportunity: &str, number: usize) -> Done {
        let rows = self.solution_rows(opportunity).await;
        if rows.iter().any(|row| row["msft_solutionid"] == SOLUTIONS[number].0) {
            return Done::Nothing;
        }
        Done::if_ok(&self.add_solution(opportunity, number).await)
    }

    async fn remove(&self, opportunity: &str, place: usize) -> Done {
        let rows = self.solution_rows(opportunity).await;
        let Some(row) = rows.get(place) else { return Done::Nothing };
        let path = format!("{ROWS}({})", row["msft_partnercentersolutionid"].as_str().unwrap());
        for _ in 0..20 {
            self.web_api("DELETE", &path, &Value::Null).await;
            let left = self.solution_rows(opportunity).await;
            if left.iter().all(|other| other["msft_partnercentersolutionid"] != row["msft_partnercentersolutionid"]) {
                return Done::ByWebApi;
            }
        }
        Done::Nothing
    }

    /// Wins (`3`) or loses (`5`) an opportunity that is open.
    async fn close(&self, opportunity: &str, status: u8) -> Done {
        let state = async || {
            let rows = self.rows("opportunities").await;
            rows.iter()
                .find(|row| row["opportunityid"] == opportunity)
                .map_or(Value::Null, |row| row["statecode"].clone())
        };
        let action = if status == 3 { "WinOpportunity" } else { "LoseOpportunity" };
        let bind = format!("/opportunities({opportunity})");
        let close = json!({ "subject": "Decided", "opportunityid@odata.bind": bind });
        for _ in 0..20 {
            if state().await != 0 {
                return Done::Nothing;
            }
            self.web_api("POST", action, &json!({ "Status": status, "OpportunityClose": close })).await;
            if state().await != 0 {
                return Done::ByWebApi;
            }
        }
        Done::Nothing
    }
}

/// Whether something was done, and how.
enum Done {
    Nothing,
    ByControl,
    ByWebApi,
}

impl Done {
    fn if_ok(answer: &Result<Value, String>) -> Self {
        if answer.is_ok() { Done::ByControl } else { Done::Nothing }
    }
}

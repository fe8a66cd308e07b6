//! What people do, one thing at a time, and what the two systems tell of it.

use serde_json::{Value, json};

use crate::book::{Book, Deal};
use crate::case::{Center, Crm, Edit, Kind};
use crate::people::{People, ROWS, SYNC};
use cosell_model::FlowId;
use cosell_sdk::TriggerEvent;

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Scene {
    /// A deal is made.
    Make(Kind),
    /// Somebody works on the deal of this number.
    Edit(usize, Edit),
    /// An operator registers the web hook.
    Register,
}

/// What a flow is to hear.
#[derive(Clone, Debug)]
pub struct News {
    pub flow: FlowId,
    pub event: TriggerEvent,
    /// Where a person starts it: its inputs.
    pub inputs: Option<Value>,
}

/// Every kind of write in the direction from Partner Center: account, contact, opportunity, rows of solutions that come and
/// go, a lead that is changed, accepted and filled, what Microsoft does, and deals that are won and lost.
pub fn from_partner_center() -> Vec<Scene> {
    let portal = |deal, edit| Scene::Edit(deal, Edit::Portal(edit));
    let seller = |deal, edit| Scene::Edit(deal, Edit::Seller(edit));
    vec![
        Scene::Make(Kind::Shared),
        Scene::Make(Kind::Lead),
        Scene::Make(Kind::Portal),
        seller(0, Center::Solutions(vec![0, 1, 2])),
        portal(1, Center::Accept),
        seller(0, Center::Solutions(vec![1])),
        portal(1, Center::Lose),
        portal(0, Center::Win),
        seller(2, Center::Notes(3)),
        Scene::Register,
    ]
}

/// Every kind of write in the direction from the CRM: referrals with and without Microsoft, the link back, invitations,
/// changed fields and names, solutions that come and go, what Microsoft answers, and deals that are won and lost.
pub fn from_the_crm() -> Vec<Scene> {
    let crm = |deal, edit| Scene::Edit(deal, Edit::Crm(edit));
    vec![
        Scene::Make(Kind::CoSell),
        Scene::Make(Kind::Private),
        crm(1, Crm::AddSolution(1)),
        crm(1, Crm::Help(1)),
        crm(1, Crm::RemoveSolution(0)),
        Scene::Edit(0, Edit::Answer { accepts: true }),
        crm(0, Crm::Value(7)),
        crm(0, Crm::Name { name: 1, mark: "" }),
        crm(0, Crm::Win),
        crm(1, Crm::Lose),
    ]
}

impl Scene {
    /// Somebody does it; what there is to hear of it. `number` is the scene's place in its story.
    pub async fn play(&self, number: usize, people: &People, book: &mut Book) -> Vec<News> {
        match self {
            Self::Make(kind) => {
                let deal = people.make(*kind, book.deals.len()).await;
                book.deals.push(deal);
                told(number, people, book.deals.last().unwrap(), matches!(kind, Kind::Private | Kind::CoSell), &[])
                    .await
            }
            Self::Edit(deal, edit) => {
                let before = people.rows(ROWS).await;
                let edits = book.edits;
                people.act(book, *deal, edit).await;
                assert_eq!(book.edits, edits + 1, "nothing came of {edit:?}");
                told(number, people, &book.deals[*deal], matches!(edit, Edit::Crm(_)), &before).await
            }
            Self::Register => {
                let inputs = json!({ "endpoint": "http://127.0.0.1:9/hooks", "overwrite": true });
                let event = TriggerEvent { payload: Value::Null, dedup_key: String::new() };
                vec![News { flow: FlowId::new("partner-center-webhook-registration"), event, inputs: Some(inputs) }]
            }
        }
    }
}

/// Both systems tell of every deal.
pub async fn walk(again: bool, people: &People, book: &Book) -> Vec<News> {
    let number = if again { usize::MAX } else { usize::MAX - 1 };
    let mut all = Vec::new();
    for deal in &book.deals {
        all.extend(told(number, people, deal, false, &[]).await);
        if people.opportunity_of(deal).await.is_some() {
            let rows = people.rows(ROWS).await;
            all.extend(told(number, people, deal, true, &rows).await);
        }
    }
    all
}

/// What the systems tell of a deal that was touched, with those rows of solutions that are not as they were `before`.
async fn told(number: usize, people: &People, deal: &Deal, in_crm: bool, before: &[Value]) -> Vec<News> {
    let news = |flow: &str, id: &Value, payload: Value| News {
        flow: FlowId::new(flow),
        event: TriggerEvent { payload, dedup_key: format!("scene {number}: {id}") },
        inputs: None,
    };
    if !in_crm {
        let referral = people.referral_of(deal).await;
        let id = &referral.unwrap()["id"];
        let payload =
            json!({ "event": "related-referral-updated", "referral_id": id, "changed_at": "2026-11-02T08:15:31Z" });
        return vec![news("partner-center-to-dynamics", id, payload)];
    }
    let row = people.opportunity_of(deal).await.unwrap();
    let after = people.rows(ROWS).await;
    let id = &row["opportunityid"];
    let saved = json!({ "table": "opportunity", "change": "saved", "id": id, "row": { SYNC: row[SYNC] } });
    let mut all = vec![news("dynamics-opportunity-to-partner-center", id, saved)];
    let key = |row: &Value| row["msft_partnercentersolutionid"].clone();
    let mut solution = |id: Value, change: &str, row: Value| {
        let payload = json!({ "table": "msft_partnercentersolution", "change": change, "id": id, "row": row });
        all.push(news("dynamics-microsoft-solutions-to-partner-center", &id, payload));
    };
    for row in after.iter().filter(|row| row["_msft_opportunity_value"] == *id) {
        if before.iter().all(|other| key(other) != key(row)) {
            solution(key(row), "saved", json!({ "msft_opportunity": { "id": id } }));
        }
    }
    for row in before.iter().filter(|row| after.iter().all(|other| key(other) != key(row))) {
        solution(key(row), "deleted", Value::Null);
    }
    all
}

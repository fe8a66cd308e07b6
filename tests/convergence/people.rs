//! The people of the deals, played through the sandbox's control API, and a look at what the two systems have.

use cosell_sandbox::{Addresses, Entry};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::book::Deal;
use crate::case::Kind;

pub const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
pub const SYNC: &str = "msft_microsoftpartnercenterreferralsync";
pub const HELP: &str = "msft_microsoftpartnercenterhelp";
pub const VISIBLE: &str = "msft_microsoftpartnercenterreferralvisible";
/// Solutions by id and name.
pub const SOLUTIONS: [(&str, &str); 3] =
    [("SOL-48120-KQP", "ColdTrack"), ("SOL-50377-TRX", "DockPlan"), ("SOL-61002-GTE", "Gate")];
pub const ROWS: &str = "msft_partnercentersolutions";
pub const CURRENCIES: [&str; 2] = ["EUR", "USD"];

/// The people, and what they see.
pub struct People {
    http: Client,
    addresses: Addresses,
}

pub fn moment(day: u8) -> String {
    // Any instant of a day is that day.
    format!("2027-01-{day:02}T{}:00Z", if day.is_multiple_of(2) { "00:00" } else { "17:30" })
}

pub fn tags(numbers: &[usize]) -> Value {
    let tag = |number: &usize| json!({ "id": SOLUTIONS[*number].0, "name": SOLUTIONS[*number].1, "type": "Name" });
    numbers.iter().map(tag).collect()
}

impl People {
    pub fn new(addresses: &Addresses) -> Self {
        Self { http: Client::builder().no_proxy().build().unwrap(), addresses: addresses.clone() }
    }

    /// What the control API answers, or why it refuses.
    pub async fn control(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.http.request(method.parse::<Method>().unwrap(), format!("{}{path}", self.addresses.control));
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.header("x-user", "Noor Haddad").send().await.unwrap();
        let success = response.status().is_success();
        let answer: Value = response.json().await.unwrap();
        if success { Ok(answer) } else { Err(answer.to_string()) }
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let Value::Array(items) = self.control("GET", path, &Value::Null).await.unwrap() else { return Vec::new() };
        items
    }

    /// All rows of an entity set.
    pub async fn rows(&self, set: &str) -> Vec<Value> {
        self.list(&format!("/crm/rows/{set}")).await
    }

    /// All referrals, of both organisations.
    pub async fn referrals(&self) -> Vec<Value> {
        self.list("/referrals").await
    }

    pub async fn own_referrals(&self) -> Vec<Value> {
        self.referrals().await.into_iter().filter(|referral| referral["organizationId"] != "msft").collect()
    }

    /// The requests after number `after`.
    pub async fn log(&self, after: u64) -> Vec<Entry> {
        let log = self.control("GET", &format!("/log?after={after}"), &Value::Null).await.unwrap();
        serde_json::from_value(log).unwrap()
    }

    /// How many events are on their way.
    pub async fn events_waiting(&self) -> u64 {
        self.control("GET", "/status", &Value::Null).await.unwrap()["events_waiting"].as_u64().unwrap()
    }

    /// One request to the CRM's Web API, as the CRM's own forms make it. Faults strike it as they strike the program's.
    pub async fn web_api(&self, method: &str, path: &str, body: &Value) {
        let addresses = &self.addresses;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &addresses.client_id),
            ("client_secret", &addresses.client_secret),
            ("resource", &addresses.dataverse),
        ];
        let token = self.http.post(format!("{}/{}/oauth2/token", addresses.entra, addresses.tenant)).form(&form);
        let token: Value = token.send().await.unwrap().json().await.unwrap();
        let address = format!("{}/api/data/v9.2/{path}", addresses.dataverse);
        let request = self.http.request(method.parse::<Method>().unwrap(), address);
        let request = request.bearer_auth(token["access_token"].as_str().unwrap());
        // Whether it was done is looked up afterwards: the answer may be lost.
        let _ = if body.is_null() { request } else { request.json(body) }.send().await;
    }

    /// Somebody makes a deal.
    pub async fn make(&self, kind: Kind, number: usize) -> Deal {
        let id = |made: Value| made["id"].as_str().unwrap().to_owned();
        let own_name = format!("Deal {number}");
        // Two deals of one customer and contact are made at a time, so that a doubled customer would show.
        let customer = json!({
            "name": format!("Customer {}", number / 2),
            "address": { "city": "Cork", "postalCode": "T12 XY34", "country": "IE" },
            "team": [{ "firstName": "Aoife", "lastName": "Byrne", "phoneNumber": "+353215550144", "email": format!("aoife@customer{}.example", number / 2) }],
        });
        let consent = |visible: bool| {
            json!({
                "consentToToShareInfoWithOthers": true, "consentToContact": true,
                "consentToShareReferralWithMicrosoftSellers": visible,
            })
        };
        let mut referral = json!({
            "name": own_name, "type": "Independent", "qualification": "SalesQualified",
            "customerProfile": customer, "consent": consent(kind != Kind::Portal),
            "details": {
                "notes": "Asked at the fair.", "dealValue": 50_000, "currency": "USD", "closingDateTime": moment(28),
                "requirements": {
                    "solutions": tags(&[0]),
                    "additionalRequirements": { "attributes": [{ "type": "CustomerMarketplaceIntent", "id": "HaveNotDecided" }] },
                },
            },
        });
        match kind {
            Kind::Shared => referral["type"] = json!("Shared"),
            Kind::Lead => referral["qualification"] = json!("MarketingQualified"),
            _ => {}
        }
        match kind {
            Kind::Shared | Kind::Lead => {
                Deal::of_referral(kind, id(self.control("POST", "/seller/referrals", &referral).await.unwrap()))
            }
            Kind::Portal => {
                Deal::of_referral(kind, id(self.control("POST", "/partner/referrals", &referral).await.unwrap()))
            }
            Kind::Private | Kind::CoSell => {
                let mut row = self.own_row(&own_name).await;
                if kind == Kind::CoSell {
                    row[HELP] = json!(299_600_001);
                }
                let opportunity = id(self.control("POST", "/crm/rows/opportunities", &row).await.unwrap());
                self.add_solution(&opportunity, 0).await.unwrap();
                let sync = json!({ SYNC: true });
                self.control("PATCH", &format!("/crm/rows/opportunities/{opportunity}"), &sync).await.unwrap();
                Deal::of_opportunity(kind, opportunity)
            }
        }
    }

    async fn own_row(&self, name: &str) -> Value {
        let bind = async |set: &str, column: &str, value: &str, key: &str| {
            let rows = self.rows(set).await;
            let found = rows.iter().find(|row| row[column] == value).unwrap();
            json!(format!("/{set}({})", found[key].as_str().unwrap()))
        };
        let account = bind("accounts", "name", "Northwind Cold Storage BV", "accountid").await;
        json!({
            "name": name, "estimatedvalue": 84_000, "estimatedclosedate": "2027-01-29", "description": "Three cold stores.",
            "customerid_account@odata.bind": account, "parentaccountid@odata.bind": account,
            "parentcontactid@odata.bind": bind("contacts", "lastname", "de Wit", "contactid").await,
            "transactioncurrencyid@odata.bind": self.currency(0).await,
        })
    }

    pub async fn currency(&self, number: usize) -> Value {
        let rows = self.rows("transactioncurrencies").await;
        let found = rows.iter().find(|row| row["isocurrencycode"] == CURRENCIES[number]).unwrap();
        json!(format!("/transactioncurrencies({})", found["transactioncurrencyid"].as_str().unwrap()))
    }

    pub async fn add_solution(&self, opportunity: &str, number: usize) -> Result<Value, String> {
        let (id, name) = SOLUTIONS[number];
        let row = json!({
            "msft_name": name, "msft_solutionid": id, "msft_type": "Name",
            "msft_Opportunity@odata.bind": format!("/opportunities({opportunity})"),
        });
        self.control("POST", &format!("/crm/rows/{ROWS}"), &row).await
    }
}

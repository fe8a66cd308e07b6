//! The people in the demo, and a look at the stand-ins: the sandbox's control API.

use cosell_model::Value;
use cosell_sandbox::Entry;
use serde_json::json;

use super::faults::Fault;
use crate::Trouble;

/// The sandbox's control API.
pub(crate) struct People {
    control: String,
    http: reqwest::Client,
}

impl People {
    pub(crate) fn new(control: &str) -> Result<Self, Trouble> {
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(|error| Trouble::new(format!("no HTTP client can be made: {error}")))?;
        Ok(Self { control: control.to_owned(), http })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, Trouble> {
        let unreachable = |error: reqwest::Error| Trouble::new(format!("the sandbox does not answer: {error}"));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body: Value = response.json().await.map_err(unreachable)?;
        if status.is_success() { Ok(body) } else { Err(Trouble::new(format!("the sandbox refuses: {body}"))) }
    }

    async fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.send(self.http.get(format!("{}{path}", self.control))).await
    }

    /// Asks for anything that the control API has.
    pub(crate) async fn order(&self, method: reqwest::Method, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.send(self.http.request(method, format!("{}{path}", self.control)).json(body)).await
    }

    /// The Microsoft seller shares a deal.
    pub(super) async fn share(&self, referral: &Value) -> Result<Value, Trouble> {
        self.send(self.http.post(format!("{}/seller/referrals", self.control)).json(referral)).await
    }

    /// The Microsoft seller changes a deal.
    pub(super) async fn change(&self, referral: &str, changes: &Value) -> Result<Value, Trouble> {
        self.send(self.http.patch(format!("{}/seller/referrals/{referral}", self.control)).json(changes)).await
    }

    /// Microsoft accepts its part in an engagement.
    pub(super) async fn accept(&self, engagement: &str) -> Result<(), Trouble> {
        let address = format!("{}/seller/engagements/{engagement}/accept", self.control);
        self.send(self.http.post(address)).await.map(drop)
    }

    /// A seller creates a row in the CRM.
    pub(super) async fn create(&self, user: &str, set: &str, row: &Value) -> Result<String, Trouble> {
        let request = self.http.post(format!("{}/crm/rows/{set}", self.control)).header("x-user", user).json(row);
        let made = self.send(request).await?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    /// A seller changes a row in the CRM.
    pub(super) async fn update(&self, user: &str, set: &str, id: &str, row: &Value) -> Result<(), Trouble> {
        let address = format!("{}/crm/rows/{set}/{id}", self.control);
        self.send(self.http.patch(address).header("x-user", user).json(row)).await.map(drop)
    }

    /// All rows of a table.
    pub(super) async fn rows(&self, set: &str) -> Result<Vec<Value>, Trouble> {
        Ok(as_list(self.get(&format!("/crm/rows/{set}")).await?))
    }

    /// All referrals, of both organisations.
    pub(crate) async fn referrals(&self) -> Result<Vec<Value>, Trouble> {
        Ok(as_list(self.get("/referrals").await?))
    }

    /// The requests that reached the stand-ins after number `after`.
    pub(crate) async fn log(&self, after: u64) -> Result<Vec<Entry>, Trouble> {
        serde_json::from_value(self.get(&format!("/log?after={after}")).await?)
            .map_err(|error| Trouble::new(format!("the sandbox's log cannot be read: {error}")))
    }

    /// How many requests changed something so far.
    pub(super) async fn changes(&self) -> Result<usize, Trouble> {
        Ok(self.log(0).await?.iter().filter(|entry| !entry.changes.is_empty()).count())
    }

    /// How many events are on their way.
    pub(super) async fn events_waiting(&self) -> Result<u64, Trouble> {
        Ok(self.get("/status").await?["events_waiting"].as_u64().unwrap_or_default())
    }

    /// Makes the stand-ins misbehave in these ways, and in no others.
    pub(super) async fn order_faults(&self, faults: &[Fault]) -> Result<(), Trouble> {
        let rules: Vec<Value> = faults.iter().flat_map(|fault| fault.rules()).collect();
        self.send(self.http.put(format!("{}/faults", self.control)).json(&rules)).await?;
        let events = faults.iter().fold(json!({ "first_retry_ms": 200 }), |mut events, fault| {
            if let (Value::Object(all), Value::Object(more)) = (&mut events, fault.events()) {
                all.extend(more);
            }
            events
        });
        self.send(self.http.put(format!("{}/events", self.control)).json(&events)).await.map(drop)
    }
}

fn as_list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

//! What the flows keep of each deal: under `deal/` and the referral's id, with the connector `state`.

use std::time::Duration;

use cosell_model::flow::Retry;
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::Nobody;
use cosell_sdk::CallError;
use serde_json::json;
use tokio::time::timeout;

use crate::Desk;

/// What keys of deals begin with.
const DEAL: &str = "deal/";

/// How long a page waits for a system.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Reads for a page: no run of it is kept, nothing is written, and who does not answer soon counts as down.
pub(super) struct Readings {
    pub(super) engine: Engine,
}

/// What is kept of a deal.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Kept {
    /// The referral's id.
    pub(super) referral: String,
    /// Its name, and the customer's, where they are kept.
    pub(super) name: Option<String>,
    pub(super) customer: Option<String>,
    /// The opportunity's id.
    pub(super) opportunity: Option<String>,
    /// The lead's id.
    pub(super) lead: Option<String>,
    /// All of it.
    pub(super) value: Value,
}

/// Some deals, the most recently kept first.
#[derive(Debug, PartialEq)]
pub(super) struct Listed {
    pub(super) deals: Vec<Kept>,
    pub(super) next: Option<String>,
    pub(super) previous: Option<String>,
}

/// Which of the deals, by a referral.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place<'r> {
    Newest,
    /// Those that follow it.
    After(&'r str),
    /// Those before it, and of them those next to it.
    Before(&'r str),
}

impl Kept {
    fn new(key: &str, value: Value) -> Self {
        let text = |member: &str| value[member].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            referral: key.strip_prefix(DEAL).unwrap_or(key).to_owned(),
            name: text("name"),
            customer: text("customer"),
            opportunity: text("opportunity_id"),
            lead: text("lead_id"),
            value,
        }
    }

    /// Every id that runs about it have as a key.
    pub(super) fn ids(&self) -> Vec<String> {
        [Some(&self.referral), self.opportunity.as_ref(), self.lead.as_ref()].into_iter().flatten().cloned().collect()
    }

    /// Whether the deal is known by this id, on whichever side.
    pub(super) fn is_known_as(&self, id: &str) -> bool {
        let same = |known: &str| known.eq_ignore_ascii_case(id);
        same(&self.referral) || [&self.opportunity, &self.lead].into_iter().flatten().any(|known| same(known))
    }
}

impl Readings {
    pub(super) fn new(desk: &Desk) -> Self {
        Self { engine: desk.api.engine().rehearsal().with_default_retry(Retry::NONE) }
    }

    /// Readings of their own: what is foreseen there is not found here.
    pub(super) fn beside(&self) -> Self {
        Self { engine: self.engine.rehearsal() }
    }

    /// Whether any flow that is on keeps what deals are known by.
    pub(super) fn keeps_deals(&self) -> bool {
        self.engine.connection_for("state").is_some()
    }

    /// Calls an operation that reads.
    pub(super) async fn read(&self, connector: &str, operation: &str, input: Value) -> Result<Value, CallError> {
        let Some(connection) = self.engine.connection_for(connector) else {
            let message = format!("no flow that is on uses the connector `{connector}`");
            return Err(CallError::rejected("no_connection", message));
        };
        let read = timeout(LIMIT, self.engine.read(connection, operation, input, &Nobody)).await;
        read.unwrap_or_else(|_| Err(silent(connector)))
    }

    /// Asks a flow that is called by others; what it yields.
    pub(super) async fn ask(&self, flow: &str, inputs: Value) -> Result<Value, CallError> {
        let start = Start { inputs, ..Start::default() };
        let flow_id = FlowId::new(flow);
        let run = timeout(LIMIT, self.engine.run(&flow_id, start, &Nobody)).await.map_err(|_| silent(flow))?;
        match run.failure {
            Some(failure) => Err(CallError::rejected(failure.code, format!("flow `{flow}`: {}", failure.message))),
            None => Ok(run.output),
        }
    }

    /// A page of deals; those in which all words of `text` occur, where there are any.
    pub(super) async fn deals(&self, text: &str, place: Place<'_>, most: usize) -> Result<Listed, CallError> {
        let mut input = json!({ "prefix": DEAL, "text": text, "most": most });
        match place {
            Place::Newest => {}
            Place::After(referral) => input["after"] = json!(format!("{DEAL}{referral}")),
            Place::Before(referral) => input["before"] = json!(format!("{DEAL}{referral}")),
        }
        let mut listed = self.read("state", "list", input).await?;
        let [next, previous] = ["next", "previous"]
            .map(|side| listed[side].as_str().and_then(|key| key.strip_prefix(DEAL)).map(str::to_owned));
        let values = match listed["values"].take() {
            Value::Array(values) => values,
            _ => Vec::new(),
        };
        let deals = values.into_iter().map(|mut kept| {
            let value = kept["value"].take();
            Kept::new(kept["key"].as_str().unwrap_or_default(), value)
        });
        Ok(Listed { deals: deals.collect(), next, previous })
    }

    /// What is kept of the deal of a referral.
    pub(super) async fn deal(&self, referral: &str) -> Result<Option<Kept>, CallError> {
        let key = format!("{DEAL}{referral}");
        let mut got = self.read("state", "get", json!({ "key": key })).await?;
        Ok((got["found"] == true).then(|| Kept::new(&key, got["value"].take())))
    }

    /// The referral of the deal that an opportunity or a lead belongs to.
    pub(super) async fn referral_of(&self, id: &str) -> Result<Option<String>, CallError> {
        // Kept where a referral was made of an opportunity.
        let made = self.read("state", "get", json!({ "key": format!("opportunity/{id}") })).await?;
        if let Some(referral) = made["value"].as_str() {
            return Ok(Some(referral.to_owned()));
        }
        let known = self.deals(id, Place::Newest, 50).await?.deals.into_iter().find(|deal| deal.is_known_as(id));
        Ok(known.map(|deal| deal.referral))
    }
}

pub(super) fn silent(who: &str) -> CallError {
    CallError::new(
        cosell_sdk::Meaning::Retry { after: None },
        "no_answer",
        format!("`{who}` did not answer within {} seconds", LIMIT.as_secs()),
    )
}

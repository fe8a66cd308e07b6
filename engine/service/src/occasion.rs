//! What a run begins with that no event starts: a record as it is now, as if an event about it had come, or what started a
//! run before.

use cosell_model::{FlowId, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::Nobody;
use serde_json::json;

/// The flow through which referrals come to the CRM.
pub const REFERRALS: &str = "partner-center-to-dynamics";
/// The flow through which opportunities go to Partner Center.
pub const OPPORTUNITIES: &str = "dynamics-opportunity-to-partner-center";

/// What a run is to begin with.
#[derive(Clone, Debug, PartialEq)]
pub enum Occasion {
    /// Exactly this.
    Given {
        /// What the trigger brings.
        trigger: Value,
        /// The inputs.
        inputs: Value,
    },
    /// The referral of this id, as it is now.
    Referral(String),
    /// The opportunity of this id, as it is now.
    Opportunity(String),
}

impl Occasion {
    /// What a trigger brings.
    pub fn event(trigger: Value) -> Self {
        Self::Given { trigger, inputs: Value::Null }
    }

    /// The flow that it is for, where no other is named: opportunities have their own.
    pub fn flow(&self) -> FlowId {
        match self {
            Self::Opportunity(_) => FlowId::new(OPPORTUNITIES),
            Self::Given { .. } | Self::Referral(_) => FlowId::new(REFERRALS),
        }
    }

    /// Reads what has to be read, with the connections of `engine`.
    ///
    /// # Errors
    /// Why the record cannot be read.
    pub async fn start(self, engine: &Engine) -> Result<Start, String> {
        let read = async |connector: &str, operation: &str, input: Value| {
            let connection = engine
                .connection_for(connector)
                .ok_or_else(|| format!("no flow that is run here uses the connector `{connector}`"))?;
            let read = engine.read(connection, operation, input, &Nobody).await;
            read.map_err(|error| format!("{connector}.{operation}: {error}"))
        };
        let (trigger, inputs) = match self {
            Self::Given { trigger, inputs } => (trigger, inputs),
            Self::Referral(id) => {
                let referral = read("partner_center", "get_referral", json!({ "id": id })).await?;
                (referral_event(&referral), Value::Null)
            }
            Self::Opportunity(id) => {
                let row = read("dataverse", "get_row", json!({ "table": "opportunity", "id": id })).await?;
                (opportunity_event(&row), Value::Null)
            }
        };
        Ok(Start { trigger, inputs, ..Start::default() })
    }
}

/// As `partner_center_events.received` brings it. Only shared deals have a side of Microsoft's to look at as well.
pub fn referral_event(referral: &Value) -> Value {
    let event = if referral["type"] == "Shared" { "related-referral-updated" } else { "referral-updated" };
    json!({ "event": event, "referral_id": referral["id"], "changed_at": referral["updatedDateTime"] })
}

/// As `dataverse.row_changed` brings it.
pub fn opportunity_event(row: &Value) -> Value {
    json!({ "table": "opportunity", "id": row["opportunityid"], "change": "saved", "row": row })
}

//! Where the event of a dry run comes from: a file, a run that the journal has, or a record as it is now.

use cosell_journal::Reader;
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::Nobody;
use serde_json::json;

use super::From;
use crate::demo::TwoDeals;
use crate::project::Project;
use crate::sync::{Direction, connection, opportunity_event, referral_event};
use crate::{Trouble, journal, run};

/// Where the event comes from.
pub(super) enum Source {
    /// A trigger's payload.
    Trigger(Value),
    /// Inputs as they stand on the command line.
    Inputs(Vec<String>),
    /// A run of this flow, which began so.
    Run(FlowId, Box<Start>),
    /// A referral.
    Referral(String),
    /// An opportunity.
    Opportunity(String),
}

impl Source {
    /// What the command line says.
    ///
    /// # Errors
    /// A file or a run that is not there.
    pub(super) fn of(from: &From, project: &Project) -> Result<Self, Trouble> {
        Ok(if let Some(file) = &from.event {
            Self::Trigger(run::event(file)?)
        } else if let Some(id) = &from.run {
            let path = project.kept(journal::FILE);
            let shown = Reader::open(&path)?.run(id)?;
            let shown =
                shown.ok_or_else(|| Trouble::new(format!("the journal {} has no run `{id}`", path.display())))?;
            let start = Start { trigger: shown.trigger, inputs: shown.inputs, ..Start::default() };
            Self::Run(FlowId::new(shown.listed.flow.as_str()), Box::new(start))
        } else if let Some(id) = &from.referral {
            Self::Referral(id.clone())
        } else if let Some(id) = &from.opportunity {
            Self::Opportunity(id.clone())
        } else {
            Self::Inputs(from.inputs.clone())
        })
    }

    /// Where the command line names no event: the deal of the sandbox that this flow would carry to the other side.
    pub(super) fn or_of(self, deals: &TwoDeals, flow: Option<&str>) -> Self {
        match self {
            Self::Inputs(inputs) if inputs.is_empty() => match flow {
                None => Self::Referral(deals.referral.clone()),
                Some(flow) if Direction::Referrals.flow().as_str() == flow => Self::Referral(deals.referral.clone()),
                Some(flow) if Direction::Opportunities.flow().as_str() == flow => {
                    Self::Opportunity(deals.opportunity.clone())
                }
                Some(_) => Self::Inputs(inputs),
            },
            named => named,
        }
    }

    /// The flow that such an event is for, where no other is named.
    pub(super) fn flow(&self) -> FlowId {
        match self {
            Self::Run(flow, _) => flow.clone(),
            Self::Opportunity(_) => Direction::Opportunities.flow(),
            _ => Direction::Referrals.flow(),
        }
    }

    /// What the run begins with.
    ///
    /// # Errors
    /// Inputs that do not fit; a record that cannot be read.
    pub(super) async fn start(self, engine: &Engine, flow: &FlowId) -> Result<Start, Trouble> {
        let read = async |connector: &str, operation: &str, input: Value| {
            let name = connection(engine, connector)?;
            let read = engine.read(&name, operation, input, &Nobody).await;
            read.map_err(|error| Trouble::new(format!("{connector}.{operation}: {error}")))
        };
        let trigger = match self {
            Self::Run(_, start) => return Ok(*start),
            Self::Inputs(given) => {
                let inputs = Value::Object(run::inputs(&given, &run::kinds(engine, flow))?);
                return Ok(Start { inputs, ..Start::default() });
            }
            Self::Trigger(trigger) => trigger,
            Self::Referral(id) => referral_event(&read("partner_center", "get_referral", json!({ "id": id })).await?),
            Self::Opportunity(id) => {
                let input = json!({ "table": "opportunity", "id": id });
                opportunity_event(&read("dataverse", "get_row", input).await?)
            }
        };
        Ok(Start { trigger, ..Start::default() })
    }
}

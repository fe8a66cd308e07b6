//! Where the event of a dry run comes from: a file, a run that the journal has, or a record as it is now.

use cosell_journal::Reader;
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_service::occasion::{OPPORTUNITIES, Occasion, REFERRALS};

use super::From;
use crate::demo::TwoDeals;
use crate::project::Project;
use crate::{Trouble, journal, run};

/// Where the event comes from.
pub(super) enum Source {
    /// Inputs as they stand on the command line.
    Inputs(Vec<String>),
    /// A run of this flow, which began so.
    Run(FlowId, Occasion),
    /// A trigger's payload, or a record.
    Named(Occasion),
}

impl Source {
    /// What the command line says.
    ///
    /// # Errors
    /// A file or a run that is not there.
    pub(super) fn of(from: &From, project: &Project) -> Result<Self, Trouble> {
        Ok(if let Some(file) = &from.event {
            Self::Named(Occasion::event(run::event(file)?))
        } else if let Some(id) = &from.run {
            let path = project.kept(journal::FILE);
            let shown = Reader::open(&path)?.run(id)?;
            let shown =
                shown.ok_or_else(|| Trouble::new(format!("the journal {} has no run `{id}`", path.display())))?;
            let began = Occasion::Given { trigger: shown.trigger, inputs: shown.inputs };
            Self::Run(FlowId::new(shown.listed.flow.as_str()), began)
        } else if let Some(id) = &from.referral {
            Self::Named(Occasion::Referral(id.clone()))
        } else if let Some(id) = &from.opportunity {
            Self::Named(Occasion::Opportunity(id.clone()))
        } else {
            Self::Inputs(from.inputs.clone())
        })
    }

    /// Where the command line names no event: the deal of the sandbox that this flow would carry to the other side.
    pub(super) fn or_of(self, deals: &TwoDeals, flow: Option<&str>) -> Self {
        match self {
            Self::Inputs(inputs) if inputs.is_empty() => match flow {
                None | Some(REFERRALS) => Self::Named(Occasion::Referral(deals.referral.clone())),
                Some(OPPORTUNITIES) => Self::Named(Occasion::Opportunity(deals.opportunity.clone())),
                Some(_) => Self::Inputs(inputs),
            },
            named => named,
        }
    }

    /// The flow that such an event is for, where no other is named.
    pub(super) fn flow(&self) -> FlowId {
        match self {
            Self::Run(flow, _) => flow.clone(),
            Self::Named(occasion) => occasion.flow(),
            Self::Inputs(_) => FlowId::new(REFERRALS),
        }
    }

    /// What the run begins with.
    ///
    /// # Errors
    /// Inputs that do not fit; a record that cannot be read.
    pub(super) async fn start(self, engine: &Engine, flow: &FlowId) -> Result<Start, Trouble> {
        match self {
            Self::Inputs(given) => {
                let inputs = Value::Object(run::inputs(&given, &run::kinds(engine, flow))?);
                Ok(Start { inputs, ..Start::default() })
            }
            Self::Run(_, occasion) | Self::Named(occasion) => occasion.start(engine).await.map_err(Trouble::new),
        }
    }
}

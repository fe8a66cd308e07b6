//! What is kept out of sight: what a flow keeps out of records is not shown here either, although it is read anew.

use std::collections::BTreeSet;

use cosell_compile::expr::template::Template;
use cosell_compile::plan::{Action, Plan, StepPlan};
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::Engine;
use cosell_service::occasion::{OPPORTUNITIES, REFERRALS};

/// Tables of the CRM that nothing is shown of; what is sensitive of them hides nothing here.
const ELSEWHERE: [&str; 3] = ["account", "contact", "systemuser"];

/// Whose values are not shown, each with the step that says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hidden {
    /// The referral's.
    pub(super) referral: Option<String>,
    /// The opportunity's or lead's.
    pub(super) crm: Option<String>,
    /// What is kept of the deal: its name and customer, and what both sides last agreed on.
    pub(super) kept: Option<String>,
}

impl Hidden {
    /// As the flows say that bring deals to the other side, and those that they call.
    pub(super) fn of(engine: &Engine) -> Self {
        let mut hidden = Self::default();
        for plan in plans(engine) {
            for step in plan.steps.iter().filter(|step| step.sensitive.input || step.sensitive.output) {
                let who = || Some(format!("{}/{}", plan.flow, step.id));
                match concerned(step) {
                    Concerned::Referral => hidden.referral = hidden.referral.or_else(who),
                    Concerned::Crm => hidden.crm = hidden.crm.or_else(who),
                    Concerned::Kept => hidden.kept = hidden.kept.or_else(who),
                    Concerned::Nothing => {}
                    // Whatever it holds may come from any of them.
                    Concerned::All => {
                        hidden.referral = hidden.referral.or_else(who);
                        hidden.crm = hidden.crm.or_else(who);
                        hidden.kept = hidden.kept.or_else(who);
                    }
                }
            }
        }
        // What is kept comes from both.
        hidden.kept = hidden.kept.or_else(|| hidden.referral.clone()).or_else(|| hidden.crm.clone());
        hidden
    }

    /// A step that hides anything.
    pub(super) fn any(&self) -> Option<&str> {
        self.kept.as_deref()
    }
}

enum Concerned {
    Referral,
    Crm,
    Kept,
    All,
    Nothing,
}

fn concerned(step: &StepPlan) -> Concerned {
    let Action::Operation { operation, input, .. } = &step.action else { return Concerned::All };
    match &*operation.connector {
        "partner_center" => Concerned::Referral,
        "state" => Concerned::Kept,
        "dataverse" => match table(input) {
            Some(table) if ELSEWHERE.contains(&table) => Concerned::Nothing,
            _ => Concerned::Crm,
        },
        _ => Concerned::Nothing,
    }
}

fn table(input: &Template) -> Option<&str> {
    match input {
        Template::Constant(value) => value["table"].as_str(),
        Template::Map(members) => members.iter().find_map(|(name, member)| match member {
            Template::Constant(Value::String(table)) if name == "table" => Some(table.as_str()),
            _ => None,
        }),
        _ => None,
    }
}

/// The flows that bring deals to the other side, and all that they call.
fn plans(engine: &Engine) -> Vec<&Plan> {
    let mut seen = BTreeSet::new();
    let mut wanted = vec![FlowId::new(REFERRALS), FlowId::new(OPPORTUNITIES)];
    let mut plans = Vec::new();
    while let Some(flow) = wanted.pop() {
        if !seen.insert(flow.clone()) {
            continue;
        }
        let Some(plan) = engine.plan(&flow) else { continue };
        plans.push(&**plan);
        wanted.extend(plan.steps.iter().filter_map(|step| match &step.action {
            Action::Call { flow, .. } => Some(flow.clone()),
            _ => None,
        }));
    }
    plans
}

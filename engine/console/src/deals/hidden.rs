//! What is kept out of sight: what a flow keeps out of records is not shown here either, although it is read anew.

use std::collections::BTreeSet;

use cosell_compile::expr::template::Template;
use cosell_compile::plan::{Action, Plan, StepPlan};
use cosell_model::{FlowId, Value};
use cosell_runtime::memory::Engine;
use cosell_service::occasion::{OPPORTUNITIES, REFERRALS};

use super::people::Kind;

/// Whose values are not shown, each with the step that says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hidden {
    /// The referral's.
    pub(super) referral: Option<String>,
    /// The opportunity's or lead's.
    pub(super) crm: Option<String>,
    /// Those of its account, its contacts and its sellers.
    around: [Option<String>; Kind::ALL.len()],
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
                    Concerned::Around(kind) => {
                        let place = &mut hidden.around[kind as usize];
                        *place = place.take().or_else(who);
                    }
                    Concerned::Kept => hidden.kept = hidden.kept.or_else(who),
                    Concerned::Nothing => {}
                    Concerned::AnyRow => {
                        hidden.crm = hidden.crm.or_else(who);
                        hidden.hide_around(who);
                    }
                    // Whatever it holds may come from any of them.
                    Concerned::All => {
                        hidden.referral = hidden.referral.or_else(who);
                        hidden.crm = hidden.crm.or_else(who);
                        hidden.kept = hidden.kept.or_else(who);
                        hidden.hide_around(who);
                    }
                }
            }
        }
        // What is kept comes from both.
        hidden.kept = hidden.kept.or_else(|| hidden.referral.clone()).or_else(|| hidden.crm.clone());
        hidden
    }

    fn hide_around(&mut self, who: impl Fn() -> Option<String>) {
        for place in &mut self.around {
            *place = place.take().or_else(&who);
        }
    }

    /// Who hides the CRM's records of this kind.
    pub(super) fn of_kind(&self, kind: Kind) -> Option<&str> {
        self.around[kind as usize].as_deref()
    }

    /// A step that hides anything of accounts, contacts and sellers, besides what it hides of the referral.
    pub(super) fn around(&self) -> Option<&str> {
        self.around.iter().flatten().next().map(String::as_str)
    }

    /// A step that hides anything of the deal itself.
    pub(super) fn any(&self) -> Option<&str> {
        self.kept.as_deref()
    }
}

enum Concerned {
    Referral,
    Crm,
    Around(Kind),
    /// Which of the CRM's, is only known once it runs.
    AnyRow,
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
            None => Concerned::AnyRow,
            Some(table) => {
                Kind::ALL.into_iter().find(|kind| kind.table() == table).map_or(Concerned::Crm, Concerned::Around)
            }
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

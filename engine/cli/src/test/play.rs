//! Playing a test: what happens one after the other, the runs that follow, and what they write.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_compile::Compilation;
use cosell_compile::plan::{Plan, SourcePlan};
use cosell_compile::testcase::{Act, ActKind, Ended, Test, Verb};
use cosell_model::flow::Retry;
use cosell_model::{FlowId, Spanned, Value};
use cosell_runtime::core::entry;
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::RunRecord;
use cosell_sandbox::Entry;
use cosell_sdk::Connector;
use reqwest::Method;
use serde_json::json;

use super::coverage::Watching;
use super::names::{As, Mistake, Names, REFERRAL};
use super::stage::{Settings, Stage, plain};
use super::writes::{Written, written};
use crate::project::Project;

/// What was found when a test was played.
pub(super) struct Found {
    pub(super) names: Names,
    /// The last run that an act of `when` began.
    pub(super) run: Option<RunRecord>,
    /// The writes of all those runs, in order.
    pub(super) writes: Vec<Written>,
}

impl Found {
    pub(super) fn ended(&self) -> Ended {
        self.run.as_ref().map_or(Ended::NotStarted, |run| Ended::As(run.outcome))
    }
}

/// What plays a test.
pub(super) struct Play<'p> {
    stage: &'p Stage,
    compilation: &'p Compilation,
    engine: Engine,
    watching: &'p Watching,
    names: Names,
    test: &'p Test,
    /// What new records are to be called, by kind, in the order in which they are made.
    wanted: BTreeMap<String, Vec<String>>,
    project: &'p Project,
    run: Option<RunRecord>,
    writes: Vec<Written>,
    /// How far the sandbox's log was read.
    position: u64,
}

/// With what a test is played.
pub(super) struct Playing<'p> {
    pub(super) project: &'p Project,
    pub(super) compilation: &'p Compilation,
    pub(super) retry: Retry,
    pub(super) watching: &'p Watching,
    pub(super) connectors: &'p [Connector],
}

/// Plays a test on a stage; what was found is then to be judged.
///
/// # Errors
/// What cannot be done as the test has it.
pub(super) async fn play(stage: &mut Stage, test: &Test, with: Playing<'_>) -> Result<Found, Mistake> {
    let Playing { project, compilation, retry, watching, connectors } = with;
    let (connections, names) = stage.prepare(&test.given, project, compilation, connectors).await?;
    let engine = Engine::new(compilation.plans.clone(), connections, retry).hurried();
    let mut play = Play {
        stage,
        compilation,
        engine,
        watching,
        names,
        test,
        wanted: BTreeMap::new(),
        project,
        run: None,
        writes: Vec::new(),
        position: 0,
    };
    play.look().await?;
    for act in &test.already {
        play.act(act).await?;
    }
    play.run = None;
    play.writes.clear();
    for write in test.then.iter().flat_map(|then| then.writes.iter().flat_map(|writes| &writes.value)) {
        if let (Verb::Create, Some(name)) = (write.verb, &write.name) {
            play.wanted.entry(write.record.value.clone()).or_default().push(name.value.clone());
        }
    }
    for act in &test.when {
        play.act(act).await?;
    }
    Ok(Found { names: play.names, run: play.run, writes: play.writes })
}

impl Play<'_> {
    async fn act(&mut self, act: &Act) -> Result<(), Mistake> {
        let broken = |trouble| Mistake::new(act.span, plain(&trouble));
        let refused = |message: String| Mistake::new(act.span, message);
        match &act.kind {
            ActKind::Saved { row, with } => {
                let (table, id) = self.row_of(row)?;
                if let Some(with) = with {
                    let values = self.names.resolve(with, As::Lookup)?;
                    let input = json!({ "table": table, "id": id, "values": values });
                    self.stage.crm("update_row", input).await.map_err(refused)?;
                }
                self.saved(act, &table, &id).await
            }
            ActKind::Deleted { row } => {
                let (table, id) = self.row_of(row)?;
                self.stage.crm("delete_row", json!({ "table": table, "id": id })).await.map_err(refused)?;
                self.tell_of_row(act, &table, &id, "deleted", Value::Null).await
            }
            ActKind::Closed { row, status } => {
                let (table, id) = self.row_of(row)?;
                let (operation, input) = match status {
                    3 => ("win_opportunity", json!({ "id": id, "subject": "Decided" })),
                    status => ("lose_opportunity", json!({ "id": id, "subject": "Decided", "status": status })),
                };
                self.stage.crm(operation, input).await.map_err(refused)?;
                self.saved(act, &table, &id).await
            }
            ActKind::Added { solution, to } => {
                let (_, id) = self.row_of(to)?;
                let settings = Settings { compilation: self.compilation };
                let added = self.stage.add_solution(&solution.value, (&to.value, &id), &settings, &mut self.names);
                let (table, row) = added.await.map_err(refused)?;
                self.saved(act, &table, &row).await
            }
            ActKind::Told { referral, event, with, by_partner } => {
                let id = self.names.find(&referral.value, referral.span)?.id.clone();
                if let Some(with) = with {
                    let who = if *by_partner { "partner" } else { "seller" };
                    let values = self.names.resolve(with, As::Id)?;
                    let path = format!("/{who}/referrals/{id}");
                    self.stage.people.order(Method::PATCH, &path, &values).await.map_err(broken)?;
                }
                self.tell_of_referral(act, event, &id).await
            }
            ActKind::Answered { referral, accepts, reason } => {
                let id = self.names.find(&referral.value, referral.span)?.id.clone();
                let microsoft = self.answer(&id, *accepts, reason.as_deref()).await.map_err(broken)?;
                self.tell_of_referral(act, "related-referral-updated", &microsoft).await
            }
            ActKind::Run { flow, inputs, event } => {
                let resolve =
                    |node: &Option<_>| node.as_ref().map_or(Ok(Value::Null), |node| self.names.resolve(node, As::Id));
                let start = Start { inputs: resolve(inputs)?, trigger: resolve(event)?, ..Start::default() };
                self.begin(&FlowId::new(flow.value.as_str()), start).await.map_err(|mistake| mistake.at(act))
            }
            // A test that has a recording is not played here.
            ActKind::Recorded => Ok(()),
            ActKind::Waits(time) => {
                let seconds = time.as_secs();
                let clock = json!({ "advance_seconds": seconds });
                self.stage.people.order(Method::POST, "/clock", &clock).await.map(drop).map_err(broken)
            }
            ActKind::Faults(faults) => self.stage.order_faults(faults).await.map_err(broken),
        }
    }

    /// Table and identifier of a row.
    fn row_of(&self, name: &Spanned<String>) -> Result<(String, String), Mistake> {
        let record = self.names.find(&name.value, name.span)?;
        if record.kind == REFERRAL {
            let message = format!("`{}` is a referral, and this is done with rows of the CRM", name.value);
            return Err(Mistake::new(name.span, message));
        }
        Ok((record.kind.clone(), record.id.clone()))
    }

    /// Microsoft answers; its side of the engagement.
    async fn answer(&self, referral: &str, accepts: bool, reason: Option<&str>) -> Result<String, crate::Trouble> {
        let referrals = self.stage.people.referrals().await?;
        let engagement = |id: &str| referrals.iter().find(|one| one["id"] == id).map(|one| &one["engagementId"]);
        let engagement = engagement(referral).and_then(Value::as_str).unwrap_or_default();
        let word = if accepts { "accept" } else { "decline" };
        let path = format!("/seller/engagements/{engagement}/{word}");
        let body = if accepts { json!({}) } else { json!({ "statusReason": reason }) };
        let microsoft = self.stage.people.order(Method::POST, &path, &body).await?;
        Ok(microsoft["id"].as_str().unwrap_or_default().to_owned())
    }

    async fn saved(&mut self, act: &Act, table: &str, id: &str) -> Result<(), Mistake> {
        let row = if act.told {
            let input = json!({ "table": table, "id": id });
            self.stage.crm("get_row", input).await.map_err(|message| Mistake::new(act.span, message))?
        } else {
            Value::Null
        };
        self.tell_of_row(act, table, id, "saved", row).await
    }

    /// Dataverse tells of a row, each flow in the form of the trigger that it listens by.
    async fn tell_of_row(&mut self, act: &Act, table: &str, id: &str, change: &str, row: Value) -> Result<(), Mistake> {
        let event = |source: &SourcePlan| {
            let listens = &*source.trigger.connector == "dataverse" && source.with["table"] == table;
            match &*source.trigger.operation {
                "row_changed" if listens => Some(json!({ "table": table, "id": id, "change": change, "row": row })),
                "row_saved" if listens => Some(json!({
                    "table": table, "id": id, "change": if change == "saved" { "updated" } else { change },
                    "columns": row, "truncated": false, "user": null, "depth": 1,
                })),
                _ => None,
            }
        };
        self.tell(act, &event).await
    }

    /// Partner Center tells of a referral.
    async fn tell_of_referral(&mut self, act: &Act, event: &str, id: &str) -> Result<(), Mistake> {
        let payload = json!({ "event": event, "referral_id": id, "changed_at": jiff::Timestamp::now().to_string() });
        let event = |source: &SourcePlan| {
            let listens = match (&*source.trigger.connector, &*source.trigger.operation) {
                ("partner_center_events", "received") => {
                    source.with["events"].as_array().is_none_or(|events| events.iter().any(|known| known == event))
                }
                ("partner_center", "referral_updated") => true,
                _ => false,
            };
            listens.then(|| payload.clone())
        };
        self.tell(act, &event).await
    }

    /// Every flow that listens is run once, unless its own condition says no.
    async fn tell(&mut self, act: &Act, event: &dyn Fn(&SourcePlan) -> Option<Value>) -> Result<(), Mistake> {
        self.look().await?;
        if !act.told {
            return Ok(());
        }
        let meant = |plan: &&Arc<Plan>| {
            self.project.off(&plan.flow).is_none()
                && self.test.flow.as_ref().is_none_or(|flow| flow.value == plan.flow.as_str())
        };
        let mut started = Vec::new();
        for plan in self.compilation.plans.values().filter(meant) {
            let Some(trigger) = plan.trigger.sources.iter().find_map(event) else { continue };
            let wanted = entry::is_wanted(plan, &trigger).map_err(|failure| Mistake::new(act.span, failure.message))?;
            if wanted {
                started.push((plan.flow.clone(), Start { trigger, ..Start::default() }));
            }
        }
        for (flow, start) in started {
            self.begin(&flow, start).await.map_err(|mistake| mistake.at(act))?;
        }
        Ok(())
    }

    async fn begin(&mut self, flow: &FlowId, start: Start) -> Result<(), Broken> {
        self.look().await.map_err(|mistake| Broken(mistake.message))?;
        let run = self.engine.run(flow, start, self.watching).await;
        self.run = Some(run);
        let log = self.read_log().await.map_err(Broken)?;
        for entry in log.iter().filter(|entry| entry.system != "control") {
            let mut made = self.name_new(entry).await.map_err(Broken)?;
            made.dedup();
            self.writes.extend(written(entry, &made));
        }
        Ok(())
    }

    /// Notes what people have done: new records get names.
    async fn look(&mut self) -> Result<(), Mistake> {
        let broken = |message| Mistake::new(self.test.name.span, message);
        let log = self.read_log().await.map_err(broken)?;
        for entry in &log {
            self.name_new(entry).await.map_err(|message| Mistake::new(self.test.name.span, message))?;
        }
        Ok(())
    }

    async fn read_log(&mut self) -> Result<Vec<Entry>, String> {
        let log = self.stage.log(self.position).await.map_err(|trouble| plain(&trouble))?;
        self.position = log.last().map_or(self.position, |entry| entry.number);
        Ok(log)
    }

    /// Names the records that a request made; their identifiers.
    async fn name_new(&mut self, entry: &Entry) -> Result<Vec<String>, String> {
        let mut made = Vec::new();
        for change in &entry.changes {
            let Some((kind, id)) = change.record.split_once(' ') else { continue };
            if self.names.of(id).is_some() {
                continue;
            }
            made.push(id.to_owned());
            let wanted = self.wanted.get_mut(kind).filter(|names| !names.is_empty() && entry.system != "control");
            let wanted = wanted.map(|names| names.remove(0));
            let name = match wanted {
                Some(name) => name,
                None if kind == REFERRAL && self.is_microsofts(id).await? => self.names.free("microsoft"),
                None => self.names.free(kind),
            };
            self.names.add(&name, kind, id);
        }
        Ok(made)
    }

    async fn is_microsofts(&self, id: &str) -> Result<bool, String> {
        let referrals = self.stage.people.referrals().await.map_err(|trouble| plain(&trouble))?;
        Ok(referrals.iter().any(|referral| referral["id"] == id && referral["organizationId"] == "msft"))
    }
}

/// The sandbox does not answer as it should.
struct Broken(String);

impl Broken {
    fn at(self, act: &Act) -> Mistake {
        Mistake::new(act.span, self.0)
    }
}

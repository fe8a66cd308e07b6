//! A dry run tells what the run then does: of each event first a dry run, then the run itself, under the same id.
//!
//! Compared are how both end and what they yield, each write with its step and input, and each changed field of each record,
//! before and after, with what the sandbox's log has. What only the services can know is left out: [`FILLED_IN`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cosell_compile::plan::{Action, Plan};
use cosell_model::{Effect, FlowId, Outcome, Value};
use cosell_runtime::memory::{Engine, Start};
use cosell_runtime::record::{Observer, RunRecord, StepRecord};
use cosell_sandbox::Entry;
use cosell_sdk::{Change, Prediction};
use serde_json::json;

use crate::book::Book;
use crate::case::Case;
use crate::people::ROWS;
use crate::world::{Still, World};

/// What was compared, over all cases.
#[derive(Debug, Default)]
pub struct Compared {
    /// Pairs of a dry run and a run.
    pub runs: usize,
    /// Writes that both made.
    pub writes: usize,
    /// Fields that were predicted, and changed.
    pub fields: usize,
    /// By flow, called ones too: how many runs.
    pub flows: BTreeMap<FlowId, usize>,
    /// How far the log has been read in this case.
    position: u64,
}

/// What the services fill in by themselves in what is new. Where a prediction tells of it, it must be right.
const FILLED_IN: [&str; 22] = [
    "actualclosedate",
    "actualend",
    "customerProfile.isMatchingComplete",
    "dealSensitivity",
    "details.requirements.additionalRequirements",
    "direction",
    "donotemail",
    "favorite",
    "inviteContext",
    "isrevenuesystemcalculated",
    "isSpam",
    "mpnId",
    "opportunityid",
    "ownerid",
    "quality",
    "qualifyingopportunityid",
    "registrationStatus",
    "statecode",
    "status",
    "statuscode",
    "substatus",
    "transactioncurrencyid",
];

/// What is sent with an invitation, and Microsoft's side does not have afterwards, or the log does not tell.
const SENT_ONLY: [&str; 3] = ["engagementId", "externalReferenceId", "team"];

impl Compared {
    /// Another case begins.
    pub fn begin(&mut self) {
        self.position = 0;
    }
}

/// A write, as a run records it.
#[derive(Clone, Debug)]
struct Wrote {
    step: String,
    target: String,
    input: Value,
    output: Value,
}

/// Takes down what a run writes, dry or not.
#[derive(Default)]
struct Notes(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    flows: BTreeMap<String, FlowId>,
    writes: Vec<Wrote>,
    changes: Vec<Change>,
    /// What could not be foreseen, in words.
    remarks: Vec<String>,
}

/// Notes of one run of these flows.
struct Taking<'p> {
    plans: &'p BTreeMap<FlowId, Arc<Plan>>,
    notes: Notes,
}

impl Observer for Taking<'_> {
    fn run_began(&self, run: &str, flow: &FlowId, _: usize) {
        self.noted(|noted| drop(noted.flows.insert(run.to_owned(), flow.clone())));
    }

    fn foreseen(&self, _: &str, _: usize, _: &str, prediction: &Prediction) {
        self.noted(|noted| noted.changes.extend(prediction.changes.clone()));
    }

    fn remarked(&self, _: &str, _: usize, step: &str, remark: &str) {
        self.noted(|noted| noted.remarks.push(format!("{step}: {remark}")));
    }

    fn step_ended(&self, run: &str, _: usize, step: &StepRecord) {
        if step.outcome != Outcome::Succeeded {
            return;
        }
        self.noted(|noted| {
            let plan = &self.plans[&noted.flows[run]];
            let id = step.path.rsplit('/').next().unwrap();
            let action = &plan.step(plan.find(id).unwrap()).action;
            if let Action::Operation { effect: Effect::Write, operation, .. } = action {
                noted.writes.push(Wrote {
                    step: format!("{run} {}", step.path),
                    target: operation.to_string(),
                    input: Value::clone(&step.input),
                    output: Value::clone(&step.output),
                });
            }
        });
    }
}

impl Taking<'_> {
    fn noted<T>(&self, work: impl FnOnce(&mut Noted) -> T) -> T {
        work(&mut self.notes.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Plays a case, and compares after each scene what comes of each deal, both ways.
pub async fn play(world: &World, case: &Case, compared: &mut Compared) -> Result<(), String> {
    let still = world.still().await;
    compared.begin();
    for (endpoint, overwrite) in [("first", false), ("first", false), ("second", false), ("second", true)] {
        let inputs = json!({ "endpoint": format!("https://{endpoint}.example/hooks"), "overwrite": overwrite });
        let start = Start { inputs, ..Start::default() };
        both(&still, "partner-center-webhook-registration", start, compared).await?;
    }
    let mut book = Book::default();
    for (number, kind) in case.deals.iter().enumerate() {
        book.deals.push(still.people.make(*kind, number).await);
    }
    everything(&still, compared).await?;
    for scene in &case.scenes {
        for (number, edit) in &scene.edits {
            still.people.act(&mut book, *number, edit).await;
        }
        everything(&still, compared).await?;
    }
    Ok(())
}

/// An event for every referral, every opportunity that is to be synchronised, and every row of a solution.
async fn everything(still: &Still, compared: &mut Compared) -> Result<(), String> {
    for referral in still.people.own_referrals().await {
        let event = if referral["type"] == "Shared" { "related-referral-updated" } else { "referral-updated" };
        let trigger =
            json!({ "event": event, "referral_id": referral["id"], "changed_at": referral["updatedDateTime"] });
        both(still, "partner-center-to-dynamics", with(trigger), compared).await?;
    }
    for row in still.people.rows("opportunities").await {
        let synced =
            json!({ "msft_microsoftpartnercenterreferralsync": row["msft_microsoftpartnercenterreferralsync"] });
        let trigger = json!({ "table": "opportunity", "change": "saved", "id": row["opportunityid"], "row": synced });
        both(still, "dynamics-opportunity-to-partner-center", with(trigger), compared).await?;
    }
    for row in still.people.rows(ROWS).await {
        let opportunity =
            json!({ "msft_opportunity": { "id": row["_msft_opportunity_value"], "table": "opportunity" } });
        let id = &row["msft_partnercentersolutionid"];
        let trigger = json!({ "table": "msft_partnercentersolution", "change": "saved", "id": id, "row": opportunity });
        both(still, "dynamics-microsoft-solutions-to-partner-center", with(trigger), compared).await?;
    }
    Ok(())
}

fn with(trigger: Value) -> Start {
    Start { trigger, ..Start::default() }
}

/// A dry run, then the run.
pub async fn both(still: &Still, flow: &str, start: Start, compared: &mut Compared) -> Result<(), String> {
    let (id, flow) = (uuid::Uuid::now_v7().to_string(), FlowId::new(flow));
    let engine = || Engine::new(still.plans.clone(), still.connections.clone(), crate::shipped::retry());
    let begun = position(still, compared).await;
    let (foreseen, notes) = run(&engine().dry(), still, &id, &flow, start.clone()).await;
    let log = still.people.log(begun).await;
    let written: Vec<&Entry> = log.iter().filter(|entry| !reads(entry) || !entry.changes.is_empty()).collect();
    if !written.is_empty() {
        return Err(format!("a dry run of {flow} wrote: {written:#?}"));
    }
    let begun = position(still, compared).await;
    let (done, real) = run(&engine(), still, &id, &flow, start.clone()).await;
    let log = still.people.log(begun).await;
    if !notes.remarks.is_empty() {
        return Err(format!("a dry run of {flow} could not foresee: {:#?}", notes.remarks));
    }
    let story = || format!("{flow} with {} {}", start.trigger, start.inputs);
    compare((&foreseen, &notes), (&done, &real), &log, compared).map_err(|wrong| format!("{}: {wrong}", story()))
}

/// How far the log has come.
async fn position(still: &Still, compared: &mut Compared) -> u64 {
    let log = still.people.log(compared.position).await;
    compared.position = log.last().map_or(compared.position, |entry| entry.number);
    compared.position
}

async fn run(engine: &Engine, still: &Still, id: &str, flow: &FlowId, start: Start) -> (RunRecord, Noted) {
    let taking = Taking { plans: &still.plans, notes: Notes::default() };
    let run = engine.begin(id.to_owned(), flow, None, start, &taking).await.unwrap();
    (run, taking.notes.0.into_inner().unwrap())
}

/// What may be sent without changing anything: reads, and the requests for tokens.
pub fn reads(entry: &Entry) -> bool {
    matches!(entry.method.as_str(), "GET" | "HEAD") || entry.system == "entra"
}

fn compare(
    (foreseen, notes): (&RunRecord, &Noted),
    (done, real): (&RunRecord, &Noted),
    log: &[Entry],
    compared: &mut Compared,
) -> Result<(), String> {
    compared.runs += 1;
    for flow in real.flows.values() {
        *compared.flows.entry(flow.clone()).or_default() += 1;
    }
    // Identifiers that only the service can give.
    let mut given = BTreeMap::new();
    let step = |wrote: &Wrote| format!("{} {}", wrote.step, wrote.target);
    let (ours, theirs): (Vec<String>, Vec<String>) =
        (notes.writes.iter().map(step).collect(), real.writes.iter().map(step).collect());
    if ours != theirs || foreseen.outcome != done.outcome {
        let failures = (&foreseen.failure, &done.failure);
        let outcomes = (foreseen.outcome, done.outcome);
        return Err(format!("other steps\nforeseen: {ours:#?}\ndone: {theirs:#?}\n{outcomes:?} {failures:?}"));
    }
    for (mine, done) in notes.writes.iter().zip(&real.writes) {
        let input = plain(&mine.input, &given);
        let other = plain(&done.input, &BTreeMap::new());
        if input != other {
            return Err(format!("another input of {}\nforeseen: {input:#}\ndone: {other:#}", mine.step));
        }
        pair(&mine.output, &done.output, &mut given);
        compared.writes += 1;
    }
    let (output, other) = (plain(&foreseen.output, &given), plain(&done.output, &BTreeMap::new()));
    if output != other {
        return Err(format!("another output\nforeseen: {output:#}\ndone: {other:#}"));
    }
    let mut predicted: Vec<Told> = notes
        .changes
        .iter()
        // What the flow yields of these two was compared; the log has no changes of them.
        .filter(|change| !["state ", "the registration "].iter().any(|record| change.record.starts_with(record)))
        .map(|change| Told::new(&change.record, &change.field, [&change.old, &change.new], &given))
        .collect();
    let mut changed: Vec<Told> = log.iter().flat_map(Told::of).collect();
    changed.retain(|told| predicted.contains(told) || !told.is_filled_in());
    predicted.retain(|told| changed.contains(told) || !told.is_sent_only());
    // Both sides of a deal are new referrals that are alike.
    for told in [&mut predicted, &mut changed] {
        told.sort();
        told.dedup();
    }
    if predicted != changed {
        let missing: Vec<_> = changed.iter().filter(|told| !predicted.contains(told)).collect();
        let wrong: Vec<_> = predicted.iter().filter(|told| !changed.contains(told)).collect();
        let counts = (predicted.len(), changed.len());
        return Err(format!("other fields {counts:?}\nforeseen only: {wrong:#?}\ndone only: {missing:#?}"));
    }
    compared.fields += predicted.len();
    Ok(())
}

/// What is told of a field.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    /// Record and field.
    place: String,
    /// Before and after.
    values: String,
}

impl Told {
    fn new(record: &str, field: &str, values: [&Value; 2], given: &BTreeMap<String, String>) -> Self {
        // What is new has a name only afterwards.
        let new = ["new referral", "new opportunityclose"].into_iter().find(|new| record.starts_with(new));
        let record = plain(&json!(new.unwrap_or(record)), given);
        let place = format!("{} {field}", record.as_str().unwrap());
        if field == "*" {
            return Self { place, values: "gone".to_owned() };
        }
        // The log has of a reference only whom it names.
        let short = |value: &Value| plain(if value.get("table").is_some() { &value["id"] } else { value }, given);
        let [old, new] = values.map(short);
        let old = if old == json!(false) { Value::Null } else { old };
        Self { place, values: format!("{old} -> {new}") }
    }

    /// What the log has of a request.
    fn of(entry: &Entry) -> Vec<Self> {
        let none = BTreeMap::new();
        let mut told: Vec<Self> = (entry.changes.iter())
            .map(|change| {
                let is_new = entry.system == "partner_center" && entry.method == "POST" && change.old.is_null();
                let record = match change.record.split(' ').next().unwrap() {
                    "referral" if is_new => "new referral",
                    "opportunityclose" => "new opportunityclose",
                    _ => &change.record,
                };
                let field = if entry.method == "DELETE" { "*" } else { &change.field };
                let field = field.trim_start_matches('/').replace('/', ".");
                Self::new(record, &field, [&change.old, &change.new], &none)
            })
            .collect();
        told.dedup();
        told
    }

    fn is_filled_in(&self) -> bool {
        let field = self.place.rsplit(' ').next().unwrap();
        let is_one = |own: &&str| field.strip_prefix(*own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        // A column with two values begins with the first; a private deal into which Microsoft is asked says so.
        let invited = [("type", "\"Independent\" -> "), ("inviteContext.assistanceRequestCode", "\"Unknown\" -> ")];
        let by_itself = self.values == "null -> false"
            || invited.iter().any(|(own, old)| field == *own && self.values.starts_with(old));
        by_itself || self.values.starts_with("null -> ") && FILLED_IN.iter().any(is_one)
    }

    fn is_sent_only(&self) -> bool {
        SENT_ONLY.iter().any(|field| self.place == format!("new referral {field}"))
    }
}

/// Notes which identifiers the service gave in place of those that were predicted.
fn pair(foreseen: &Value, done: &Value, given: &mut BTreeMap<String, String>) {
    match (foreseen, done) {
        (Value::Object(mine), Value::Object(other)) => {
            mine.iter().for_each(|(name, value)| pair(value, &other[name], given));
        }
        (Value::String(mine), Value::String(other))
            if mine != other && [mine, other].iter().all(|text| text.parse::<uuid::Uuid>().is_ok()) =>
        {
            given.insert(mine.clone(), other.clone());
        }
        _ => {}
    }
}

/// A value with the identifiers that were given, its numbers in one form, without members that are null, and without the time
/// of an audit line.
fn plain(value: &Value, given: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::String(text) => {
            let mut text = text.clone();
            given.iter().for_each(|(mine, other)| text = text.replace(mine.as_str(), other));
            let lines: Vec<&str> = text
                .split('\n')
                .map(|line| if line.get(16..23) == Some(" UTC - ") { &line[16..] } else { line })
                .collect();
            json!(lines.join("\n"))
        }
        Value::Array(items) => items.iter().map(|item| plain(item, given)).collect(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| (name.clone(), plain(value, given))).collect()
        }
        value => value.clone(),
    }
}

//! The two systems and the program between them, wired as `cosell demo` wires them, all in this process.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cosell_compile::plan::Plan;
use cosell_model::{FlowId, Value};
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::memory::{Engine, idempotency_key};
use cosell_sandbox::{Options, Sandbox};
use cosell_sdk::{CallContext, Connection, TriggerEvent};
use cosell_service::hooks::{Hooks, Listening};
use cosell_service::polls::Polls;
use serde_json::json;

use crate::case::{Faults, Weather};
use crate::door::Door;
use crate::people::People;
use crate::shipped::{self, retry};
use crate::watch::Watch;

/// How often the CRM is asked for changes.
const POLL: Duration = Duration::from_millis(20);
/// How long things may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// The stand-ins, and what all cases share: the flows, and connections that are signed in.
pub struct World {
    sandbox: Sandbox,
    plans: BTreeMap<FlowId, Arc<Plan>>,
    connections: BTreeMap<String, Connection>,
}

/// Two systems that nothing happens between, unless somebody runs a flow.
pub struct Still {
    pub people: People,
    pub plans: BTreeMap<FlowId, Arc<Plan>>,
    pub connections: BTreeMap<String, Connection>,
}

/// The program at work, for one case.
pub struct Program {
    pub people: People,
    pub watch: Arc<Watch>,
    dispatcher: Dispatcher,
    door: Door,
    polls: Option<Polls>,
    _hooks: Hooks,
    walks: u32,
}

impl World {
    /// A sandbox, and the shipped flows.
    pub async fn start() -> Self {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let (plans, connections) = shipped::opened(sandbox.addresses());
        Self { plans, connections, sandbox }
    }

    /// All the shipped flows.
    pub fn flows(&self) -> impl Iterator<Item = &FlowId> {
        self.plans.keys()
    }

    /// Everything anew, with nobody at work on it.
    pub async fn still(&self) -> Still {
        let people = People::new(self.sandbox.addresses());
        people.control("POST", "/reset", &json!({})).await.unwrap();
        let mut connections = self.connections.clone();
        connections.insert("state".to_owned(), cosell_state::connector().open(json!({})).unwrap());
        Still { people, plans: self.plans.clone(), connections }
    }

    /// Everything anew, and the program at work on it.
    pub async fn open(&self) -> Program {
        let addresses = self.sandbox.addresses();
        let people = People::new(addresses);
        people.control("POST", "/reset", &json!({})).await.unwrap();
        // What flows keep is in memory, and of one case only.
        let mut connections = self.connections.clone();
        connections.insert("state".to_owned(), cosell_state::connector().open(json!({})).unwrap());
        let engine = Engine::new(self.plans.clone(), connections, retry());
        let watch = Arc::new(Watch::default());
        let dispatcher = Dispatcher::new(Arc::new(engine), Arc::clone(&watch) as _);
        let hooks = Hooks::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), dispatcher.clone(), Listening::default())
            .await
            .unwrap();
        let door = Door::before(&hooks.url("partner_center_events")).await;
        let engine = dispatcher.engine();
        let events = engine.connection("partner_center_events").unwrap();
        let context = CallContext::new(idempotency_key("convergence", "register"), false);
        events.call("register", json!({ "url": door.url(), "overwrite": true }), context).await.unwrap();
        let polls = Polls::begin(&dispatcher, POLL);
        polls.ready().await;
        Program { people, watch, dispatcher, door, polls: Some(polls), _hooks: hooks, walks: 0 }
    }
}

impl Program {
    /// Sets the weather; `late` keeps all news outside until the weather is set again.
    pub async fn set(&self, weather: Weather, late: bool) {
        let asking = json!({
            "name": "late", "system": "dataverse", "path": "deltatoken", "action": { "status": 503, "retry_after": 0 },
        });
        let mut rules = faults(weather.faults);
        if late {
            rules.insert(0, asking);
            self.door.shut();
        }
        self.people.control("PUT", "/faults", &json!(rules)).await.unwrap();
        self.people.control("PUT", "/events", &deliveries(weather, 0)).await.unwrap();
        if !late {
            self.door.open();
        }
    }

    /// From now on nobody is told anything, until [`Program::listen_again`].
    pub async fn stop_listening(&mut self, weather: Weather) {
        self.polls = None;
        self.people.control("PUT", "/events", &deliveries(weather, 1000)).await.unwrap();
    }

    /// Listens again; what happened meanwhile stays untold.
    pub async fn listen_again(&mut self, weather: Weather) {
        self.people.control("PUT", "/events", &deliveries(weather, 0)).await.unwrap();
        let polls = Polls::begin(&self.dispatcher, POLL);
        polls.ready().await;
        self.polls = Some(polls);
    }

    /// One event for every referral, and then one for every opportunity that is to be synchronised, as `cosell sync` does.
    pub async fn walk(&mut self) -> Result<(), String> {
        self.walks += 1;
        for referral in self.people.own_referrals().await {
            let event = if referral["type"] == "Shared" { "related-referral-updated" } else { "referral-updated" };
            let payload =
                json!({ "event": event, "referral_id": referral["id"], "changed_at": referral["updatedDateTime"] });
            self.dispatch("partner-center-to-dynamics", &referral["id"], payload).await;
        }
        self.rest().await?;
        for row in self.people.rows("opportunities").await {
            let payload = json!({
                "table": "opportunity", "change": "saved", "id": row["opportunityid"],
                "row": { "msft_microsoftpartnercenterreferralsync": row["msft_microsoftpartnercenterreferralsync"] },
            });
            self.dispatch("dynamics-opportunity-to-partner-center", &row["opportunityid"], payload).await;
        }
        self.rest().await
    }

    async fn dispatch(&self, flow: &str, id: &Value, payload: Value) {
        let dedup_key = format!("walk {} {id}", self.walks);
        self.dispatcher.dispatch(&FlowId::new(flow), TriggerEvent { payload, dedup_key }).await.unwrap();
    }

    /// Waits until every event has arrived, every run has ended, and nothing new follows.
    pub async fn rest(&self) -> Result<(), String> {
        let resting = async {
            let (mut quiet, mut number) = (0, 0);
            while quiet < 2 {
                if let Some(polls) = &self.polls {
                    polls.answered().await;
                }
                self.dispatcher.idle().await;
                let log = self.people.log(number).await;
                number = log.last().map_or(number, |entry| entry.number);
                let changed = log.iter().any(|entry| !entry.changes.is_empty());
                let busy = changed || self.people.events_waiting().await > 0 || self.dispatcher.under_way() > 0;
                quiet = if busy { 0 } else { quiet + 1 };
            }
        };
        tokio::time::timeout(PATIENCE, resting)
            .await
            .map_err(|_| format!("nothing comes to rest within {PATIENCE:?}: {:?}", self.watch.failures()))
    }

    /// Ends the program's work, so that nothing of it reaches the next case.
    pub async fn close(mut self) {
        self.polls = None;
        self.door.shut();
        let _ = tokio::time::timeout(PATIENCE, self.dispatcher.idle()).await;
    }
}

/// The sandbox's switches for the delivery of events.
fn deliveries(weather: Weather, lost: u32) -> Value {
    json!({
        "duplicate": weather.duplicates, "reorder_pairs": weather.reordered, "drop_next": lost,
        "first_retry_ms": 40, "retry_growth": 1,
    })
}

/// The sandbox's rules for what goes wrong with requests.
fn faults(faults: Faults) -> Vec<Value> {
    let systems = ["partner_center", "dataverse"];
    let seed = match faults {
        Faults::None => return Vec::new(),
        Faults::Slow => {
            let slow = |system| json!({ "name": "slow", "system": system, "action": { "delay_ms": 25 } });
            return systems.map(slow).to_vec();
        }
        Faults::ByChance(seed) => seed,
    };
    let chances: [(&str, f64, Option<&str>, Value); 9] = [
        ("throttle", 0.02, None, json!({ "status": 429, "retry_after": 0 })),
        ("unavailable", 0.02, None, json!({ "status": 503 })),
        ("error", 0.02, None, json!({ "status": 500 })),
        ("reset", 0.03, None, json!("reset_before")),
        ("lost answer", 0.15, Some("POST"), json!("reset_after")),
        ("lost answer", 0.15, Some("PATCH"), json!("reset_after")),
        ("half a body", 0.02, None, json!("half_body")),
        ("not JSON", 0.02, None, json!("malformed_json")),
        ("slow", 0.03, None, json!({ "delay_ms": 40 })),
    ];
    let rules = systems.into_iter().flat_map(|system| chances.iter().map(move |chance| (system, chance)));
    let rules = rules.zip(seed..).map(|((system, (name, probability, method, action)), seed)| {
        json!({
            "name": name, "system": system, "method": method, "probability": probability, "seed": seed, "action": action,
        })
    });
    rules.collect()
}

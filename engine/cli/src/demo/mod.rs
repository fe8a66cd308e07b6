//! `cosell demo`: a deal crosses both ways, against the sandbox, over real HTTP.
//!
//! [`people`] acts as the sellers and looks at the stand-ins; [`scenes`] is what happens; [`story`] tells it; [`faults`]
//! makes it hard; [`verdict`] says whether both sides agree in the end.

mod faults;
pub(crate) mod people;
mod scenes;
mod story;
mod verdict;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cosell_console::Console;
use cosell_journal::Journal;
use cosell_model::{FlowId, Value};
use cosell_runtime::dispatch::{Dispatcher, Room};
use cosell_runtime::memory::Engine;
use cosell_runtime::record::Both;
use cosell_sandbox::{Addresses, Sandbox};
use cosell_sdk::settings::Secret;
use cosell_sdk::{CallContext, Connector};
use cosell_service::api::Api;
use cosell_service::hooks::{Hooks, Listening};
use cosell_service::polls::Polls;
use cosell_service::watch::Watch;
use serde_json::json;
use uuid::Uuid;

use crate::end::End;
use crate::journal::FILE;
use crate::project::Project;
use crate::{Ending, Trouble};
use faults::Fault;
use people::People;
use story::{Runs, Story};

/// How to show it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Leave the stand-ins and the console running afterwards, until interrupted.
    #[arg(long)]
    keep: bool,
    /// Make the stand-ins misbehave; may be given several times.
    #[arg(long = "fault", value_enum, value_name = "FAULT")]
    faults: Vec<Fault>,
}

/// The flows that events start.
const FLOWS: [&str; 3] = [
    "partner-center-to-dynamics",
    "dynamics-opportunity-to-partner-center",
    "dynamics-microsoft-solutions-to-partner-center",
];

/// How often the demo asks the CRM for changes: often, so that nobody waits.
const POLL: Duration = Duration::from_millis(60);

/// A folder that is gone afterwards: what the journal keeps of a demo.
struct Home(PathBuf);

impl Home {
    fn new() -> Result<Self, Trouble> {
        let path = std::env::temp_dir().join(format!("cosell-demo-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&path)
            .map_err(|error| Trouble::new(format!("the folder `{}` cannot be made: {error}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the demo's folder stays");
        }
    }
}

/// Everything that the scenes play on.
struct Stage {
    people: People,
    dispatcher: Dispatcher,
    polls: Polls,
    runs: Arc<Runs>,
}

/// Shows it.
pub(crate) async fn demo(options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let sandbox = sandbox().await?;
    let project = Project::shipped_with(connections(sandbox.addresses()), connectors)?;
    let flows = FLOWS.map(FlowId::new);
    let engine = project.engine(&flows, true, connectors)?.with_default_retry(faults::patience());
    let home = Home::new()?;
    let journal = Journal::open(&home.0.join(FILE))?;
    let (version, source) = project.version();
    journal.keep_version(&version, &source).await?;
    let engine = engine.kept_by(Arc::new(journal.clone()), version, Vec::new());
    let (runs, watch) = (Arc::new(Runs::default()), Watch::default());
    let observer = Both(Arc::clone(&runs) as _, Arc::new(watch.clone()));
    let dispatcher =
        Dispatcher::with_inbox(Arc::new(engine), Arc::new(observer), Arc::new(journal.clone()), Room::default());
    let token = Uuid::new_v4().simple().to_string();
    let api = Arc::new(Api::new(dispatcher.clone(), &journal, &watch, Some(Secret::from(token.clone())))?);
    let pages = Console::new(Arc::clone(&api), project.facts()).pages();
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let hooks =
        Hooks::listen(loopback, dispatcher.clone(), Listening { api: Some(api), pages, ..Listening::default() })
            .await
            .map_err(|error| Trouble::new(format!("web hooks cannot be listened for: {error}")))?;
    register(&dispatcher.engine(), &hooks.url("partner_center_events")).await?;

    let people = People::new(&sandbox.addresses().control)?;
    let polls = Polls::begin(&dispatcher, POLL);
    polls.ready().await;
    people.order_faults(&options.faults).await?;
    let stage = Stage { people, dispatcher, polls, runs };
    let mut story = Story::new(options.json);
    story.opening(sandbox.addresses(), &options.faults);
    scenes::play(&stage, &mut story).await?;
    stage.people.order_faults(&[]).await?;
    let wrong = verdict::disagreements(&stage.people).await?;
    story.closing(&stage.people.log(0).await?, &stage.runs, &wrong);

    if options.keep {
        let mut end = End::new()?;
        story.kept(sandbox.addresses(), &hooks.origin(), &token);
        end.wait().await;
    }
    drop(stage);
    sandbox.stop().await;
    Ok(if wrong.is_empty() { Ending::Done } else { Ending::Failed })
}

/// A sandbox of its own.
///
/// # Errors
/// Where no port can be listened on.
pub(crate) async fn sandbox() -> Result<Sandbox, Trouble> {
    let sandbox = Sandbox::start(cosell_sandbox::Options::default()).await;
    sandbox.map_err(|error| Trouble::new(format!("the sandbox cannot be started: {error}")))
}

/// A sandbox with the demo's two deals, before anything has brought them to the other side.
pub(crate) struct TwoDeals {
    pub(crate) sandbox: Sandbox,
    /// The referral of the deal that Microsoft shares.
    pub(crate) referral: String,
    /// The opportunity of the deal that the CRM has.
    pub(crate) opportunity: String,
}

impl TwoDeals {
    /// Starts it.
    ///
    /// # Errors
    /// Where no port can be listened on.
    pub(crate) async fn start() -> Result<Self, Trouble> {
        let sandbox = sandbox().await?;
        let people = People::new(&sandbox.addresses().control)?;
        let (referral, opportunity) = (scenes::shared_deal(&people).await?, scenes::own_deal(&people).await?);
        Ok(Self { sandbox, referral, opportunity })
    }
}

/// The sandbox as a configuration has it; what flows keep is in memory.
pub(crate) fn connections(addresses: &Addresses) -> BTreeMap<String, Value> {
    let sign_in = |refresh_token: Option<&String>| {
        let mut sign_in = json!({
            "authority": addresses.entra,
            "tenant": addresses.tenant,
            "client_id": addresses.client_id,
            "client_secret": addresses.client_secret,
        });
        if let Some(token) = refresh_token {
            sign_in["refresh_token"] = json!(token);
        }
        sign_in
    };
    let partner_center = json!({
        "address": addresses.partner_center,
        "sign_in": sign_in(Some(&addresses.refresh_token)),
    });
    let events = json!({
        "address": addresses.partner_center_events,
        "sign_in": sign_in(None),
        "trust_roots": addresses.root_certificate_pem,
        "certificate_hosts": [addresses.certificates.trim_start_matches("http://")],
        "allow_http_certificates": true,
    });
    let dataverse = json!({ "address": addresses.dataverse, "sign_in": sign_in(None) });
    let named = [
        ("partner_center", partner_center),
        ("partner_center_events", events),
        ("dataverse", dataverse),
        ("state", json!({})),
    ];
    named.into_iter().map(|(name, settings)| (name.to_owned(), settings)).collect()
}

/// Has Partner Center send its events to `url`.
async fn register(engine: &Engine, url: &str) -> Result<(), Trouble> {
    let events = engine.connection("partner_center_events").ok_or_else(|| Trouble::new("no flow listens to events"))?;
    let input = json!({ "url": url, "overwrite": true });
    let context = CallContext::new(cosell_runtime::memory::idempotency_key("demo", "register"), false);
    let registered = events.call("register", input, context).await;
    registered.map(drop).map_err(|error| Trouble::new(format!("the web hook cannot be registered: {error}")))
}

impl Stage {
    /// Waits until every event has been delivered, every run has ended, and nothing new follows.
    async fn settle(&self) -> Result<(), Trouble> {
        let settled = async {
            let mut quiet = 0;
            let mut changes = self.people.changes().await?;
            while quiet < 2 {
                self.polls.answered().await;
                self.dispatcher.idle().await;
                let now = self.people.changes().await?;
                let busy = self.people.events_waiting().await? > 0 || self.dispatcher.under_way() > 0 || now != changes;
                changes = now;
                quiet = if busy { 0 } else { quiet + 1 };
            }
            Ok(())
        };
        let limit = Duration::from_secs(90);
        tokio::time::timeout(limit, settled)
            .await
            .unwrap_or_else(|_| Err(Trouble::new(format!("things did not come to rest within {limit:?}"))))
    }
}

//! Whether remote systems call this service: registered by itself where a connector can, and looked at over and over.

use std::collections::BTreeMap;
use std::time::Duration;

use cosell_model::Value;
use cosell_model::catalogue::Delivery;
use cosell_runtime::dispatch::Dispatcher;
use cosell_runtime::memory::{Engine, idempotency_key};
use cosell_sdk::{CallContext, CallError, Registration};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The longest wait before what was not in order, or could not be found out, is looked at again.
const SOON: Duration = Duration::from_secs(60);

/// A trigger whose remote system calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hook {
    /// The connection.
    pub connection: String,
    /// The connector's trigger.
    pub trigger: String,
    /// Its address, as seen from outside.
    pub url: String,
}

/// What was found of a hook: its registration, or why that is not known.
pub type Found = Result<Registration, CallError>;

/// What was found of all hooks.
pub type Overview = BTreeMap<Hook, Found>;

/// Looks at all hooks of the engine's flows once: has them registered where the connector can do so by itself, and asks
/// whom the remote system calls. `public_url` is this service's address as seen from outside.
pub async fn look(engine: &Engine, public_url: &str) -> Overview {
    let mut overview = Overview::new();
    for (hook, flows) in hooks(engine, public_url) {
        let found = found(engine, &hook, flows).await;
        overview.insert(hook, found);
    }
    overview
}

/// The hooks of the engine's flows, with the settings of those that listen to each.
fn hooks(engine: &Engine, public_url: &str) -> BTreeMap<Hook, Vec<Value>> {
    let mut hooks: BTreeMap<Hook, Vec<Value>> = BTreeMap::new();
    for source in engine.plans().flat_map(|plan| &plan.trigger.sources) {
        let open = engine.connection(&source.connection);
        if open.and_then(|open| open.delivery(&source.trigger.operation)) != Some(Delivery::Webhook) {
            continue;
        }
        let hook = Hook {
            connection: source.connection.clone(),
            trigger: source.trigger.operation.to_string(),
            url: format!("{}/hooks/{}", public_url.trim_end_matches('/'), source.connection),
        };
        hooks.entry(hook).or_default().push(source.with.clone());
    }
    hooks
}

async fn found(engine: &Engine, hook: &Hook, flows: Vec<Value>) -> Found {
    // It was there a moment ago, or the hook would not be here.
    let Some(open) = engine.connection(&hook.connection) else { return Ok(Registration::Unknown) };
    let calls = open.register(&hook.trigger, &flows, &hook.url)?;
    if calls.is_empty() {
        return open.registered(&hook.trigger, flows, &hook.url).await;
    }
    for (number, (operation, input)) in calls.into_iter().enumerate() {
        // The same at each look: whoever registers again after he was cut off must find what he made.
        let key = idempotency_key(&hook.url, &format!("{}/{number}", hook.trigger));
        open.call(operation, input, CallContext::new(key, true)).await?;
    }
    Ok(Registration::Here)
}

/// Looks over and over; it stops when dropped.
pub struct Registrations {
    looking: JoinHandle<()>,
    overview: watch::Receiver<Overview>,
}

impl Registrations {
    /// Looks now, and every so often; sooner where something is not in order. What is not as it should be is logged when
    /// it is first seen.
    pub fn keep(dispatcher: &Dispatcher, public_url: &str, every: Duration) -> Self {
        let (found, overview) = watch::channel(Overview::new());
        let (dispatcher, public_url) = (dispatcher.clone(), public_url.to_owned());
        let looking = tokio::spawn(async move {
            loop {
                let now = look(&dispatcher.engine(), &public_url).await;
                tell_changes(&found.borrow(), &now);
                let in_order =
                    now.values().all(|found| matches!(found, Ok(Registration::Here | Registration::Unknown)));
                found.send_replace(now);
                tokio::time::sleep(if in_order { every } else { every.min(SOON) }).await;
            }
        });
        Self { looking, overview }
    }

    /// What was found at the last look; empty before the first.
    pub fn overview(&self) -> watch::Receiver<Overview> {
        self.overview.clone()
    }
}

impl Drop for Registrations {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// Logs what was not so at the last look.
fn tell_changes(before: &Overview, now: &Overview) {
    for (hook, found) in now.iter().filter(|(hook, found)| before.get(hook) != Some(found)) {
        tell(hook, found);
    }
}

fn tell(hook: &Hook, found: &Found) {
    let Hook { connection, trigger, url } = hook;
    match found {
        Ok(Registration::Here) => tracing::info!(connection, trigger, url, "events come here"),
        Ok(Registration::Unknown) => {}
        Ok(Registration::Nowhere) => {
            tracing::warn!(connection, trigger, url, "nothing is registered, so no event comes; register this address");
        }
        Ok(Registration::Elsewhere { url: other }) => {
            tracing::warn!(
                connection,
                trigger,
                url,
                other,
                "the events go to another address; take them back by registering this one"
            );
        }
        Ok(Registration::Partly { missing }) => {
            tracing::warn!(
                connection,
                trigger,
                url,
                ?missing,
                "these events are not registered; register them as well"
            );
        }
        Err(error) => {
            tracing::warn!(connection, trigger, url, %error, "whether events come here could not be found out");
        }
    }
}

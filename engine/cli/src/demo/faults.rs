//! What can go wrong over there, and how long the demo waits before it tries again.

use std::time::Duration;

use clap::ValueEnum;
use cosell_model::Value;
use cosell_model::flow::{Backoff, Retry};
use serde_json::json;

/// A way in which the stand-ins misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Fault {
    /// 429 with Retry-After, now and then.
    Throttle,
    /// 500, 502 and 503, now and then.
    Unavailable,
    /// The connection breaks before the request is read.
    Reset,
    /// The connection breaks after a write took effect, before the answer.
    LostResponse,
    /// Answers come late.
    Delay,
    /// Answers break off half way, are not JSON, or claim to be something else.
    Garbled,
    /// Events come several times, and out of order.
    Duplicates,
    /// All of the above, by chance: the same in every demo.
    All,
}

impl Fault {
    /// The sandbox's rules for it. Counters go by system, so that each is struck alike in every demo.
    pub(super) fn rules(self) -> Vec<Value> {
        let systems = ["partner_center", "dataverse"];
        let rule = |name: &str, every: u64, method: Option<&str>, action: Value| {
            systems.map(
                |system| json!({ "name": name, "system": system, "method": method, "every": every, "action": action }),
            )
        };
        match self {
            Fault::Throttle => rule("throttle", 11, None, json!("throttle")).to_vec(),
            Fault::Unavailable => [(7, 503), (9, 500), (13, 502)]
                .into_iter()
                .flat_map(|(every, status)| rule("unavailable", every, None, json!({ "status": status })))
                .collect(),
            Fault::Reset => rule("reset", 6, None, json!("reset_before")).to_vec(),
            Fault::LostResponse => ["POST", "PATCH"]
                .into_iter()
                .flat_map(|method| rule("lost response", 2, Some(method), json!("reset_after")))
                .collect(),
            Fault::Delay => rule("delay", 3, None, json!({ "delay_ms": 120 })).to_vec(),
            Fault::Garbled => [(7, "half_body"), (10, "malformed_json"), (13, "wrong_content_type")]
                .into_iter()
                .flat_map(|(every, action)| rule(action, every, None, json!(action)))
                .collect(),
            Fault::Duplicates => Vec::new(),
            Fault::All => by_chance(),
        }
    }

    /// The sandbox's settings of event delivery for it.
    pub(super) fn events(self) -> Value {
        match self {
            Fault::Duplicates | Fault::All => json!({ "duplicate": 3, "reorder_pairs": true }),
            _ => json!({}),
        }
    }
}

/// Every kind of fault, each with its own chance; the generators begin alike in every demo.
fn by_chance() -> Vec<Value> {
    let chances: [(&str, f64, Option<&str>, Value); 9] = [
        ("throttle", 0.01, None, json!({ "status": 429, "retry_after": 1 })),
        ("unavailable", 0.03, None, json!({ "status": 503 })),
        ("error", 0.03, None, json!({ "status": 500 })),
        ("reset", 0.03, None, json!("reset_before")),
        ("lost response", 0.25, Some("POST"), json!("reset_after")),
        ("lost response", 0.25, Some("PATCH"), json!("reset_after")),
        ("half_body", 0.03, None, json!("half_body")),
        ("malformed_json", 0.02, None, json!("malformed_json")),
        ("delay", 0.05, None, json!({ "delay_ms": 100 })),
    ];
    let systems = ["partner_center", "dataverse"];
    let rules = systems.into_iter().flat_map(|system| chances.iter().map(move |chance| (system, chance)));
    let rules = rules.zip(1u64..).map(|((system, (name, probability, method, action)), seed)| {
        json!({
            "name": name, "system": system, "method": method, "probability": probability, "seed": seed, "action": action,
        })
    });
    rules.collect()
}

/// Retries at a pace at which people like to watch.
pub(super) fn patience() -> Retry {
    Retry {
        count: 12,
        backoff: Backoff::Exponential,
        interval: Duration::from_millis(100),
        minimum: Duration::from_millis(40),
        maximum: Duration::from_millis(800),
    }
}

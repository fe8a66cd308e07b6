//! Faults that a test orders: which requests they strike, and what happens then.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

/// One rule. A request is struck by the first rule that fits it and whose turn it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Shown in the log beside each request it struck.
    pub(crate) name: String,
    /// `entra`, `partner_center`, `partner_center_events` or `dataverse`; any of them when left out.
    #[serde(default)]
    pub(crate) system: Option<String>,
    /// HTTP method; any when left out.
    #[serde(default)]
    pub(crate) method: Option<String>,
    /// Text that occurs in the path or query; any when left out.
    #[serde(default)]
    pub(crate) path: Option<String>,
    /// Strikes only these of the fitting requests, counted from 1.
    #[serde(default)]
    pub(crate) nth: Option<Vec<u64>>,
    /// Strikes every n-th fitting request.
    #[serde(default)]
    pub(crate) every: Option<u64>,
    /// Strikes a fitting request with this probability, 0 to 1, by a generator that `seed` starts.
    #[serde(default)]
    pub(crate) probability: Option<f64>,
    /// Start of the generator.
    #[serde(default)]
    pub(crate) seed: u64,
    /// Most strikes; unlimited when left out.
    #[serde(default)]
    pub(crate) times: Option<u64>,
    /// What a strike does.
    pub(crate) action: Action,
}

/// What a strike does to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Action {
    /// Answers instead of the stand-in.
    Answer(Answer),
    /// Lets the stand-in answer, but later.
    Delay(Delay),
    /// Lets the stand-in answer by a clock that is wrong.
    Skew(Skew),
    /// One of the actions that need no value.
    Named(Named),
}

/// An answer in place of the stand-in's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// JSON body; empty when left out.
    #[serde(default)]
    pub(crate) body: Option<Value>,
    /// Answers with the body that the struck system itself documents for errors, instead of `body`.
    #[serde(default)]
    pub(crate) own_body: bool,
    /// `Retry-After` in seconds.
    #[serde(default)]
    pub(crate) retry_after: Option<u64>,
}

/// A pause before the stand-in sees the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delay {
    /// Length of the pause, in real time.
    pub(crate) delay_ms: u64,
}

/// A clock that is wrong: the answer's `Date`, the times in tokens and documents, and what counts as expired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skew {
    /// By how much it is ahead (positive) or behind.
    pub(crate) skew_seconds: i32,
}

/// Actions that need no value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Named {
    /// Cuts the connection; the stand-in never sees the request.
    ResetBefore,
    /// The stand-in carries the request out, then the connection is cut without an answer.
    ResetAfter,
    /// The request stands still before the stand-in sees it, until the rules are replaced; then as `reset_before`.
    HoldBefore,
    /// The stand-in carries the request out, and its answer stands still until the rules are replaced; then as
    /// `reset_after`.
    HoldAfter,
    /// The answer's body breaks off half way.
    HalfBody,
    /// The answer's body is not JSON.
    MalformedJson,
    /// The answer claims to be HTML.
    WrongContentType,
    /// Answers 429 in the struck system's own form.
    Throttle,
}

impl Action {
    /// Whether the request stands still until the rules are replaced.
    pub(crate) fn holds(&self) -> bool {
        matches!(self, Self::Named(Named::HoldBefore | Named::HoldAfter))
    }
}

/// What `PUT /faults` accepts as `action`, for its error message.
pub(crate) const ACTIONS: &str = "{\"status\": n, \"body\"?, \"own_body\"?, \"retry_after\"?}, {\"delay_ms\": n}, \
    {\"skew_seconds\": n}, \"reset_before\", \
    \"reset_after\", \"hold_before\", \"hold_after\", \"half_body\", \"malformed_json\", \"wrong_content_type\" or \"throttle\"";

/// The 429 that `system` answers itself.
///
/// Dataverse: "Service protection API limits". Partner Center and its events: "API throttling guidance", whose body has
/// no `error` object.
pub(crate) fn throttle(system: &str) -> Answer {
    const SECONDS: u64 = 2;
    let body = match system {
        "dataverse" => json!({ "error": {
            "code": "0x80072322",
            "message": "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
        } }),
        _ => too_many_requests(SECONDS),
    };
    Answer { status: 429, body: Some(body), own_body: false, retry_after: Some(SECONDS) }
}

/// The error body that `system` documents for `status`.
///
/// Partner Center: "Referrals API response codes". Its events: the OpenAPI file's error. Entra ID: token endpoint errors.
/// Dataverse: "Compose HTTP requests and handle errors".
pub(crate) fn own_body(system: &str, status: u16) -> Value {
    const MESSAGE: &str = "Ordered by a fault rule.";
    match system {
        "partner_center" => {
            let code = match status {
                401 => "unauthenticated",
                403 => "accessDenied",
                404 | 410 => "itemNotFound",
                409 | 423 => "resourceModified",
                412 => "preconditionFailed",
                400..=499 => "invalidRequest",
                503 | 504 => "serviceNotAvailable",
                _ => "generalException",
            };
            json!({ "error": { "code": code, "message": MESSAGE, "target": null } })
        }
        "partner_center_events" => {
            json!({ "code": status, "description": MESSAGE, "data": [], "source": "PartnerCenterWebhooks" })
        }
        "entra" => json!({
            "error": if status >= 500 { "temporarily_unavailable" } else { "invalid_request" },
            "error_description": format!("AADSTS90033: {MESSAGE}"),
            "error_codes": [90033],
        }),
        _ => json!({ "error": { "code": "0x80040216", "message": MESSAGE } }),
    }
}

/// Partner Center's flat 429 body.
pub(crate) fn too_many_requests(seconds: u64) -> Value {
    json!({ "statusCode": 429, "message": format!("Rate limit is exceeded. Try again in {seconds} seconds.") })
}

/// A rule that struck: its name and what to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strike {
    /// Name of the rule.
    pub(crate) name: String,
    /// What to do.
    pub(crate) action: Action,
    /// Which rules were in force.
    rules: u64,
}

/// The rules in force, with their counters.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Armed>>,
    holding: watch::Sender<Holding>,
}

/// What stands still.
#[derive(Clone, Copy, Debug, Default)]
struct Holding {
    /// Which rules are in force: how often they were replaced.
    rules: u64,
    /// How many requests they have held.
    held: u64,
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    fitting: u64,
    strikes: u64,
    chance: u64,
}

impl Faults {
    /// Replaces all rules and starts their counters anew.
    pub(crate) fn set(&self, rules: Vec<Rule>) {
        let mut in_force = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        *in_force = rules.into_iter().map(|rule| Armed { chance: rule.seed, rule, fitting: 0, strikes: 0 }).collect();
        self.holding.send_modify(|holding| *holding = Holding { rules: holding.rules + 1, held: 0 });
    }

    /// Has a request that was struck stand still until the rules are replaced.
    pub(crate) async fn hold(&self, strike: &Strike) {
        let mut holding = self.holding.subscribe();
        self.holding.send_modify(|holding| holding.held += u64::from(holding.rules == strike.rules));
        // The sender lives as long as `self`.
        let _ = holding.wait_for(|holding| holding.rules != strike.rules).await;
    }

    /// Waits until the rules in force hold a request; how many they have held.
    pub(crate) async fn held(&self) -> u64 {
        let mut holding = self.holding.subscribe();
        holding.wait_for(|holding| holding.held > 0).await.map_or(0, |holding| holding.held)
    }

    /// The rules with how many requests fitted each and how often it struck.
    pub(crate) fn report(&self) -> Value {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules
            .iter()
            .map(|armed| json!({ "rule": armed.rule, "fitting": armed.fitting, "strikes": armed.strikes }))
            .collect()
    }

    /// Counts a request in every rule that fits it, and says which one strikes.
    pub(crate) fn strike(&self, system: &str, method: &str, path: &str) -> Option<Strike> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let in_force = self.holding.borrow().rules;
        let mut struck = None;
        for armed in rules.iter_mut().filter(|armed| armed.rule.fits(system, method, path)) {
            let turn = armed.turn();
            if struck.is_none() && turn {
                armed.strikes += 1;
                struck =
                    Some(Strike { name: armed.rule.name.clone(), action: armed.rule.action.clone(), rules: in_force });
            }
        }
        struck
    }
}

impl Rule {
    fn fits(&self, system: &str, method: &str, path: &str) -> bool {
        // The control API is no remote system: a rule for any system spares it.
        self.system.as_ref().map_or(system != "control", |wanted| wanted == system)
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_ref().is_none_or(|wanted| path.contains(wanted))
    }
}

impl Armed {
    /// Counts one fitting request; true when it is to be struck.
    fn turn(&mut self) -> bool {
        self.fitting += 1;
        let number = self.fitting;
        let chance = self.rule.probability.is_none_or(|probability| self.draw() < probability);
        chance
            && self.rule.nth.as_ref().is_none_or(|nth| nth.contains(&number))
            && self.rule.every.is_none_or(|every| every > 0 && number.is_multiple_of(every))
            && self.rule.times.is_none_or(|times| self.strikes < times)
    }

    /// The next number in 0..1 of a SplitMix64 generator: repeatable, and without a dependency.
    fn draw(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn faults(rules: Value) -> Faults {
        let faults = Faults::default();
        faults.set(serde_json::from_value(rules).unwrap());
        faults
    }

    fn pattern(faults: &Faults, requests: usize) -> String {
        (0..requests)
            .map(|_| if faults.strike("dataverse", "GET", "/api/data").is_some() { 'x' } else { '.' })
            .collect()
    }

    #[test]
    fn counters_decide_whose_turn_it_is() {
        let rule = |more: Value| {
            let mut rule = json!({ "name": "f", "action": "reset_before" });
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            faults(json!([rule]))
        };
        assert_eq!(pattern(&rule(json!({ "nth": [1, 3] })), 5), "x.x..");
        assert_eq!(pattern(&rule(json!({ "every": 2 })), 5), ".x.x.");
        assert_eq!(pattern(&rule(json!({ "times": 2 })), 4), "xx..");
        assert_eq!(pattern(&rule(json!({ "system": "entra" })), 2), "..");
        assert_eq!(pattern(&rule(json!({ "method": "post" })), 2), "..");
        assert_eq!(pattern(&rule(json!({ "path": "data" })), 2), "xx");
    }

    #[test]
    fn probability_is_repeatable() {
        let rules = json!([{ "name": "f", "probability": 0.5, "seed": 4, "action": "throttle" }]);
        let first = pattern(&faults(rules.clone()), 40);
        assert_eq!(first, pattern(&faults(rules), 40));
        assert!(first.contains('x') && first.contains('.'));
    }

    #[test]
    fn every_form_of_action_is_read() {
        let read = |action: Value| serde_json::from_value::<Action>(action);
        assert_eq!(read(json!({ "delay_ms": 5 })).unwrap(), Action::Delay(Delay { delay_ms: 5 }));
        assert_eq!(read(json!({ "skew_seconds": -5 })).unwrap(), Action::Skew(Skew { skew_seconds: -5 }));
        assert_eq!(read(json!("half_body")).unwrap(), Action::Named(Named::HalfBody));
        assert!(matches!(read(json!({ "status": 503, "retry_after": 2 })).unwrap(), Action::Answer(_)));
        assert!(read(json!({ "status": 503, "retry-after": 2 })).is_err());
    }
}

//! Connections: their settings, who is signed in, whether the other side answers and lets us in, and its clock.

use cosell_sdk::sign_in::{SignIn, kept};
use cosell_sdk::{CallContext, CallError, Connection, Connector, Meaning};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::finding::{Finding, Level};
use crate::project::Project;
use crate::webhooks;

/// So far a clock may be off before somebody should look.
const CLOCK_WARNING: SignedDuration = SignedDuration::from_secs(30);
/// So far Microsoft's token libraries let clocks differ; beyond it, tokens are refused.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_mins(5);

/// Looks at one connection; gives it where it answers.
pub(super) async fn look(
    project: &Project,
    name: &str,
    connector: &str,
    connectors: &[Connector],
) -> (Option<Connection>, Vec<Finding>) {
    let connection = match project.open(name, connectors) {
        Ok(connection) => connection,
        Err(trouble) => {
            let found = anstream::adapter::strip_str(&trouble.text()).to_string();
            let remedy = "correct it in the configuration, or set what it names";
            return (None, vec![Finding::error("settings", name, found).remedy(remedy)]);
        }
    };
    let mut findings = Vec::new();
    let sign_in = connection.client().and_then(|client| client.sign_in());
    if let Some(sign_in) = sign_in.filter(|sign_in| sign_in.is_for_a_person()) {
        let found = person(name, sign_in);
        let is_wrong = found.level == Level::Error;
        findings.push(found);
        if is_wrong {
            return (None, findings);
        }
    }
    // The harmless read that shows most.
    let (operation, input) = match connector {
        "partner_center" => ("list_referrals", json!({ "top": 1, "max_pages": 1 })),
        "partner_center_events" => ("view_registration", json!({})),
        "dataverse" => ("who_am_i", json!({})),
        _ => {
            findings.push(Finding::ok("settings", name, "in order; nothing is asked of it here"));
            return (None, findings);
        }
    };
    let answer = call(&connection, operation, input).await;
    let answers = answer.is_ok();
    match answer {
        Err(error) => findings.push(refused("access", name, sign_in.map(|sign_in| &**sign_in), &error)),
        Ok(answer) => {
            findings.push(Finding::ok("access", name, format!("`{operation}` works")));
            if connector == webhooks::CONNECTION {
                findings.push(registration(name, &answer));
            }
        }
    }
    findings.extend(connection.client().and_then(|client| clock(name, client.clock_ahead()?)));
    (answers.then_some(connection), findings)
}

/// Calls an operation that reads.
pub(super) async fn call(connection: &Connection, operation: &str, input: Value) -> Result<Value, CallError> {
    connection.call(operation, input, CallContext::new(Uuid::now_v7(), false)).await
}

/// What an unsuccessful read says.
pub(super) fn refused(code: &'static str, about: &str, sign_in: Option<&SignIn>, error: &CallError) -> Finding {
    let remedy = match error.meaning {
        Meaning::Retry { .. } | Meaning::OutcomeUnknown => {
            "check the address, the network, and proxies in between; a service that is busy is tried again by itself"
                .to_owned()
        }
        Meaning::SignIn if sign_in.is_some_and(SignIn::is_for_a_person) => {
            format!("sign in by `cosell login {about}`, as somebody with the role that the documentation names")
        }
        Meaning::SignIn => "check the application's secret or certificate, and the rights it was given".to_owned(),
        Meaning::Conflict | Meaning::Rejected => "check the connection's settings".to_owned(),
    };
    Finding::error(code, about, format!("{} ({})", error.message, error.code)).remedy(remedy)
}

fn person(name: &str, sign_in: &SignIn) -> Finding {
    let again = format!("sign in by `cosell login {name}`");
    let kept = match sign_in.kept() {
        Ok(Some(kept)) => kept,
        Ok(None) => return Finding::error("sign-in", name, "nobody has signed in").remedy(again),
        Err(error) => return Finding::error("sign-in", name, error.message).remedy(again),
    };
    let now = Timestamp::now();
    let days = |age: SignedDuration| age.as_hours() / 24;
    let who = kept.person.as_deref().unwrap_or("somebody");
    let encrypted = sign_in.kept_in().is_some_and(|(_, encrypted)| encrypted);
    let how = if encrypted { "encrypted" } else { "not encrypted, readable by the file's owner alone" };
    let since = format!(
        "{who}, since {} days, last used {} days ago; {how}",
        days(now.duration_since(kept.since)),
        days(kept.idle(now))
    );
    if kept.idle(now) >= kept::WARN_AFTER {
        let limit = days(kept::FORGOTTEN_AFTER);
        return Finding::warning("sign-in", name, since)
            .remedy(format!("after {limit} days without use it is forgotten: {again}"));
    }
    if kept.second_factor == Some(false) {
        return Finding::warning("sign-in", name, format!("{since}; without multi-factor authentication"))
            .remedy(format!("Partner Center serves nobody without it: have the tenant demand it, then {again}"));
    }
    Finding::ok("sign-in", name, since)
}

fn registration(name: &str, view: &Value) -> Finding {
    match webhooks::drift(view) {
        Some((what, help)) => Finding::error("registration", name, what).remedy(help),
        None if view["ours"].is_null() => Finding::warning(
            "registration",
            name,
            format!(
                "the events go to `{}`; whether that is here cannot be told",
                view["url"].as_str().unwrap_or_default()
            ),
        )
        .remedy("set `public_url` under `service` in the configuration"),
        None => Finding::ok("registration", name, "the events come here"),
    }
}

fn clock(name: &str, ahead: SignedDuration) -> Option<Finding> {
    let off = ahead.abs();
    if off < CLOCK_WARNING {
        return None;
    }
    let which = if ahead.is_positive() { "behind" } else { "ahead of" };
    let found = format!("this machine's clock is {} s {which} the service's", off.as_secs());
    let finding = if off < CLOCK_ERROR {
        Finding::warning("clock", name, found)
    } else {
        Finding::error("clock", name, format!("{found}: tokens and signatures are refused"))
    };
    Some(finding.remedy("have the clock set from the network (NTP)"))
}

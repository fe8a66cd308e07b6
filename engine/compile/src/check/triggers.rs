//! The settings of built-in triggers: when the clock starts a flow, and where a plain web hook does.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cosell_model::flow::{Flow, TriggerSource};
use cosell_model::{Diagnostic, FlowId, Node, Schema, Span};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::check::inputs;
use crate::plan::{Entrance, Plan};
use crate::read::fields::Findings;
use crate::schedule::Schedule;

/// What `with` takes.
static SCHEDULE: LazyLock<Schema> = LazyLock::new(|| {
    json!({
        "type": "object",
        "properties": {
            "cron": {
                "type": "string",
                "description": "Minute, hour, day, month and day of the week, such as `30 9 * * MON-FRI`.",
            },
            "timezone": { "type": "string", "description": "The time zone of `cron`, such as `Europe/Amsterdam`; UTC where none is given." },
            "every": { "type": "string", "description": "Instead of `cron`: how often, such as `15m`." },
        },
        "additionalProperties": false,
    })
});

/// What `trigger` then holds.
static SCHEDULED: LazyLock<Schema> = LazyLock::new(
    || json!({ "type": "object", "properties": { "scheduled_at": { "type": "string" }, "fired_at": { "type": "string" } } }),
);

/// What `with` takes.
static HTTP: LazyLock<Schema> = LazyLock::new(|| {
    json!({
        "type": "object",
        "required": ["path"],
        "properties": {
            "path": { "type": "string", "description": "Where requests come in: below `/in/`." },
            "methods": { "type": "array", "description": "The HTTP methods that it takes.", "items": { "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"] } },
            "headers": {
                "type": "array",
                "description": "Headers of the request that `trigger.headers` is to hold.",
                "items": { "type": "string" },
            },
            "secret": {
                "type": "object",
                "description": "What callers must show, as `Authorization: Bearer …`: `{ env: NAME }` or `{ file: PATH }`.",
                "properties": { "env": { "type": "string" }, "file": { "type": "string" } },
                "additionalProperties": false,
            },
        },
        "additionalProperties": false,
    })
});

/// What `trigger` then holds.
static REQUEST: LazyLock<Schema> = LazyLock::new(|| {
    json!({
        "type": "object",
        "properties": { "method": { "type": "string" }, "headers": {}, "query": {}, "body": {} },
    })
});

/// What a built-in trigger's `with` takes.
pub(crate) fn settings(source: &TriggerSource) -> Option<&'static Schema> {
    match source {
        TriggerSource::Schedule => Some(&*SCHEDULE),
        TriggerSource::Http => Some(&*HTTP),
        _ => None,
    }
}

/// What `trigger` holds, where a built-in trigger says so.
pub(crate) fn brings(source: &TriggerSource) -> Option<&'static Schema> {
    match source {
        TriggerSource::Schedule => Some(&*SCHEDULED),
        TriggerSource::Http => Some(&*REQUEST),
        _ => None,
    }
}

/// Where a setting stands; where it was given by an expression around it, the whole.
fn place(with: Option<&Node>, key: &str, used: Span) -> Span {
    with.map_or(used, |with| with.get(key).map_or(with.span, |node| node.span))
}

/// Whether `with` has the form that the trigger takes; what is wrong with it is reported.
pub(crate) fn fits(source: &TriggerSource, with: Option<&Node>, used: Span, findings: &mut Findings) -> bool {
    let (Some(schema), before) = (settings(source), findings.len()) else { return false };
    let name = if *source == TriggerSource::Http { "trigger `http`" } else { "trigger `schedule`" };
    inputs::operation(schema, with, used, name, findings);
    findings.len() == before
}

/// When the clock starts the flow.
pub(crate) fn schedule(values: &Value, with: Option<&Node>, used: Span, findings: &mut Findings) -> Option<Schedule> {
    let text = |key: &str| values.get(key).and_then(Value::as_str);
    let mut wrong = |key: &str, message: String, help: &str| {
        let at = place(with, key, used);
        findings.push(Diagnostic::error("wrong-schedule", message, at, "this schedule").help(help.to_owned()));
    };
    let zone = match text("timezone") {
        None => TimeZone::UTC,
        Some(name) => match TimeZone::get(name) {
            Ok(zone) => zone,
            Err(_) => {
                let help = "name it as the time zone database does: `Europe/Amsterdam`, `America/New_York`, `UTC`";
                wrong("timezone", format!("there is no time zone `{name}`"), help);
                return None;
            }
        },
    };
    const CRON: &str = "write minute, hour, day, month and day of the week: `*/15 * * * *`, `30 9 * * MON-FRI`";
    const EVERY: &str = "write a duration of whole seconds: `30s`, `15m`, `1h`";
    match (text("cron"), text("every")) {
        (Some(pattern), None) => Schedule::cron(pattern, zone)
            .map_err(|error| wrong("cron", format!("`{pattern}` cannot be kept: {error}"), CRON))
            .ok(),
        (None, Some(_)) if text("timezone").is_some() => {
            wrong(
                "timezone",
                "`every` counts from no time of day, so a time zone means nothing".to_owned(),
                "leave it out",
            );
            None
        }
        (None, Some(every)) => Schedule::every(every)
            .map_err(|error| wrong("every", format!("`{every}` cannot be kept: {error}"), EVERY))
            .ok(),
        (None, None) => {
            let help = "add one under `with`: `cron: \"*/15 * * * *\"` or `every: 15m`";
            wrong("", "a schedule needs `cron` or `every`".to_owned(), help);
            None
        }
        (Some(_), Some(_)) => {
            wrong(
                "every",
                "a schedule has `cron` or `every`, and this one has both".to_owned(),
                "leave one of them out",
            );
            None
        }
    }
}

/// Where the web hook is.
pub(crate) fn entrance(values: &Value, with: Option<&Node>, used: Span, findings: &mut Findings) -> Option<Entrance> {
    let texts = |key: &str| -> Option<Vec<String>> {
        let texts = values.get(key)?.as_array()?;
        Some(texts.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let path = values.get("path").and_then(Value::as_str)?;
    let right = |segment: &str| {
        !segment.is_empty()
            && segment.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    if !path.split('/').all(right) {
        let message = format!("`{path}` cannot be the path of a web hook");
        findings.push(Diagnostic::error("wrong-path", message, place(with, "path", used), "not a path").help(
            "write lower-case letters, digits, `-` and `_`, with `/` between parts: `orders` is `POST /in/orders`",
        ));
        return None;
    }
    let secret = values.get("secret").filter(|secret| !secret.is_null());
    if let Some(secret) = secret
        && secret.as_object().is_none_or(|secret| secret.len() != 1)
    {
        let message = "a secret is taken from the environment or from a file";
        findings.push(
            Diagnostic::error("wrong-secret", message, place(with, "secret", used), "which of them?")
                .help("write `{ env: NAME }` or `{ file: PATH }`"),
        );
        return None;
    }
    Some(Entrance {
        path: path.to_owned(),
        methods: texts("methods").unwrap_or_else(|| vec!["POST".to_owned()]),
        headers: texts("headers").unwrap_or_default().iter().map(|name| name.to_ascii_lowercase()).collect(),
        secret: secret.cloned(),
    })
}

/// Reports flows whose web hooks could not be told apart.
pub(crate) fn told_apart(
    plans: &BTreeMap<FlowId, std::sync::Arc<Plan>>,
    flows: &BTreeMap<FlowId, Flow>,
    findings: &mut Findings,
) {
    let mut taken: BTreeMap<(&str, &str), &FlowId> = BTreeMap::new();
    for plan in plans.values() {
        let Some(entrance) = &plan.trigger.entrance else { continue };
        for method in &entrance.methods {
            let Some(first) = taken.insert((&entrance.path, method), &plan.flow) else { continue };
            let place = |flow: &FlowId| {
                let main = &flows[flow].trigger.main;
                place(main.with.as_ref(), "path", main.span)
            };
            let message = format!("`{method} /in/{}` would start `{first}` as well as `{}`", entrance.path, plan.flow);
            findings.push(
                Diagnostic::error("duplicate-path", message, place(&plan.flow), "the same path again")
                    .also(place(first), "first here")
                    .help("give one of them another path, or other methods"),
            );
        }
    }
}

//! What happens in a test: what people do in either system, what the systems tell of it, and what goes wrong.

use cosell_model::node::NodeKind;
use cosell_model::{Diagnostic, Node, Value};
use serde_json::json;

use super::read::{items, spanned_text};
use super::{Act, ActKind, Fault};
use crate::read::fields::{Fields, Findings, either, wrong_form};
use crate::read::words;
use crate::suggest::nearest;

/// What says what happens.
const VERBS: [&str; 12] = [
    "saved", "deleted", "won", "lost", "added", "created", "updated", "accepted", "declined", "run", "waits", "faults",
];

/// Says that what was recorded happens again.
const RECORDED: &str = "recorded";

/// The events of Partner Center (docs, "Partner Center webhook events").
const EVENTS: [&str; 4] =
    ["referral-created", "referral-updated", "related-referral-created", "related-referral-updated"];

/// One act, or a list of them.
pub(super) fn acts(node: &Node, what: &str, findings: &mut Findings) -> Vec<Act> {
    match &node.kind {
        NodeKind::List(items) => items.iter().filter_map(|item| act(item, findings)).collect(),
        NodeKind::Map(_) => act(node, findings).into_iter().collect(),
        NodeKind::Text(text) if text == RECORDED => vec![Act { kind: ActKind::Recorded, told: true, span: node.span }],
        _ => {
            findings.push(wrong_form(node, what, "a list of what happens, or `recorded`"));
            Vec::new()
        }
    }
}

fn act(node: &Node, findings: &mut Findings) -> Option<Act> {
    let mut fields = Fields::of(node, "what happens", findings)?;
    let given: Vec<&'static str> = VERBS.into_iter().filter(|verb| fields.has(verb)).collect();
    let entries = node.entries().unwrap_or_default();
    let verb = match given.as_slice() {
        [verb] => *verb,
        [] => {
            let near = entries.iter().find_map(|entry| Some((nearest(&entry.key.value, VERBS)?, entry)));
            findings.push(match near {
                Some((near, entry)) => Diagnostic::error(
                    "unknown-key",
                    format!("what happens has no `{}`", entry.key.value),
                    entry.key.span,
                    "unknown key",
                )
                .help(format!("did you mean `{near}`?")),
                None => Diagnostic::error(
                    "missing-field",
                    "this does not say what happens",
                    entries.first().map_or(node.span, |entry| entry.key.span),
                    "one of them is missing",
                )
                .help(format!("it has {}", either(&VERBS))),
            });
            return None;
        }
        several => {
            let second = entries.iter().filter(|entry| several.contains(&&*entry.key.value)).nth(1)?;
            let message = format!("one thing happens at a time, and this has {}", crate::read::fields::list(several));
            findings.push(
                Diagnostic::error("wrong-form", message, second.key.span, "a second thing")
                    .help("write them as two items of a list, in the order in which they happen"),
            );
            return None;
        }
    };
    let kind = kind(verb, &mut fields, findings);
    let untold = fields.take("unnoticed").and_then(|node| words::truth(node, "`unnoticed`", findings));
    fields.finish(findings);
    Some(Act { kind: kind?, told: !untold.unwrap_or_default(), span: node.span })
}

fn kind(verb: &'static str, fields: &mut Fields<'_>, findings: &mut Findings) -> Option<ActKind> {
    let subject = fields.take(verb)?;
    let name = |what: &str, findings: &mut Findings| spanned_text(subject, what, findings);
    Some(match verb {
        "saved" => ActKind::Saved { row: name("a row's name", findings)?, with: fields.take("with").cloned() },
        "deleted" => ActKind::Deleted { row: name("a row's name", findings)? },
        "won" => ActKind::Closed { row: name("an opportunity's name", findings)?, status: 3 },
        "lost" => {
            let status = fields.take("status").and_then(|node| words::whole(node, "`status`", 4, 5, findings));
            ActKind::Closed { row: name("an opportunity's name", findings)?, status: status.unwrap_or(5) }
        }
        "added" => {
            let to = fields.require("to", findings).and_then(|node| spanned_text(node, "`to`", findings));
            ActKind::Added { solution: name("a solution's name", findings)?, to: to? }
        }
        "created" | "updated" => {
            let usual = if verb == "created" { EVENTS[0] } else { EVENTS[1] };
            let event = fields.take("event").and_then(|node| one_of(node, "`event`", &EVENTS, findings));
            let by = fields.take("by").and_then(|node| by_partner(node, "`by`", findings));
            ActKind::Told {
                referral: name("a referral's name", findings)?,
                event: event.unwrap_or_else(|| usual.to_owned()),
                with: fields.take("with").cloned(),
                by_partner: by.unwrap_or_default(),
            }
        }
        "accepted" | "declined" => {
            let reason = match verb {
                "declined" => fields.take("reason").and_then(|node| words::text(node, "`reason`", findings)),
                _ => None,
            };
            ActKind::Answered { referral: name("a referral's name", findings)?, accepts: verb == "accepted", reason }
        }
        "run" => ActKind::Run {
            flow: name("a flow's name", findings)?,
            inputs: fields.take("inputs").cloned(),
            event: fields.take("event").cloned(),
        },
        "waits" => ActKind::Waits(words::duration(subject, "`waits`", findings)?),
        _ => ActKind::Faults(faults(subject, findings)),
    })
}

/// `microsoft` or `partner`.
pub(super) fn by_partner(node: &Node, what: &str, findings: &mut Findings) -> Option<bool> {
    Some(one_of(node, what, &["microsoft", "partner"], findings)? == "partner")
}

fn one_of(node: &Node, what: &str, known: &[&str], findings: &mut Findings) -> Option<String> {
    let text = node.text().filter(|text| known.contains(text));
    if text.is_none() {
        let near = node.text().and_then(|text| nearest(text, known.iter().copied()));
        findings.push(
            wrong_form(node, what, &either(known)).maybe_help(near.map(|near| format!("did you mean `{near}`?"))),
        );
    }
    text.map(str::to_owned)
}

/// `none`, or a list of what goes wrong.
pub(super) fn faults(node: &Node, findings: &mut Findings) -> Vec<Fault> {
    if node.text() == Some("none") {
        return Vec::new();
    }
    let items = items(node, "`faults`", "`none`, or a list of what goes wrong", findings);
    items.iter().filter_map(|item| fault(item, findings)).collect()
}

const SYSTEMS: [&str; 4] = ["partner_center", "dataverse", "partner_center_events", "entra"];
const METHODS: [&str; 4] = ["GET", "POST", "PATCH", "DELETE"];
const DOES: [&str; 6] =
    ["throttle", "reset_before", "reset_after", "half_body", "malformed_json", "wrong_content_type"];

fn fault(node: &Node, findings: &mut Findings) -> Option<Fault> {
    let mut fields = Fields::of(node, "a fault", findings)?;
    let mut rule = json!({ "name": "ordered by the test" });
    for (key, known) in [("system", &SYSTEMS), ("method", &METHODS)] {
        if let Some(text) = fields.take(key).and_then(|node| one_of(node, &format!("`{key}`"), known, findings)) {
            rule[key] = json!(text);
        }
    }
    if let Some(path) = fields.take("path").and_then(|node| words::text(node, "`path`", findings)) {
        rule["path"] = json!(path);
    }
    for key in ["times", "every"] {
        if let Some(count) =
            fields.take(key).and_then(|node| words::whole(node, &format!("`{key}`"), 1, 1000, findings))
        {
            rule[key] = json!(count);
        }
    }
    let does = fields.take("does").and_then(|node| one_of(node, "`does`", &DOES, findings));
    rule["action"] = if let Some(does) = does { json!(does) } else { answer(&mut fields, findings)? };
    fields.finish(findings);
    Some(Fault { rule })
}

/// An answer in the place of the system's own: its refusal, or one with a body or words of the test's.
fn answer(fields: &mut Fields<'_>, findings: &mut Findings) -> Option<Value> {
    let says = fields.take("says").and_then(|node| words::text(node, "`says`", findings));
    let body = fields.take("body").map(Node::to_value);
    let status = fields.require("answers", findings)?;
    let status = words::whole(status, "`answers`", 200, 599, findings)?;
    let says = says.map(|says| json!({ "error": { "code": "invalidRequest", "message": says } }));
    Some(match says.or(body) {
        Some(body) => json!({ "status": status, "body": body }),
        None => json!({ "status": status, "own_body": true }),
    })
}

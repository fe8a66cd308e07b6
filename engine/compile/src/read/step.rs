//! A step, of whichever kind.

use std::time::Duration;

use cosell_model::flow::{After, Block, Case, Sensitive, Side, Step, StepKind, Wait};
use cosell_model::node::{Entry, NodeKind};
use cosell_model::outcome::Accepts;
use cosell_model::span::FileId;
use cosell_model::{Diagnostic, FlowId, Node, OperationName, Outcome, Span, Spanned, StepId};

use super::fields::{Fields, Findings, either, list, wrong_form};
use super::words;

/// The key that makes a step what it is.
pub(crate) const KINDS: [&str; 14] = [
    "use", "call", "scope", "if", "switch", "for_each", "until", "let", "map", "compare", "merge", "wait", "respond",
    "stop",
];

/// Those of them that hold other steps.
const HOLDERS: [&str; 5] = ["scope", "if", "switch", "for_each", "until"];

/// Reads the steps of a block.
pub(crate) fn block(node: &Node, what: &str, findings: &mut Findings) -> Block {
    match &node.kind {
        NodeKind::Null => Block::default(),
        NodeKind::Map(entries) => Block { steps: entries.iter().map(|entry| step(entry, findings)).collect() },
        NodeKind::List(_) => {
            findings.push(
                wrong_form(node, what, "a map of steps by name")
                    .help("name each step instead of listing it: `find_account:` rather than `- `; names are how steps mention each other"),
            );
            Block::default()
        }
        _ => {
            findings.push(wrong_form(node, what, "a map of steps by name"));
            Block::default()
        }
    }
}

fn step(entry: &Entry, findings: &mut Findings) -> Step {
    words::identifier(&entry.key, "a step", findings);
    let mut step = Step {
        id: Spanned::new(StepId::new(entry.key.value.as_str()), entry.key.span),
        title: None,
        description: None,
        when: None,
        after: None,
        retry: None,
        timeout: None,
        sensitive: Sensitive::default(),
        kind: unreadable(),
        output: None,
    };
    let Some(mut fields) = Fields::of(&entry.value, "a step", findings) else { return step };
    step.title = fields.take("title").and_then(|node| words::text(node, "`title`", findings));
    step.description = fields.take("description").and_then(|node| words::text(node, "`description`", findings));
    step.when = fields.take("when").cloned();
    step.after = fields.take("after").map(|node| after(node, findings));
    step.retry = fields.take("retry").and_then(|node| words::retry(node, findings));
    step.timeout = fields.take("timeout").and_then(|node| words::duration(node, "`timeout`", findings));
    step.sensitive = fields.take("sensitive").map(|node| words::sensitive(node, findings)).unwrap_or_default();
    if let Some(kind) = kind(entry, &mut fields, findings) {
        keyed(&entry.value, &kind, &mut fields, findings);
        retried(&entry.value, &kind, findings);
        step.kind = kind;
        step.output = if holds_block(&step.kind) { fields.take("output").cloned() } else { None };
        // Of a step with two kinds, the keys of the other are no mistakes of their own.
        if KINDS.into_iter().filter(|kind| fields.has(kind)).count() < 2 {
            fields.finish(findings);
        }
    }
    step
}

/// Stands in for what a step does where that could not be read: what mentions the step is not told that there is none.
fn unreadable() -> StepKind {
    StepKind::Let(Node { kind: NodeKind::Null, span: Span::new(FileId(0), 0, 0) })
}

fn holds_block(kind: &StepKind) -> bool {
    matches!(
        kind,
        StepKind::Scope { .. }
            | StepKind::If { .. }
            | StepKind::Switch { .. }
            | StepKind::ForEach { .. }
            | StepKind::Until { .. }
    )
}

/// `after: a`, `after: [a, b]`, or `after: { a: [failed, timed_out] }`.
fn after(node: &Node, findings: &mut Findings) -> Vec<After> {
    let plain = |node: &Node, findings: &mut Findings| {
        let text = words::text(node, "a step's name", findings)?;
        Some(After { step: Spanned::new(StepId::new(text), node.span), accepts: Accepts::SUCCEEDED })
    };
    match &node.kind {
        NodeKind::List(items) => items.iter().filter_map(|item| plain(item, findings)).collect(),
        NodeKind::Map(entries) => entries
            .iter()
            .filter_map(|entry| {
                let accepts = words::accepts(&entry.value, findings)?;
                Some(After { step: Spanned::new(StepId::new(entry.key.value.as_str()), entry.key.span), accepts })
            })
            .collect(),
        NodeKind::Text(_) => plain(node, findings).into_iter().collect(),
        _ => {
            findings.push(wrong_form(
                node,
                "`after`",
                "a step's name, a list of names, or a map of names with outcomes",
            ));
            Vec::new()
        }
    }
}

fn kind(entry: &Entry, fields: &mut Fields<'_>, findings: &mut Findings) -> Option<StepKind> {
    let given: Vec<&'static str> = KINDS.into_iter().filter(|kind| fields.has(kind)).collect();
    let id = &entry.key;
    match given.as_slice() {
        [one] => read_kind(one, fields, findings),
        [] => {
            let keys = || entry.value.entries().unwrap_or_default().iter().map(|entry| entry.key.value.as_str());
            if let Some(near) = keys().find_map(|key| crate::suggest::nearest(key, KINDS)) {
                return KINDS.into_iter().find(|kind| *kind == near).and_then(|kind| read_kind(kind, fields, findings));
            }
            let message = format!("step `{}` does not say what it does", id.value);
            findings.push(
                Diagnostic::error("step-without-kind", message, id.span, "this step")
                    .help(format!("a step has {}", either(&KINDS))),
            );
            None
        }
        several => {
            let place = |kind: &str| {
                entry
                    .value
                    .entries()
                    .unwrap_or_default()
                    .iter()
                    .find(|e| e.key.value == kind)
                    .map_or(id.span, |e| e.key.span)
            };
            let mut places: Vec<Span> = several.iter().map(|kind| place(kind)).collect();
            places.sort_unstable();
            let message = format!("step `{}` does {} things: {}", id.value, several.len(), list(several));
            let mut finding = Diagnostic::error("step-with-two-kinds", message, places[1], "a second kind")
                .also(places[0], "a first");
            for more in places.into_iter().skip(2) {
                finding = finding.also(more, "and another");
            }
            findings.push(
                finding.help("a step does one thing; make two steps of it, and let `after` order them if need be"),
            );
            // What it holds is still checked, and can be mentioned.
            let holder = several.iter().find(|kind| HOLDERS.contains(kind))?;
            read_kind(holder, fields, findings)
        }
    }
}

fn read_kind(kind: &'static str, fields: &mut Fields<'_>, findings: &mut Findings) -> Option<StepKind> {
    let main = fields.meant(kind, findings)?;
    Some(match kind {
        "use" => {
            let text = words::text(main, "`use`", findings)?;
            let Some(operation) = OperationName::parse(&text) else {
                let message = format!("`{text}` is not the name of an operation");
                findings.push(
                    Diagnostic::error("unknown-operation", message, main.span, "not an operation")
                        .help("write connector and operation with a dot between: `dataverse.get_row`"),
                );
                return None;
            };
            let connection = fields
                .take("connection")
                .and_then(|n| Some(Spanned::new(words::text(n, "`connection`", findings)?, n.span)));
            StepKind::Use {
                operation: Spanned::new(operation, main.span),
                connection,
                with: fields.meant("with", findings).cloned(),
            }
        }
        "call" => {
            let flow = words::text(main, "`call`", findings)?;
            StepKind::Call {
                flow: Spanned::new(FlowId::new(flow), main.span),
                with: fields.meant("with", findings).cloned(),
            }
        }
        "scope" => StepKind::Scope {
            key: fields.take("key").map(|node| key(node, findings)),
            body: block(main, "`scope`", findings),
        },
        "if" => StepKind::If {
            condition: main.clone(),
            then: fields.take("then").map(|node| block(node, "`then`", findings)).unwrap_or_default(),
            otherwise: fields.take("else").map(|node| block(node, "`else`", findings)).unwrap_or_default(),
        },
        "switch" => StepKind::Switch {
            on: main.clone(),
            cases: fields.require("cases", findings).map(|node| cases(node, findings)).unwrap_or_default(),
            default: fields.take("default").map(|node| block(node, "`default`", findings)).unwrap_or_default(),
        },
        "for_each" => StepKind::ForEach {
            items: main.clone(),
            parallel: fields
                .take("parallel")
                .and_then(|node| words::whole(node, "`parallel`", 1, 50, findings))
                .unwrap_or(1),
            body: body(fields, findings),
        },
        "until" => {
            let (count, time) = limit(fields.take("limit"), main, findings);
            StepKind::Until {
                condition: main.clone(),
                count: count.unwrap_or(60),
                time: time.unwrap_or(Duration::from_secs(3600)),
                fail_at_limit: fields
                    .take("fail_at_limit")
                    .and_then(|n| words::truth(n, "`fail_at_limit`", findings))
                    .unwrap_or(false),
                body: body(fields, findings),
            }
        }
        "let" => {
            if main.entries().is_none() {
                findings.push(wrong_form(main, "`let`", "a map of names with values"));
                return None;
            }
            StepKind::Let(main.clone())
        }
        "map" => StepKind::Map {
            mapping: Spanned::new(words::text(main, "`map`", findings)?, main.span),
            from: fields.require("from", findings).and_then(|node| side(node, "`from`", findings))?,
        },
        "compare" => {
            let mapping = Spanned::new(words::text(main, "`compare`", findings)?, main.span);
            let from = fields.require("from", findings).and_then(|node| side(node, "`from`", findings));
            let to = fields.require("to", findings).and_then(|node| side(node, "`to`", findings));
            StepKind::Compare { mapping, from: from?, to: to? }
        }
        "merge" => {
            let mapping = Spanned::new(words::text(main, "`merge`", findings)?, main.span);
            let from = fields.require("from", findings).and_then(|node| side(node, "`from`", findings));
            let to = fields.require("to", findings).and_then(|node| side(node, "`to`", findings));
            let agreed = fields.take("agreed").cloned();
            let changed = fields.take("changed").map(|node| times(node, findings)).unwrap_or_default();
            StepKind::Merge { mapping, from: from?, to: to?, agreed, changed }
        }
        "wait" => StepKind::Wait(wait(main, findings)?),
        "respond" => {
            let mut inner = Fields::of(main, "`respond`", findings)?;
            let (status, headers, body) =
                (inner.take("status").cloned(), inner.take("headers").cloned(), inner.take("body").cloned());
            inner.finish(findings);
            StepKind::Respond { status, headers, body }
        }
        _ => stop(main, findings)?,
    })
}

/// The body of a loop, which must do something.
fn body(fields: &mut Fields<'_>, findings: &mut Findings) -> Block {
    let Some(node) = fields.require("do", findings) else { return Block::default() };
    if matches!(&node.kind, NodeKind::Null) || node.entries().is_some_and(<[Entry]>::is_empty) {
        findings.push(
            Diagnostic::error("empty-loop", "this loop does nothing", node.span, "no steps")
                .help("name at least one step; to compute a list from a list use the filters `map` and `select`"),
        );
    }
    block(node, "`do`", findings)
}

fn cases(node: &Node, findings: &mut Findings) -> Vec<Case> {
    let Some(entries) = node.entries() else {
        findings.push(wrong_form(node, "`cases`", "a map from values to steps"));
        return Vec::new();
    };
    entries
        .iter()
        .map(|entry| Case {
            value: Spanned::new(entry.key_value.clone(), entry.key.span),
            block: block(&entry.value, "a case", findings),
        })
        .collect()
}

fn limit(node: Option<&Node>, until: &Node, findings: &mut Findings) -> (Option<u32>, Option<Duration>) {
    let Some(node) = node else {
        findings.push(
            Diagnostic::error("no-limit", "this loop does not say when it gives up", until.span, "until when?")
                .help("add `limit: { count: 10, time: 5m }`; without it, it is given up after 60 rounds or an hour")
                .warning(),
        );
        return (None, None);
    };
    let Some(mut fields) = Fields::of(node, "`limit`", findings) else { return (None, None) };
    let count = fields.take("count").and_then(|node| words::whole(node, "`count`", 1, 5000, findings));
    let time = fields.take("time").and_then(|node| words::duration(node, "`time`", findings));
    fields.finish(findings);
    (count, time)
}

/// `{ referral: ${{ … }} }`: the one side, and its record.
fn side(node: &Node, what: &'static str, findings: &mut Findings) -> Option<Side> {
    match node.entries() {
        Some([only]) => Some(Side { name: only.key.clone(), record: only.value.clone() }),
        _ => {
            findings.push(
                wrong_form(node, what, "a map with one entry")
                    .help("name the side and give its record: `{ referral: \"${{ steps.referral }}\" }`"),
            );
            None
        }
    }
}

/// `{ referral: ${{ … }}, opportunity: ${{ … }} }`: when each side was last changed.
fn times(node: &Node, findings: &mut Findings) -> Vec<Side> {
    let Some(entries) = node.entries() else {
        findings.push(
            wrong_form(node, "`changed`", "a map from sides to times")
                .help("say of each side when its record was last changed: `{ referral: \"${{ steps.referral.updatedDateTime }}\" }`"),
        );
        return Vec::new();
    };
    entries.iter().map(|entry| Side { name: entry.key.clone(), record: entry.value.clone() }).collect()
}

/// One key, or a list of keys.
fn key(node: &Node, findings: &mut Findings) -> Node {
    let one = |node: &Node| matches!(node.kind, NodeKind::Null | NodeKind::Number(_) | NodeKind::Text(_));
    let wrong: Vec<&Node> = match &node.kind {
        NodeKind::List(items) => items.iter().filter(|item| !one(item)).collect(),
        _ => Some(node).filter(|node| !one(node)).into_iter().collect(),
    };
    for node in wrong {
        findings.push(wrong_form(node, "a key", "text or a number").help(
            "such as `\"referral:${{ trigger.id }}\"`; several keys are a list, and all of them are taken at once",
        ));
    }
    node.clone()
}

/// Reports a `key` on a step that is no scope.
fn keyed(step: &Node, kind: &StepKind, fields: &mut Fields<'_>, findings: &mut Findings) {
    if matches!(kind, StepKind::Scope { .. }) || !fields.has("key") {
        return;
    }
    let Some(entry) = fields.entry("key") else { return };
    let kind = KINDS.into_iter().find(|kind| step.get(kind).is_some()).unwrap_or("step");
    findings.push(
        Diagnostic::error(
            "key-not-on-scope",
            format!("only a scope takes a `key`, and this step is `{kind}`"),
            entry.key.span,
            "not taken here",
        )
        .help("put the step into a scope, and the `key` beside `scope`"),
    );
}

/// Reports a `retry` on a step that calls no operation.
fn retried(step: &Node, kind: &StepKind, findings: &mut Findings) {
    let Some(entry) = step.entries().unwrap_or_default().iter().find(|entry| entry.key.value == "retry") else {
        return;
    };
    if matches!(kind, StepKind::Use { .. }) {
        return;
    }
    let kind = KINDS.into_iter().find(|kind| step.get(kind).is_some()).unwrap_or("step");
    findings.push(
        Diagnostic::error(
            "retry-not-on-operation",
            format!("only a step that calls an operation is retried, and this step is `{kind}`"),
            entry.key.span,
            "not taken here",
        )
        .help("put `retry` on the steps with `use` inside it, or use `until` to repeat several steps"),
    );
}

fn wait(node: &Node, findings: &mut Findings) -> Option<Wait> {
    if node.entries().is_none() {
        return Some(Wait::For(node.clone()));
    }
    let mut fields = Fields::of(node, "`wait`", findings)?;
    let (time, instant) = (fields.take("for").cloned(), fields.take("until").cloned());
    fields.finish(findings);
    match (time, instant) {
        (Some(time), None) => Some(Wait::For(time)),
        (None, Some(instant)) => Some(Wait::Until(instant)),
        _ => {
            findings.push(wrong_form(node, "`wait`", "a duration, or a map with either `for` or `until`"));
            None
        }
    }
}

/// `stop: failed`, or a map with outcome, code and message.
fn stop(node: &Node, findings: &mut Findings) -> Option<StepKind> {
    let mut outcome_of = |node: &Node| {
        let outcome = match node.text() {
            Some("succeeded") => Some(Outcome::Succeeded),
            Some("failed") => Some(Outcome::Failed),
            Some("cancelled") => Some(Outcome::Cancelled),
            _ => None,
        };
        if outcome.is_none() {
            findings.push(wrong_form(node, "how a run is stopped", "`succeeded`, `failed` or `cancelled`"));
        }
        outcome
    };
    if node.entries().is_none() {
        return Some(StepKind::Stop { outcome: outcome_of(node)?, code: None, message: None });
    }
    let given = node.get("outcome").map(&mut outcome_of);
    let mut fields = Fields::of(node, "`stop`", findings)?;
    fields.require("outcome", findings);
    let (code, message) = (fields.take("code").cloned(), fields.take("message").cloned());
    fields.finish(findings);
    Some(StepKind::Stop { outcome: given??, code, message })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The one step of `text`, and the codes of what is said of it.
    fn read(text: &str) -> (Step, Vec<&'static str>) {
        let node = crate::yaml::parse(FileId(0), &format!("step: {text}\n")).unwrap();
        let mut findings = Vec::new();
        let mut block = block(&node, "`steps`", &mut findings);
        (block.steps.remove(0), findings.into_iter().map(|finding| finding.code).collect())
    }

    #[test]
    fn after_is_a_name_a_list_or_a_map_of_outcomes() {
        let after = |text: &str| {
            let (step, findings) = read(&format!("{{ after: {text}, stop: failed }}"));
            let shown = |after: After| format!("{}: {}", after.step.value, after.accepts);
            (step.after.map(|list| list.into_iter().map(shown).collect::<Vec<_>>()), findings)
        };
        let waits = |list: &[&str]| (Some(list.iter().map(|text| (*text).to_owned()).collect()), vec![]);
        assert_eq!(after("a"), waits(&["a: succeeded"]));
        assert_eq!(after("[a, b]"), waits(&["a: succeeded", "b: succeeded"]));
        assert_eq!(after("{ a: failed, b: [succeeded, timed_out] }"), waits(&["a: failed", "b: succeeded, timed_out"]));
        assert_eq!(after("[]"), waits(&[]), "nothing to wait for is not the same as nothing said");
        assert_eq!(after("{ a: [] }").1, ["wrong-form"]);
        assert_eq!(after("{ a: cancelled }").1, ["unknown-outcome"]);
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let (step, findings) = read("{ until: true, do: { a: { stop: failed } } }");
        let StepKind::Until { count, time, fail_at_limit, .. } = step.kind else { unreachable!() };
        assert_eq!((count, time, fail_at_limit, findings), (60, Duration::from_secs(3600), false, vec!["no-limit"]));
        let (step, _) = read("{ for_each: [1], do: { a: { stop: failed } } }");
        assert!(matches!(step.kind, StepKind::ForEach { parallel: 1, .. }));
    }

    #[test]
    fn the_cases_of_a_switch_keep_their_type() {
        let (step, findings) = read("{ switch: x, cases: { 3: {}, '4': {}, true: {}, Shared: {} } }");
        assert_eq!(findings, ["duplicate-key"; 0]);
        let StepKind::Switch { cases, .. } = step.kind else { unreachable!() };
        let values: Vec<_> = cases.into_iter().map(|case| case.value.value.to_string()).collect();
        assert_eq!(values, ["3", "\"4\"", "true", "\"Shared\""]);
    }

    #[test]
    fn what_cannot_be_read_is_still_a_step() {
        for (text, code) in [
            ("text", "wrong-form"),
            ("{ title: x }", "step-without-kind"),
            ("{ use: a.b, call: c }", "step-with-two-kinds"),
            ("{ use: nothing }", "unknown-operation"),
            ("{ let: 5 }", "wrong-form"),
        ] {
            let (step, findings) = read(text);
            assert_eq!((step.id.value.as_str(), findings), ("step", vec![code]), "{text}");
        }
    }
}

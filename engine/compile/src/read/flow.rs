//! A flow file.

use std::time::Duration;

use cosell_model::flow::{Flow, Input, Source, Trigger, TriggerSource, ValueType};
use cosell_model::node::Entry;
use cosell_model::{Diagnostic, FlowId, Node, OperationName, Spanned, ids};

use super::fields::{Fields, Findings, either, list, wrong_form};
use super::step::block;
use super::words::{self, KEBAB};
use crate::suggest::nearest;

/// Reads a flow file; what could not be read is left out and reported.
pub(crate) fn flow(node: &Node, findings: &mut Findings) -> Option<Flow> {
    let mut fields = Fields::of(node, "a flow", findings)?;
    let id = fields.require("flow", findings)?;
    let id = Spanned::new(words::text(id, "the flow's name", findings)?, id.span);
    words::name(&id, "a flow", ids::is_kebab, KEBAB, findings);
    let title = fields.take("title").and_then(|node| words::text(node, "`title`", findings));
    let description = fields.take("description").and_then(|node| words::text(node, "`description`", findings));
    let trigger = fields.require("trigger", findings).and_then(|node| trigger(node, findings));
    // Where it could not be read, the rest of the flow is still checked.
    let trigger = trigger.unwrap_or_else(|| started_by(Source::new(TriggerSource::Call, id.span)));
    let key = fields.take("key").cloned();
    let debounce = fields.entry("debounce").and_then(|entry| {
        if key.is_none() {
            findings.push(
                Diagnostic::error(
                    "debounce-without-key",
                    "`debounce` needs a `key`",
                    entry.key.span,
                    "which events belong together?",
                )
                .help("add `key` beside it: events with equal keys collapse"),
            );
        }
        words::duration(&entry.value, "`debounce`", findings)
    });
    let parallel = fields.take("parallel").and_then(|node| words::whole(node, "`parallel`", 1, 1000, findings));
    let steps = fields.require("steps", findings).map(|node| block(node, "`steps`", findings));
    let output = fields.take("output").cloned();
    fields.finish(findings);
    let title = title.unwrap_or_else(|| id.value.clone());
    let id = Spanned::new(FlowId::new(id.value), id.span);
    Some(Flow { id, title, description, trigger, key, debounce, parallel, steps: steps.unwrap_or_default(), output })
}

pub(crate) const BUILT_IN: [(&str, TriggerSource); 4] = [
    ("manual", TriggerSource::Manual),
    ("schedule", TriggerSource::Schedule),
    ("http", TriggerSource::Http),
    ("call", TriggerSource::Call),
];

/// Nothing but one thing that starts it.
fn started_by(main: Source) -> Trigger {
    Trigger { main, also: Vec::new(), when: None, inputs: Vec::new() }
}

fn trigger(node: &Node, findings: &mut Findings) -> Option<Trigger> {
    // `trigger: manual` is short for `trigger: { use: manual }`.
    if node.text().is_some() {
        return Some(started_by(Source::new(kind(node, findings).unwrap_or(TriggerSource::Call), node.span)));
    }
    let mut fields = Fields::of(node, "a trigger", findings)?;
    let (kind, main) = source(&mut fields, node, findings);
    let also = fields.entry("also").map(|entry| also(entry, kind.as_ref(), findings)).unwrap_or_default();
    let when = fields.take("when").cloned();
    let takes_inputs = matches!(kind, Some(TriggerSource::Manual | TriggerSource::Call) | None);
    let inputs = match fields.entry("inputs") {
        Some(entry) if !takes_inputs => {
            findings.push(
                Diagnostic::error(
                    "inputs-not-taken",
                    "only `manual` and `call` triggers have inputs",
                    entry.key.span,
                    "not taken here",
                )
                .help("what this trigger brings is in `trigger`"),
            );
            Vec::new()
        }
        Some(entry) => inputs(&entry.value, findings),
        None => Vec::new(),
    };
    fields.finish(findings);
    Some(Trigger { main, also, when, inputs })
}

/// The fields that say where events come from; the kind by itself as well, none where it could not be read.
fn source(fields: &mut Fields<'_>, node: &Node, findings: &mut Findings) -> (Option<TriggerSource>, Source) {
    let used = fields.require("use", findings);
    let kind = used.and_then(|used| kind(used, findings));
    let connection =
        fields.take("connection").and_then(|n| Some(Spanned::new(words::text(n, "`connection`", findings)?, n.span)));
    let with = fields.meant("with", findings).cloned();
    let every = fields.take("every").and_then(|node| every(node, findings));
    let span = used.unwrap_or(node).span;
    (kind.clone(), Source { kind: kind.unwrap_or(TriggerSource::Call), span, connection, with, every })
}

/// How often a trigger that asks does so.
fn every(node: &Node, findings: &mut Findings) -> Option<Spanned<Duration>> {
    let every = words::duration(node, "`every`", findings)?;
    if every < Duration::from_secs(1) {
        findings.push(wrong_form(node, "`every`", "at least a second"));
        return None;
    }
    Some(Spanned::new(every, node.span))
}

/// What stands beside a trigger of this kind and starts the flow as well.
fn also(entry: &Entry, beside: Option<&TriggerSource>, findings: &mut Findings) -> Vec<Source> {
    let Some(items) = entry.value.items() else {
        findings.push(wrong_form(&entry.value, "`also`", "a list of triggers"));
        return Vec::new();
    };
    if beside.is_some_and(|kind| !matches!(kind, TriggerSource::Connector(_))) {
        findings.push(
            Diagnostic::error(
                "also-not-taken",
                "only a connector's trigger can have others beside it",
                entry.key.span,
                "not taken here",
            )
            .help("give each of them a flow of its own; what they have in common can be a flow that both `call`"),
        );
        return Vec::new();
    }
    items.iter().filter_map(|item| one_of_also(item, findings)).collect()
}

fn one_of_also(node: &Node, findings: &mut Findings) -> Option<Source> {
    let (kind, source) = if node.text().is_some() {
        let kind = kind(node, findings);
        (kind.clone(), Source::new(kind?, node.span))
    } else {
        let mut fields = Fields::of(node, "a trigger in `also`", findings)?;
        let read = source(&mut fields, node, findings);
        fields.finish(findings);
        read
    };
    if matches!(kind?, TriggerSource::Connector(_)) {
        return Some(source);
    }
    findings.push(
        Diagnostic::error(
            "also-not-taken",
            "only a connector's trigger can stand beside another",
            source.span,
            "not a connector's",
        )
        .help("write one such as `dataverse.row_changed`, or give this one a flow of its own"),
    );
    None
}

fn kind(node: &Node, findings: &mut Findings) -> Option<TriggerSource> {
    let text = words::text(node, "a trigger's `use`", findings)?;
    if let Some((_, source)) = BUILT_IN.into_iter().find(|(word, _)| *word == text) {
        return Some(source);
    }
    let name = OperationName::parse(&text);
    if name.is_none() {
        let known = BUILT_IN.map(|(word, _)| word);
        let help = nearest(&text, known).map_or_else(
            || format!("a trigger is one of {}, or a connector's, such as `dataverse.row_changed`", list(&known)),
            |near| format!("did you mean `{near}`?"),
        );
        findings.push(
            Diagnostic::error("unknown-trigger", format!("there is no trigger `{text}`"), node.span, "unknown trigger")
                .help(help),
        );
    }
    name.map(TriggerSource::Connector)
}

fn inputs(node: &Node, findings: &mut Findings) -> Vec<Input> {
    let Some(entries) = node.entries() else {
        findings.push(wrong_form(node, "`inputs`", "a map of names"));
        return Vec::new();
    };
    entries.iter().filter_map(|entry| input(entry, findings)).collect()
}

fn input(entry: &Entry, findings: &mut Findings) -> Option<Input> {
    let name = entry.key.clone();
    words::identifier(&name, "an input", findings);
    // `id: text` is short for `id: { type: text }`.
    if entry.value.text().is_some() {
        let kind = value_type(&entry.value, findings).unwrap_or(ValueType::Any);
        return Some(Input { name, kind, one_of: None, default: None, description: None });
    }
    let mut fields = Fields::of(&entry.value, "an input", findings)?;
    let kind = fields.require("type", findings).and_then(|node| value_type(node, findings));
    let default = fields.take("default");
    let one_of = fields.take("one_of");
    let description = fields.take("description").and_then(|node| words::text(node, "`description`", findings));
    fields.finish(findings);
    let kind = kind.unwrap_or(ValueType::Any);
    let fits = |node: &Node, findings: &mut Findings| {
        let value = node.to_value();
        if !kind.admits(&value) {
            findings.push(wrong_form(node, &format!("input `{}`", name.value), words::type_in_words(kind)));
        }
        value
    };
    let default = default.map(|node| fits(node, findings));
    let one_of = one_of.and_then(|node| {
        let items = node.items();
        if items.is_none() {
            findings.push(wrong_form(node, "`one_of`", "a list"));
        }
        Some(items?.iter().map(|item| fits(item, findings)).collect())
    });
    Some(Input { name, kind, one_of, default, description })
}

/// A type by its word.
pub(crate) fn value_type(node: &Node, findings: &mut Findings) -> Option<ValueType> {
    let text = words::text(node, "`type`", findings)?;
    let found = ValueType::WORDS.into_iter().find(|(word, _)| *word == text).map(|(_, kind)| kind);
    if found.is_none() {
        let known = ValueType::WORDS.map(|(word, _)| word);
        let help = nearest(&text, known)
            .map_or_else(|| format!("a type is {}", either(&known)), |near| format!("did you mean `{near}`?"));
        findings.push(
            Diagnostic::error("unknown-type", format!("there is no type `{text}`"), node.span, "unknown type")
                .help(help),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> (Flow, Vec<&'static str>) {
        let node = crate::yaml::parse(cosell_model::span::FileId(0), text).unwrap();
        let mut findings = Vec::new();
        let flow = flow(&node, &mut findings).unwrap();
        (flow, findings.into_iter().map(|finding| finding.code).collect())
    }

    #[test]
    fn a_trigger_can_be_a_word() {
        let (flow, findings) = read("flow: a\ntrigger: manual\nsteps:\n");
        assert_eq!((flow.trigger.main.kind, findings, flow.title.as_str()), (TriggerSource::Manual, vec![], "a"));
        let (flow, findings) = read("flow: a\ntrigger: { use: x.happened }\nsteps: {}\n");
        assert_eq!(
            (flow.trigger.main.kind, findings.len()),
            (TriggerSource::Connector(OperationName::parse("x.happened").unwrap()), 0)
        );
    }

    #[test]
    fn what_stands_beside_a_trigger_is_a_word_or_a_map_like_it() {
        let beside = "[ x.asked, { use: y.asked, connection: z, every: 15m } ]";
        let (flow, findings) = read(&format!("flow: a\ntrigger: {{ use: x.happened, also: {beside} }}\nsteps: {{}}\n"));
        let shown = |source: &Source| {
            let connection = source.connection.as_ref().map(|name| name.value.clone());
            (connection, source.every.as_ref().map(|every| every.value))
        };
        let sources: Vec<_> = flow.trigger.sources().map(shown).collect();
        let minutes = Duration::from_secs(900);
        assert_eq!(
            (sources, findings),
            (vec![(None, None), (None, None), (Some("z".to_owned()), Some(minutes))], vec![])
        );
    }

    #[test]
    fn inputs_are_a_type_or_a_map() {
        let inputs =
            "{ use: call, inputs: { id: text, kind: { type: text, one_of: [a, b], default: a, description: x } } }";
        let (flow, findings) = read(&format!("flow: a\ntrigger: {inputs}\nsteps: {{}}\n"));
        let [id, kind] = flow.trigger.inputs.as_slice() else { unreachable!() };
        assert_eq!((id.kind, &id.default, &id.one_of), (ValueType::Text, &None, &None));
        assert_eq!((&kind.default, &kind.one_of), (&Some(json!("a")), &Some(vec![json!("a"), json!("b")])));
        assert_eq!(findings, ["unknown-key"; 0]);
    }

    #[test]
    fn the_rest_of_a_flow_is_read_whatever_is_wrong_with_its_beginning() {
        for (text, code) in [
            ("flow: A\ntrigger: manual\n", "bad-name"),
            ("flow: a\n", "missing-field"),
            ("flow: a\ntrigger: manuel\n", "unknown-trigger"),
            ("flow: a\ntrigger: { when: true }\n", "missing-field"),
            ("flow: a\ntrigger: [manual]\n", "wrong-form"),
        ] {
            let (flow, findings) = read(&format!("{text}steps: {{ x: {{ stop: failed }} }}\n"));
            assert_eq!((flow.steps.steps.len(), findings), (1, vec![code]), "{text}");
        }
    }
}

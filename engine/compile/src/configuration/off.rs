//! Flows that are turned off: whether they exist, and whether others need them.

use std::collections::BTreeMap;

use cosell_model::flow::Flow;
use cosell_model::{Diagnostic, FlowId, Span};

use crate::calls::called_by;
use crate::read::fields::list;
use crate::suggest::did_you_mean;

/// What is wrong with turning these flows off, each at its place.
pub fn check(off: &BTreeMap<String, Span>, flows: &BTreeMap<FlowId, Flow>) -> Vec<Diagnostic> {
    let on = |flow: &&Flow| !off.contains_key(flow.id.value.as_str());
    let finding = |(name, span): (&String, &Span)| {
        let Some(flow) = flows.get(&FlowId::new(name.as_str())) else {
            let near = did_you_mean(name, flows.keys().map(FlowId::as_str));
            let help = near.unwrap_or_else(|| "`cosell flows` lists those there are".to_owned());
            let message = format!("there is no flow `{name}`, so it cannot be off");
            return Some(Diagnostic::error("unknown-flow", message, *span, "no such flow").help(help));
        };
        let callers: Vec<&Flow> =
            flows.values().filter(on).filter(|caller| called_by(caller).contains(&flow.id.value)).collect();
        if callers.is_empty() {
            return None;
        }
        let titles: Vec<String> =
            callers.iter().map(|flow| format!("\"{}\" ({})", flow.title, flow.id.value)).collect();
        let names: Vec<&str> = callers.iter().map(|flow| flow.id.value.as_str()).collect();
        let message = format!("\"{}\" is off, and flows that are on call it: {}", flow.title, titles.join(", "));
        Some(
            Diagnostic::error("off-but-called", message, *span, "turned off here")
                .help(format!("turn it on by taking it out of `off`, or turn off {} as well", list(&names))),
        )
    };
    let mut findings: Vec<Diagnostic> = off.iter().filter_map(finding).collect();
    findings.sort_by_key(|finding| finding.primary.span);
    findings
}

//! Values that must be of one kind: conditions, the items of a loop, durations, instants and HTTP status.
//!
//! What is one whole expression is left to the run: it may yield anything.

use cosell_model::flow::{Step, StepKind, Wait};
use cosell_model::node::NodeKind;
use cosell_model::{Diagnostic, Node};

use crate::expr::text::{Piece, split};
use crate::notation::Moment;
use crate::read::fields::{Findings, wrong_form};
use crate::read::words::parse_duration;
use crate::values::is_whole;

/// Checks what `step` says itself.
pub(crate) fn step(step: &Step, findings: &mut Findings) {
    if let Some(node) = &step.when {
        condition(node, "`when`", findings);
    }
    match &step.kind {
        StepKind::If { condition: node, .. } => condition(node, "`if`", findings),
        StepKind::Until { condition: node, .. } => condition(node, "`until`", findings),
        StepKind::ForEach { items, .. } if items.items().is_none() && !is_computed(items) => {
            findings.push(
                wrong_form(items, "`for_each`", "a list, or one expression that gives one")
                    .help("such as `${{ steps.found.rows }}`, with nothing beside it"),
            );
        }
        StepKind::Wait(Wait::For(node))
            if !has_expression(node) && node.text().is_none_or(|text| parse_duration(text).is_err()) =>
        {
            findings.push(
                wrong_form(node, "`wait`", "a duration").help(
                    "write a number with its unit: `30s`, `5m`, `1h 30m`, or `wait: { until: … }` for an instant",
                ),
            );
        }
        StepKind::Wait(Wait::Until(node))
            if !has_expression(node) && node.text().is_none_or(|text| Moment::read(text).is_none()) =>
        {
            findings.push(wrong_form(node, "`until`", "an instant").help("such as `2026-11-02T08:15:30Z`"));
        }
        StepKind::Respond { status: Some(node), .. } if !is_computed(node) && !is_status(node) => {
            findings.push(
                wrong_form(node, "`status`", "an HTTP status")
                    .help("2xx where all went well, 4xx where the caller is at fault, 5xx where this flow is"),
            );
        }
        _ => {}
    }
}

fn is_status(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Number(number) => number.as_u64().is_some_and(|status| matches!(status, 200..=299 | 400..=599)),
        _ => false,
    }
}

/// Checks that a condition can be false: text around an expression, or text alone, always counts as true.
pub(crate) fn condition(node: &Node, what: &str, findings: &mut Findings) {
    if matches!(node.kind, NodeKind::Bool(_)) || is_computed(node) {
        return;
    }
    let finding = |why: &str, help: String| {
        let message = format!("{what} is a condition, and {why}");
        Diagnostic::error("not-a-condition", message, node.span, "not a condition").help(help)
    };
    findings.push(match &node.kind {
        NodeKind::Text(_) if has_expression(node) => finding(
            "text with an expression in it always counts as true",
            "write it as one expression, with nothing beside it: `${{ steps.a and not steps.b }}`".to_owned(),
        ),
        NodeKind::Text(text) => {
            finding("plain text always counts as true", format!("write `${{{{ {} }}}}`", text.trim()))
        }
        _ => finding(
            &format!("this is {}", node.describe()),
            "write one expression: `${{ steps.found.rows | length > 1 }}`".to_owned(),
        ),
    });
}

/// Whether a value is one whole expression; braces that do not pair were reported.
fn is_computed(node: &Node) -> bool {
    node.text().is_some_and(|text| split(text).map_or(true, |pieces| is_whole(&pieces)))
}

fn has_expression(node: &Node) -> bool {
    let expression = |pieces: Vec<Piece>| pieces.iter().any(|piece| matches!(piece, Piece::Expression(_)));
    node.text().is_some_and(|text| split(text).map_or(true, expression))
}

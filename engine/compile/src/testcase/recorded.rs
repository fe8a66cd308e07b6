//! Tests that play a recording: what such a test has, and what it has no use for.

use cosell_model::node::Entry;
use cosell_model::{Diagnostic, Node, Span};

use super::{Act, ActKind, Test};
use crate::read::fields::Findings;

/// What may stand under `given` beside a recording.
const BESIDE: [&str; 2] = ["recorded", "variables"];

/// Reports what does not go together with a recording in a test, or does not without one.
pub(super) fn check(node: &Node, test: &Test, findings: &mut Findings) {
    let recorded = |act: &&Act| matches!(act.kind, ActKind::Recorded);
    if test.given.recorded.is_none() {
        if let Some(act) = test.already.iter().chain(&test.when).find(recorded) {
            let message = "this test has no recording, so nothing was recorded that could happen again";
            findings.push(wrong(message, act.span).help("name its file under `given`: `recorded: FILE`"));
        }
        return;
    }
    let under = |key: &str| node.get(key).and_then(Node::entries).unwrap_or_default().iter();
    let of_given = under("given").filter(|entry| !BESIDE.contains(&&*entry.key.value));
    let of_test =
        node.entries().unwrap_or_default().iter().filter(|entry| ["already", "flow"].contains(&&*entry.key.value));
    for Entry { key, .. } in of_given.chain(of_test) {
        let message = format!("a test that plays a recording takes no `{}`", key.value);
        findings.push(wrong(&message, key.span).help("what there is, and which flow is run, the recording says"));
    }
    for Entry { key, .. } in under("then").filter(|entry| ["records", "audit"].contains(&&*entry.key.value)) {
        let message =
            format!("where a recording is played nothing is written, so `{}` has nothing to look at", key.value);
        findings.push(wrong(&message, key.span).help("expect what would be written, under `writes`"));
    }
    let plays = |act: &Act| matches!(act.kind, ActKind::Recorded | ActKind::Run { .. });
    let alien = test.when.iter().find(|act| !plays(act)).or_else(|| test.when.get(1));
    if let Some(act) = alien {
        let message = "in a test that plays a recording one thing happens: what was recorded, or a run";
        findings.push(wrong(message, act.span).help("write `when: recorded`, or `when: { run: FLOW }`"));
    }
}

fn wrong(message: &str, place: Span) -> Diagnostic {
    Diagnostic::error("wrong-form", message, place, "not here")
}

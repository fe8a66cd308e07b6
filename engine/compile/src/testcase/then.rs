//! What a test expects in the end.

use cosell_model::node::Entry;
use cosell_model::{Diagnostic, Node, Outcome, Spanned};

use super::read::{by_name, items, named, spanned_text};
use super::{Audit, Ended, Then, Verb, Write};
use crate::read::fields::{Fields, Findings, either, wrong_form};
use crate::suggest::nearest;

pub(super) fn then(entry: &Entry, findings: &mut Findings) -> Option<Then> {
    let mut fields = Fields::of(&entry.value, "`then`", findings)?;
    let then = Then {
        span: entry.value.span,
        key: entry.key.span,
        outcome: fields.take("outcome").and_then(|node| outcome(node, findings)),
        output: fields.take("output").cloned(),
        answer: fields.take("answer").cloned(),
        error: fields.take("error").cloned(),
        writes: fields.take("writes").map(|node| Spanned::new(writes(node, findings), node.span)),
        records: by_name(fields.take("records"), "`records`", findings)
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.clone()))
            .collect(),
        audit: fields.take("audit").map(|node| audit(node, findings)).unwrap_or_default(),
    };
    fields.finish(findings);
    Some(then)
}

fn outcome(node: &Node, findings: &mut Findings) -> Option<Spanned<Ended>> {
    const KNOWN: [Ended; 5] = [
        Ended::As(Outcome::Succeeded),
        Ended::As(Outcome::Failed),
        Ended::As(Outcome::TimedOut),
        Ended::As(Outcome::Cancelled),
        Ended::NotStarted,
    ];
    let words = KNOWN.map(Ended::as_str);
    let known = node.text().and_then(|text| KNOWN.into_iter().find(|known| known.as_str() == text));
    if known.is_none() {
        let near = node.text().and_then(|text| nearest(text, words));
        findings.push(
            wrong_form(node, "`outcome`", &either(&words))
                .maybe_help(near.map(|near| format!("did you mean `{near}`?"))),
        );
    }
    Some(Spanned::new(known?, node.span))
}

/// `none`, or all writes in order.
fn writes(node: &Node, findings: &mut Findings) -> Vec<Write> {
    if node.text() == Some("none") {
        return Vec::new();
    }
    let items = items(node, "`writes`", "`none`, or the list of writes", findings);
    items.iter().filter_map(|item| write(item, findings)).collect()
}

fn write(node: &Node, findings: &mut Findings) -> Option<Write> {
    let mut fields = Fields::of(node, "a write", findings)?;
    let words = Verb::ALL.map(Verb::as_str);
    let mut given = Verb::ALL.into_iter().filter(|verb| fields.has(verb.as_str()));
    let Some(verb) = given.next() else {
        let entries = node.entries().unwrap_or_default();
        let near = entries.iter().find_map(|entry| Some((nearest(&entry.key.value, words)?, entry)));
        findings.push(match near {
            Some((near, entry)) => {
                let message = format!("a write has no `{}`", entry.key.value);
                Diagnostic::error("unknown-key", message, entry.key.span, "unknown key")
                    .help(format!("did you mean `{near}`?"))
            }
            None => {
                let place = entries.first().map_or(node.span, |entry| entry.key.span);
                Diagnostic::error("missing-field", "this write does not say what it does", place, "one is missing")
                    .help(format!("it has {}", either(&words)))
            }
        });
        return None;
    };
    let record = fields.take(verb.as_str()).and_then(|node| spanned_text(node, "a record", findings));
    let name = match verb {
        Verb::Create => fields.take("as").and_then(|node| spanned_text(node, "`as`", findings)),
        _ => None,
    };
    if let Some(name) = &name {
        named(name, findings);
    }
    let with = match verb {
        Verb::Delete => None,
        _ => fields.take("with").cloned(),
    };
    if let Some(with) = with.as_ref().filter(|with| with.entries().is_none()) {
        findings.push(wrong_form(with, "`with`", "a map of values"));
    }
    fields.finish(findings);
    Some(Write { verb, record: record?, name, with, span: node.span })
}

/// A text, a list of them, or either by the name of an opportunity.
fn audit(node: &Node, findings: &mut Findings) -> Vec<Audit> {
    let named = |entry: &Entry| Audit { of: Some(entry.key.clone()), says: texts(&entry.value, findings) };
    match node.entries() {
        Some(entries) => entries.iter().map(named).collect(),
        None => vec![Audit { of: None, says: texts(node, findings) }],
    }
}

fn texts(node: &Node, findings: &mut Findings) -> Vec<Spanned<String>> {
    let nodes: Vec<&Node> = node.items().map_or_else(|| vec![node], |items| items.iter().collect());
    nodes.into_iter().filter_map(|node| spanned_text(node, "what Audit says", findings)).collect()
}

//! Small things: names, texts, numbers, durations, outcomes.

use std::time::Duration;

use cosell_model::flow::{Backoff, Retry, Sensitive, ValueType};
use cosell_model::node::NodeKind;
use cosell_model::outcome::Accepts;
use cosell_model::{Diagnostic, Node, Outcome, Spanned, ids};
use jiff::SignedDuration;

use super::fields::{Fields, Findings, wrong_form};
use crate::suggest::nearest;

/// Plain text.
pub(crate) fn text(node: &Node, what: &str, findings: &mut Findings) -> Option<String> {
    let text = node.text();
    if text.is_none() {
        findings.push(wrong_form(node, what, "text"));
    }
    text.map(str::to_owned)
}

/// A name of the given form.
pub(crate) fn name(
    name: &Spanned<String>,
    what: &str,
    right: fn(&str) -> bool,
    form: &str,
    findings: &mut Findings,
) -> bool {
    let fits = right(&name.value);
    if !fits {
        let message = format!("`{}` cannot be the name of {what}", name.value);
        findings.push(Diagnostic::error("bad-name", message, name.span, "not a name").help(form.to_owned()));
    }
    fits
}

/// What identifiers look like, for help texts.
pub(crate) const IDENTIFIER: &str =
    "a name begins with a lower-case letter and goes on with lower-case letters, digits and `_`";
/// What flow and mapping names look like, for help texts.
pub(crate) const KEBAB: &str =
    "a name begins with a lower-case letter and goes on with lower-case letters, digits and `-`";

/// A whole number within bounds.
pub(crate) fn whole(node: &Node, what: &str, low: u32, high: u32, findings: &mut Findings) -> Option<u32> {
    let number = match &node.kind {
        NodeKind::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
        _ => None,
    };
    let fits = number.filter(|n| (low..=high).contains(n));
    if fits.is_none() {
        findings.push(wrong_form(node, what, &format!("a whole number from {low} to {high}")));
    }
    fits
}

/// `true` or `false`.
pub(crate) fn truth(node: &Node, what: &str, findings: &mut Findings) -> Option<bool> {
    match node.kind {
        NodeKind::Bool(truth) => Some(truth),
        _ => {
            findings.push(wrong_form(node, what, "true or false"));
            None
        }
    }
}

/// A duration such as `30s`, `5m`, `1h 30m` or `PT5M`.
pub(crate) fn duration(node: &Node, what: &str, findings: &mut Findings) -> Option<Duration> {
    let parsed = node.text().map(parse_duration);
    match parsed {
        Some(Ok(duration)) => Some(duration),
        _ => {
            findings.push(
                wrong_form(node, what, "a duration")
                    .help("write a number with its unit: `30s`, `5m`, `1h 30m`, `2 days`, or ISO 8601 such as `PT5M`"),
            );
            None
        }
    }
}

/// Reads `text` as a duration; days have 24 hours.
///
/// # Errors
/// What is wrong with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::Span = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    if duration < SignedDuration::ZERO {
        return Err("a duration cannot be negative".to_owned());
    }
    Ok(duration.unsigned_abs())
}

/// `succeeded`, or a list of outcomes, as `after` takes them.
pub(crate) fn accepts(node: &Node, findings: &mut Findings) -> Option<Accepts> {
    let words: Vec<&Node> = node.items().map_or_else(|| vec![node], |items| items.iter().collect());
    let mut set = Accepts::NONE;
    let mut fits = !words.is_empty();
    for word in words {
        let Some(text) = word.text() else {
            findings.push(wrong_form(word, "an outcome", "text"));
            fits = false;
            continue;
        };
        match Outcome::named_in_after(text) {
            Some(outcome) => set = set.with(outcome),
            None => {
                let known = Outcome::NAMED_IN_AFTER.map(Outcome::as_str);
                let help = nearest(text, known).map_or_else(
                    || format!("an outcome is one of {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                findings.push(
                    Diagnostic::error(
                        "unknown-outcome",
                        format!("there is no outcome `{text}`"),
                        word.span,
                        "unknown outcome",
                    )
                    .help(help),
                );
                fits = false;
            }
        }
    }
    if node.items().is_some_and(<[Node]>::is_empty) {
        findings.push(
            wrong_form(node, "the list of accepted outcomes", "a list with something in it")
                .help("a step that accepts no outcome can never run"),
        );
    }
    fits.then_some(set)
}

/// `none`, or a map of how to retry.
pub(crate) fn retry(node: &Node, findings: &mut Findings) -> Option<Retry> {
    if node.text() == Some("none") {
        return Some(Retry::NONE);
    }
    if node.text().is_some() {
        findings.push(wrong_form(node, "`retry`", "`none` or a map"));
        return None;
    }
    let mut fields = Fields::of(node, "`retry`", findings)?;
    let mut retry = Retry::default();
    if let Some(policy) = fields.take("policy") {
        match policy.text() {
            Some("fixed") => retry.backoff = Backoff::Fixed,
            Some("exponential") => retry.backoff = Backoff::Exponential,
            _ => findings.push(wrong_form(policy, "`policy`", "`fixed` or `exponential`")),
        }
    }
    if let Some(count) = fields.take("count") {
        retry.count = whole(count, "`count`", 0, 90, findings).unwrap_or(retry.count);
    }
    let mut time = |key, target: &mut Duration, findings: &mut Findings| {
        if let Some(node) = fields.take(key) {
            *target = duration(node, &format!("`{key}`"), findings).unwrap_or(*target);
        }
    };
    time("interval", &mut retry.interval, findings);
    time("minimum", &mut retry.minimum, findings);
    time("maximum", &mut retry.maximum, findings);
    retry.minimum = retry.minimum.min(retry.interval);
    retry.maximum = retry.maximum.max(retry.interval);
    fields.finish(findings);
    Some(retry)
}

/// `true`, or a list of `input` and `output`.
pub(crate) fn sensitive(node: &Node, findings: &mut Findings) -> Sensitive {
    if let NodeKind::Bool(all) = node.kind {
        return Sensitive { input: all, output: all };
    }
    let mut sensitive = Sensitive::default();
    let words: Vec<&Node> = node.items().map_or_else(|| vec![node], |items| items.iter().collect());
    for word in words {
        match word.text() {
            Some("input") => sensitive.input = true,
            Some("output") => sensitive.output = true,
            _ => findings.push(wrong_form(word, "`sensitive`", "`true`, `input`, `output` or a list of them")),
        }
    }
    sensitive
}

/// A type with its article, for messages.
pub(crate) fn type_in_words(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Text => "text",
        ValueType::Integer => "a whole number",
        ValueType::Number => "a number",
        ValueType::Boolean => "true or false",
        ValueType::Object => "a map",
        ValueType::List => "a list",
        ValueType::Any => "anything",
    }
}

/// Whether `text` is a name of the identifier form, with the finding where it is not.
pub(crate) fn identifier(text: &Spanned<String>, what: &str, findings: &mut Findings) -> bool {
    name(text, what, ids::is_identifier, IDENTIFIER, findings)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_are_written_as_people_write_them() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h 30m", 5400), ("PT5M", 300), ("2 days", 172_800)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("100ms"), Ok(Duration::from_millis(100)));
        for wrong in ["", "5", "soon", "-5s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    fn node(text: &str) -> Node {
        crate::yaml::parse(cosell_model::span::FileId(0), text).unwrap()
    }

    #[test]
    fn retries_are_none_or_built_on_the_default() {
        let read = |text: &str| {
            let mut findings = Vec::new();
            (retry(&node(text), &mut findings), findings.len())
        };
        assert_eq!(read("none"), (Some(Retry::NONE), 0));
        let once =
            Retry { count: 1, interval: Duration::from_secs(2), minimum: Duration::from_secs(2), ..Retry::default() };
        assert_eq!(read("{ count: 1, interval: 2s }"), (Some(once), 0), "no wait is longer than the shortest allowed");
        let long =
            Retry { interval: Duration::from_secs(3600), maximum: Duration::from_secs(3600), ..Retry::default() };
        assert_eq!(read("{ interval: 1h }"), (Some(long), 0), "and none is shorter than the longest");
        assert_eq!(read("often").1, 1);
        assert_eq!(read("{ count: 91 }").1, 1);
        assert_eq!(read("3").1, 1);
    }

    #[test]
    fn what_is_sensitive_is_said_as_a_whole_or_in_parts() {
        let read = |text: &str| {
            let mut findings = Vec::new();
            let sensitive = sensitive(&node(text), &mut findings);
            (sensitive.input, sensitive.output, findings.len())
        };
        assert_eq!(read("true"), (true, true, 0));
        assert_eq!(read("false"), (false, false, 0));
        assert_eq!(read("input"), (true, false, 0));
        assert_eq!(read("[output, input]"), (true, true, 0));
        assert_eq!(read("[output, all]"), (false, true, 1));
    }
}

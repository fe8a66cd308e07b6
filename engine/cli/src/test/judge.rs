//! Holding what was found against what a test expects.

use cosell_compile::testcase::{Audit, Ended, Then, Verb, Write};
use cosell_model::node::NodeKind;
use cosell_model::{Node, Span, Value};
use cosell_sdk::values::same;
use serde_json::json;

use super::names::{Mistake, REFERRAL};
use super::play::Found;
use super::stage::{Settings, Stage, plain};
use super::writes::Written;

/// Something that is not as expected.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// Where the expectation stands.
    pub(super) place: Span,
    /// What it is about: `writes[2].with.name`.
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) found: String,
}

impl From<Mistake> for Difference {
    fn from(mistake: Mistake) -> Self {
        let expected = "something that can be done".to_owned();
        Self { place: mistake.place, what: String::new(), expected, found: mistake.message }
    }
}

/// What stands for any text at all.
const ANYTHING: char = '…';

/// Everything that is not as expected.
pub(super) async fn judge(then: &Then, found: &Found, stage: &Stage, settings: &Settings<'_>) -> Vec<Difference> {
    let mut differences = Vec::new();
    if let Some(outcome) = then.outcome.as_ref().filter(|outcome| outcome.value != found.ended()) {
        differences.push(Difference {
            place: outcome.span,
            what: "outcome".to_owned(),
            expected: outcome.value.as_str().to_owned(),
            found: ended(found),
        });
    }
    let run = found.run.as_ref();
    let seen = [
        ("output", &then.output, run.map(|run| run.output.clone())),
        ("answer", &then.answer, run.and_then(|run| run.answer.clone()).map(answer)),
        ("error", &then.error, run.and_then(|run| run.failure.as_ref()).map(|failure| error(failure, &then.error))),
    ];
    for (what, expected, value) in seen {
        if let Some(expected) = expected {
            compare(expected, &found.names.shown(&value.unwrap_or_default()), what, &mut differences);
        }
    }
    if let Some(expected) = &then.writes {
        writes(&expected.value, expected.span, found, &mut differences);
    }
    for (name, expected) in &then.records {
        match record(&name.value, name.span, found, stage).await {
            Ok(record) => compare(expected, &record, &format!("records.{}", name.value), &mut differences),
            Err(mistake) => differences.push(mistake.into()),
        }
    }
    for Audit { of: name, says: texts } in &then.audit {
        let opportunity = match name {
            Some(name) => found.names.find(&name.value, name.span).map(|record| record.name.clone()),
            None => the_opportunity(found, texts.first().map_or(then.span, |text| text.span)),
        };
        let record = match opportunity {
            Ok(opportunity) => record(&opportunity, then.span, found, stage).await,
            Err(mistake) => Err(mistake),
        };
        match record {
            Ok(record) => {
                let column = settings.text("audit_column", "msft_microsoftpartnercenterreferralsyncaudit");
                let audit = record[column].as_str().unwrap_or_default().to_owned();
                for text in texts.iter().filter(|text| !contains(&audit, &text.value)) {
                    let found = if audit.is_empty() { "nothing".to_owned() } else { audit.clone() };
                    let (what, expected) = ("audit".to_owned(), format!("{ANYTHING}{}{ANYTHING}", text.value));
                    differences.push(Difference { place: text.span, what, expected, found });
                }
            }
            Err(mistake) => differences.push(mistake.into()),
        }
    }
    differences
}

/// How the run ended, with why.
fn ended(found: &Found) -> String {
    let failure = found.run.as_ref().and_then(|run| run.failure.as_ref());
    let why = match (found.ended(), failure) {
        (Ended::NotStarted, _) => "no flow listens to what happened".to_owned(),
        (_, Some(failure)) => {
            let step = failure.step.as_ref().map_or(String::new(), |step| format!("step `{step}`: "));
            format!("{step}{failure}")
        }
        _ => return found.ended().as_str().to_owned(),
    };
    format!("{}: {why}", found.ended().as_str())
}

/// The same as a sentence.
pub(super) fn story(found: &Found) -> String {
    match found.ended() {
        Ended::NotStarted => "no flow was run".to_owned(),
        Ended::As(_) => format!("the run {}", ended(found)),
    }
}

pub(super) fn answer((status, headers, body): (u16, Value, Value)) -> Value {
    json!({ "status": status, "headers": headers, "body": body })
}

/// An error is expected by its message, or by its members.
pub(super) fn error(failure: &cosell_model::Failure, expected: &Option<Node>) -> Value {
    match expected.as_ref().map(|expected| &expected.kind) {
        Some(NodeKind::Map(_)) => json!({ "code": failure.code, "message": failure.message, "step": failure.step }),
        _ => json!(failure.message),
    }
}

fn the_opportunity(found: &Found, place: Span) -> Result<String, Mistake> {
    let all: Vec<&str> = found.names.all("opportunity").map(|record| record.name.as_str()).collect();
    match all.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Mistake::new(place, "there is no opportunity, so there is no column Audit")),
        several => {
            let message = format!("there are {}: write `audit: {{ {}: … }}`", several.join(" and "), several[0]);
            Err(Mistake::new(place, message))
        }
    }
}

/// A record as it is now, with names in the place of identifiers; null where it is not there.
pub(super) async fn record(name: &str, place: Span, found: &Found, stage: &Stage) -> Result<Value, Mistake> {
    let named = found.names.find(name, place)?;
    let record = if named.kind == REFERRAL {
        let referrals = stage.people.referrals().await;
        let referrals = referrals.map_err(|trouble| Mistake::new(place, plain(&trouble)))?;
        referrals.into_iter().find(|referral| referral["id"] == named.id.as_str())
    } else {
        stage.found(&named.kind, &named.id).await.map_err(|message| Mistake::new(place, message))?
    };
    Ok(found.names.shown(&record.unwrap_or_default()))
}

/// Adds where `found` is not what is expected: a map is expected with these members among others.
fn compare(expected: &Node, found: &Value, what: &str, differences: &mut Vec<Difference>) {
    match (&expected.kind, found) {
        (NodeKind::Map(entries), Value::Object(members)) => {
            for entry in entries {
                let member = members.get(&entry.key.value).unwrap_or(&Value::Null);
                compare(&entry.value, member, &format!("{what}.{}", entry.key.value), differences);
            }
        }
        (NodeKind::List(items), Value::Array(values)) if items.len() == values.len() => {
            for (number, (item, value)) in items.iter().zip(values).enumerate() {
                compare(item, value, &format!("{what}[{number}]"), differences);
            }
        }
        _ if agrees(expected, found) => {}
        _ => differences.push(Difference {
            place: expected.span,
            what: what.to_owned(),
            expected: shown(&expected.to_value()),
            found: shown(found),
        }),
    }
}

/// Whether a value without members is as expected.
pub(super) fn agrees(expected: &Node, found: &Value) -> bool {
    match (&expected.kind, found) {
        (NodeKind::Text(text), Value::String(value)) if like(text, value) => true,
        _ => same(&expected.to_value(), found),
    }
}

/// What the column Audit is then expected to say: what it does say, of what is expected; else its newest line.
pub(super) async fn accepted_audit(then: &Then, found: &Found, stage: &Stage, settings: &Settings<'_>) -> Value {
    let column = settings.text("audit_column", "msft_microsoftpartnercenterreferralsyncaudit");
    let mut by_name = serde_json::Map::new();
    for Audit { of: name, says: texts } in &then.audit {
        let place = then.span;
        let opportunity = match name {
            Some(name) => name.value.clone(),
            None => the_opportunity(found, place).unwrap_or_default(),
        };
        let record = record(&opportunity, place, found, stage).await.unwrap_or_default();
        let audit = record[column.as_str()].as_str().unwrap_or_default();
        let newest = audit.lines().next().unwrap_or_default();
        let newest = newest.split_once(" - ").map_or(newest, |(_, said)| said);
        let mut said: Vec<&str> =
            texts.iter().map(|text| if contains(audit, &text.value) { &*text.value } else { newest }).collect();
        said.dedup();
        let said = if let [one] = said.as_slice() { json!(one) } else { json!(said) };
        match name {
            Some(name) => drop(by_name.insert(name.value.clone(), said)),
            None => return said,
        }
    }
    Value::Object(by_name)
}

/// Whether a text is as expected, where `…` stands for any text.
fn like(expected: &str, found: &str) -> bool {
    let mut parts = expected.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|first| found.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    true
}

fn contains(text: &str, part: &str) -> bool {
    like(&format!("{ANYTHING}{part}{ANYTHING}"), text)
}

/// A value on one line.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other.to_string(),
    }
}

/// What a record is called where it is written.
pub(super) fn called(written: &Written, found: &Found) -> String {
    match written.verb {
        Verb::Create => written.kind.clone(),
        _ => found.names.of(&written.id).map_or(&*written.id, |named| &*named.name).to_owned(),
    }
}

/// Writes in order. One that is missing, or that nobody expects, does not spoil those behind it.
fn writes(expected: &[Write], place: Span, found: &Found, differences: &mut Vec<Difference>) {
    let is =
        |write: &Write, written: &Written| write.verb == written.verb && write.record.value == called(written, found);
    let mut at = 0;
    let unexpected = |written: &[Written], place: Span, differences: &mut Vec<Difference>| {
        for written in written {
            let what = format!("{} {}", written.verb.as_str(), called(written, found));
            let values = shown(&found.names.shown(&written.values));
            differences.push(Difference {
                place,
                what: "writes".to_owned(),
                expected: "no such write here".to_owned(),
                found: format!("{what}: {values}"),
            });
        }
    };
    for (number, write) in expected.iter().enumerate() {
        let behind = found.writes.get(at..).unwrap_or_default();
        match behind.iter().position(|written| is(write, written)) {
            Some(ahead) => {
                unexpected(&behind[..ahead], write.span, differences);
                if let Some(with) = &write.with {
                    let values = found.names.shown(&behind[ahead].values);
                    compare(with, &values, &format!("writes[{number}].with"), differences);
                }
                at += ahead + 1;
            }
            None => differences.push(Difference {
                place: write.span,
                what: format!("writes[{number}]"),
                expected: format!("{} {}", write.verb.as_str(), write.record.value),
                found: "no such write".to_owned(),
            }),
        }
    }
    unexpected(found.writes.get(at..).unwrap_or_default(), place, differences);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_any_text() {
        assert!(like("a…c", "abc") && like("…c", "abc") && like("a…", "abc") && like("…b…", "abc") && like("…", ""));
        assert!(!like("a…d", "abc") && !like("ab", "abc") && !like("…x…", "abc") && !like("b…", "abc"));
        assert!(like("a…b…b", "a b b") && !like("ab…b", "ab"));
    }
}

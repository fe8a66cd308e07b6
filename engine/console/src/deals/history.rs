//! What happened to a deal: its runs, and what the column Audit of its opportunity says.

use std::sync::Arc;

use cosell_journal::read::{Filter, Listed};
use cosell_model::Value;
use cosell_service::api::{Api, Problem};
use maud::{Markup, html};

use crate::facts::Facts;
use crate::page::{address, badge, foreign, heads, moment, outcome, took, unfold};

/// How many runs a page shows, and how many lines before the rest is folded.
pub(super) const RUNS: u32 = 20;
const LINES: usize = 20;

/// The last runs about each of these deals, the newest first; each is known by its ids.
pub(super) async fn runs(api: &Arc<Api>, deals: Vec<Vec<String>>, most: u32) -> Result<Vec<Vec<Listed>>, Problem> {
    let read = move |reader: &cosell_journal::Reader| {
        let of_deal = |keys: Vec<String>| {
            let mut runs: Vec<Listed> = Vec::new();
            for key in keys {
                let found = reader.runs(&Filter { key: Some(key), most, ..Filter::default() })?;
                let new = found.into_iter().filter(|run| !runs.iter().any(|known| known.run == run.run));
                runs.extend(new.collect::<Vec<_>>());
            }
            runs.sort_by(|one, other| (other.began, &other.run).cmp(&(one.began, &one.run)));
            runs.truncate(most as usize);
            Ok(runs)
        };
        deals.into_iter().map(of_deal).collect()
    };
    api.read(read).await
}

/// A table of runs.
pub(super) fn table(runs: &[Listed], keys: &[String], facts: &Facts) -> Markup {
    let failed = runs.iter().any(|run| run.failure.is_some());
    html! {
        @if runs.is_empty() {
            p.nothing { "No run is kept that has to do with this deal." }
        } @else {
            div.table.broad tabindex="0" role="region" aria-label="Runs of this deal" {
                table aria-label="Runs of this deal" {
                    (heads(["Outcome", "Flow", "Began", "Took"].into_iter().chain(failed.then_some("Why it failed"))))
                    tbody {
                        @for run in runs {
                            tr {
                                td { (outcome(run.outcome.as_deref())) }
                                th scope="row" { a href=(address(&["runs", &run.run], &[])) { (foreign(title(&run.flow, facts))) } }
                                td { (moment(run.began)) }
                                td.short { @if let Some(ended) = run.ended { (took(ended.duration_since(run.began).unsigned_abs())) } }
                                @if failed { td { @if let Some(message) = run.failure.as_ref().and_then(|failure| failure["message"].as_str()) { (foreign(message)) } } }
                            }
                        }
                    }
                }
            }
        }
        @if !runs.is_empty() {
            p.hint {
                "All runs with the key "
                @for (number, key) in keys.iter().enumerate() {
                    @if number > 0 { ", or with " }
                    a href=(address(&["runs"], &[("key", key)])) { (foreign(key)) }
                }
            }
        }
    }
}

fn title<'f>(flow: &'f str, facts: &'f Facts) -> &'f str {
    let flows = &facts.compilation.flows;
    flows.iter().find(|(id, _)| id.as_str() == flow).map_or(flow, |(_, known)| known.title.as_str())
}

/// The lines of the column Audit, the newest first, as they stand there.
pub(super) fn audit(text: &Value, is_crossed: bool) -> Markup {
    let lines: Vec<&str> =
        text.as_str().unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let list = |lines: &[&str], first: bool| {
        html! {
            ul.plain.audit {
                @for (number, line) in lines.iter().enumerate() { li { (audited(line, first && number == 0 && is_crossed)) } }
            }
        }
    };
    html! {
        @if lines.is_empty() {
            p.nothing { "Nothing is written there." }
        } @else {
            (list(&lines[..lines.len().min(LINES)], true))
            @if lines.len() > LINES {
                (unfold("audit-older", html! { (lines.len() - LINES) " older lines" }, list(&lines[LINES..], false)))
            }
        }
    }
}

/// A line: `2026-11-02 09:15 UTC - Not sent to Partner Center: …`.
fn audited(line: &str, is_crossed: bool) -> Markup {
    let (when, what) = line.split_once(" UTC - ").filter(|(when, _)| when.len() == 16).unwrap_or(("", line));
    let at = format!("{}:00Z", when.replace(' ', "T")).parse().ok();
    // As the flows begin the line where they set the cross.
    let is_wrong = is_crossed || what.contains('✖') || what.starts_with("Not ");
    html! {
        @if is_wrong { (badge("bad", "✖", "not done")) " " }
        @if let Some(at) = at { span.when { (moment(at)) } " " (foreign(what)) } @else { (foreign(line)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_of_the_column_are_dated_and_refusals_marked() {
        let text = "2026-11-02 09:15 UTC - Not sent to Partner Center: <b>no account</b>.\n2026-11-01 08:00 UTC - Created from Partner Center (x).\n\nwritten by hand";
        insta::assert_snapshot!(audit(&json!(text), true).into_string().replace("<li>", "\n<li>"));
        assert!(audit(&Value::Null, true).into_string().contains("Nothing is written there."));
        let many = audit(&json!("line\n".repeat(50)), false).into_string();
        assert!(many.contains("30 older lines"), "{many}");
    }
}

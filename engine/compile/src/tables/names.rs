//! Whether what names a table or a column can be its logical name.

use std::collections::BTreeMap;

use cosell_model::flow::Flow;
use cosell_model::{Catalogue, Diagnostic, Spanned};
use serde_json::Value;

use super::used;
use crate::read::fields::Findings;
use crate::source::Sources;

/// Whether `name` has the form of a logical name: lower-case letters, digits and `_`.
pub(super) fn is_logical(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Reports names for people where logical names are wanted.
pub(crate) fn check(
    flow: &Flow,
    catalogue: &Catalogue,
    sources: &Sources,
    variables: &BTreeMap<String, Value>,
    findings: &mut Findings,
) {
    for uses in used::of(flow, catalogue, sources, variables) {
        display_name(&uses.table, "table", findings);
        for column in &uses.columns {
            display_name(&column.name, "column", findings);
        }
    }
}

fn display_name(name: &Spanned<String>, what: &str, findings: &mut Findings) {
    if is_logical(&name.value) {
        return;
    }
    let message = format!("`{}` is no logical name of a {what}", name.value);
    findings.push(Diagnostic::error("display-name", message, name.span, "a name for people").help(format!(
        "a logical name has lower-case letters, digits and `_`, such as `estimatedvalue`; the CRM shows it in the \
             properties of the {what}, and `cosell metadata pull` has the check say which one is meant"
    )));
}

//! What a user's file names and the shipped one does not have: after an upgrade, most likely something that was renamed,
//! moved or taken away.

use cosell_model::node::Entry;
use cosell_model::{Diagnostic, Node, Span};

use super::{Merge, Place};
use crate::read::fields::{either, list};
use crate::read::step::KINDS;
use crate::suggest::did_you_mean;

/// How many names a message lists.
const LISTED: usize = 12;

impl Merge<'_> {
    /// What is wrong with `entry`, which is merged into `base` at `holder`: it is not there, and either not whole, or whole
    /// and idle.
    pub(super) fn missing(&self, entry: &Entry, base: &[Entry], place: Place, holder: Span, idle: bool) -> Diagnostic {
        let name = &entry.key.value;
        let (kind, lacking) = match place {
            Place::Steps => ("step", "this is not a whole step"),
            Place::Cases => ("case", "the steps in it are not whole"),
            Place::Rows => ("row", "this is not a whole row"),
            _ => ("block", "the steps in it are not whole"),
        };
        let lacking = if idle { "a new one has no effect: nothing mentions what it computes" } else { lacking };
        let message = format!("the shipped {} has no {kind} `{name}` here, and {lacking}", self.what);
        let shipped = base.iter().filter(|entry| entry.key.span.file == holder.file);
        let here: Vec<&str> = shipped.map(|entry| entry.key.value.as_str()).collect();
        let more = if here.len() > LISTED { ", and more" } else { "" };
        let mut finding = Diagnostic::error("not-in-shipped", message, entry.key.span, format!("no such {kind}"))
            .also(holder, format!("here the shipped file has {}{more}", list(&here[..here.len().min(LISTED)])));
        let near = did_you_mean(name, here.iter().copied());
        let moved = (place == Place::Steps).then(|| find(self.shipped, Place::Flow, name, "")).flatten();
        let help = match (&moved, near) {
            (Some((path, _)), _) => format!("the shipped step `{name}` stands in `{path}`: change it there"),
            (None, Some(near)) => near,
            (None, None) if place == Place::Rows => {
                "a new row has a path for each side; to change a shipped one, take its name from the shipped file"
                    .into()
            }
            (None, None) if idle => {
                "mention it as `steps.…` where it is needed; to change a shipped one, take its name from the \
                                     shipped file"
                    .into()
            }
            (None, None) if place == Place::Step => "change the step as the shipped file has it now".into(),
            (None, None) => {
                format!(
                    "a new step has {}; to change a shipped one, take its name from the shipped file",
                    either(&KINDS)
                )
            }
        };
        if let Some((_, span)) = moved {
            finding = finding.also(span, "it stands here");
        }
        finding.help(help)
    }
}

/// Where the step `name` stands, whose names are unique in a flow: the path of what holds it, and its key's place.
fn find(node: &Node, place: Place, name: &str, path: &str) -> Option<(String, Span)> {
    node.entries().unwrap_or_default().iter().find_map(|entry| {
        let key = &entry.key;
        if place == Place::Steps && key.value == name {
            return Some((path.to_owned(), key.span));
        }
        let below = if path.is_empty() { key.value.clone() } else { format!("{path}.{}", key.value) };
        match place.below(&key.value) {
            Place::Data => None,
            inner => find(&entry.value, inner, name, &below),
        }
    })
}

//! What is drawn, whatever the form: nodes, some of which hold groups of others, and ties between nodes side by side.

use cosell_model::Accepts;

use crate::happened::Happened;

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The flow's name; none where it is of all flows.
    pub name: Option<String>,
    /// What it is a picture of.
    pub title: String,
    /// What is to be said of the whole, a line each.
    pub notes: Vec<String>,
    /// All nodes, in the order of the file.
    pub nodes: Vec<Node>,
    /// Those that no other holds, by number.
    pub root: Vec<usize>,
    /// All ties; both ends lie in the same group.
    pub edges: Vec<Edge>,
}

/// A step, or a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name, which no other node has.
    pub name: String,
    /// Its title, where it says more than the name.
    pub title: Option<String>,
    /// Its kind, and what it calls: `use dataverse.find_row`.
    pub what: String,
    /// What its doing depends on, a line each: `when not steps.known`.
    pub details: Vec<String>,
    /// Whether it, or anything in it, writes.
    pub writes: bool,
    /// Whether a user's file changes or adds it.
    pub yours: bool,
    /// What it holds.
    pub groups: Vec<Group>,
    /// What became of it in the run that is shown.
    pub happened: Option<Happened>,
}

/// A block that a node holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// When it runs: `then`, `case "Shared"`; empty where it is the only one.
    pub label: String,
    /// Its nodes, by number.
    pub nodes: Vec<usize>,
}

/// A tie between two nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The number of the node where it begins: the step waited for, or the flow that calls.
    pub from: usize,
    /// The number of the node where it ends.
    pub to: usize,
    /// Why.
    pub tie: Tie,
}

/// Why two nodes are tied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// The second needs what the first yields.
    Data,
    /// The second looks at how the first ended, however that is.
    Ending,
    /// Both write, and writes keep their order.
    Order,
    /// The second names the first in its `after`, with the outcomes that let it run.
    After(Accepts),
    /// The first calls the second.
    Calls,
}

impl Tie {
    /// The words at the line; the plainest lines have none.
    pub fn label(self) -> Option<String> {
        match self {
            Tie::Data | Tie::Calls => None,
            Tie::Ending => Some("however it ends".to_owned()),
            Tie::Order => Some("order".to_owned()),
            Tie::After(accepts) if accepts == Accepts::NONE => Some("after: never".to_owned()),
            Tie::After(accepts) => Some(format!("after: {accepts}")),
        }
    }

    /// The kind in one word, for style sheets.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Tie::Data => "data",
            Tie::Ending => "ending",
            Tie::Order => "order",
            Tie::After(_) => "after",
            Tie::Calls => "calls",
        }
    }

    /// What the line says, as a sentence about its two ends.
    pub(crate) fn sentence(self, from: &str, to: &str) -> String {
        match self {
            Tie::Data => format!("{to} uses what {from} yields"),
            Tie::Ending => format!("{to} looks at how {from} ended"),
            Tie::Order => format!("{to} writes behind {from}"),
            Tie::After(accepts) => format!("{to} runs after {from}, where that ended as one of: {accepts}"),
            Tie::Calls => format!("{from} calls {to}"),
        }
    }
}

impl Node {
    /// The line that is read first.
    pub(crate) fn head(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// What stands below the first line.
    pub(crate) fn below(&self) -> Vec<String> {
        let name = self.title.is_some().then(|| self.name.clone());
        let what = if self.writes { format!("{} ✎", self.what) } else { self.what.clone() };
        let yours = self.yours.then(|| YOURS.to_owned());
        name.into_iter().chain([what]).chain(self.details.iter().cloned()).chain(yours).chain(self.result()).collect()
    }

    /// What became of it, with its mark.
    pub(crate) fn result(&self) -> Option<String> {
        self.happened.as_ref().map(|happened| format!("{} {}", happened.mark(), happened.words()))
    }
}

impl Picture {
    /// The same, with a mark at the steps of these names: those that a user's file changes or adds.
    #[must_use]
    pub fn with_yours(mut self, steps: &[&str]) -> Self {
        for node in &mut self.nodes {
            node.yours = steps.contains(&node.name.as_str());
        }
        self
    }

    /// The ties that end at a node, in the order of the nodes where they begin.
    pub(crate) fn into(&self, node: usize) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |edge| edge.to == node)
    }
}

/// What stands at a step that is changed.
pub(crate) const YOURS: &str = "◆ changed by your file";

/// One line of at most `most` characters; what is cut off is shown as cut.
pub(crate) fn short(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let cut: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

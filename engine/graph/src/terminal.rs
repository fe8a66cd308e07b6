//! For a terminal: an outline, with what each step waits for below it.

use crate::picture::{Node, Picture, Tie, short};

/// How a part of the text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What is read first.
    Strong,
    /// What matters less.
    Dim,
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
}

/// As long as a line gets, without what stands before it.
const WIDTH: usize = 100;

impl Picture {
    /// As text; `paint` gives a part its colour, or gives it back as it is.
    pub fn terminal(&self, paint: &dyn Fn(Look, &str) -> String) -> String {
        let mut lines = Vec::new();
        lines.push(match &self.name {
            Some(name) if *name != self.title => format!("{}  {}", paint(Look::Strong, name), self.title),
            _ => paint(Look::Strong, &self.title),
        });
        lines.extend(self.notes.iter().cloned());
        lines.push(paint(Look::Dim, &self.legend()));
        lines.push(String::new());
        self.outline(&self.root, "", paint, &mut lines);
        lines.push(String::new());
        lines.join("\n")
    }

    /// What the lines mean that there are.
    fn legend(&self) -> String {
        let mut parts = Vec::new();
        let has = |class: &str| self.edges.iter().any(|edge| edge.tie.class() == class);
        let known = [
            ("data", "◂── uses what that yields"),
            ("ending", "◂┄┄ looks at how that ended"),
            ("order", "◂╌╌ writes behind that"),
            ("after", "◂══ after that, with the outcomes that let it run"),
            ("calls", "──▸ calls"),
        ];
        parts.extend(known.into_iter().filter(|(class, _)| has(class)).map(|(_, words)| words));
        if self.nodes.iter().any(|node| node.writes) {
            parts.push("✎ writes");
        }
        parts.join("   ")
    }

    fn outline(&self, nodes: &[usize], before: &str, paint: &dyn Fn(Look, &str) -> String, lines: &mut Vec<String>) {
        for (at, number) in nodes.iter().enumerate() {
            let last = at + 1 == nodes.len();
            let (joint, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let node = &self.nodes[*number];
            let dim = |text: &str| paint(Look::Dim, text);
            lines.push(format!("{}{}", dim(&format!("{before}{joint}")), headline(node, paint)));
            let before = format!("{before}{below}");
            let title = node.title.iter().map(|title| short(title, WIDTH));
            let details = node.details.iter().map(|detail| dim(&short(detail, WIDTH)));
            let result = node.happened.as_ref().map(|happened| paint(look(node), &happened.words()));
            let ties = self.ties(*number);
            for line in title.chain(details).chain(ties).chain(result) {
                lines.push(format!("{}{line}", dim(&before)));
            }
            for (at, group) in node.groups.iter().enumerate() {
                if group.label.is_empty() {
                    self.outline(&group.nodes, &before, paint, lines);
                    continue;
                }
                let last = at + 1 == node.groups.len();
                let (joint, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                lines.push(format!("{}{}:", dim(&format!("{before}{joint}")), group.label));
                self.outline(&group.nodes, &format!("{before}{below}"), paint, lines);
            }
        }
    }

    /// What a step waits for, or which flows a flow calls: a line for each kind.
    fn ties(&self, number: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for (arrow, tie) in [("◂──", Tie::Data), ("◂┄┄", Tie::Ending), ("◂╌╌", Tie::Order)] {
            let tied = self.into(number).filter(|edge| edge.tie == tie);
            let names: Vec<&str> = tied.map(|edge| &*self.nodes[edge.from].name).collect();
            if !names.is_empty() {
                lines.push(format!("{arrow} {}", names.join(", ")));
            }
        }
        for edge in self.into(number) {
            if let (Tie::After(_), Some(label)) = (edge.tie, edge.tie.label()) {
                let statuses = label.trim_start_matches("after: ");
                lines.push(format!("◂══ {} [{statuses}]", self.nodes[edge.from].name));
            }
        }
        let called = self.edges.iter().filter(|edge| edge.from == number && edge.tie == Tie::Calls);
        lines.extend(called.map(|edge| format!("──▸ {}", self.nodes[edge.to].name)));
        lines
    }
}

fn headline(node: &Node, paint: &dyn Fn(Look, &str) -> String) -> String {
    let writes = if node.writes { " ✎" } else { "" };
    let mark = node.happened.as_ref().map(|happened| format!("{} ", paint(look(node), happened.mark())));
    format!("{}{}  {}{writes}", mark.unwrap_or_default(), paint(Look::Strong, &node.name), node.what)
}

fn look(node: &Node) -> Look {
    match node.happened.as_ref().map(|happened| happened.class()) {
        Some("succeeded") => Look::Good,
        Some("failed" | "timed_out") => Look::Bad,
        _ => Look::Dim,
    }
}

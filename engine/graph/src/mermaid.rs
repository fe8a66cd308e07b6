//! As Mermaid, which many wikis and code hosts draw: <https://mermaid.js.org/syntax/flowchart.html>.

use std::fmt::Write;

use crate::picture::{Picture, Tie, short};

/// As long as a line in a box gets.
const WIDTH: usize = 60;

/// Colours on which black text reads well, whatever the page's theme. What writes has a thick border.
const CLASSES: [(&str, &str); 7] = [
    ("write", "stroke-width:3px"),
    ("succeeded", "fill:#c8e6c9,stroke:#2e7d32,color:#000"),
    ("failed", "fill:#ffcdd2,stroke:#b71c1c,color:#000"),
    ("timed_out", "fill:#ffe0b2,stroke:#e65100,color:#000"),
    ("skipped", "fill:#eeeeee,stroke:#757575,color:#000,stroke-dasharray:4 3"),
    ("cancelled", "fill:#e0e0e0,stroke:#424242,color:#000"),
    ("open", "fill:#fff9c4,stroke:#f57f17,color:#000,stroke-dasharray:4 3"),
];

impl Picture {
    /// As a Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        let mut text = String::new();
        let title = cosell_model::Value::from(self.title.as_str());
        let _ = writeln!(text, "---\ntitle: {title}\n---\nflowchart TD");
        for note in &self.notes {
            let _ = writeln!(text, "  %% {}", note.replace(['\n', '{', '}'], " "));
        }
        self.mermaid_block(&self.root, 1, &mut text);
        for edge in &self.edges {
            let line = match edge.tie {
                Tie::Data | Tie::Calls => "-->",
                Tie::Ending | Tie::Order => "-.->",
                Tie::After(_) => "==>",
            };
            let label = edge.tie.label().map_or(String::new(), |label| format!("|\"{label}\"|"));
            let _ = writeln!(text, "  {} {line}{label} {}", self.mermaid_id(edge.from), self.mermaid_id(edge.to));
        }
        for (class, style) in CLASSES {
            let nodes = self.nodes.iter().enumerate().filter(|(_, node)| match &node.happened {
                _ if class == "write" => node.writes,
                happened => happened.as_ref().is_some_and(|happened| happened.class() == class),
            });
            let ids: Vec<String> = nodes.map(|(number, _)| self.mermaid_id(number)).collect();
            if !ids.is_empty() {
                let _ = writeln!(text, "  classDef {class} {style}\n  class {} {class}", ids.join(","));
            }
        }
        text
    }

    fn mermaid_block(&self, nodes: &[usize], depth: usize, text: &mut String) {
        let pad = "  ".repeat(depth);
        for number in nodes {
            let node = &self.nodes[*number];
            let id = self.mermaid_id(*number);
            let below: String = node.below().iter().map(|line| format!("<br/>{}", escaped(line))).collect();
            let label = format!("\"<b>{}</b>{below}\"", escaped(node.head()));
            if node.groups.is_empty() {
                let _ = writeln!(text, "{pad}{id}[{label}]");
                continue;
            }
            let _ = writeln!(text, "{pad}subgraph {id}[{label}]");
            for (at, group) in node.groups.iter().enumerate() {
                if group.label.is_empty() {
                    self.mermaid_block(&group.nodes, depth + 1, text);
                    continue;
                }
                // A step's box begins with `s_`, so that no name is one of the language's own words.
                let _ = writeln!(text, "{pad}  subgraph g{at}_{}[\"{}\"]", node.name, escaped(&group.label));
                self.mermaid_block(&group.nodes, depth + 2, text);
                let _ = writeln!(text, "{pad}  end");
            }
            let _ = writeln!(text, "{pad}end");
        }
    }

    /// Names are of lower-case letters, digits, and either `_` or `-`.
    fn mermaid_id(&self, number: usize) -> String {
        format!("s_{}", self.nodes[number].name.replace('-', "_"))
    }
}

/// One line as text in quotes: whatever means something there is written by its number.
fn escaped(text: &str) -> String {
    short(text, WIDTH).chars().fold(String::new(), |mut escaped, letter| {
        match letter {
            '"' | '#' | '&' | '<' | '>' | '`' | ';' => {
                let _ = write!(escaped, "#{};", u32::from(letter));
            }
            _ => escaped.push(letter),
        }
        escaped
    })
}

//! As DOT, for Graphviz: <https://graphviz.org/doc/info/lang.html>.

use std::fmt::Write;

use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, EdgeReference, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::picture::{Node, Picture, Tie, short};

/// As long as a line in a box gets.
const WIDTH: usize = 60;

type Drawn<'p> = DiGraph<&'p Node, Tie>;

impl Picture {
    /// As a DOT digraph. Nodes and lines come from the graph itself; which node lies in which cluster is said behind them.
    pub fn dot(&self) -> String {
        let mut graph = Drawn::new();
        let nodes: Vec<NodeIndex> = self.nodes.iter().map(|node| graph.add_node(node)).collect();
        for edge in &self.edges {
            graph.add_edge(nodes[edge.from], nodes[edge.to], edge.tie);
        }
        let about_edge = |graph: &Drawn<'_>, edge: EdgeReference<'_, Tie>| {
            // A line from or to what holds others begins or ends at its border.
            let end = |word: &str, node: NodeIndex| match &graph[node] {
                Node { groups, .. } if groups.is_empty() => String::new(),
                Node { name, .. } => format!(", {word}=\"cluster_{name}\""),
            };
            format!("{}{}{}", line(*edge.weight()), end("ltail", edge.source()), end("lhead", edge.target()))
        };
        let about_node = |_: &Drawn<'_>, (_, node): (NodeIndex, &&Node)| box_of(node);
        let content = [Config::GraphContentOnly, Config::NodeNoLabel, Config::EdgeNoLabel];
        let dot = format!("{:?}", Dot::with_attr_getters(&graph, &content, &about_edge, &about_node));

        let mut text = String::from("digraph {\n");
        let title = self.notes.iter().fold(self.title.clone(), |title, note| format!("{title}\n{note}"));
        let _ = writeln!(text, "    label={}\n    labelloc=t\n    compound=true\n    node [shape=box]", quoted(&title));
        text.push_str(&dot);
        self.clusters(&self.root, 1, &mut text);
        text.push_str("}\n");
        text
    }

    fn clusters(&self, nodes: &[usize], depth: usize, text: &mut String) {
        let pad = "    ".repeat(depth);
        for number in nodes {
            let node = &self.nodes[*number];
            if node.groups.is_empty() {
                continue;
            }
            // The graph's own label would be every cluster's.
            let _ =
                writeln!(text, "{pad}subgraph \"cluster_{}\" {{\n{pad}    label=\"\"\n{pad}    {number}", node.name);
            for (at, group) in node.groups.iter().enumerate() {
                let members: Vec<String> = group.nodes.iter().map(ToString::to_string).collect();
                let label = quoted(&group.label);
                let _ =
                    writeln!(text, "{pad}    subgraph \"cluster_{}/{at}\" {{\n{pad}        label={label}", node.name);
                let _ = writeln!(text, "{pad}        {}", members.join("; "));
                self.clusters(&group.nodes, depth + 2, text);
                let _ = writeln!(text, "{pad}    }}");
            }
            let _ = writeln!(text, "{pad}}}");
        }
    }
}

fn line(tie: Tie) -> String {
    let style = match tie {
        Tie::Data | Tie::Calls => "solid",
        Tie::Ending => "dotted",
        Tie::Order => "dashed",
        Tie::After(_) => "bold",
    };
    let label = tie.label().map(|label| format!(", label={}", quoted(&label))).unwrap_or_default();
    format!("style={style}{label}")
}

fn box_of(node: &Node) -> String {
    let lines: Vec<String> =
        std::iter::once(node.head()).map(str::to_owned).chain(node.below()).map(|line| short(&line, WIDTH)).collect();
    let shape = if node.groups.is_empty() { "" } else { ", shape=cds" };
    let width = if node.writes { ", penwidth=2" } else { "" };
    let colour = node.happened.as_ref().map(|happened| match happened.class() {
        "succeeded" => "#c8e6c9",
        "failed" => "#ffcdd2",
        "timed_out" => "#ffe0b2",
        "open" => "#fff9c4",
        _ => "#e0e0e0",
    });
    let colour = colour.map(|colour| format!(", style=filled, fillcolor=\"{colour}\"")).unwrap_or_default();
    format!("id={}, label={}{shape}{width}{colour}", quoted(&node.name), quoted(&lines.join("\n")))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

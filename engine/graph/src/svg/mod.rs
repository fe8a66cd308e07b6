//! As SVG, laid out here.
//!
//! `layers` puts the nodes of one block into rows, each below what it waits for; `boxes` nests the blocks; `words` finds room
//! for what is said at lines; this file writes it all down. Who cannot see it hears a title and a description of each box and each line.

mod boxes;
mod layers;
mod words;

use std::fmt::Write;

use crate::picture::{Node, Picture};
use boxes::{Area, Laid};
use words::Words;

/// The space around everything.
const MARGIN: f64 = 24.0;
/// From one line of text to the next.
pub(crate) const LINE: f64 = 17.0;

/// Colours for light and dark; everything is told apart without them as well. They are written out, since what draws SVG
/// outside browsers (librsvg, resvg) knows neither variables nor media queries, and then shows the light ones.
pub const STYLE: &str = include_str!("style.css");

/// Where a picture stands in a page, which has [`STYLE`] among its own rules.
pub struct Within<'w> {
    /// What the ids of everything in it begin with, so that a page may have several.
    pub prefix: &'w str,
    /// Where a node leads; none for one that leads nowhere.
    pub link: &'w dyn Fn(&Node) -> Option<String>,
}

impl Picture {
    /// As an SVG document.
    pub fn svg(&self) -> String {
        self.draw(None)
    }

    /// As an element of an HTML page.
    pub fn svg_within(&self, within: &Within<'_>) -> String {
        self.draw(Some(within))
    }

    fn draw(&self, within: Option<&Within<'_>>) -> String {
        let prefix = within.map_or("", |within| within.prefix);
        let laid = boxes::lay_out(self);
        let legend = self.svg_legend(prefix);
        let head = MARGIN + LINE * (2.0 + self.notes.len() as f64 + 1.0);
        let wide = self.notes.iter().chain([&self.title]).map(|line| boxes::text_width(line) * 1.2);
        let width = wide.chain([laid.width, legend.1]).fold(0.0, f64::max) + 2.0 * MARGIN;
        let height = head + laid.height + MARGIN;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"{} viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" role=\"graphics-document\" aria-labelledby=\"{prefix}title {prefix}desc\">\n",
            if within.is_some() { " class=\"picture\"" } else { "" }
        );
        let _ = writeln!(text, "<title id=\"{prefix}title\">{}</title>", escaped(&self.title));
        let _ = writeln!(text, "<desc id=\"{prefix}desc\">{}</desc>", escaped(&self.notes.join(". ")));
        if within.is_none() {
            let _ = writeln!(text, "<style>\n{STYLE}</style>");
        }
        let _ = writeln!(
            text,
            "<defs><marker id=\"{prefix}arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" \
             markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path class=\"head\" d=\"M0 0L10 5L0 10z\"/></marker></defs>"
        );
        let _ = writeln!(text, "<rect class=\"page\" width=\"100%\" height=\"100%\"/>");
        let _ = writeln!(
            text,
            "<text class=\"heading\" x=\"{MARGIN}\" y=\"{:.1}\">{}</text>",
            MARGIN + 8.0,
            escaped(&self.title)
        );
        for (at, note) in self.notes.iter().enumerate() {
            let y = MARGIN + 10.0 + LINE * (at as f64 + 1.0);
            let _ = writeln!(text, "<text class=\"note\" x=\"{MARGIN}\" y=\"{y:.1}\">{}</text>", escaped(note));
        }
        let legend_top = MARGIN + 10.0 + LINE * (self.notes.len() as f64 + 1.0);
        let _ = writeln!(text, "<g transform=\"translate({MARGIN} {legend_top:.1})\">\n{}</g>", legend.0);
        let _ = writeln!(text, "<g transform=\"translate({MARGIN} {head:.1})\">");
        for number in 0..self.nodes.len() {
            self.svg_node(number, &laid, within, &mut text);
        }
        for (number, words) in words::place(self, &laid.edges).iter().enumerate() {
            self.svg_edge(number, &laid, words.as_ref(), prefix, &mut text);
        }
        text.push_str("</g>\n</svg>\n");
        text
    }

    /// A short line of each kind that there is, with its meaning; and how wide that gets.
    fn svg_legend(&self, prefix: &str) -> (String, f64) {
        let known = [
            ("data", "uses what it yields"),
            ("ending", "looks at how it ended"),
            ("order", "writes keep their order"),
            ("after", "named in after"),
            ("calls", "calls"),
        ];
        let (mut text, mut x) = (String::new(), 0.0);
        for (class, words) in known {
            if self.edges.iter().any(|edge| edge.tie.class() == class) {
                let _ = writeln!(
                    text,
                    "<path class=\"line {class}\" marker-end=\"url(#{prefix}arrow)\" d=\"M{x:.1} -4L{:.1} -4\"/>\
                     <text class=\"note\" x=\"{:.1}\" y=\"0\">{words}</text>",
                    x + 36.0,
                    x + 44.0
                );
                x += 64.0 + boxes::text_width(words);
            }
        }
        if self.nodes.iter().any(|node| node.writes) {
            let _ = writeln!(text, "<text class=\"note\" x=\"{x:.1}\" y=\"0\">✎ writes</text>");
            x += 80.0;
        }
        (text, x)
    }

    fn svg_node(&self, number: usize, laid: &Laid, within: Option<&Within<'_>>, text: &mut String) {
        let node = &self.nodes[number];
        let (prefix, link) = within.map_or(("", None), |within| (within.prefix, (within.link)(node)));
        let Area { x, y, width, height } = laid.nodes[number];
        let holds = if node.groups.is_empty() { "" } else { " holder" };
        let writes = if node.writes { " write" } else { "" };
        let happened = node.happened.as_ref().map_or("", |happened| happened.class());
        let yours = if node.yours { " yours" } else { "" };
        let class = format!("node{holds}{writes}{yours} {happened}");
        // What is in a symbol is only seen; a link in it would be reached, and nothing said of it.
        let role = if link.is_some() { "graphics-object" } else { "graphics-symbol" };
        let _ = writeln!(
            text,
            "<g class=\"{}\" id=\"{prefix}node-{}\" role=\"{role}\">\n<title>{}</title>\n<desc>{}</desc>",
            class.trim_end(),
            escaped(&node.name),
            escaped(node.head()),
            escaped(&self.description(number))
        );
        let _ =
            writeln!(text, "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\"/>");
        let lines = boxes::lines(node);
        if let Some(link) = &link {
            let head = 10.0 + lines.len() as f64 * LINE;
            let _ = writeln!(
                text,
                "<a href=\"{}\"><rect class=\"touch\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{head:.1}\"/>",
                escaped(link)
            );
        }
        for (at, (class, line)) in lines.into_iter().enumerate() {
            let y = y + 18.0 + at as f64 * LINE;
            let _ =
                writeln!(text, "<text class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>", x + 12.0, escaped(&line));
        }
        if link.is_some() {
            text.push_str("</a>\n");
        }
        for (group, place) in node.groups.iter().zip(&laid.groups[number]) {
            if group.label.is_empty() {
                continue;
            }
            let Area { x, y, width, height } = *place;
            let _ = writeln!(
                text,
                "<rect class=\"group\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\"/>\
                 <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 8.0,
                y + 15.0,
                escaped(&boxes::group_label(group))
            );
        }
        text.push_str("</g>\n");
    }

    /// What somebody hears of a node.
    fn description(&self, number: usize) -> String {
        let node: &Node = &self.nodes[number];
        let mut parts: Vec<String> = vec![format!("{}: {}", node.name, node.what)];
        if node.writes {
            parts.push("writes".to_owned());
        }
        parts.extend(node.details.iter().cloned());
        parts.extend(node.yours.then(|| "changed by your file".to_owned()));
        let ties = self.into(number).map(|edge| edge.tie.sentence(&self.nodes[edge.from].name, &node.name));
        parts.extend(ties);
        parts.extend(node.happened.as_ref().map(|happened| happened.words()));
        parts.join(". ")
    }

    fn svg_edge(&self, number: usize, laid: &Laid, words: Option<&Words>, prefix: &str, text: &mut String) {
        let edge = &self.edges[number];
        let (from, to) = (&self.nodes[edge.from].name, &self.nodes[edge.to].name);
        let way = &laid.edges[number];
        let _ = writeln!(
            text,
            "<g class=\"edge\" data-from=\"{}\" data-to=\"{}\" role=\"graphics-symbol\"><title>{}</title>\
             <path class=\"line {}\" marker-end=\"url(#{prefix}arrow)\" d=\"{}\"/>",
            escaped(from),
            escaped(to),
            escaped(&edge.tie.sentence(from, to)),
            edge.tie.class(),
            curve(way)
        );
        if let Some(Words { text: words, x, y }) = words {
            let _ = writeln!(text, "<text class=\"words\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(words));
        }
        text.push_str("</g>\n");
    }
}

/// A way through these points: straight down where it stays, bent where it moves aside.
fn curve(way: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let mut before: Option<(f64, f64)> = None;
    for (x, y) in way {
        let _ = match before {
            None => write!(path, "M{x:.1} {y:.1}"),
            Some((from, _)) if (from - x).abs() < 0.05 => write!(path, "L{x:.1} {y:.1}"),
            Some((from, top)) => {
                let middle = (top + y) / 2.0;
                write!(path, "C{from:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}")
            }
        };
        before = Some((*x, *y));
    }
    path
}

/// The point of a bend at a share of the way; the same bend as [`curve`] draws.
fn curve_at(from: (f64, f64), to: (f64, f64), share: f64) -> (f64, f64) {
    let middle = (from.1 + to.1) / 2.0;
    let bezier = |points: [f64; 4]| {
        let rest = 1.0 - share;
        let weights = [rest.powi(3), 3.0 * share * rest.powi(2), 3.0 * share.powi(2) * rest, share.powi(3)];
        weights.iter().zip(points).map(|(weight, point)| weight * point).sum()
    };
    (bezier([from.0, from.0, to.0, to.0]), bezier([from.1, middle, middle, to.1]))
}

/// Text as it may stand in an element or an attribute.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, letter| {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            _ => escaped.push(letter),
        }
        escaped
    })
}

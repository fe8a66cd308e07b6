//! How large everything is, and where it stands: blocks inside the steps that hold them.

use std::collections::BTreeMap;

use super::LINE;
use super::layers::{self, Size};
use crate::picture::{Group, Node, Picture, YOURS, short};

/// As long as a line in a box gets, in characters.
const LETTERS: usize = 42;
/// How much wider bold letters are.
const BOLD: f64 = 1.12;
/// Between the border of a box and what it holds.
const PADDING: f64 = 12.0;
/// A row of groups that gets wider than this goes on below.
const ROW: f64 = 1200.0;

/// Where something stands, from its upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Everything in its place.
pub(super) struct Laid {
    pub(super) width: f64,
    pub(super) height: f64,
    /// By the number of the node.
    pub(super) nodes: Vec<Area>,
    /// The groups of each node.
    pub(super) groups: Vec<Vec<Area>>,
    /// The points of each line.
    pub(super) edges: Vec<Vec<(f64, f64)>>,
}

/// The lines in a box, each with its class.
pub(super) fn lines(node: &Node) -> Vec<(&'static str, String)> {
    let mut lines = vec![("head-line", short(node.head(), LETTERS))];
    if node.title.is_some() {
        lines.push(("name", short(&node.name, LETTERS)));
    }
    let writes = if node.writes { " ✎" } else { "" };
    lines.push(("what", format!("{}{writes}", short(&node.what, LETTERS))));
    lines.extend(node.details.iter().map(|detail| ("detail", short(detail, LETTERS))));
    lines.extend(node.yours.then(|| ("detail", YOURS.to_owned())));
    lines.extend(node.result().map(|result| ("result", short(&result, LETTERS))));
    lines
}

/// The label of a group.
pub(super) fn group_label(group: &Group) -> String {
    short(&group.label, LETTERS)
}

/// About how wide a line gets: no font is at hand here, so it is a generous guess.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 6.9
}

/// Puts everything in its place.
pub(super) fn lay_out(picture: &Picture) -> Laid {
    let count = picture.nodes.len();
    let mut laid = Laid {
        width: 0.0,
        height: 0.0,
        nodes: vec![Area::default(); count],
        groups: picture.nodes.iter().map(|node| vec![Area::default(); node.groups.len()]).collect(),
        edges: vec![Vec::new(); picture.edges.len()],
    };
    let size = block(picture, &picture.root, &mut laid);
    (laid.width, laid.height) = (size.width, size.height);
    // So far everything stands where it is within what holds it.
    shift(picture, &picture.root, (0.0, 0.0), &mut laid);
    laid
}

/// Lays out one block, everything inside first.
fn block(picture: &Picture, nodes: &[usize], laid: &mut Laid) -> Size {
    let sizes: Vec<Size> = nodes.iter().map(|number| measure(picture, *number, laid)).collect();
    let place: BTreeMap<usize, usize> = nodes.iter().enumerate().map(|(at, number)| (*number, at)).collect();
    let inside: Vec<(usize, (usize, usize))> = picture
        .edges
        .iter()
        .enumerate()
        .filter_map(|(number, edge)| Some((number, (*place.get(&edge.from)?, *place.get(&edge.to)?))))
        .collect();
    let ends: Vec<(usize, usize)> = inside.iter().map(|(_, ends)| *ends).collect();
    let drawn = layers::lay_out(&sizes, &ends);
    for (at, number) in nodes.iter().enumerate() {
        let ((x, y), Size { width, height }) = (drawn.corners[at], sizes[at]);
        laid.nodes[*number] = Area { x, y, width, height };
    }
    for ((number, _), way) in inside.iter().zip(drawn.ways) {
        laid.edges[*number] = way;
    }
    drawn.size
}

/// How large a node is; lays out what it holds.
fn measure(picture: &Picture, number: usize, laid: &mut Laid) -> Size {
    let node = &picture.nodes[number];
    let lines = lines(node);
    let widths = lines.iter().map(|(class, line)| text_width(line) * if *class == "head-line" { BOLD } else { 1.0 });
    let text = widths.fold(96.0, f64::max);
    let head = 10.0 + lines.len() as f64 * LINE;
    let mut size = Size { width: text + 2.0 * PADDING, height: head };
    let (mut x, mut y, mut row) = (PADDING, head + 4.0, 0.0_f64);
    for (at, group) in node.groups.iter().enumerate() {
        let inner = block(picture, &group.nodes, laid);
        let label = if group.label.is_empty() { 0.0 } else { LINE + 6.0 };
        let edge = if group.label.is_empty() { 0.0 } else { 10.0 };
        let width = (inner.width + 2.0 * edge).max(text_width(&group_label(group)) + 16.0);
        let height = inner.height + label + edge;
        if x > PADDING && x + width > ROW {
            (x, y, row) = (PADDING, y + row + PADDING, 0.0);
        }
        laid.groups[number][at] = Area { x, y, width, height };
        size.width = size.width.max(x + width + PADDING);
        size.height = size.height.max(y + height + PADDING);
        (x, row) = (x + width + PADDING, row.max(height));
    }
    size
}

/// Moves a block, and everything inside, to where it belongs in the whole.
fn shift(picture: &Picture, nodes: &[usize], by: (f64, f64), laid: &mut Laid) {
    for (number, edge) in picture.edges.iter().enumerate() {
        if nodes.contains(&edge.to) {
            laid.edges[number].iter_mut().for_each(|point| *point = (point.0 + by.0, point.1 + by.1));
        }
    }
    for number in nodes {
        let place = &mut laid.nodes[*number];
        (place.x, place.y) = (place.x + by.0, place.y + by.1);
        let corner = (place.x, place.y);
        for (at, group) in picture.nodes[*number].groups.iter().enumerate() {
            let place = &mut laid.groups[*number][at];
            (place.x, place.y) = (place.x + corner.0, place.y + corner.1);
            let (label, edge) = if group.label.is_empty() { (0.0, 0.0) } else { (LINE + 6.0, 10.0) };
            let inner = (place.x + edge, place.y + label);
            shift(picture, &group.nodes, inner, laid);
        }
    }
}

//! Where the words at lines stand: on their line, where no others stand yet.

use super::boxes::text_width;
use super::{LINE, curve_at};
use crate::picture::{Picture, Tie};

/// Where on the last bend of a line its words may stand, the best first: 0 is its upper end, 1 its lower.
const PLACES: [f64; 3] = [0.5, 0.2, 0.8];

/// The words at a line, around this point.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) x: f64,
    pub(super) y: f64,
}

impl Words {
    fn meets(&self, other: &Words) -> bool {
        let apart = (text_width(&self.text) + text_width(&other.text)) / 2.0;
        (self.x - other.x).abs() < apart && (self.y - other.y).abs() < LINE * 0.7
    }
}

/// The words at each line. Where lines are so close that no place is free, words stand on each other, and can still be
/// read in the descriptions.
pub(super) fn place(picture: &Picture, ways: &[Vec<(f64, f64)>]) -> Vec<Option<Words>> {
    let mut placed: Vec<Option<Words>> = Vec::with_capacity(ways.len());
    for (edge, way) in picture.edges.iter().zip(ways) {
        // What plain lines mean is in the legend.
        let said = edge.tie.label().filter(|_| edge.tie != Tie::Data);
        let (Some(text), [.., from, to]) = (said, &**way) else {
            placed.push(None);
            continue;
        };
        let at = |place: &f64| {
            let (x, y) = curve_at(*from, *to, *place);
            Words { text: text.clone(), x, y: y + 4.0 }
        };
        let free = |words: &Words| !placed.iter().flatten().any(|other| other.meets(words));
        let words = PLACES.iter().map(at).find(free).unwrap_or_else(|| at(&PLACES[0]));
        placed.push(Some(words));
    }
    placed
}

#[cfg(test)]
mod tests {
    use cosell_model::Accepts;

    use super::*;
    use crate::picture::Edge;

    #[test]
    fn words_at_lines_side_by_side_stand_apart() {
        let edge = |tie| Edge { from: 0, to: 1, tie };
        let ties = [Tie::Order, Tie::After(Accepts::ANY), Tie::Data, Tie::Order];
        let picture = Picture {
            name: None,
            title: String::new(),
            notes: Vec::new(),
            nodes: Vec::new(),
            root: Vec::new(),
            edges: ties.map(edge).to_vec(),
        };
        let ways: Vec<Vec<(f64, f64)>> =
            (0..4).map(|at| f64::from(at) * 20.0).map(|x| vec![(x, 0.0), (x, 60.0)]).collect();
        let words = place(&picture, &ways);
        assert_eq!(words[2], None, "plain lines have none");
        let words: Vec<&Words> = words.iter().flatten().collect();
        assert_eq!(words.len(), 3);
        assert_eq!(words[0].y, 34.0, "in the middle where nothing is in the way");
        for (at, one) in words.iter().enumerate() {
            assert!(!words[at + 1..].iter().any(|two| one.meets(two)), "{words:?}");
        }
    }
}

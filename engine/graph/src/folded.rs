//! A picture of many steps, drawn as far inwards as a page holds: what lies deeper is counted in the box that holds it.

use cosell_model::words::counted;

use crate::picture::{Edge, Group, Node, Picture};

impl Picture {
    /// The same with at most so many nodes: without the innermost levels, where there are more. None where those that no
    /// other holds are too many already.
    pub fn folded(self, most: usize) -> Option<Self> {
        if self.nodes.len() <= most {
            return Some(self);
        }
        let depths = self.depths();
        let within = |levels: usize| depths.iter().filter(|depth| **depth < levels).count() <= most;
        let levels = (1..).take_while(|levels| within(*levels)).last()?;
        let mut places = vec![None; self.nodes.len()];
        let shown = depths.iter().enumerate().filter(|(_, depth)| **depth < levels);
        shown.enumerate().for_each(|(place, (number, _))| places[number] = Some(place));
        let inside: Vec<usize> = (0..self.nodes.len()).map(|number| self.inside(number)).collect();
        let moved = |numbers: &[usize]| -> Vec<usize> { numbers.iter().filter_map(|number| places[*number]).collect() };
        let mut notes = self.notes;
        notes.push(format!(
            "Of {} steps the outermost {} are drawn; each box says how many it holds besides",
            self.nodes.len(),
            if levels == 1 { "ones".to_owned() } else { format!("{levels} levels") }
        ));
        let root = moved(&self.root);
        let edges = self
            .edges
            .into_iter()
            .filter_map(|edge| Some(Edge { from: places[edge.from]?, to: places[edge.to]?, tie: edge.tie }));
        let edges = edges.collect();
        let nodes = self.nodes.into_iter().enumerate().filter(|(number, _)| places[*number].is_some());
        let nodes = nodes.map(|(number, node)| {
            if depths[number] + 1 < levels || node.groups.is_empty() {
                let groups = node.groups.into_iter().map(|group| Group { nodes: moved(&group.nodes), ..group });
                return Node { groups: groups.collect(), ..node };
            }
            let mut details = node.details;
            details.push(format!("holds {}", counted(inside[number], "step")));
            Node { groups: Vec::new(), details, ..node }
        });
        let nodes = nodes.collect();
        Some(Self { name: self.name, title: self.title, notes, nodes, root, edges })
    }

    /// How many nodes lie around each.
    fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.nodes.len()];
        let mut next: Vec<(usize, usize)> = self.root.iter().map(|number| (*number, 0)).collect();
        while let Some((number, depth)) = next.pop() {
            depths[number] = depth;
            let held = self.nodes[number].groups.iter().flat_map(|group| &group.nodes);
            next.extend(held.map(|number| (*number, depth + 1)));
        }
        depths
    }

    /// How many nodes a node holds, at whatever depth.
    fn inside(&self, number: usize) -> usize {
        let held = self.nodes[number].groups.iter().flat_map(|group| &group.nodes);
        held.map(|number| 1 + self.inside(*number)).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::picture::Tie;

    /// A node below another, or below none; each with a tie to the one beside it.
    fn picture(parents: &[Option<usize>]) -> Picture {
        let node = |number: usize| Node {
            name: format!("n{number}"),
            title: None,
            what: "scope".to_owned(),
            details: Vec::new(),
            writes: false,
            yours: false,
            groups: Vec::new(),
            happened: None,
        };
        let mut picture = Picture {
            name: None,
            title: "Many".to_owned(),
            notes: Vec::new(),
            nodes: (0..parents.len()).map(node).collect(),
            root: Vec::new(),
            edges: Vec::new(),
        };
        for (number, parent) in parents.iter().enumerate() {
            let beside = match parent {
                None => &mut picture.root,
                Some(parent) => {
                    let groups = &mut picture.nodes[*parent].groups;
                    if groups.is_empty() {
                        groups.push(Group { label: String::new(), nodes: Vec::new() });
                    }
                    &mut groups[0].nodes
                }
            };
            let last = beside.last().copied();
            beside.push(number);
            picture.edges.extend(last.map(|from| Edge { from, to: number, tie: Tie::Data }));
        }
        picture
    }

    #[test]
    fn what_lies_deeper_is_counted_in_the_box_that_holds_it() {
        let many = picture(&[None, Some(0), Some(1), Some(1), None]);
        assert_eq!(many.clone().folded(5), Some(many.clone()));
        let folded = many.clone().folded(4).unwrap();
        assert_eq!(
            folded.notes,
            ["Of 5 steps the outermost 2 levels are drawn; each box says how many it holds besides"]
        );
        let told = |picture: &Picture| -> Vec<(String, String)> {
            picture.nodes.iter().map(|node| (node.name.clone(), node.details.join(", "))).collect()
        };
        let expected = |nodes: &[(&str, &str)]| -> Vec<(String, String)> {
            nodes.iter().map(|(name, said)| ((*name).to_owned(), (*said).to_owned())).collect()
        };
        assert_eq!(told(&folded), expected(&[("n0", ""), ("n1", "holds 2 steps"), ("n4", "")]));
        assert_eq!((folded.nodes[0].groups[0].nodes.as_slice(), folded.root.as_slice()), (&[1][..], &[0, 2][..]));
        assert_eq!((folded.edges.len(), folded.edges[0].to), (1, 2));
        let folded = many.clone().folded(2).unwrap();
        assert_eq!(told(&folded), expected(&[("n0", "holds 3 steps"), ("n4", "")]));
        assert_eq!(many.folded(1), None);
    }

    proptest! {
        /// Whatever is left out, what is drawn hangs together.
        #[test]
        fn a_folded_picture_is_small_enough_and_whole(
            parents in prop::collection::vec(prop::option::weighted(0.8, any::<prop::sample::Index>()), 1..60), most in 1..60usize,
        ) {
            let parents: Vec<Option<usize>> = parents
                .iter()
                .enumerate()
                .map(|(number, parent)| parent.as_ref().filter(|_| number > 0).map(|parent| parent.index(number)))
                .collect();
            let all = picture(&parents);
            let outermost = all.root.len();
            let Some(folded) = all.clone().folded(most) else {
                prop_assert!(outermost > most);
                return Ok(());
            };
            prop_assert!(folded.nodes.len() <= most && folded.root.len() == outermost);
            let held: usize = folded.nodes.iter().flat_map(|node| &node.groups).map(|group| group.nodes.len()).sum();
            prop_assert_eq!(held + outermost, folded.nodes.len(), "each node is held once");
            for edge in &folded.edges {
                let names = [edge.from, edge.to].map(|number| &folded.nodes[number].name);
                let is = |edge: &Edge| [edge.from, edge.to].map(|number| &all.nodes[number].name) == names;
                prop_assert!(all.edges.iter().any(is));
            }
            prop_assert!(folded.svg().contains("</svg>"));
        }
    }
}

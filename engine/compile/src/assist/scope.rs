//! What is known of a flow at a place in it: the names that can be mentioned there, and what they hold.

use cosell_model::flow::{Flow, StepKind};
use cosell_model::{Catalogue, FlowId};
use serde_json::Value;

use super::words;
use crate::Compilation;
use crate::expr::parse;
use crate::expr::path::Segment;
use crate::expr::text::{Piece, split};
use crate::layout::{Layout, Relation};
use crate::lower;
use crate::plan::{RegionIx, StepIx};
use crate::shape::{Shape, concrete};

/// Keys that hold steps by name.
const BLOCKS: [&str; 5] = ["scope", "then", "else", "default", "do"];

/// One member of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub(super) name: String,
    /// What kind of value it is, in a word or two.
    pub(super) kind: String,
    /// What it means.
    pub(super) about: String,
}

impl Member {
    pub(super) fn new(name: &str, kind: &str, about: &str) -> Self {
        Self { name: name.to_owned(), kind: kind.to_owned(), about: about.to_owned() }
    }
}

/// The steps that a path leads through, from the outside in, and the keys of the last one that it leads to.
pub(super) fn steps_of(path: &[String]) -> (Vec<&str>, &[String]) {
    let mut steps = Vec::new();
    let mut rest = match path.split_first() {
        Some((first, rest)) if first == "steps" => rest,
        _ => return (steps, path),
    };
    while let Some((step, keys)) = rest.split_first() {
        steps.push(step.as_str());
        rest = match keys {
            [key, more @ ..] if BLOCKS.contains(&key.as_str()) && !more.is_empty() => more,
            [key, _, more @ ..] if key == "cases" && !more.is_empty() => more,
            _ => return (steps, keys),
        };
    }
    (steps, rest)
}

/// Whether a path ends where names of steps stand.
pub(super) fn names_steps(path: &[String]) -> bool {
    let (steps, keys) = steps_of(path);
    match keys {
        [] => path.len() == 1 && path[0] == "steps",
        [key] => !steps.is_empty() && BLOCKS.contains(&key.as_str()),
        [key, _] => !steps.is_empty() && key == "cases",
        _ => false,
    }
}

/// A flow, looked at from one place in it.
pub(super) struct Scope<'c> {
    compilation: &'c Compilation,
    pub(super) flow: &'c Flow,
    layout: Layout<'c>,
    shapes: Vec<Shape<'c>>,
    trigger: Vec<&'c Value>,
    /// The step that the place belongs to.
    pub(super) step: Option<StepIx>,
    region: RegionIx,
    /// Whether steps have run at all there.
    after_beginning: bool,
    /// Whether what the step holds has run as well: in its `output`.
    after_inside: bool,
}

impl<'c> Scope<'c> {
    /// Of the flow of this name, at `path`; nothing where it was never read.
    pub(super) fn at(
        compilation: &'c Compilation,
        catalogue: &'c Catalogue,
        flow: &str,
        path: &[String],
    ) -> Option<Self> {
        let flow = compilation.flows.get(&FlowId::new(flow))?;
        let layout = Layout::of(flow, &mut Vec::new());
        let mapping = |name: &str| compilation.mappings.get(name).map(AsRef::as_ref);
        let shape = |step| lower::shape(step, catalogue, &compilation.flows, &mapping);
        let shapes = layout.steps.iter().map(|place| shape(place.step)).collect();
        let trigger = lower::trigger::brought(flow, catalogue).into_iter().map(|brought| brought.schema).collect();
        let mut scope = Self {
            compilation,
            flow,
            layout,
            shapes,
            trigger,
            step: None,
            region: RegionIx(0),
            after_beginning: !path.first().is_some_and(|key| ["trigger", "key"].contains(&key.as_str())),
            after_inside: false,
        };
        scope.stand(path);
        Some(scope)
    }

    /// Takes the place's standpoint. Of a step that is not known yet, it is that of the steps around it.
    fn stand(&mut self, path: &[String]) {
        let (steps, keys) = steps_of(path);
        let inside = |layout: &Layout<'_>, step: StepIx| {
            let first = layout.place(step).holds.first();
            first.map_or(layout.place(step).region, |block| layout.blocks[block.0 as usize].region)
        };
        for (number, name) in steps.iter().enumerate() {
            let Some(step) = self.layout.find(name) else { break };
            if number + 1 < steps.len() {
                self.region = inside(&self.layout, step);
                continue;
            }
            self.step = Some(step);
            let of_rounds = keys.first().is_some_and(|key| ["output", "until"].contains(&key.as_str()));
            self.region = if of_rounds { inside(&self.layout, step) } else { self.layout.place(step).region };
            self.after_inside = of_rounds;
        }
    }

    /// A step of the flow.
    pub(super) fn find(&self, name: &str) -> Option<&'c cosell_model::flow::Step> {
        Some(self.layout.place(self.layout.find(name)?).step)
    }

    /// The names of steps that stand beside the one at the place.
    pub(super) fn beside(&self) -> Vec<&str> {
        let Some(step) = self.step else { return Vec::new() };
        let block = &self.layout.blocks[self.layout.place(step).block.0 as usize];
        block.steps.iter().filter(|other| **other != step).map(|other| self.layout.id(*other).as_str()).collect()
    }

    /// The steps that can be mentioned.
    fn steps(&self) -> Vec<Member> {
        if !self.after_beginning {
            return Vec::new();
        }
        let seen = |at: &StepIx| {
            let place = self.layout.place(*at);
            let together = self.step.is_none_or(|from| match self.layout.relation(from, *at) {
                Relation::Siblings(..) => true,
                Relation::Around => self.after_inside && from != *at,
                Relation::Inside | Relation::OtherBranch(_) => false,
            });
            together && self.layout.loops_out(self.region, place.region).is_some()
        };
        let all = (0..self.layout.steps.len()).filter_map(|at| u32::try_from(at).ok()).map(StepIx);
        all.filter(seen)
            .map(|at| {
                let step = self.layout.place(at).step;
                let title = step.title.as_deref().unwrap_or_default();
                Member::new(step.id.value.as_str(), &does(&step.kind), title)
            })
            .collect()
    }

    /// What can follow a mention that has come this far; the names that one begins with, where there is nothing yet.
    pub(super) fn members(&self, mention: &[Segment]) -> Vec<Member> {
        let of_words =
            |words: &[(&str, &str)]| words.iter().map(|(name, about)| Member::new(name, "", about)).collect();
        let Some((root, rest)) = mention.split_first() else {
            let in_loop = self.layout.regions[self.region.0 as usize].outer.is_some();
            let roots = words::ROOTS.iter().filter(|(name, _)| match *name {
                "item" | "index" => in_loop,
                "steps" | "outcomes" => self.after_beginning,
                _ => true,
            });
            return roots.map(|(name, about)| Member::new(name, "", about)).collect();
        };
        let Segment::Key(root) = root else { return Vec::new() };
        match (&**root, rest) {
            ("run", []) => of_words(&words::RUN),
            ("steps" | "outcomes", []) => self.steps(),
            ("outcomes", [_]) => of_words(&words::OUTCOME),
            ("outcomes", [_, Segment::Key(error)]) if &**error == "error" => of_words(&words::ERROR),
            ("steps", [Segment::Key(name), rest @ ..]) => self.of_step(name, rest),
            ("vars", []) => self.variables(),
            ("inputs", []) => self.inputs(),
            // Whatever starts the flow must bring what is mentioned.
            ("trigger", rest) => self.trigger.first().map_or_else(Vec::new, |schema| of_schema(schema, schema, rest)),
            ("item", rest) => self.item().map_or_else(Vec::new, |(root, items)| of_schema(root, items, rest)),
            _ => Vec::new(),
        }
    }

    /// What is known of a whole mention; nothing where it is not known.
    pub(super) fn member(&self, mention: &[Segment]) -> Option<Member> {
        let (last, before) = mention.split_last()?;
        let Segment::Key(name) = last else { return None };
        self.members(before).into_iter().find(|member| *member.name == **name)
    }

    /// The members of what a step yields.
    fn of_step(&self, name: &str, rest: &[Segment]) -> Vec<Member> {
        let Some(at) = self.layout.find(name) else { return Vec::new() };
        if let (StepKind::Map { mapping, from }, []) = (&self.layout.place(at).step.kind, rest) {
            return self.compilation.mappings.get(&mapping.value).map_or_else(Vec::new, |mapping| {
                let to = mapping.side(&from.name.value).map_or(1, |side| 1 - side);
                let rows = mapping.rows.iter().filter(|row| row.only_to.is_none_or(|only| only == to));
                rows.filter_map(|row| match row.fields[to].path.first() {
                    Some(Segment::Key(name)) => Some(Member::new(name, "", &row.title)),
                    _ => None,
                })
                .collect()
            });
        }
        let plain = |names: &[&str]| names.iter().map(|name| Member::new(name, "", "")).collect();
        match (&self.shapes[at.0 as usize], rest) {
            (Shape::Schema(schema), rest) => of_schema(schema, schema, rest),
            (Shape::Made(schema), rest) => of_schema(schema, schema, rest),
            (Shape::Members(names), []) => plain(names),
            (Shape::Named(names), []) => plain(&names.iter().map(String::as_str).collect::<Vec<_>>()),
            _ => Vec::new(),
        }
    }

    fn variables(&self) -> Vec<Member> {
        let one = |(name, variable): (&String, &crate::variables::Variable)| {
            let about = match &variable.description {
                Some(more) => format!("{}. {}", variable.title, more.trim()),
                None => variable.title.clone(),
            };
            Member::new(name, &format!("{} = {}", variable.kind.as_str(), variable.current), &about)
        };
        self.compilation.variables.iter().map(one).collect()
    }

    fn inputs(&self) -> Vec<Member> {
        let one = |input: &cosell_model::flow::Input| {
            Member::new(&input.name.value, input.kind.as_str(), input.description.as_deref().unwrap_or_default())
        };
        self.flow.trigger.inputs.iter().map(one).collect()
    }

    /// The schema of a round's item, where the loop goes through a list that is described.
    fn item(&self) -> Option<(&Value, &Value)> {
        let around = |step: &&crate::layout::Place<'_>| {
            step.holds.iter().any(|block| self.layout.blocks[block.0 as usize].region == self.region)
                && matches!(step.step.kind, StepKind::ForEach { .. })
        };
        let StepKind::ForEach { items, .. } = &self.layout.steps.iter().find(around)?.step.kind else { return None };
        let text = items.text()?;
        let pieces = split(text).ok()?;
        let [Piece::Expression(range)] = pieces.as_slice() else { return None };
        let parsed = parse::parse(&text[range.clone()]).ok().filter(|parsed| parsed.is_mention)?;
        let mention = parsed.mentions.first()?;
        let segments: Vec<Segment> = mention.segments.iter().map(|(segment, _)| segment.clone()).collect();
        let (root, rest) = match (mention.root.as_str(), segments.as_slice()) {
            ("trigger", rest) => (*self.trigger.first()?, rest),
            ("steps", [Segment::Key(name), rest @ ..]) => match &self.shapes[self.layout.find(name)?.0 as usize] {
                Shape::Schema(schema) => (*schema, rest),
                Shape::Made(schema) => (schema, rest),
                _ => return None,
            },
            _ => return None,
        };
        Some((root, concrete(root, follow(root, root, rest)?)?.get("items")?))
    }
}

/// What a step does, in a few words.
fn does(kind: &StepKind) -> String {
    match kind {
        StepKind::Use { operation, .. } => operation.value.to_string(),
        StepKind::Call { flow, .. } => format!("call {}", flow.value),
        StepKind::Map { mapping, .. } => format!("map {}", mapping.value),
        StepKind::Compare { mapping, .. } => format!("compare {}", mapping.value),
        StepKind::Merge { mapping, .. } => format!("merge {}", mapping.value),
        other => word_of(other).unwrap_or_default().to_owned(),
    }
}

/// The key that makes a step of this kind; none where that could not be read.
pub(super) fn word_of(kind: &StepKind) -> Option<&'static str> {
    Some(match kind {
        StepKind::Let(values) if values.entries().is_none() => return None,
        StepKind::Use { .. } => "use",
        StepKind::Call { .. } => "call",
        StepKind::Scope { .. } => "scope",
        StepKind::If { .. } => "if",
        StepKind::Switch { .. } => "switch",
        StepKind::ForEach { .. } => "for_each",
        StepKind::Until { .. } => "until",
        StepKind::Let(_) => "let",
        StepKind::Map { .. } => "map",
        StepKind::Compare { .. } => "compare",
        StepKind::Merge { .. } => "merge",
        StepKind::Wait(_) => "wait",
        StepKind::Respond { .. } => "respond",
        StepKind::Stop { .. } => "stop",
    })
}

/// The schema of a member of a value, however deep.
pub(super) fn follow<'s>(root: &'s Value, schema: &'s Value, path: &[Segment]) -> Option<&'s Value> {
    let mut schema = concrete(root, schema)?;
    for segment in path {
        let next = match segment {
            Segment::Key(key) => schema.get("properties")?.get(&**key)?,
            Segment::Index(_) => schema.get("items")?,
        };
        schema = concrete(root, next)?;
    }
    Some(schema)
}

/// The members of what a schema describes, `path` into it.
pub(super) fn of_schema(root: &Value, schema: &Value, path: &[Segment]) -> Vec<Member> {
    let properties = follow(root, schema, path).and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let one = |(name, property): (&String, &Value)| {
        let inner = concrete(root, property).unwrap_or(property);
        let text = |schema: &Value| schema.get("description").and_then(Value::as_str).map(str::to_owned);
        let about = text(property).or_else(|| text(inner)).unwrap_or_default();
        Member { name: name.clone(), kind: kind(inner), about }
    };
    properties.into_iter().flatten().map(one).collect()
}

/// The type that a schema says, in words.
pub(super) fn kind(schema: &Value) -> String {
    let word = |kind: &Value| match kind.as_str().unwrap_or_default() {
        "string" => "text",
        "array" => "list",
        "object" => "map",
        "integer" => "integer",
        "number" => "number",
        "boolean" => "boolean",
        _ => "",
    };
    match schema.get("type") {
        Some(Value::Array(several)) => {
            several.iter().map(word).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" or ")
        }
        Some(one) => word(one).to_owned(),
        None => String::new(),
    }
}

//! `cosell graph`: pictures of flows, and of what a run did.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use cosell_compile::did_you_mean;
use cosell_graph::{Look, Member, Picture, Ran, of_flows, of_plan};
use cosell_model::{Effect, FlowId};
use cosell_runtime::record::StepRecord;
use cosell_sdk::Connector;

use crate::flows::state;
use crate::project::{Chosen, Project};
use crate::reach::Reach;
use crate::render::{BAD, DIM, GOOD, STRONG, styled};
use crate::runs::shown;
use crate::{Ending, Trouble};

/// What to draw, and how.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["flow", "all", "run"])))]
pub(crate) struct Options {
    /// The flow; that of the run where only a run is named.
    flow: Option<String>,
    /// All flows: which calls which, and the order in which they are turned on.
    #[arg(long, conflicts_with_all = ["flow", "run"])]
    all: bool,
    /// Show what this run did: outcomes, attempts, times, rounds.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// The form; where not given, by the ending of the file's name, and else text.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where to; to standard output where not given.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

/// What a picture is made of.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Text, for reading here.
    Terminal,
    /// An image for browsers.
    Svg,
    /// For Graphviz.
    Dot,
    /// For wikis and code hosts.
    Mermaid,
}

impl Format {
    /// The form that a file's name asks for.
    fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "txt" => Some(Self::Terminal),
            "svg" => Some(Self::Svg),
            "dot" | "gv" => Some(Self::Dot),
            "mmd" | "mermaid" => Some(Self::Mermaid),
            _ => None,
        }
    }
}

/// Draws it.
pub(crate) async fn graph(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let format = match (options.format, &options.output) {
        (Some(format), _) => format,
        (None, None) => Format::Terminal,
        (None, Some(file)) => Format::of(file).ok_or_else(|| {
            let message = format!("the name of {} does not say what it is to be", file.display());
            Trouble::new(format!("{message}\nhelp: end it in .svg, .dot, .mmd or .txt, or add --format"))
        })?,
    };
    let project = Project::load(chosen, &[], connectors)?;
    let picture = match (&options.run, &options.flow) {
        (Some(run), flow) => of_run(&project, &options.reach, run, flow.as_deref()).await?,
        (None, Some(flow)) => flow_named(&project, flow)?,
        (None, None) => all(&project),
    };
    let text = match format {
        Format::Terminal if options.output.is_some() => picture.terminal(&|_, part| part.to_owned()),
        Format::Terminal => picture.terminal(&painted),
        Format::Svg => picture.svg(),
        Format::Dot => picture.dot(),
        Format::Mermaid => picture.mermaid(),
    };
    match &options.output {
        None => anstream::print!("{text}"),
        Some(file) => {
            let failed = |error: std::io::Error| match error.kind() {
                ErrorKind::NotFound => Trouble::new(format!("the folder of {} does not exist", file.display())),
                _ => Trouble::new(format!("{} cannot be written: {error}", file.display())),
            };
            std::fs::write(file, text).map_err(failed)?;
        }
    }
    Ok(Ending::Done)
}

fn painted(look: Look, part: &str) -> String {
    let style = match look {
        Look::Strong => STRONG,
        Look::Dim => DIM,
        Look::Good => GOOD,
        Look::Bad => BAD,
    };
    styled(style, part)
}

fn all(project: &Project) -> Picture {
    let compilation = &project.compilation;
    let members: Vec<Member<'_>> = compilation
        .in_order()
        .map(|(_, flow)| Member {
            flow,
            state: state(project, flow),
            writes: compilation.plans.get(&flow.id.value).is_some_and(|plan| plan.effect == Effect::Write),
        })
        .collect();
    of_flows(&members)
}

/// The flow of a run, with what the run did. Where a flow is named as well, it is to be that one.
async fn of_run(project: &Project, reach: &Reach, run: &str, flow: Option<&str>) -> Result<Picture, Trouble> {
    let shown = shown(&reach.source_of(project).await?, run).await?;
    if let Some(flow) = flow.filter(|flow| *flow != shown.listed.flow) {
        return Err(Trouble::new(format!("run `{run}` is of the flow `{}`, not of `{flow}`", shown.listed.flow)));
    }
    let steps = shown.steps.into_iter().map(serde_json::from_value::<StepRecord>).collect::<Result<Vec<_>, _>>();
    let steps = steps.map_err(|error| {
        Trouble::new(format!(
            "what is kept of run `{run}` cannot be read: {error}\nhelp: `cosell journal check` looks for damage"
        ))
    })?;
    let picture = flow_named(project, &shown.listed.flow)?;
    Ok(picture.with_run(&Ran { run, outcome: shown.listed.outcome.as_deref(), steps: &steps }))
}

fn flow_named(project: &Project, name: &str) -> Result<Picture, Trouble> {
    let compilation = &project.compilation;
    if let Some(plan) = compilation.plans.get(&FlowId::new(name)) {
        return Ok(of_plan(plan));
    }
    if let (true, Some(errors)) = (compilation.flows.keys().any(|id| id.as_str() == name), project.errors()) {
        return Err(Trouble::Findings(errors));
    }
    let help = did_you_mean(name, compilation.flows.keys().map(FlowId::as_str))
        .unwrap_or_else(|| "`cosell flows` lists the flows there are".to_owned());
    Err(Trouble::new(format!("there is no flow `{name}`\nhelp: {help}")))
}

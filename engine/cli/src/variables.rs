//! `cosell variables`: the settings that flows read, and what they are set to.

use clap::Args;
use cosell_compile::variables::Variable;
use cosell_sdk::Connector;
use serde_json::{Value, json};

use crate::project::{Chosen, Project};
use crate::render::table::Table;
use crate::{Ending, Trouble};

/// How to show them.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// One JSON array.
    #[arg(long)]
    json: bool,
}

/// Lists variables.
pub(crate) fn variables(chosen: &Chosen, options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let project = Project::load(chosen, &[], connectors)?;
    let variables = &project.compilation.variables;
    if options.json {
        let all = variables.iter().map(|(name, variable)| for_machines(&project, name, variable)).collect();
        anstream::println!("{:#}", Value::Array(all));
        return Ok(Ending::Done);
    }
    let mut table = Table::new(["Variable", "Title", "Type", "Default", "Now", "Set at"]);
    for (name, variable) in variables {
        let set = project.set_at(name);
        let now = if set.is_some() { plain(&variable.current) } else { String::new() };
        let kind = variable.kind.as_str().to_owned();
        let (title, default) = (variable.title.clone(), plain(&variable.default));
        table.row(vec![name.clone(), title, kind, default, now, set.unwrap_or_default()]);
    }
    anstream::println!("{}", table.for_terminal());
    Ok(Ending::Done)
}

fn for_machines(project: &Project, name: &str, variable: &Variable) -> Value {
    json!({
        "name": name,
        "title": variable.title,
        "description": variable.description,
        "type": variable.kind.as_str(),
        "default": variable.default,
        "current": variable.current,
        "set_at": project.set_at(name),
    })
}

/// Text as it stands, everything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

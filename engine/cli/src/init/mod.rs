//! `cosell init`: a project of the user's own, to fill in. The files are in `template`.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use cosell_compile::compile;
use cosell_model::Catalogue;
use cosell_sdk::Connector;

use crate::project::files;
use crate::{Ending, Trouble, schema};

/// Where to lay it out.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The folder; it is made where it is not there.
    folder: PathBuf,
}

/// Every file with its content, except for the variables in the first.
const FILES: [(&str, &str); 8] = [
    ("cosell.yaml", include_str!("template/cosell.yaml")),
    ("flows/customize.yaml", include_str!("template/customize.yaml")),
    ("flows/mappings/referral-opportunity.yaml", include_str!("template/referral-opportunity.yaml")),
    ("events/referral-created.json", include_str!("template/referral-created.json")),
    ("tests/arrivals.yaml", include_str!("template/arrivals.yaml")),
    (".env.example", include_str!("template/env.example")),
    (".gitignore", include_str!("template/gitignore")),
    ("README.md", include_str!("template/README.md")),
];

/// How wide comments get.
const WIDTH: usize = 118;

/// Writes the files, unless one of them is there already.
pub(crate) fn init(options: &Options, connectors: &[Connector]) -> Result<Ending, Trouble> {
    let folder = &options.folder;
    let there: Vec<String> =
        FILES.iter().filter(|(path, _)| folder.join(path).exists()).map(|(path, _)| format!("  {path}")).collect();
    if !there.is_empty() {
        return Err(Trouble::new(format!(
            "{} holds files that would be written:\n{}\nhelp: name another folder, or move them away",
            folder.display(),
            there.join("\n")
        )));
    }
    for (path, text) in FILES {
        let path = folder.join(path);
        let text =
            if text.ends_with("\nvariables:\n") { format!("{text}{}", variables(connectors)) } else { text.to_owned() };
        path.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| Trouble::new(format!("{} cannot be written: {error}", path.display())))?;
        anstream::println!("  {}", path.display());
    }
    let schemas = folder.join(schema::FOLDER);
    schema::write_all(&schemas, connectors)?;
    anstream::println!("  {}/", schemas.display());
    anstream::println!(
        "
Next, in {}:
  1. copy .env.example to .env, and fill it in
  2. put the addresses of your CRM into cosell.yaml
  3. cosell check
  4. cosell test
  5. cosell run partner-center-to-dynamics --event events/referral-created.json",
        folder.display()
    );
    Ok(Ending::Done)
}

/// Every shipped variable as a comment, with its title, meaning and default.
fn variables(connectors: &[Connector]) -> String {
    let catalogue = Catalogue::new(connectors.iter().map(|connector| connector.description().clone()));
    let mut text = String::new();
    for (name, variable) in compile(files::shipped(), &catalogue, &Default::default()).variables {
        let about = variable.description.map_or(variable.title.clone(), |more| format!("{}. {more}", variable.title));
        for line in wrapped(about.trim()) {
            let _ = writeln!(text, "  # {line}");
        }
        // JSON is YAML.
        let _ = writeln!(text, "  # {name}: {}\n", variable.default);
    }
    format!("{}\n", text.trim_end())
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

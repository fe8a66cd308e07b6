//! A shipped flow or mapping as a file of the user's own.

use std::io::{ErrorKind, Write};

use cosell_compile::documents::Origin;
use cosell_compile::schema::Kind;
use cosell_sdk::Connector;

use super::diff;
use crate::project::Project;
use crate::{Trouble, schema};

/// Copies the shipped file of this name into the first folder of the user's own, and says so.
pub(crate) fn eject(project: &Project, name: &str, connectors: &[Connector]) -> Result<String, Trouble> {
    let (documents, sources) = (&project.compilation.documents, &project.compilation.sources);
    let document = diff::find(documents, name)?;
    let path = |at: usize| document.files.get(at).map_or("", |file| sources.file(*file).path.as_str());
    let Some(fingerprint) = document.fingerprint() else {
        return Err(Trouble::new(match document.origin {
            Origin::Overlaid => format!(
                "{} is merged over `{name}`\nhelp: move that file away first; `cosell flows diff {name}` shows what it \
                 changes, to be written into the copy",
                path(1)
            ),
            _ => format!(
                "`{name}` is your own already, in {}",
                document.files.last().map_or("", |f| &sources.file(*f).path)
            ),
        }));
    };
    let Some(folder) = project.configuration.flows.first() else {
        return Err(Trouble::new(
            "the configuration names no folder of your own flows\nhelp: add `flows: [flows]` to it",
        ));
    };
    let shipped = path(0);
    let target = project.path(folder).join(shipped.trim_start_matches("shipped/"));
    let text = &sources.file(document.files[0]).text;
    let name_ends = document.name().range().end;
    let line_ends = text[name_ends..].find('\n').map_or(text.len(), |at| name_ends + at + 1);
    let kind = if documents.flows.contains_key(name) { Kind::Flow } else { Kind::Mapping };
    let modeline = schema::modeline(kind, &project.path(""), &target).unwrap_or_default();
    let copy = format!(
        "{modeline}\
         # A copy of {shipped} that stands in its place: upgrades do not change it.\n\
         # `cosell flows diff {name}` shows what is different.\n\
         # `cosell check` warns once the shipped one is no longer the one that was copied.\n\
         {}whole: true\nbased_on: {fingerprint}\n{}",
        &text[..line_ends],
        &text[line_ends..]
    );
    let written = target
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::File::create_new(&target).and_then(|mut file| file.write_all(copy.as_bytes())));
    match written {
        Ok(()) => {
            schema::write_all(&project.path(schema::FOLDER), connectors)?;
            Ok(format!("{} is yours now; upgrades no longer change it.", target.display()))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Trouble::new(format!("{} is there already, and is not overwritten", target.display())))
        }
        Err(error) => Err(Trouble::new(format!("{} cannot be written: {error}", target.display()))),
    }
}

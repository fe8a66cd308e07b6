//! This machine: the folder in which the program keeps its own files.

use std::path::Path;

use super::finding::Finding;
use crate::project::Project;

/// Looks at the folder.
pub(super) fn look(project: &Project) -> Vec<Finding> {
    let folder = project.kept("");
    let about = folder.display().to_string();
    if let Err(error) = is_writable(&folder) {
        let remedy = "give the user that runs the program the right to write there";
        return vec![Finding::error("folder", about, format!("cannot be written: {error}")).remedy(remedy)];
    }
    let mut findings = vec![Finding::ok("folder", about.as_str(), "can be written")];
    findings.extend(space(&folder).map(|free| room(&about, free)));
    findings
}

/// Writes a file there, and takes it away again.
fn is_writable(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join(format!("doctor-{}", uuid::Uuid::new_v4()));
    std::fs::write(&file, "x")?;
    std::fs::remove_file(file)
}

/// How many bytes are free for us there, where the system tells.
#[cfg(unix)]
fn space(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn space(_: &Path) -> Option<u64> {
    None
}

fn room(about: &str, free: u64) -> Finding {
    const MIB: u64 = 1024 * 1024;
    let found = format!("{} MiB are free", free / MIB);
    match free / MIB {
        0..100 => Finding::error("disk", about, found).remedy("make room: soon nothing can be kept any more"),
        100..1024 => Finding::warning("disk", about, found).remedy("make room before it runs out"),
        _ => Finding::ok("disk", about, found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn little_room_is_told() {
        let level = |mib: u64| room("x", mib * 1024 * 1024).level;
        assert_eq!([level(99), level(1023), level(1024)], [Level::Error, Level::Warning, Level::Ok]);
    }
}

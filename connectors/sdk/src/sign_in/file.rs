//! A file for a secret: written whole or not at all, readable by its owner alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::CallError;

/// A lock that keeps other processes from writing `path` until it is dropped. It is a file beside it, since the file
/// itself is replaced.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
    }
    let lock = owners(OpenOptions::new().write(true).create(true).truncate(false)).open(beside(path, "lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// The text of the file; none where there is no file.
///
/// # Errors
/// One that others may read or replace, or that cannot be read.
pub(super) fn read(path: &Path) -> Result<Option<String>, CallError> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            guarded(path)?;
            Ok(Some(text))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

/// Replaces the file as a whole.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = beside(path, &Uuid::new_v4().simple().to_string());
    let written = owners(OpenOptions::new().write(true).create_new(true)).open(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    });
    if written.is_err() {
        // A file that is half written is of no use to anybody; that it is gone is not worth a second error.
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// A file that cannot be used, and why.
pub(super) fn unusable(path: &Path, what: &str) -> CallError {
    CallError::rejected(
        "token_file_not_usable",
        format!("the file `{}`, which keeps the sign-in, cannot be used: {what}", path.display()),
    )
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

fn owners(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(unix)]
fn guarded(path: &Path) -> Result<(), CallError> {
    use std::os::unix::fs::PermissionsExt;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Of the folder it matters that nobody else can put another file there.
    for (place, forbidden, wanted) in [(Some(path), 0o077, "600"), (folder, 0o022, "700")] {
        let Some(place) = place else { continue };
        let mode = std::fs::metadata(place).map_err(|error| unusable(path, &error.to_string()))?.permissions().mode();
        if mode & forbidden != 0 {
            let found = mode & 0o777;
            return Err(unusable(
                path,
                &format!("others have rights to `{0}` (mode {found:o}); run `chmod {wanted} {0}`", place.display()),
            ));
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn guarded(_: &Path) -> Result<(), CallError> {
    Ok(())
}

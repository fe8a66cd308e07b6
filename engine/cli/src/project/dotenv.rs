//! The file `.env` beside the configuration: environment variables that are not to be typed each time. What the process was
//! started with counts more.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use crate::Trouble;

/// Environment variables, of the process and of `.env`.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    file: BTreeMap<String, String>,
}

impl Variables {
    /// Reads `.env` in `folder`, where there is one.
    ///
    /// # Errors
    /// What is wrong with the file; never with its content, which holds secrets.
    pub(super) fn beside(folder: &Path) -> Result<Self, Trouble> {
        let path = folder.join(".env");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Trouble::new(format!("the file `{}` cannot be read: {error}", path.display()))),
        };
        Self::parse(&text).map_err(|line| {
            let line = line.map_or(String::new(), |line| format!(":{line}"));
            Trouble::new(format!(
                "{}{line}: this line is not of the form NAME=value\nhelp: put a value with blanks, `$`, `#` or quotes \
                 in it between single quotes",
                path.display()
            ))
        })
    }

    /// The variables in `text`, or the number of the line that is wrong, where it can be told.
    fn parse(text: &str) -> Result<Self, Option<usize>> {
        let file: Result<_, dotenvy::Error> = dotenvy::from_read_iter(text.as_bytes()).collect();
        match file {
            Ok(file) => Ok(Self { file }),
            Err(dotenvy::Error::LineParse(wrong, _)) => {
                let first = wrong.lines().next().unwrap_or_default().trim().to_owned();
                Err(text.lines().position(|line| line.trim() == first).map(|at| at + 1))
            }
            Err(_) => Err(None),
        }
    }

    /// The variable of this name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().or_else(|| self.file.get(name).cloned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_the_process_was_started_with_counts_more() {
        let variables = Variables::parse("# secrets\nPATH=none\nCOSELL_TEST_SECRET='a$b #c'\n").unwrap();
        assert_eq!(variables.get("COSELL_TEST_SECRET").as_deref(), Some("a$b #c"));
        assert_ne!(variables.get("PATH").as_deref(), Some("none"));
        assert_eq!(variables.get("COSELL_TEST_OTHER"), None);
    }

    #[test]
    fn a_line_that_is_wrong_is_told_by_its_number() {
        assert_eq!(Variables::parse("A=1\n\nB = 'open\n").unwrap_err(), Some(3));
        assert_eq!(Variables::parse("A=1\nnot a setting\n").unwrap_err(), Some(2));
    }

    #[test]
    fn any_text_is_read_or_refused() {
        bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(at, bytes)| {
            let mut text = b"# secrets\nexport A=none\nB='a$b #c'\nC=\"x ${A} \\n\"\n".to_vec();
            let at = usize::from(*at) % text.len();
            text.splice(at..at, bytes.iter().copied());
            if let Err(Some(line)) = Variables::parse(&String::from_utf8_lossy(&text)) {
                assert!(line >= 1);
            }
        });
    }
}

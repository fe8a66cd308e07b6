//! Compiling beside the conversation: always the newest texts, never those between.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::project::{Buffers, Loaded, Project};

/// What the conversation and the compiling share.
#[derive(Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Texts to compile next, and their number.
    next: Option<(u64, Buffers)>,
    asked: u64,
    done: u64,
    ended: bool,
    latest: Option<Arc<Loaded>>,
    /// Of each file, the last compilation that could read it.
    readable: HashMap<PathBuf, Arc<Loaded>>,
}

impl Desk {
    /// Asks for these texts to be compiled; what was asked before and is not begun is not.
    pub(crate) fn ask(&self, open: Buffers) {
        let mut state = self.state();
        state.asked += 1;
        state.next = Some((state.asked, open));
        self.changed.notify_all();
    }

    /// Ends the compiling.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// The compilation to answer questions about a file with: the last that could read it, once nothing is left to compile.
    pub(crate) fn of(&self, path: &Path) -> Option<Arc<Loaded>> {
        let waiting = |state: &mut State| state.done < state.asked && !state.ended;
        let state = self.changed.wait_while(self.state(), waiting).unwrap_or_else(PoisonError::into_inner);
        state.readable.get(path).or(state.latest.as_ref()).cloned()
    }

    /// Compiles whatever is asked for, and tells `found` of each; until it is ended. Should it panic, nobody waits for it any
    /// more.
    pub(crate) fn work(&self, project: &dyn Project, mut found: impl FnMut(&Loaded)) {
        let _ends = Ends(self);
        let idle = |state: &mut State| state.next.is_none() && !state.ended;
        loop {
            let mut state = self.changed.wait_while(self.state(), idle).unwrap_or_else(PoisonError::into_inner);
            let Some((number, open)) = state.next.take().filter(|_| !state.ended) else { return };
            drop(state);
            let loaded = Arc::new(project.load(&open));
            found(&loaded);
            let mut state = self.state();
            for path in readable(&loaded) {
                state.readable.insert(path, Arc::clone(&loaded));
            }
            state.latest = Some(loaded);
            state.done = number;
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the compiling when it goes out of scope.
struct Ends<'d>(&'d Desk);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn readable(loaded: &Loaded) -> impl Iterator<Item = PathBuf> {
    let (sources, documents) = (&loaded.compilation.sources, &loaded.compilation.documents);
    sources.iter().filter(|(id, _)| documents.holds(*id)).map(|(_, file)| PathBuf::from(&file.path))
}

/// What was shown of each file, so that only changes are shown again.
#[derive(Default)]
pub(crate) struct Shown<T>(BTreeMap<PathBuf, Vec<T>>);

impl<T: PartialEq + Clone> Shown<T> {
    /// Takes what is to be shown now; gives the files of which something else was shown before.
    pub(crate) fn changed(&mut self, now: BTreeMap<PathBuf, Vec<T>>) -> Vec<(PathBuf, Vec<T>)> {
        let gone = self.0.keys().filter(|path| !now.contains_key(*path)).map(|path| (path.clone(), Vec::new()));
        let new = now.iter().filter(|(path, list)| self.0.get(*path) != Some(list));
        let changed = gone.chain(new.map(|(path, list)| (path.clone(), list.clone()))).collect();
        self.0 = now;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_changed_is_shown_again() {
        let mut shown = Shown::default();
        let of = |files: &[(&str, u8)]| files.iter().map(|(path, one)| (PathBuf::from(path), vec![*one])).collect();
        let paths = |changed: Vec<(PathBuf, Vec<u8>)>| -> Vec<(String, usize)> {
            changed.into_iter().map(|(path, list)| (path.display().to_string(), list.len())).collect()
        };
        assert_eq!(paths(shown.changed(of(&[("a", 1), ("b", 1)]))), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
        assert_eq!(paths(shown.changed(of(&[("a", 1), ("b", 2)]))), [("b".to_owned(), 1)]);
        assert_eq!(paths(shown.changed(of(&[("b", 2)]))), [("a".to_owned(), 0)]);
        assert_eq!(paths(shown.changed(of(&[("b", 2)]))), []);
    }
}

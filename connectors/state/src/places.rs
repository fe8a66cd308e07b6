//! Where values stand in the log, by their keys and in the order in which they were written.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// How much is read at once when lines are gone through: little at first, since a page may need no more.
const LEAST: u64 = 1 << 14;
const MOST: u64 = 1 << 20;

/// Where the line stands that holds a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) start: u64,
    pub(crate) length: usize,
}

/// The places of all values.
#[derive(Debug, Default)]
pub(crate) struct Places {
    by_key: HashMap<Arc<str>, Place>,
    by_start: BTreeMap<u64, (Arc<str>, usize)>,
}

impl Places {
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn get(&self, key: &str) -> Option<Place> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn put(&mut self, key: &str, place: Place) {
        let key = match self.by_key.get_key_value(key) {
            Some((key, before)) => {
                self.by_start.remove(&before.start);
                Arc::clone(key)
            }
            None => Arc::from(key),
        };
        self.by_start.insert(place.start, (Arc::clone(&key), place.length));
        self.by_key.insert(key, place);
    }

    pub(crate) fn remove(&mut self, key: &str) {
        if let Some(place) = self.by_key.remove(key) {
            self.by_start.remove(&place.start);
        }
    }

    /// Those that stand behind `from` in the file and before `end`, in this order.
    pub(crate) fn between(&self, from: Option<u64>, end: u64) -> impl DoubleEndedIterator<Item = (&str, Place)> {
        let from = from.map_or(0, |from| from + 1);
        let places = self.by_start.range(from..end.max(from));
        places.map(|(&start, (key, length))| (&**key, Place { start, length: *length }))
    }
}

/// In which order lines are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    ToTheBeginning,
    /// Which is here.
    ToTheEnd(u64),
}

/// Lines of a file, one after the other, of which many are read at once.
pub(crate) struct Lines<'f> {
    file: &'f File,
    way: Way,
    /// A part of the file, and where it begins.
    part: Vec<u8>,
    from: u64,
    size: u64,
}

impl<'f> Lines<'f> {
    pub(crate) fn new(file: &'f File, way: Way) -> Self {
        Self { file, way, part: Vec::new(), from: 0, size: LEAST }
    }

    /// The line at a place.
    pub(crate) fn line(&mut self, Place { start, length }: Place) -> io::Result<&[u8]> {
        let end = start + length as u64;
        if start < self.from || end > self.from + self.part.len() as u64 {
            let size = self.size.max(length as u64);
            let (from, upto) = match self.way {
                Way::ToTheBeginning => (end.saturating_sub(size), end),
                Way::ToTheEnd(last) => (start, last.min(start + size)),
            };
            self.from = from;
            self.part.resize(usize::try_from(upto - from).map_err(io::Error::other)?, 0);
            self.file.seek(SeekFrom::Start(from))?;
            self.file.read_exact(&mut self.part)?;
            self.size = (self.size * 2).min(MOST);
        }
        let at = usize::try_from(start - self.from).map_err(io::Error::other)?;
        Ok(&self.part[at..at + length])
    }
}

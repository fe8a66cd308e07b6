//! Looking keys up in the tables, for editors that ask while a file is being written.

use super::flow::FLOW;
use super::mapping::{MAPPING, VARIABLES};
use super::step::{COMMON, KINDS};
use super::table::{Key, Table, Takes};
use super::test::TESTS;
use super::{Kind, configuration::CONFIGURATION};

/// The keys of the map at `path` of a file of this kind.
pub(crate) fn keys(kind: Kind, path: &[String]) -> Vec<&'static Key> {
    let whole = Takes::Table(match kind {
        Kind::Flow => &FLOW,
        Kind::Mapping => &MAPPING,
        Kind::Variables => &VARIABLES,
        Kind::Configuration => &CONFIGURATION,
        Kind::Test => &TESTS,
    });
    let mut found = Vec::new();
    tables(&whole, path, &mut found);
    found.into_iter().flat_map(|table| table.keys).collect()
}

/// The keys of the map at `path` of a step, of this kind where that is known.
pub(crate) fn keys_of_step(kind: Option<&str>, path: &[String]) -> Vec<&'static Key> {
    let of_kind = KINDS.iter().filter(|one| kind.is_none_or(|kind| kind == one.main.name));
    let own = of_kind.clone().flat_map(|one| one.keys);
    let Some((first, rest)) = path.split_first() else {
        let mains = of_kind.map(|kind| &kind.main);
        // Which others there are depends on the kind.
        return if kind.is_some() { mains.chain(own).chain(&COMMON).collect() } else { mains.chain(&COMMON).collect() };
    };
    let mut found = Vec::new();
    for key in KINDS.iter().map(|kind| &kind.main).chain(own).chain(&COMMON).filter(|key| key.name == first) {
        tables(&key.takes, rest, &mut found);
    }
    found.into_iter().flat_map(|table| table.keys).collect()
}

/// The tables that maps at `path` below can have.
fn tables(takes: &Takes, path: &[String], found: &mut Vec<&'static Table>) {
    match (takes, path.split_first()) {
        (Takes::Either(several), _) => several.iter().for_each(|one| tables(one, path, found)),
        (Takes::List(of), _) => tables(of, path, found),
        (Takes::Table(table), None) => found.push(table),
        (Takes::Table(table), Some((first, rest))) => match table.keys.iter().find(|key| key.name == first) {
            Some(key) => tables(&key.takes, rest, found),
            None => table.others.into_iter().for_each(|others| tables(others, rest, found)),
        },
        (Takes::Named(of) | Takes::Map(of) | Takes::One(of), Some((_, rest))) => tables(of, rest, found),
        _ => {}
    }
}

impl Key {
    /// The words that it takes, where it takes words.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        fn of(takes: &Takes, all: &mut Vec<&'static str>) {
            match takes {
                Takes::Words(words) => all.extend(*words),
                Takes::Truth => all.extend(["true", "false"]),
                Takes::Either(several) => several.iter().for_each(|one| of(one, all)),
                Takes::List(item) => of(item, all),
                _ => {}
            }
        }
        let mut all = Vec::new();
        of(&self.takes, &mut all);
        all
    }
}

//! What expressions can use: nothing but this.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, filters as theirs, tests, value::Value};

use super::filters as ours;

/// Instructions one expression may take. The longest mapping expression shipped takes some 60.
const FUEL: u64 = 50_000;
/// How deep calls may nest.
const RECURSION: usize = 64;

/// The engine, the same for all expressions.
pub(crate) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_debug(false);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    // A member that is missing reads as null, here as in `Path::get`; a *name* that is missing was found when compiling.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    for (name, add) in FILTERS {
        add(&mut environment, name);
    }
    for (name, add) in TESTS {
        add(&mut environment, name);
    }
    environment.add_global("null", Value::from(()));
    environment.add_function("range", minijinja::functions::range);
    environment
});

type Add = fn(&mut Environment<'static>, &'static str);

/// One row a filter: its name, and how it is added.
macro_rules! filters {
    ($($name:literal => $function:expr),* $(,)?) => {
        &[$(($name, |environment: &mut Environment<'static>, name| environment.add_filter(name, $function))),*]
    };
}

macro_rules! tests {
    ($($name:literal => $function:expr),* $(,)?) => {
        &[$(($name, |environment: &mut Environment<'static>, name| environment.add_test(name, $function))),*]
    };
}

static FILTERS: &[(&str, Add)] = filters! {
    "abs" => theirs::abs,
    "bool" => theirs::bool,
    "capitalize" => theirs::capitalize,
    "country" => ours::country,
    "date" => ours::date,
    "datetime" => ours::datetime,
    "default" => ours::default,
    "dictsort" => theirs::dictsort,
    "first" => theirs::first,
    "float" => theirs::float,
    "groupby" => theirs::groupby,
    "guid" => ours::guid,
    "int" => theirs::int,
    "items" => theirs::items,
    "join" => theirs::join,
    "json" => ours::json,
    "jsonpath" => ours::jsonpath,
    "jsonpath_first" => ours::jsonpath_first,
    "last" => theirs::last,
    "last_segment" => ours::last_segment,
    "length" => theirs::length,
    "lines" => theirs::lines,
    "list" => theirs::list,
    "lookup" => ours::lookup,
    "lower" => theirs::lower,
    "map" => theirs::map,
    "max" => theirs::max,
    "merge" => ours::merge,
    "min" => theirs::min,
    "money" => ours::money,
    "omit" => ours::omit,
    "parse_json" => ours::parse_json,
    "reject" => theirs::reject,
    "rejectattr" => theirs::rejectattr,
    "replace" => theirs::replace,
    "reverse" => theirs::reverse,
    "round" => theirs::round,
    "select" => theirs::select,
    "selectattr" => theirs::selectattr,
    "shorten" => ours::shorten,
    "sort" => theirs::sort,
    "split" => theirs::split,
    "string" => theirs::string,
    "sum" => theirs::sum,
    "title" => theirs::title,
    "trim" => theirs::trim,
    "unique" => theirs::unique,
    "upper" => theirs::upper,
    "without" => ours::without,
};

static TESTS: &[(&str, Add)] = tests! {
    "boolean" => tests::is_boolean,
    "defined" => ours::is_present,
    "divisibleby" => tests::is_divisibleby,
    "endingwith" => tests::is_endingwith,
    "eq" => tests::is_eq,
    "equalto" => tests::is_eq,
    "even" => tests::is_even,
    "false" => tests::is_false,
    "ge" => tests::is_ge,
    "gt" => tests::is_gt,
    "in" => tests::is_in,
    "integer" => tests::is_integer,
    "iterable" => tests::is_iterable,
    "le" => tests::is_le,
    "lower" => tests::is_lower,
    "lt" => tests::is_lt,
    "mapping" => tests::is_mapping,
    "ne" => tests::is_ne,
    "none" => ours::is_null,
    "null" => ours::is_null,
    "number" => tests::is_number,
    "odd" => tests::is_odd,
    "sequence" => tests::is_sequence,
    "startingwith" => tests::is_startingwith,
    "string" => tests::is_string,
    "true" => tests::is_true,
    "upper" => tests::is_upper,
};

static FUNCTIONS: &[&str] = &["range"];

/// Whether `name` is a constant of the language rather than a name in scope.
pub(crate) fn is_constant(name: &str) -> bool {
    name == "null" || FUNCTIONS.contains(&name)
}

/// Whether there is a filter of this name.
pub(crate) fn has_filter(name: &str) -> bool {
    FILTERS.iter().any(|(filter, _)| *filter == name)
}

/// Whether there is a test of this name.
pub(crate) fn has_test(name: &str) -> bool {
    TESTS.iter().any(|(test, _)| *test == name)
}

/// Whether there is a function of this name.
pub(crate) fn has_function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// All filters, by name.
pub fn filter_names() -> Vec<&'static str> {
    FILTERS.iter().map(|(name, _)| *name).collect()
}

/// All tests, by name.
pub fn test_names() -> Vec<&'static str> {
    TESTS.iter().map(|(name, _)| *name).collect()
}

/// All functions, by name.
pub fn function_names() -> Vec<&'static str> {
    FUNCTIONS.to_vec()
}

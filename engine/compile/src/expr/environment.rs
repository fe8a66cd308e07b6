//! What expressions can use: nothing but this.

use std::sync::LazyLock;

use minijinja::value::{Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, UndefinedBehavior, filters as theirs, functions, tests};

use super::value::{absent, invalid, kind, text_of};
use super::{budget, filters as ours, lists, operators};

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
    for filter in FILTERS {
        let (name, takes, function) = (filter.name, filter.takes, (filter.function)());
        environment.add_filter(name, move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
            call(state, name, takes, &function, arguments.into_values())
        });
    }
    environment.add_filter(operators::CONCAT, operators::concat);
    environment.add_filter(operators::TIMES, operators::times);
    for (name, add) in TESTS {
        add(&mut environment, name);
    }
    environment.add_global("null", Value::UNDEFINED);
    environment.add_function("range", |low: isize, high: Option<isize>, step: Option<isize>| {
        functions::range(low, high, step)
            .map_err(|_| invalid("`range` takes a step that is not 0, and gives at most 100000 numbers"))
    });
    environment
});

/// A filter.
struct Filter {
    name: &'static str,
    takes: Takes,
    function: fn() -> Value,
}

/// What a filter is put behind.
#[derive(Clone, Copy)]
enum Takes {
    /// Anything, also null.
    Any,
    /// Anything; null passes through.
    Present,
    /// Text; true, false and numbers are made text. Null passes through.
    Text,
    /// A list. Null passes through.
    List,
}

fn call(
    state: &mut State<'_, '_>,
    name: &str,
    takes: Takes,
    function: &Value,
    mut arguments: Vec<Value>,
) -> Result<Value, Error> {
    let Some(value) = arguments.first_mut() else { return Err(invalid(format!("`{name}` takes a value"))) };
    if absent(value) && !matches!(takes, Takes::Any) {
        return Ok(Value::UNDEFINED);
    }
    budget::spend_on(value)?;
    match takes {
        Takes::Text => *value = Value::from(text_of(value, &format!("`{name}`"))?),
        Takes::List if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) => {
            return Err(invalid(format!("`{name}` takes a list, and this is {}", kind(value))));
        }
        _ => {}
    }
    let made = function.call(state, &arguments)?;
    budget::spend_on(&made)?;
    Ok(made)
}

/// One row a filter: its name, what it takes, and what it does.
macro_rules! filters {
    ($($name:literal, $takes:ident => $function:expr),* $(,)?) => {
        &[$(Filter { name: $name, takes: Takes::$takes, function: || Value::from_function($function) }),*]
    };
}

type Add = fn(&mut Environment<'static>, &'static str);

macro_rules! tests {
    ($($name:literal => $function:expr),* $(,)?) => {
        &[$(($name, |environment: &mut Environment<'static>, name| environment.add_test(name, $function))),*]
    };
}

static FILTERS: &[Filter] = filters! {
    "abs", Present => theirs::abs,
    "bool", Any => ours::bool,
    "capitalize", Text => theirs::capitalize,
    "country", Present => ours::country,
    "date", Present => ours::date,
    "datetime", Present => ours::datetime,
    "default", Any => ours::default,
    "dictsort", Present => theirs::dictsort,
    "difference", Any => lists::difference,
    "first", Present => theirs::first,
    "float", Present => ours::float,
    "groupby", List => theirs::groupby,
    "guid", Present => ours::guid,
    "int", Present => ours::int,
    "intersection", Any => lists::intersection,
    "items", Present => theirs::items,
    "join", List => ours::join,
    "json", Any => ours::json,
    "jsonpath", Any => ours::jsonpath,
    "jsonpath_first", Any => ours::jsonpath_first,
    "key_by", Any => lists::key_by,
    "last", Present => theirs::last,
    "last_segment", Present => ours::last_segment,
    "length", Present => theirs::length,
    "lines", Text => theirs::lines,
    "list", Present => theirs::list,
    "lookup", Present => ours::lookup,
    "lower", Text => theirs::lower,
    "map", List => theirs::map,
    "max", List => theirs::max,
    "merge", Any => ours::merge,
    "min", List => theirs::min,
    "money", Present => ours::money,
    "omit", Present => ours::omit,
    "pick", Present => ours::pick,
    "parse_json", Present => ours::parse_json,
    "reject", List => theirs::reject,
    "rejectattr", List => theirs::rejectattr,
    "replace", Text => ours::replace,
    "reverse", Present => theirs::reverse,
    "round", Present => theirs::round,
    "select", List => theirs::select,
    "selectattr", List => theirs::selectattr,
    "shorten", Text => ours::shorten,
    "sort", List => theirs::sort,
    "split", Text => theirs::split,
    "string", Present => ours::string,
    "sum", List => theirs::sum,
    "title", Text => theirs::title,
    "trim", Text => theirs::trim,
    "union", Any => lists::union,
    "unique", List => theirs::unique,
    "upper", Text => theirs::upper,
    "without", Text => ours::without,
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
    name == "null"
}

/// Whether there is a filter of this name.
pub(crate) fn has_filter(name: &str) -> bool {
    FILTERS.iter().any(|filter| filter.name == name)
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
    FILTERS.iter().map(|filter| filter.name).collect()
}

/// All tests, by name.
pub fn test_names() -> Vec<&'static str> {
    TESTS.iter().map(|(name, _)| *name).collect()
}

/// All functions, by name.
pub fn function_names() -> Vec<&'static str> {
    FUNCTIONS.to_vec()
}

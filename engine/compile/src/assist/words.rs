//! What expressions are made of, in words: the names they begin with, filters, tests and functions.

/// The names that an expression can begin with.
pub(super) const ROOTS: [(&str, &str); 8] = [
    ("trigger", "What started the run."),
    ("inputs", "The flow's inputs, complete and checked."),
    ("steps", "What each step yields; null where it was skipped."),
    ("outcomes", "How each step ended: `outcome`, `error` and `reason`. Waits for the step however it ends."),
    ("vars", "The current values of variables."),
    ("item", "In a loop: the round's item."),
    ("index", "In a loop: the round's number, from 0."),
    ("run", "The run itself: `id`, `flow`, `started_at`, `now`."),
];

/// What `run` has.
pub(super) const RUN: [(&str, &str); 4] = [
    ("id", "The run's id."),
    ("flow", "The flow's name."),
    ("started_at", "When the run began."),
    ("now", "The time of the event that is being taken in."),
];

/// What `outcomes.<step>` has.
pub(super) const OUTCOME: [(&str, &str); 3] = [
    ("outcome", "`succeeded`, `failed`, `skipped`, `timed_out` or `cancelled`."),
    ("error", "Where it failed: `code`, `message`, `step`, `details`."),
    ("reason", "Why it was skipped."),
];

/// What `outcomes.<step>.error` has.
pub(super) const ERROR: [(&str, &str); 4] = [
    ("code", "What kind of error it is."),
    ("message", "What went wrong, in a sentence."),
    ("step", "The step that failed."),
    ("details", "What the service said."),
];

/// Filters: how each is written, and what it gives.
pub(super) const FILTERS: &[(&str, &str, &str)] = &[
    ("abs", "abs", "The number without its sign."),
    ("bool", "bool", "Whether the value counts as true: null, false, 0 and what is empty do not."),
    ("capitalize", "capitalize", "The text with its first letter in upper case and the others in lower."),
    ("country", "country", "A two-letter country code in capitals, or null where the value is none."),
    ("date", "date", "The date alone, `2026-11-02`; an instant counts by its date in UTC."),
    ("datetime", "datetime", "The instant in UTC, `2026-11-02T08:15:30Z`; a date counts as its midnight."),
    ("default", "default(x)", "`x` where the value is null; with a second argument `true`, also where it is empty."),
    ("dictsort", "dictsort", "The map's entries, sorted by key."),
    ("difference", "difference(list)", "What is in this list and not in the other."),
    ("first", "first", "The first item."),
    ("float", "float", "A number, also from text; `float(0)` gives 0 where it shows none."),
    ("groupby", "groupby('a')", "The list's records in groups of equal `a`."),
    ("guid", "guid", "A GUID in lower case without braces, or null where the value is none."),
    ("int", "int", "A whole number, also from text; `int(0)` gives 0 where it shows none."),
    ("intersection", "intersection(list)", "What is in both lists."),
    ("items", "items", "The map's entries, as pairs."),
    ("join", "join(', ')", "The items as text, one behind the other."),
    ("json", "json", "The value as JSON text."),
    ("jsonpath", "jsonpath('$.a[?@.b > 1]')", "The list of everything that a JSONPath (RFC 9535) selects."),
    ("jsonpath_first", "jsonpath_first('$.a')", "The first thing that a JSONPath selects, or null."),
    ("key_by", "key_by('id')", "A map of the list's records by a member of theirs."),
    ("last", "last", "The last item."),
    ("last_segment", "last_segment", "What stands behind the last `/` of an address."),
    ("length", "length", "How many items, entries or characters there are."),
    ("lines", "lines", "The lines of the text."),
    ("list", "list", "The value as a list."),
    ("lookup", "lookup({'Won': 3})", "What the table says; an error, or the second argument, where it says nothing."),
    ("lower", "lower", "The text in lower case."),
    ("map", "map(attribute='a')", "Of each item, a member of it, or what a filter makes of it: `map('upper')`."),
    ("max", "max", "The greatest item."),
    ("merge", "merge(map)", "The map with members of another over it."),
    ("min", "min", "The least item."),
    ("money", "money", "A number with two decimals, also from text."),
    ("omit", "omit('a')", "The map without these members."),
    ("parse_json", "parse_json", "The value that JSON text holds."),
    ("pick", "pick('a')", "Just these members of the map."),
    ("reject", "reject('none')", "The items for which a test does not hold."),
    ("rejectattr", "rejectattr('a', 'eq', 1)", "The items for whose member a test does not hold."),
    ("replace", "replace('a', 'b')", "The text with every `a` made a `b`."),
    ("reverse", "reverse", "The list or the text from its end."),
    ("round", "round(2)", "The number, rounded to so many decimals."),
    ("select", "select('defined')", "The items for which a test holds."),
    ("selectattr", "selectattr('a', 'eq', 1)", "The items for whose member a test holds."),
    ("shorten", "shorten(300)", "At most so many characters, the last of them `…`."),
    ("sort", "sort", "The items in order; `sort(attribute='a')` by a member."),
    ("split", "split(',')", "The parts of the text between such separators."),
    ("string", "string", "The value as text."),
    ("sum", "sum", "The sum of the items."),
    ("title", "title", "The text with each word in upper case."),
    ("trim", "trim", "The text without space at its ends."),
    ("union", "union(list)", "What is in either list, each item once."),
    ("unique", "unique", "Each item once."),
    ("upper", "upper", "The text in upper case."),
    ("without", "without('✔')", "The text with such marks taken off both ends."),
];

/// Functions: how each is written, and what it gives.
pub(super) const FUNCTIONS: [(&str, &str, &str); 1] =
    [("range", "range(10)", "The numbers from 0, or from the first, up to but not including the last.")];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::environment;

    #[test]
    fn everything_that_expressions_can_use_is_explained() {
        let mut explained: Vec<&str> = FILTERS.iter().map(|(name, ..)| *name).collect();
        let mut known = environment::filter_names();
        explained.sort_unstable();
        known.sort_unstable();
        assert_eq!(explained, known);
        assert_eq!(FUNCTIONS.map(|(name, ..)| name).to_vec(), environment::function_names());
        assert_eq!(ROOTS.map(|(name, _)| name), crate::resolve::ROOTS);
    }

    #[test]
    fn every_filter_is_written_as_it_says() {
        for (_, written, _) in FILTERS {
            let argument = written.replace("(list)", "([1])").replace("(map)", "({})").replace("(x)", "(1)");
            assert!(crate::expr::parse::parse(&format!("item | {argument}")).is_ok(), "{written}");
        }
    }
}

//! What expressions yield, and what they refuse.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cosell_compile::expr::environment::filter_names;
use proptest::prelude::*;
use serde_json::{Value, json};

use support::{expression, value};

fn data() -> Value {
    json!({
        "text": "Größe",
        "empty": "",
        "five": 5,
        "float": 5.0,
        "half": 0.5,
        "big": 18_446_744_073_709_551_615_u64,
        "yes": true,
        "no": false,
        "null": null,
        "list": [3, 1.0, null, "x"],
        "numbers": [3, 1, 2],
        "none": [],
        "map": { "z": 1, "a": null, "m": { "deep": [true] } },
        "people": [{ "name": "Anna", "age": 30 }, { "name": "Bo", "age": null }, { "name": "Cem" }],
        "html": "a\nb\r\nc",
    })
}

/// Checks each expression against what it yields.
fn yields(cases: &[(&str, Value)]) {
    for (source, expected) in cases {
        assert_eq!(expression(source, &data()).as_ref(), Ok(expected), "{source}");
        let (given, wanted) = (expression(source, &data()).unwrap().to_string(), expected.to_string());
        assert_eq!(given, wanted, "{source}: 1 is not 1.0, and keys keep their order");
    }
}

/// Checks that each expression fails, with these words in the message.
fn fails(cases: &[(&str, &str)]) {
    for (source, words) in cases {
        let message = expression(source, &data()).expect_err(source);
        assert!(message.contains(words), "{source}: {message}");
    }
}

#[test]
fn values_keep_their_types() {
    yields(&[
        ("trigger", data()),
        ("trigger.float", json!(5.0)),
        ("trigger.float + 0", json!(5.0)),
        ("trigger.five + 1", json!(6)),
        ("trigger.big", json!(18_446_744_073_709_551_615_u64)),
        ("trigger.big - 1", json!(18_446_744_073_709_551_614_u64)),
        ("[trigger.list, trigger.null]", json!([[3, 1.0, null, "x"], null])),
        ("trigger.map or 1", data()["map"].clone()),
        ("{'b': 1, 'a': trigger.map}", json!({ "b": 1, "a": data()["map"].clone() })),
        ("(1, 2.0)", json!([1, 2.0])),
        ("trigger.five * 2", json!(10)),
        ("trigger.five * 2.0", json!(10.0)),
        ("trigger.five / 2", json!(2.5)),
        ("trigger.five // 2", json!(2)),
        ("trigger.five % 3 ** 2", json!(5)),
        ("-trigger.five | abs", json!(5)),
        ("trigger.five == trigger.float", json!(true)),
        ("1 < trigger.five <= 5", json!(true)),
        ("'x' in trigger.list and 'ö' in trigger.text", json!(true)),
        ("'a' if trigger.no else 'b' if trigger.no else 'c'", json!("c")),
        ("'a' if trigger.no", json!(null)),
        ("trigger.text[1:3] ~ trigger.list[-1]", json!("röx")),
        ("trigger.map['m'].deep[0]", json!(true)),
        ("range(3) | list", json!([0, 1, 2])),
        ("vars.text ~ vars.list[1]", json!("Größe2")),
    ]);
}

#[test]
fn null_and_what_is_missing_are_one_thing() {
    yields(&[
        ("trigger.null", json!(null)),
        ("trigger.missing", json!(null)),
        ("trigger.missing.deeper[3].still", json!(null)),
        ("trigger.five.deeper", json!(null)),
        ("trigger.list[99]", json!(null)),
        ("trigger.map['a'] == trigger.missing", json!(true)),
        ("(trigger.map or 1).missing == null", json!(true)),
        ("(trigger.map or 1).a == null", json!(true)),
        ("trigger.people | map(attribute='age') | list", json!([30, null, null])),
        ("trigger.missing is none and trigger.null is null and not trigger.null is defined", json!(true)),
        ("none == null and null == trigger.missing", json!(true)),
        ("null == 0 or null == '' or null == false", json!(false)),
        ("trigger.missing or 'else'", json!("else")),
        ("'x' in trigger.missing", json!(false)),
        ("not trigger.missing", json!(true)),
        ("vars.nothing", json!(null)),
        ("vars.nothing | default('else')", json!("else")),
        ("[null, trigger.missing] | json", json!("[null,null]")),
        ("{'a': null}", json!({ "a": null })),
    ]);
    fails(&[
        ("trigger.null + 1", "null and number"),
        ("trigger.null * 1", "`*` multiplies numbers, and this is null; give it a value with `| default(0)`"),
    ]);
}

#[test]
fn text_has_rules_of_its_own() {
    let text = |source: &str| value(&format!("\"[{source}]\""), &data());
    for (source, expected) in [
        ("${{ trigger.null }}", "[]"),
        ("${{ trigger.missing.deeper }}", "[]"),
        ("${{ trigger.yes }}${{ trigger.no }}", "[truefalse]"),
        ("${{ trigger.float }} ${{ trigger.half }} ${{ trigger.five }}", "[5 0.5 5]"),
        ("${{ 1e22 }} ${{ 1e-7 }}", "[10000000000000000000000 0.0000001]"),
        ("${{ trigger.big }}", "[18446744073709551615]"),
        ("${{ trigger.text }}", "[Größe]"),
        ("$${{ trigger.text }} and { a }", "[${{ trigger.text }} and { a }]"),
        ("${{ trigger.null ~ trigger.yes ~ trigger.float ~ trigger.missing }}", "[true5]"),
        ("${{ trigger.null ~ '' }}", "[]"),
        ("${{ [null, true, 5.0, 'x'] | join('-') }}", "[-true-5-x]"),
        ("${{ trigger.yes | string }}${{ trigger.float | upper }}", "[true5]"),
    ] {
        assert_eq!(text(source), Ok(json!(expected)), "{source}");
    }
    for (source, words) in [
        ("${{ trigger.list }}", "a list cannot stand inside text"),
        ("${{ trigger.map }}", "a map cannot stand inside text"),
        ("${{ 'a' ~ trigger.list }}", "`~` takes text, and this is a list"),
        ("${{ [[1]] | join }}", "an item of `join` takes text, and this is a list"),
    ] {
        let message = text(source).expect_err(source);
        assert!(message.contains(words), "{source}: {message}");
    }
}

#[test]
fn one_whole_expression_keeps_its_type_however_it_is_written() {
    for written in [
        "${{ trigger.five }}",
        "'${{ trigger.five }}'",
        "\"${{ trigger.five }}\"",
        "|\n  ${{ trigger.five }}",
        ">\n  ${{ trigger.five }}\n",
        ">-\n  ${{\n  trigger.five }}",
    ] {
        assert_eq!(value(written, &data()), Ok(json!(5)), "{written}");
    }
    for written in [
        "' ${{ trigger.five }}'",
        "\"${{ trigger.five }} \"",
        "|\n  ${{ trigger.five }}\n  .",
        "'${{ trigger.five }}${{ trigger.null }}'",
    ] {
        assert!(value(written, &data()).unwrap().is_string(), "{written}");
    }
    assert_eq!(
        value("|\n  ${{ trigger.five }} and\n  ${{ trigger.five }}\n", &data()),
        Ok(json!("5 and\n5\n")),
        "text keeps its last line end"
    );
    assert_eq!(value("[a, { b: '${{ trigger.five }}' }]", &data()), Ok(json!(["a", { "b": 5 }])));
}

#[test]
fn every_filter_does_what_it_should() {
    let cases = [
        ("trigger.half | abs", json!(0.5)),
        ("trigger.none | bool", json!(false)),
        ("trigger.null | bool", json!(false)),
        ("'ab CD' | capitalize", json!("Ab cd")),
        ("' de ' | country", json!("DE")),
        ("trigger.five | country", json!(null)),
        ("'2026-11-02T23:30:00-05:00' | date", json!("2026-11-03")),
        ("'' | date", json!(null)),
        ("'2026-11-02' | datetime", json!("2026-11-02T00:00:00Z")),
        ("trigger.null | default('a')", json!("a")),
        ("trigger.empty | default('a')", json!("")),
        ("trigger.empty | default('a', true)", json!("a")),
        ("{'b': 1, 'a': 2} | dictsort", json!([["a", 2], ["b", 1]])),
        ("trigger.numbers | first", json!(3)),
        ("trigger.none | first", json!(null)),
        ("' 5 ' | float", json!(5.0)),
        ("'x' | float(0)", json!(0)),
        ("trigger.people | groupby('name') | length", json!(3)),
        ("'{3F2504E0-4F89-11D3-9A0C-0305E82C3301}' | guid", json!("3f2504e0-4f89-11d3-9a0c-0305e82c3301")),
        ("'OPP-1' | guid", json!(null)),
        ("'12' | int", json!(12)),
        ("'12.9' | int", json!(12)),
        ("trigger.yes | int", json!(1)),
        ("'x' | int(7)", json!(7)),
        ("trigger.big | int", json!(18_446_744_073_709_551_615_u64)),
        ("{'a': 1} | items | list", json!([["a", 1]])),
        ("trigger.people | map(attribute='name') | join(', ')", json!("Anna, Bo, Cem")),
        ("trigger.map | json", json!(r#"{"z":1,"a":null,"m":{"deep":[true]}}"#)),
        ("trigger | jsonpath('$.people[?@.age > 20].name')", json!(["Anna"])),
        ("trigger.null | jsonpath('$.a')", json!([])),
        ("trigger | jsonpath_first('$..name')", json!("Anna")),
        ("trigger | jsonpath_first('$.nothing')", json!(null)),
        ("trigger.numbers | last", json!(2)),
        ("'https://host/a/b/?q=1#x' | last_segment", json!("b")),
        ("trigger.text | length", json!(5)),
        ("trigger.html | lines", json!(["a", "b", "c"])),
        ("'aö' | list", json!(["a", "ö"])),
        ("'Won' | lookup({'Won': 3, 'Lost': null})", json!(3)),
        ("'Lost' | lookup({'Won': 3, 'Lost': null}, 7)", json!(null)),
        ("trigger.five | lookup({5: 'five'})", json!("five")),
        ("'?' | lookup({'Won': 3}, 0)", json!(0)),
        ("'ÄB' | lower", json!("äb")),
        ("trigger.numbers | map('string') | list", json!(["3", "1", "2"])),
        ("trigger.numbers | max", json!(3)),
        ("{'b': 1} | merge({'a': 2, 'b': 3})", json!({ "b": 3, "a": 2 })),
        ("trigger.null | merge({'a': 2})", json!({ "a": 2 })),
        ("trigger.numbers | min", json!(1)),
        ("'10000' | money", json!(10_000)),
        ("12.345678 | money(3)", json!(12.346)),
        ("'' | money", json!(null)),
        ("trigger.map | omit('a', 'm')", json!({ "z": 1 })),
        ("[1, 'a', 1] | union([null, 1.0, 'b'])", json!([1, "a", null, "b"])),
        ("trigger.null | union([{'id': 1}])", json!([{ "id": 1 }])),
        ("[3, 1, 2, 1] | difference([2.0])", json!([3, 1])),
        ("[1] | difference(trigger.null)", json!([1])),
        ("[{'id': 3}, 1, 2, 1] | intersection([2, {'id': 3}])", json!([{ "id": 3 }, 2])),
        ("[1] | intersection(trigger.missing)", json!([])),
        (
            "[{'id': 5.0, 'a': 1}, {'a': 2}, {'id': 'x', 'a': 3}, {'id': 5, 'a': 4}] | key_by('id')",
            json!({ "5": { "id": 5, "a": 4 }, "x": { "id": "x", "a": 3 } }),
        ),
        ("trigger.map | pick('z', 'missing')", json!({ "z": 1 })),
        ("'{\"a\": [1]}' | parse_json", json!({ "a": [1] })),
        ("trigger.numbers | reject('gt', 1) | list", json!([1])),
        ("trigger.people | rejectattr('age') | map(attribute='name') | list", json!(["Bo", "Cem"])),
        ("'a.b' | replace('.', '::')", json!("a::b")),
        ("trigger.five | replace(5, 6)", json!("6")),
        ("trigger.numbers | reverse | list", json!([2, 1, 3])),
        ("2.345 | round(1)", json!(2.3)),
        ("trigger.numbers | select('in', [1, 2]) | list", json!([1, 2])),
        ("trigger.people | selectattr('name', 'startingwith', 'B') | map(attribute='age') | list", json!([null])),
        ("'Größe' | shorten(4)", json!("Grö…")),
        ("'Größe' | shorten(5)", json!("Größe")),
        ("'Größe' | shorten(0)", json!("")),
        (
            "trigger.people | sort(attribute='name', reverse=true) | map(attribute='name') | list",
            json!(["Cem", "Bo", "Anna"]),
        ),
        ("'a,b' | split(',')", json!(["a", "b"])),
        ("trigger.float | string", json!("5")),
        ("trigger.numbers | sum", json!(6)),
        ("'größe der welt' | title", json!("Größe Der Welt")),
        ("'  a ' | trim", json!("a")),
        ("[1, 2, 1] | unique | list", json!([1, 2])),
        ("trigger.text | upper", json!("GRÖSSE")),
        ("'✔ ✖ Deal ✔' | without('✔', '✖')", json!("Deal")),
    ];
    yields(&cases);
    let sources = cases.iter().flat_map(|(source, _)| source.split('|').skip(1));
    let tried: BTreeSet<&str> = sources.filter_map(|part| part.trim().split(['(', ' ', ')']).next()).collect();
    let known: BTreeSet<&str> = filter_names().into_iter().collect();
    assert_eq!(tried, known, "each filter has a case");
}

#[test]
fn null_passes_through_every_filter_that_does_not_wait_for_it() {
    for name in filter_names() {
        let arguments = match name {
            "jsonpath" | "jsonpath_first" => "('$')",
            "difference" | "intersection" | "union" => "(null)",
            "key_by" => "('id')",
            "default" | "lookup" | "merge" | "omit" | "pick" | "shorten" => "({})",
            _ => "",
        };
        let expected = match name {
            "bool" => json!(false),
            "default" | "merge" | "key_by" => json!({}),
            "difference" | "intersection" | "union" => json!([]),
            "json" => json!("null"),
            "jsonpath" => json!([null]),
            _ => json!(null),
        };
        for nothing in ["trigger.null", "trigger.missing", "(trigger.map or 1).a", "null"] {
            let source = format!("{nothing} | {name}{arguments}");
            assert_eq!(expression(&source, &data()), Ok(expected.clone()), "{source}");
        }
    }
}

#[test]
fn filters_say_what_they_cannot_take() {
    fails(&[
        ("trigger.text | date", "`Größe` is not a date or a time"),
        ("trigger.five | date", "`date` takes text, and this is a number"),
        ("trigger.five | datetime", "`datetime` takes text, and this is a number"),
        ("trigger.text | money", "`Größe` is not an amount of money"),
        ("trigger.yes | money", "is not an amount of money"),
        ("trigger.list | upper", "`upper` takes text, and this is a list"),
        ("trigger.map | trim", "`trim` takes text, and this is a map"),
        ("trigger.text | sort", "`sort` takes a list, and this is text"),
        ("trigger.map | join", "`join` takes a list, and this is a map"),
        ("trigger.text | int", "`int` takes a number, or text that shows one, and this is `Größe`"),
        ("trigger.list | float", "`float` takes a number, or text that shows one, and this is a list"),
        ("trigger.text | replace('', 'x')", "`replace` takes the text to replace, and this is empty"),
        ("trigger.text | lookup({'a': 1, 'b': 2})", "the table has no `Größe`; it has `a`, `b`"),
        ("trigger.text | lookup([1])", "`lookup` takes a map as its table, and this is a list"),
        ("trigger.text | merge({})", "`merge` takes a map, and this is text"),
        ("trigger.map | merge(trigger.list)", "`merge` takes a map, and this is a list"),
        ("trigger.text | omit('a')", "`omit` takes a map, and this is text"),
        ("trigger.text | pick('a')", "`pick` takes a map, and this is text"),
        ("trigger.text | union([])", "`union` takes a list, and this is text"),
        ("[1] | difference(trigger.map)", "`difference` takes a list, and this is a map"),
        ("[1] | intersection(1)", "`intersection` takes a list, and this is a number"),
        ("[1] | key_by('id')", "`key_by` takes a list of maps, and an item of this is a number"),
        ("[{'id': [1]}] | key_by('id')", "the member that `key_by` takes"),
        ("trigger.text | parse_json", "this text is not JSON"),
        ("trigger.text | jsonpath(trigger.text)", "it begins with `$`"),
        ("trigger.five | shorten", "missing argument"),
        ("trigger.text | upper(1)", "too many arguments"),
        ("trigger.five | last_segment", "`last_segment` takes text, and this is a number"),
        ("1e308 * 10 * trigger.five", "too large"),
        ("trigger.big * trigger.big", "too large"),
        ("trigger.five / 0", "5 / 0"),
        ("trigger.text.nothing()", "there is no method `nothing`"),
    ]);
}

#[test]
fn what_depends_on_no_run_is_computed_at_once() {
    // A trigger's settings are known before any run: here a variable changed by a filter can stand.
    let variables = support::shipped("vars.yaml", "variables:\n  kind: { type: text, default: CREATED }\n");
    let flow = "flow: case\ntrigger: { use: pc.received, with: { events: [\"${{ vars.kind | lower }}\", \"up${{ 'dated' }}\"] } }\nsteps: {}\n";
    let compiled = support::compiled(vec![support::shipped("case.yaml", flow), variables]);
    assert_eq!(compiled.diagnostics, []);
    let plan = compiled.plans.values().next().unwrap();
    assert_eq!(plan.trigger.sources[0].with, json!({ "events": ["created", "updated"] }));
}

#[test]
fn no_expression_takes_forever() {
    let begun = Instant::now();
    for source in [
        "'x' * 1000000000 ~ trigger.text",
        "trigger.list * 1000000000",
        "range(100000000) | list ~ trigger.text",
        "range(100000) | map('string') | map('replace', '1', trigger.text | replace('G', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')) | map('replace', 'x', 'xxxxxxxxxxxxxxxxx') | list",
        "range(100000) | map('lookup', {}, range(100000)) | map('list') | map('length') | sum + trigger.five",
        "range(100000) | map('lookup', {}, range(100000)) | map('map', 'string') | list | length + trigger.five",
        "range(100000) | map('lookup', {}, range(100000)) | map('json') | join | length + trigger.five",
        "trigger.five ** 1000000000",
        "trigger.text | jsonpath('$')[0] * 10000",
    ] {
        let message = expression(source, &data()).expect_err(source);
        assert!(message.len() < 300, "{source}: {message}");
    }
    let long = (0..100).map(|number| format!("trigger.five{number}")).collect::<Vec<_>>().join(" ~ ");
    assert_eq!(expression(&long, &data()), Ok(json!("")), "a hundred mentions are fine");
    let deep = format!("{}trigger.five{}", "[".repeat(100), "]".repeat(100));
    assert!(expression(&deep, &data()).unwrap_err().contains("lie in one another"));
    assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
}

#[test]
fn mentions_beyond_the_alphabet_are_told_apart() {
    let sources: Vec<String> = (0..90).map(|number| format!("trigger.n{number}")).collect();
    let numbers: Value =
        (0..90).map(|number| (format!("n{number}"), json!(number))).collect::<serde_json::Map<_, _>>().into();
    let source = format!("[{}]", sources.join(", "));
    assert_eq!(expression(&source, &numbers), Ok((0..90).collect::<Vec<_>>().into()));
    let short = (0..300).map(|_| "run").collect::<Vec<_>>().join(", ");
    assert_eq!(
        expression(&format!("[{short}] | length"), &numbers),
        Ok(json!(300)),
        "also where the names are longer than what they stand for"
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Eighths: every reader of JSON reads them alike.
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        "[a-cä🦀 \\n]{0,6}".prop_map(Value::from),
        Just(json!("2026-11-02")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_comes_out_as_it_went_in(given in any_json()) {
        let data = json!({ "x": given });
        prop_assert_eq!(expression("trigger.x", &data), Ok(given.clone()));
        prop_assert_eq!(expression("[trigger.x] | first", &data), Ok(given.clone()));
        prop_assert_eq!(expression("trigger.x | json | parse_json", &data), Ok(given));
    }

    #[test]
    fn any_chain_of_filters_ends(given in any_json(), other in any_json(), chain in prop::collection::vec((prop::sample::select(filter_names()), 0..4usize), 1..4)) {
        let arguments = ["", "(trigger.y)", "(trigger.y, 2)", "('a')"];
        let chain: String = chain.into_iter().map(|(name, at)| format!(" | {name}{}", arguments[at])).collect();
        let _ = expression(&format!("trigger.x{chain} ~ 'x'"), &json!({ "x": given, "y": other }));
    }
}

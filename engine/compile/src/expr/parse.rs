//! Reading one expression: what it mentions, and the rest for the engine.

use std::ops::Range;

use minijinja::machinery::ast::{CallArg, Expr};
use minijinja::machinery::{Span as EngineSpan, parse_expr};

use super::depth::depth;
use super::path::Segment;
use super::{environment, write};

/// Bytes one expression may have. A table of all countries takes some 4,000.
const LENGTH: usize = 10_000;
/// How many operations may lie in one another.
const DEPTH: usize = 200;
/// How many of them may wait for a part behind them, which the parser reads with one call inside another.
const NESTED: usize = 50;

/// Something an expression mentions: `steps.referral.details['notes']`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mention {
    /// The first name: `steps`.
    pub root: String,
    /// What follows, as far as it is constant.
    pub segments: Vec<(Segment, Range<usize>)>,
    /// Where it stands in the expression.
    pub range: Range<usize>,
}

/// An expression, read.
#[derive(Debug)]
pub struct Parsed {
    /// What it mentions, in order.
    pub mentions: Vec<Mention>,
    /// The expression as the engine takes it, with a short name for each mention, `_0` for the first.
    pub rewritten: String,
    /// Whether it is one mention and nothing else.
    pub is_mention: bool,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpressionError {
    /// A stable code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where, in the expression.
    pub range: Range<usize>,
    /// What to do about it.
    pub help: Option<String>,
}

/// The short name of mention number `number`. No name of the language begins so.
pub(crate) fn placeholder(number: usize) -> String {
    format!("_{number}")
}

/// Reads `source`.
///
/// # Errors
/// Everything that is wrong with it: syntax, or filters, tests and functions that do not exist.
pub fn parse(source: &str) -> Result<Parsed, Vec<ExpressionError>> {
    if source.len() > LENGTH {
        return Err(vec![too_large(0..source.len(), format!("this expression has more than {LENGTH} bytes"))]);
    }
    if depth(source) > NESTED {
        return Err(vec![too_deep(source, NESTED)]);
    }
    let tree = parse_expr(source).map_err(|error| {
        let range = error.range().unwrap_or(0..source.len());
        let range = range.start.min(source.len())..range.end.min(source.len());
        let message = format!("this expression cannot be read: {}", error.detail().unwrap_or("syntax error"));
        let help = other_languages(&source[..range.start], &source[range.start..]);
        vec![ExpressionError { code: "expression-syntax", message, range, help }]
    })?;
    let mut reader = Reader { source, mentions: Vec::new(), errors: Vec::new(), depth: 0 };
    reader.walk(&tree);
    if !reader.errors.is_empty() {
        return Err(reader.errors);
    }
    let is_mention = reader.mention(&tree).is_some();
    reader.mentions.sort_by_key(|mention| mention.range.start);
    let rewritten = write::write(&tree, &|expr| {
        let start = reader.mention(expr)?.range.start;
        reader.mentions.binary_search_by_key(&start, |mention| mention.range.start).ok().map(placeholder)
    });
    Ok(Parsed { mentions: reader.mentions, rewritten, is_mention })
}

/// How what other languages write is written here.
fn other_languages(before: &str, rest: &str) -> Option<String> {
    let signs = [("&&", "and"), ("||", "or"), ("!", "not"), ("=", "=="), ("?", "a if condition else b"), ("|>", "|")];
    let near = |sign: &str| {
        rest.starts_with(sign) || before.ends_with(&sign[..1]) && rest.starts_with(&sign[1..]) && sign.len() > 1
    };
    let (sign, ours) = signs.into_iter().find(|(sign, _)| near(sign))?;
    Some(format!("`{sign}` is written `{ours}` here"))
}

fn too_large(range: Range<usize>, message: String) -> ExpressionError {
    let help = Some("split it: a `let` step can hold a part".to_owned());
    ExpressionError { code: "expression-too-large", message, range, help }
}

fn too_deep(source: &str, most: usize) -> ExpressionError {
    too_large(0..source.len(), format!("more than {most} operations lie in one another in this expression"))
}

struct Reader<'s> {
    source: &'s str,
    mentions: Vec<Mention>,
    errors: Vec<ExpressionError>,
    depth: usize,
}

fn range(span: EngineSpan) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

impl Reader<'_> {
    fn walk(&mut self, expr: &Expr<'_>) {
        if self.depth == DEPTH {
            // Whatever holds this is too deep as well; it is said once.
            if self.errors.iter().all(|error| error.code != "expression-too-large") {
                self.errors.push(too_deep(self.source, DEPTH));
            }
            return;
        }
        self.depth += 1;
        match self.mention(expr) {
            Some(mention) => self.mentions.push(mention),
            None => self.parts(expr),
        }
        self.depth -= 1;
    }

    fn parts(&mut self, expr: &Expr<'_>) {
        match expr {
            Expr::Var(_) => {}
            Expr::Const(constant) => {
                let number = f64::try_from(constant.value.clone());
                if number.is_ok_and(f64::is_infinite) {
                    let message = "this expression cannot be read: the number is too large".to_owned();
                    let range = range(constant.span());
                    self.errors.push(ExpressionError { code: "expression-syntax", message, range, help: None });
                }
            }
            Expr::Slice(slice) => {
                self.walk(&slice.expr);
                for part in [&slice.start, &slice.stop, &slice.step].into_iter().flatten() {
                    self.walk(part);
                }
            }
            Expr::UnaryOp(op) => self.walk(&op.expr),
            Expr::BinOp(op) => {
                self.walk(&op.left);
                self.walk(&op.right);
            }
            Expr::Compare(compare) => {
                self.walk(&compare.expr);
                compare.ops.iter().for_each(|op| self.walk(&op.expr));
            }
            Expr::IfExpr(choice) => {
                self.walk(&choice.test_expr);
                self.walk(&choice.true_expr);
                if let Some(otherwise) = &choice.false_expr {
                    self.walk(otherwise);
                }
            }
            Expr::Filter(filter) => {
                self.known("filter", filter.name, environment::has_filter, environment::filter_names, filter.span());
                if let Some(inner) = &filter.expr {
                    self.walk(inner);
                }
                self.arguments(&filter.args);
                self.jsonpath_argument(filter.name, &filter.args);
                self.named_argument(filter.name, &filter.args);
            }
            Expr::Test(test) => {
                self.known("test", test.name, environment::has_test, environment::test_names, test.span());
                self.walk(&test.expr);
                self.arguments(&test.args);
            }
            Expr::GetAttr(attr) => self.walk(&attr.expr),
            Expr::GetItem(item) => {
                self.walk(&item.expr);
                self.walk(&item.subscript_expr);
            }
            Expr::Call(call) => {
                match &call.expr {
                    Expr::Var(var) => {
                        self.known(
                            "function",
                            var.id,
                            environment::has_function,
                            environment::function_names,
                            var.span(),
                        );
                    }
                    Expr::GetAttr(attr) => self.no_method(attr.name, range(attr.span()).end),
                    other => {
                        let message = "only functions can be called".to_owned();
                        let help = Some("to change a value, put a filter behind it: `value | upper`".to_owned());
                        self.errors.push(ExpressionError {
                            code: "unknown-function",
                            message,
                            range: range(other.span()),
                            help,
                        });
                    }
                }
                self.arguments(&call.args);
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.walk(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.walk(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|part| self.walk(part)),
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(expr) | CallArg::Kwarg(_, expr) | CallArg::PosSplat(expr) | CallArg::KwargSplat(expr) => {
                    self.walk(expr);
                }
            }
        }
    }

    /// A JSONPath written out is checked now, not when it runs.
    fn jsonpath_argument(&mut self, filter: &str, arguments: &[CallArg<'_>]) {
        if !filter.starts_with("jsonpath") {
            return;
        }
        if let Some(CallArg::Pos(argument @ Expr::Const(constant))) = arguments.first() {
            let error = match constant.value.as_str() {
                Some(path) => super::jsonpath::check(path).err(),
                None => Some("a JSONPath is text that begins with `$`".to_owned()),
            };
            if let Some(message) = error {
                self.errors.push(ExpressionError {
                    code: "jsonpath-syntax",
                    message: format!("this is not a JSONPath: {message}"),
                    range: range(argument.span()),
                    help: Some("RFC 9535, for example `$.solutions[?@.type == 'Name'].id`".to_owned()),
                });
            }
        }
    }

    /// The name of a filter or test that another filter takes, where it is written out.
    fn named_argument(&mut self, filter: &str, arguments: &[CallArg<'_>]) {
        let at = match filter {
            "map" | "select" | "reject" => 0,
            "selectattr" | "rejectattr" => 1,
            _ => return,
        };
        let Some(CallArg::Pos(Expr::Const(constant))) = arguments.get(at) else { return };
        let Some(name) = constant.value.as_str() else { return };
        if filter == "map" {
            self.known("filter", name, environment::has_filter, environment::filter_names, constant.span());
        } else {
            self.known("test", name, environment::has_test, environment::test_names, constant.span());
        }
    }

    fn no_method(&mut self, name: &str, end: usize) {
        let help = if environment::has_filter(name) {
            format!("`{name}` is a filter: write `… | {name}`")
        } else {
            "values have no methods; put a filter behind them instead: `value | upper`".to_owned()
        };
        let message = format!("there is no method `{name}`");
        let range = end.saturating_sub(name.len())..end;
        self.errors.push(ExpressionError { code: "unknown-function", message, range, help: Some(help) });
    }

    fn known(
        &mut self,
        kind: &str,
        name: &str,
        exists: fn(&str) -> bool,
        names: fn() -> Vec<&'static str>,
        span: EngineSpan,
    ) {
        if exists(name) {
            return;
        }
        let whole = range(span);
        let start = self.source[whole.clone()].find(name).map_or(whole.start, |at| whole.start + at);
        let code = match kind {
            "filter" => "unknown-filter",
            "test" => "unknown-test",
            _ => "unknown-function",
        };
        self.errors.push(ExpressionError {
            code,
            message: format!("there is no {kind} `{name}`"),
            range: start..start + name.len(),
            help: crate::suggest::did_you_mean(name, names()),
        });
    }

    /// `expr` as a mention, where it is a name followed by constant names and numbers only.
    fn mention(&self, expr: &Expr<'_>) -> Option<Mention> {
        // From the outside in, without recursion: a path may be long.
        let mut segments = Vec::new();
        let mut at = expr;
        loop {
            match at {
                Expr::Var(var) if !environment::is_constant(var.id) => {
                    segments.reverse();
                    // Only the end of an outer part is sure: it may begin with a parenthesis.
                    let (start, end) = (range(var.span()).start, range(expr.span()).end);
                    return Some(Mention { root: var.id.to_owned(), segments, range: start..end });
                }
                Expr::GetAttr(attr) => {
                    let end = range(attr.span()).end;
                    segments.push((Segment::Key(attr.name.into()), end.saturating_sub(attr.name.len())..end));
                    at = &attr.expr;
                }
                Expr::GetItem(item) => {
                    let Expr::Const(constant) = &item.subscript_expr else { return None };
                    let segment = match constant.value.as_str() {
                        Some(key) => Segment::Key(key.into()),
                        None if constant.value.is_integer() => Segment::Index(constant.value.as_usize()?),
                        None => return None,
                    };
                    segments.push((segment, range(constant.span())));
                    at = &item.expr;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mentioned(source: &str) -> Vec<String> {
        parse(source).unwrap().mentions.into_iter().map(|m| source[m.range].to_owned()).collect()
    }

    #[test]
    fn everything_mentioned_is_found_with_its_place() {
        assert_eq!(mentioned("steps.a.b"), ["steps.a.b"]);
        assert_eq!(mentioned("steps['a'].b[0] == vars.x"), ["steps['a'].b[0]", "vars.x"]);
        assert_eq!(mentioned("(steps.a).b + 1"), ["steps.a).b"]);
        assert_eq!(mentioned("(steps.a or steps.b).id"), ["steps.a", "steps.b"]);
        assert_eq!(mentioned("steps.list[vars.n].x"), ["steps.list", "vars.n"]);
        assert_eq!(mentioned("steps.list[-1].x"), ["steps.list"]);
        assert_eq!(
            mentioned("[item.x, index] if not run.id else {'a': trigger.y}"),
            ["item.x", "index", "run.id", "trigger.y"]
        );
        assert_eq!(mentioned("item.a is none and null == none"), ["item.a"]);
        assert_eq!(mentioned("steps . a\n . b | upper"), ["steps . a\n . b"]);
        assert_eq!(mentioned("'ä' ~ nope ~ 'ö' ~ x"), ["nope", "x"]);
    }

    #[test]
    fn every_member_knows_its_place() {
        let source = "steps['a b'] . c[12]";
        let parsed = parse(source).unwrap();
        let shown: Vec<&str> = parsed.mentions[0].segments.iter().map(|(_, range)| &source[range.clone()]).collect();
        assert_eq!(shown, ["'a b'", "c", "12"]);
    }

    #[test]
    fn mentions_get_short_names_in_their_order() {
        let parsed = parse("steps.a.b ~ item.name | upper if vars.x else none").unwrap();
        assert_eq!(parsed.rewritten, "_0|_concat(_1|upper()) if _2 else null");
        assert!(!parsed.is_mention);
        assert!(parse("steps.a.b").unwrap().is_mention);
        assert!(parse("((steps.a).b)").unwrap().is_mention, "parentheses alone change nothing");
    }

    #[test]
    fn what_does_not_exist_is_an_error_with_a_suggestion() {
        let error = &parse("steps.a | uper").unwrap_err()[0];
        assert_eq!((error.code, error.range.clone()), ("unknown-filter", 10..14));
        assert_eq!(error.help.as_deref(), Some("did you mean `upper`?"));
        for (source, code, place) in [
            ("steps.a is emty", "unknown-test", "emty"),
            ("nope(1)", "unknown-function", "nope"),
            ("steps.a.items() | length", "unknown-function", "items("),
            ("(1 + 2)(3)", "unknown-function", ""),
            ("steps.a +", "expression-syntax", ""),
            ("1e999", "expression-syntax", "1e999"),
            ("item.x | jsonpath('$.a[')", "jsonpath-syntax", "'$.a['"),
            ("item.x | jsonpath(5)", "jsonpath-syntax", "5"),
            ("item.x | map('uper')", "unknown-filter", "uper"),
            ("item.x | select('emty')", "unknown-test", "emty"),
            ("item.x | rejectattr('a', 'emty')", "unknown-test", "emty"),
        ] {
            let errors = parse(source).unwrap_err();
            assert_eq!((errors.len(), errors[0].code), (1, code), "{source}");
            assert!(
                source[errors[0].range.clone()].starts_with(place.trim_end_matches('(')),
                "{source}: {:?}",
                errors[0].range
            );
        }
        assert_eq!(parse("item.x | uper ~ item.y | lowr").unwrap_err().len(), 2, "all at once");
        let method = &parse("steps.a.items()").unwrap_err()[0];
        assert_eq!(method.help.as_deref(), Some("`items` is a filter: write `… | items`"));
    }

    #[test]
    fn an_expression_has_a_limit_in_length_and_in_depth() {
        let code =
            |source: &str| parse(source).map_err(|errors| errors.iter().map(|e| e.code).collect::<Vec<_>>()).err();
        assert_eq!(code(&vec!["item.a"; 100].join(" + ")), None);
        assert_eq!(code(&vec!["1"; 1000].join("+")), Some(vec!["expression-too-large"]));
        assert_eq!(code(&vec!["1"; 10_000].join("+")), Some(vec!["expression-too-large"]));
        assert_eq!(code(&format!("item{}", ".a".repeat(4000))), None, "a long path is one mention");
        for (piece, value) in
            [("(", "1"), ("not ", "1"), ("-", "1"), ("not-(", "1"), ("1|default(", "1"), ("1 if 1 else ", "1")]
        {
            let deep = format!("{}{value}", piece.repeat(9_000 / piece.len()));
            assert_eq!(code(&deep), Some(vec!["expression-too-large"]), "{piece}");
        }
        assert_eq!(code(&format!("{}1", "not -".repeat(25))), None);
    }
}

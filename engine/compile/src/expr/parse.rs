//! Reading one expression: what it mentions, and the rest for the engine.

use std::ops::Range;

use minijinja::machinery::ast::{CallArg, Expr};
use minijinja::machinery::{Span as EngineSpan, parse_expr};

use super::environment;
use super::path::Segment;

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
    /// The expression with each mention replaced by a short name of the same width, so that places stay right.
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

/// The short name of mention number `number`.
pub(crate) fn placeholder(number: usize) -> String {
    format!("_{}", char::from_u32('a' as u32 + number as u32 % 26).unwrap_or('a'))
        + &if number < 26 { String::new() } else { (number / 26).to_string() }
}

/// Reads `source`.
///
/// # Errors
/// Everything that is wrong with it: syntax, or filters, tests and functions that do not exist.
pub fn parse(source: &str) -> Result<Parsed, Vec<ExpressionError>> {
    let tree = parse_expr(source).map_err(|error| {
        let range = error.range().unwrap_or(0..source.len());
        let range = range.start.min(source.len())..range.end.min(source.len());
        let message = format!("this expression cannot be read: {}", error.detail().unwrap_or("syntax error"));
        vec![ExpressionError { code: "expression-syntax", message, range, help: None }]
    })?;
    let mut reader = Reader { source, mentions: Vec::new(), errors: Vec::new() };
    reader.walk(&tree);
    if !reader.errors.is_empty() {
        return Err(reader.errors);
    }
    reader.mentions.sort_by_key(|mention| mention.range.start);
    let is_mention = matches!(reader.mentions.as_slice(), [only] if only.range == (0..source.len()));
    let mut rewritten = source.to_owned();
    for (number, mention) in reader.mentions.iter().enumerate() {
        let width = mention.range.len();
        let name = placeholder(number);
        // Every root name is at least three letters long, so a short name fits for some thousand mentions.
        rewritten.replace_range(mention.range.clone(), &format!("{name:<width$}"));
    }
    Ok(Parsed { mentions: reader.mentions, rewritten, is_mention })
}

struct Reader<'s> {
    source: &'s str,
    mentions: Vec<Mention>,
    errors: Vec<ExpressionError>,
}

fn range(span: EngineSpan) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

impl Reader<'_> {
    fn walk(&mut self, expr: &Expr<'_>) {
        if let Some(mention) = self.mention(expr) {
            self.mentions.push(mention);
            return;
        }
        match expr {
            Expr::Var(_) | Expr::Const(_) => {}
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
                        self.known("function", var.id, environment::has_function, environment::function_names, var.span());
                    }
                    Expr::GetAttr(attr) => self.walk(&attr.expr),
                    other => self.walk(other),
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
        match expr {
            Expr::Var(var) if !environment::is_constant(var.id) => {
                Some(Mention { root: var.id.to_owned(), segments: Vec::new(), range: range(var.span()) })
            }
            Expr::GetAttr(attr) => {
                let end = range(attr.span()).end;
                self.longer(self.mention(&attr.expr)?, Segment::Key(attr.name.into()), end)
            }
            Expr::GetItem(item) => {
                let Expr::Const(constant) = &item.subscript_expr else { return None };
                let segment = match constant.value.as_str() {
                    Some(key) => Segment::Key(key.into()),
                    None => Segment::Index(usize::try_from(constant.value.clone()).ok()?),
                };
                self.longer(self.mention(&item.expr)?, segment, range(item.span()).end)
            }
            _ => None,
        }
    }

    /// `mention` with one more segment, unless a parenthesis stands between: then the places would not hold.
    fn longer(&self, mut mention: Mention, segment: Segment, end: usize) -> Option<Mention> {
        let between = self.source.get(mention.range.end..end)?;
        let parenthesis = match &segment {
            Segment::Key(key) => between.replace(&**key, "").contains([')', '(']),
            Segment::Index(_) => between.contains([')', '(']),
        };
        if parenthesis {
            return None;
        }
        mention.segments.push((segment, mention.range.end..end));
        mention.range.end = end;
        Some(mention)
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
        assert_eq!(mentioned("(steps.a).b + 1"), ["steps.a"]);
        assert_eq!(mentioned("(steps.a or steps.b).id"), ["steps.a", "steps.b"]);
        assert_eq!(mentioned("steps.list[vars.n].x"), ["steps.list", "vars.n"]);
        assert_eq!(mentioned("steps.a.items() | length"), ["steps.a"]);
        assert_eq!(mentioned("[item.x, index] if not run.id else {'a': trigger.y}"), ["item.x", "index", "run.id", "trigger.y"]);
        assert_eq!(mentioned("item.a is none and null == none"), ["item.a"]);
        assert_eq!(mentioned("steps . a\n . b | upper"), ["steps . a\n . b"]);
        assert_eq!(mentioned("nope"), ["nope"]);
    }

    #[test]
    fn places_survive_the_rewriting() {
        let source = "steps.a.b ~ item.name | upper";
        let parsed = parse(source).unwrap();
        assert_eq!(parsed.rewritten, "_a        ~ _b        | upper");
        assert!(!parsed.is_mention);
        assert!(parse("steps.a.b").unwrap().is_mention);
    }

    #[test]
    fn what_does_not_exist_is_an_error_with_a_suggestion() {
        let error = &parse("steps.a | uper").unwrap_err()[0];
        assert_eq!((error.code, error.range.clone()), ("unknown-filter", 10..14));
        assert_eq!(error.help.as_deref(), Some("did you mean `upper`?"));
        assert_eq!(parse("steps.a is emty").unwrap_err()[0].code, "unknown-test");
        assert_eq!(parse("nope(1)").unwrap_err()[0].code, "unknown-function");
        assert_eq!(parse("steps.a +").unwrap_err()[0].code, "expression-syntax");
        assert_eq!(parse("item.x | jsonpath('$.a[')").unwrap_err()[0].code, "jsonpath-syntax");
        assert_eq!(parse("item.x | uper ~ item.y | lowr").unwrap_err().len(), 2, "all at once");
    }

    #[test]
    fn placeholders_fit_the_shortest_mention() {
        assert!((0..26 * 10).all(|number| placeholder(number).len() <= 3));
    }
}

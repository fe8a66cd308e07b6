//! Writing an expression for the engine: what it mentions becomes short names, and the operators and constants that the
//! engine understands otherwise than this language become calls of ours.

use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};

use super::operators;

/// How tightly an operator binds, as the engine reads it.
const IF: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 7;
const POWER: u8 = 8;
const FILTER: u8 = 9;
const MEMBER: u8 = 10;

/// Writes `expr`; `name` gives the short name of what it mentions.
pub(crate) fn write(expr: &Expr<'_>, name: &dyn Fn(&Expr<'_>) -> Option<String>) -> String {
    let mut writer = Writer { name, out: String::new() };
    writer.expr(expr, IF);
    writer.out
}

struct Writer<'n> {
    name: &'n dyn Fn(&Expr<'_>) -> Option<String>,
    out: String,
}

fn binds(expr: &Expr<'_>) -> u8 {
    match expr {
        Expr::IfExpr(_) => IF,
        Expr::BinOp(op) => operator(&op.op).1,
        Expr::Compare(_) => COMPARE,
        Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Not) => NOT,
        Expr::UnaryOp(_) | Expr::Filter(_) | Expr::Test(_) => FILTER,
        _ => MEMBER,
    }
}

/// An operator's sign, and how tightly it binds. Those written as a call bind like a filter.
fn operator(kind: &BinOpKind) -> (&'static str, u8) {
    match kind {
        BinOpKind::ScOr => ("or", OR),
        BinOpKind::ScAnd => ("and", AND),
        BinOpKind::Eq => ("==", COMPARE),
        BinOpKind::Ne => ("!=", COMPARE),
        BinOpKind::Lt => ("<", COMPARE),
        BinOpKind::Lte => ("<=", COMPARE),
        BinOpKind::Gt => (">", COMPARE),
        BinOpKind::Gte => (">=", COMPARE),
        BinOpKind::In => ("in", COMPARE),
        BinOpKind::Add => ("+", SUM),
        BinOpKind::Sub => ("-", SUM),
        BinOpKind::Div => ("/", PRODUCT),
        BinOpKind::FloorDiv => ("//", PRODUCT),
        BinOpKind::Rem => ("%", PRODUCT),
        BinOpKind::Pow => ("**", POWER),
        BinOpKind::Concat => (operators::CONCAT, FILTER),
        BinOpKind::Mul => (operators::TIMES, FILTER),
    }
}

fn comparison(kind: &CompareOpKind) -> &'static str {
    match kind {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    }
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// `expr` where only what binds at least as tightly as `least` can stand without parentheses.
    fn expr(&mut self, expr: &Expr<'_>, least: u8) {
        if let Some(name) = (self.name)(expr) {
            return self.put(&name);
        }
        let open = binds(expr) < least;
        if open {
            self.put("(");
        }
        self.inner(expr);
        if open {
            self.put(")");
        }
    }

    fn inner(&mut self, expr: &Expr<'_>) {
        match expr {
            Expr::Var(var) => self.put(var.id),
            Expr::Const(constant) => self.constant(&constant.value),
            Expr::Slice(slice) => {
                self.expr(&slice.expr, MEMBER);
                self.put("[");
                for (at, part) in [&slice.start, &slice.stop, &slice.step].into_iter().enumerate() {
                    self.put(if at > 0 { ":" } else { "" });
                    if let Some(part) = part {
                        self.expr(part, IF);
                    }
                }
                self.put("]");
            }
            Expr::UnaryOp(op) => match op.op {
                UnaryOpKind::Not => {
                    self.put("not ");
                    self.expr(&op.expr, NOT);
                }
                UnaryOpKind::Neg => {
                    self.put("-");
                    self.expr(&op.expr, MEMBER);
                }
            },
            Expr::BinOp(op) => self.binary(&op.op, &op.left, &op.right),
            Expr::Compare(compare) => {
                self.expr(&compare.expr, SUM);
                for op in &compare.ops {
                    self.put(&format!(" {} ", comparison(&op.op)));
                    self.expr(&op.expr, SUM);
                }
            }
            Expr::IfExpr(choice) => {
                self.expr(&choice.true_expr, OR);
                self.put(" if ");
                self.expr(&choice.test_expr, OR);
                if let Some(otherwise) = &choice.false_expr {
                    self.put(" else ");
                    self.expr(otherwise, IF);
                }
            }
            Expr::Filter(filter) => {
                if let Some(inner) = &filter.expr {
                    self.expr(inner, FILTER);
                }
                self.put("|");
                self.put(filter.name);
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                self.expr(&test.expr, FILTER);
                self.put(" is ");
                self.put(test.name);
                self.arguments(&test.args);
            }
            Expr::GetAttr(attr) => {
                self.expr(&attr.expr, MEMBER);
                self.put(".");
                self.put(attr.name);
            }
            Expr::GetItem(item) => {
                self.expr(&item.expr, MEMBER);
                self.put("[");
                self.expr(&item.subscript_expr, IF);
                self.put("]");
            }
            Expr::Call(call) => {
                self.expr(&call.expr, MEMBER);
                self.arguments(&call.args);
            }
            Expr::List(list) => self.list("[", &list.items, "]"),
            Expr::Tuple(tuple) => self.list("[", &tuple.items, "]"),
            Expr::Map(map) => {
                self.put("{");
                for (key, value) in map.keys.iter().zip(&map.values) {
                    self.expr(key, IF);
                    self.put(": ");
                    self.expr(value, IF);
                    self.put(", ");
                }
                self.put("}");
            }
        }
    }

    fn binary(&mut self, kind: &BinOpKind, left: &Expr<'_>, right: &Expr<'_>) {
        let (sign, level) = operator(kind);
        if level == FILTER {
            self.expr(left, FILTER);
            self.put(&format!("|{sign}("));
            self.expr(right, IF);
            return self.put(")");
        }
        // Comparisons do not chain without meaning something else; everything else groups to the left.
        self.expr(left, if level == COMPARE { SUM } else { level });
        self.put(&format!(" {sign} "));
        self.expr(right, level + 1);
    }

    fn constant(&mut self, value: &minijinja::Value) {
        match value.as_str() {
            Some(text) => self.put(&serde_json::Value::from(text).to_string()),
            None if value.is_none() => self.put("null"),
            // A bare number would swallow the dot of a member behind it.
            None if value.is_number() => self.put(&format!("({value:?})")),
            None => self.put(if value.is_true() { "true" } else { "false" }),
        }
    }

    fn list(&mut self, open: &str, items: &[Expr<'_>], close: &str) {
        self.put(open);
        for item in items {
            self.expr(item, IF);
            self.put(", ");
        }
        self.put(close);
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        self.put("(");
        for argument in arguments {
            let (sign, expr) = match argument {
                CallArg::Pos(expr) => (String::new(), expr),
                CallArg::Kwarg(name, expr) => (format!("{name}="), expr),
                CallArg::PosSplat(expr) => ("*".to_owned(), expr),
                CallArg::KwargSplat(expr) => ("**".to_owned(), expr),
            };
            self.put(&sign);
            self.expr(expr, IF);
            self.put(", ");
        }
        self.put(")");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use minijinja::machinery::parse_expr;

    fn written(source: &str) -> String {
        write(&parse_expr(source).unwrap(), &|_| None)
    }

    #[test]
    fn what_is_written_means_the_same() {
        for (source, expected) in [
            ("a or b and not c == d", "a or b and not c == d"),
            ("(a or b) and c", "(a or b) and c"),
            ("a - (b - c) - d", "a - (b - c) - d"),
            ("(a == b) == c", "(a == b) == c"),
            ("a < b < c", "a < b < c"),
            ("a not in b", "not a in b"),
            ("-a.b | abs", "-a.b|abs()"),
            ("-(a | abs)", "-(a|abs())"),
            ("(a if b) if c else d", "(a if b) if c else d"),
            ("a if b else c if d else e", "a if b else c if d else e"),
            ("(a or b).c[d][1:2]", "(a or b).c[d][(1):(2):]"),
            ("a is not divisibleby 3", "not a is divisibleby((3), )"),
            ("f(a, *b, k=c, **d)", "f(a, *b, k=c, **d, )"),
            ("{'k': [1.0, none, true]}", "{\"k\": [(1.0), null, true, ], }"),
            ("(a, b)", "[a, b, ]"),
            ("'\\n\"\\u00e4' 'x'", "\"\\n\\\"äx\""),
            ("a / b // c % d ** e", "a / b // c % d ** e"),
        ] {
            assert_eq!(written(source), expected, "{source}");
            let again = written(expected);
            assert_eq!(again, expected, "written again, {source} stays as it is");
        }
    }

    #[test]
    fn our_operators_become_calls() {
        assert_eq!(written("a + 1 ~ b ~ (c or d)"), "a + (1)|_concat(b)|_concat(c or d)");
        assert_eq!(written("(a + 1) * -b"), "(a + (1))|_times(-b)");
        assert_eq!(written("-a * b / c"), "-a|_times(b) / c");
    }
}

//! How deeply the engine's parser would go for an expression: it limits brackets itself, but not signs before a value and
//! not `else`, and a stack that overflows ends the program.

use minijinja::machinery::{Token, tokenize};

/// How many brackets, signs before a value and `else`s lie in one another in `source`, as far as it can be read.
pub(super) fn depth(source: &str) -> usize {
    let mut open = Open::default();
    let mut levels: Vec<Open> = Vec::new();
    let (mut above, mut deepest) = (0, 0);
    let mut value_before = false;
    for (token, _) in tokenize(source, true, Default::default()).map_while(Result::ok) {
        let is_value = match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                above += open.depth() + 1;
                levels.push(std::mem::take(&mut open));
                false
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                open = levels.pop().unwrap_or_default();
                above = above.saturating_sub(open.depth() + 1);
                true
            }
            Token::Minus if value_before => false,
            Token::Ident("not") | Token::Minus => {
                open.signs += 1;
                false
            }
            Token::Ident("else") => {
                open.elses += 1;
                false
            }
            Token::Ident("and" | "or" | "if" | "in" | "is") => false,
            Token::Ident(_) | Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => {
                true
            }
            _ => false,
        };
        if is_value {
            open.signs = 0;
        }
        deepest = deepest.max(above + open.depth());
        value_before = is_value;
    }
    deepest
}

/// What waits for its value between one bracket and the next.
#[derive(Default)]
struct Open {
    signs: usize,
    elses: usize,
}

impl Open {
    fn depth(&self) -> usize {
        self.signs + self.elses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_its_value_lies_in_one_another() {
        for (source, expected) in [
            ("a.b | upper ~ 'x'", 0),
            ("not a and not b and -1 - 2 - c", 1),
            ("not not -a", 3),
            ("-(1 + [2, not (3)])", 5),
            ("- - (a) - (b)", 3),
            ("1 if a else 2 if b else not 3", 3),
            ("(1 if a else 2) ~ (1 if b else 2)", 2),
            (")))(((", 3),
            ("'not closed", 0),
        ] {
            assert_eq!(depth(source), expected, "{source}");
        }
    }
}

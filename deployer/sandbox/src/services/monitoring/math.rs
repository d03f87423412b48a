//! Metric math, as far as alarms on rates need it.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>

use std::collections::BTreeMap;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Name(String),
    Operation(&'static str, Box<Expression>, Box<Expression>),
    Minus(Box<Expression>),
    Function(&'static str, Vec<Expression>),
}

const FUNCTIONS: &[(&str, usize)] =
    &[("FILL", 2), ("IF", 3), ("ABS", 1), ("CEIL", 1), ("FLOOR", 1), ("MAX", 0), ("MIN", 0), ("SUM", 0), ("AVG", 0)];
/// By how tightly they bind, loosest first.
const OPERATORS: &[&[&str]] =
    &[&["||", "OR"], &["&&", "AND"], &["==", "!=", "<=", ">=", "<", ">"], &["+", "-"], &["*", "/"]];

/// Reads an expression, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0 };
    let parsed = parser.level(0)?;
    match parser.peek() {
        None => Ok(parsed),
        Some(left) => Err(format!("unexpected '{left}'")),
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(letter) = letters.get(at) {
        let run = |fits: fn(char) -> bool| letters[at..].iter().take_while(|letter| fits(**letter)).count();
        let length = match letter {
            ' ' | '\n' | '\t' => 0,
            '0'..='9' | '.' => run(|letter| letter.is_ascii_digit() || letter == '.'),
            letter if letter.is_ascii_alphabetic() => run(|letter| letter.is_ascii_alphanumeric() || letter == '_'),
            '<' | '>' | '=' | '!' if letters.get(at + 1) == Some(&'=') => 2,
            '&' | '|' if letters.get(at + 1) == Some(letter) => 2,
            '+' | '-' | '*' | '/' | '(' | ')' | ',' | '<' | '>' | '[' | ']' => 1,
            other => return Err(format!("'{other}' is not understood")),
        };
        if length > 0 {
            tokens.push(letters[at..at + length].iter().collect());
        }
        at += length.max(1);
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [String],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn takes(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn level(&mut self, level: usize) -> Result<Expression, String> {
        let Some(operators) = OPERATORS.get(level) else { return self.one() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = operators.iter().copied().find(|operator| self.peek() == Some(operator)) {
            self.at += 1;
            left = Expression::Operation(operator, Box::new(left), Box::new(self.level(level + 1)?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Expression, String> {
        let token = self.peek().ok_or("it ends too soon")?.to_owned();
        self.at += 1;
        if token == "-" {
            return Ok(Expression::Minus(Box::new(self.one()?)));
        }
        if token == "(" {
            let inner = self.level(0)?;
            return if self.takes(")") { Ok(inner) } else { Err("a bracket is not closed".to_owned()) };
        }
        if token.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
            return token.parse().map(Expression::Number).map_err(|_| format!("'{token}' is no number"));
        }
        if !token.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return Err(format!("unexpected '{token}'"));
        }
        if !self.takes("(") {
            return Ok(Expression::Name(token));
        }
        let known = FUNCTIONS.iter().find(|(name, _)| *name == token);
        let (name, count) = known.ok_or_else(|| format!("the function {token} is not simulated"))?;
        let arguments = self.arguments()?;
        match *count == 0 || arguments.len() == *count {
            true => Ok(Expression::Function(name, arguments)),
            false => Err(format!("{name} takes {count} arguments")),
        }
    }

    /// What stands between brackets; a list in square ones counts as its items.
    fn arguments(&mut self) -> Result<Vec<Expression>, String> {
        let list = self.takes("[");
        let mut all = vec![self.level(0)?];
        while self.takes(",") {
            all.push(self.level(0)?);
        }
        if list && !self.takes("]") || !self.takes(")") {
            return Err("a bracket is not closed".to_owned());
        }
        Ok(all)
    }
}

impl Expression {
    /// The names in it.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::Name(name) => vec![name.clone()],
            Self::Minus(inner) => inner.names(),
            Self::Operation(_, left, right) => [left.names(), right.names()].concat(),
            Self::Function(_, all) => all.iter().flat_map(Expression::names).collect(),
        }
    }

    /// Its value where the names have these: none where data is missing.
    pub(super) fn value(&self, of: &BTreeMap<String, Option<f64>>) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(name) => *of.get(name)?,
            Self::Minus(inner) => inner.value(of).map(|value| -value),
            Self::Operation(operator, left, right) => operate(operator, left.value(of)?, right.value(of)?),
            Self::Function("FILL", all) => all[0].value(of).or_else(|| all[1].value(of)),
            Self::Function("IF", all) => match all[0].value(of)? {
                0.0 => all[2].value(of),
                _ => all[1].value(of),
            },
            Self::Function(name, all) => {
                let values: Vec<f64> = all.iter().filter_map(|one| one.value(of)).collect();
                let first = *values.first()?;
                let sum: f64 = values.iter().sum();
                #[expect(clippy::cast_precision_loss, reason = "a handful of metrics")]
                let count = values.len() as f64;
                Some(match *name {
                    "ABS" => first.abs(),
                    "CEIL" => first.ceil(),
                    "FLOOR" => first.floor(),
                    "MAX" => values.iter().copied().fold(first, f64::max),
                    "MIN" => values.iter().copied().fold(first, f64::min),
                    "AVG" => sum / count,
                    _ => sum,
                })
            }
        }
    }
}

fn operate(operator: &str, left: f64, right: f64) -> Option<f64> {
    let truth = |holds: bool| Some(f64::from(u8::from(holds)));
    match operator {
        "+" => Some(left + right),
        "-" => Some(left - right),
        "*" => Some(left * right),
        // A division by zero has no datapoint.
        "/" => (right != 0.0).then(|| left / right),
        "<" => truth(left < right),
        ">" => truth(left > right),
        "<=" => truth(left <= right),
        ">=" => truth(left >= right),
        "==" => truth((left - right).abs() < f64::EPSILON),
        "!=" => truth((left - right).abs() >= f64::EPSILON),
        "&&" | "AND" => truth(left != 0.0 && right != 0.0),
        _ => truth(left != 0.0 || right != 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<f64> {
        let of = [("errors", Some(5.0)), ("requests", Some(50.0)), ("none", None), ("zero", Some(0.0))];
        parse(text).unwrap().value(&of.map(|(name, value)| (name.to_owned(), value)).into())
    }

    #[test]
    fn rates_and_conditions_are_calculated() {
        assert_eq!(value("100 * errors / requests"), Some(10.0));
        assert_eq!(value("IF(requests > 20, 100 * errors / requests, 0)"), Some(10.0));
        assert_eq!(value("IF(requests > 20 AND errors > 5, 1, 0)"), Some(0.0));
        assert_eq!(value("MAX([errors, requests]) - (2 + 3) * 2"), Some(40.0));
        assert_eq!(value("-errors + SUM(errors, none)"), Some(0.0));
    }

    #[test]
    fn what_is_missing_stays_missing_unless_it_is_filled() {
        assert_eq!(value("none + 1"), None);
        assert_eq!(value("FILL(none, 0) + 1"), Some(1.0));
        assert_eq!(value("errors / zero"), None);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in ["1 +", "FOO(1)", "a b", "(1", "IF(1)", "a # b", "ANOMALY_DETECTION_BAND(errors)"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

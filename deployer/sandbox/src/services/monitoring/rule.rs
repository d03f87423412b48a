//! The rules of composite alarms.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Always(bool),
    /// An alarm, by name or ARN, is in a state.
    Is(&'static str, String),
    Not(Box<Rule>),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
}

const STATES: &[&str] = &["ALARM", "OK", "INSUFFICIENT_DATA"];

/// Reads a rule, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Rule, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0 };
    let rule = parser.any()?;
    match parser.peek() {
        None => Ok(rule),
        Some(left) => Err(format!("unexpected '{left}'")),
    }
}

/// Words, brackets, and the names between brackets, which may be quoted.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let in_state =
            tokens.len() >= 2 && tokens[tokens.len() - 1] == "(" && STATES.contains(&tokens[tokens.len() - 2].as_str());
        let (token, left) = if in_state && first == '"' {
            let (name, left) = rest[1..].split_once('"').ok_or("a quotation mark is not closed")?;
            (name.to_owned(), left)
        } else if in_state {
            let end = rest.find(')').ok_or("a bracket is not closed")?;
            (rest[..end].trim().to_owned(), &rest[end..])
        } else if "()".contains(first) {
            (first.to_string(), &rest[1..])
        } else {
            let end = rest.find(|letter: char| letter.is_whitespace() || "()".contains(letter)).unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        tokens.push(token);
        rest = left.trim_start();
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

    fn any(&mut self) -> Result<Rule, String> {
        let mut left = self.all()?;
        while self.takes("OR") {
            left = Rule::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Rule, String> {
        let mut left = self.one()?;
        while self.takes("AND") {
            left = Rule::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Rule, String> {
        if self.takes("NOT") {
            return Ok(Rule::Not(Box::new(self.one()?)));
        }
        let token = self.peek().ok_or("it ends too soon")?.to_owned();
        self.at += 1;
        let closed = |parser: &mut Self, rule| match parser.takes(")") {
            true => Ok(rule),
            false => Err("a bracket is not closed".to_owned()),
        };
        match token.as_str() {
            "TRUE" => Ok(Rule::Always(true)),
            "FALSE" => Ok(Rule::Always(false)),
            "(" => {
                let inner = self.any()?;
                closed(self, inner)
            }
            word => {
                let state = STATES.iter().copied().find(|state| *state == word);
                let state = state.filter(|_| self.takes("(")).ok_or_else(|| format!("unexpected '{word}'"))?;
                let name = self.peek().ok_or("it ends too soon")?.to_owned();
                self.at += 1;
                closed(self, Rule::Is(state, name))
            }
        }
    }
}

impl Rule {
    /// The names of the alarms in it.
    pub(super) fn alarms(&self) -> Vec<String> {
        match self {
            Self::Always(_) => Vec::new(),
            Self::Is(_, name) => vec![bare(name).to_owned()],
            Self::Not(inner) => inner.alarms(),
            Self::And(left, right) | Self::Or(left, right) => [left.alarms(), right.alarms()].concat(),
        }
    }

    /// Whether it holds where alarms are in these states.
    pub(super) fn holds(&self, state: &dyn Fn(&str) -> String) -> bool {
        match self {
            Self::Always(holds) => *holds,
            Self::Is(wanted, name) => state(bare(name)) == *wanted,
            Self::Not(inner) => !inner.holds(state),
            Self::And(left, right) => left.holds(state) && right.holds(state),
            Self::Or(left, right) => left.holds(state) || right.holds(state),
        }
    }
}

fn bare(name: &str) -> &str {
    match name.strip_prefix("arn:") {
        Some(_) => name.split_once(":alarm:").map_or(name, |(_, name)| name),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_and_judged() {
        let rule = parse("(ALARM(\"a b\") OR OK(c)) AND NOT ALARM(arn:aws:cloudwatch:us-east-1:1:alarm:d)").unwrap();
        assert_eq!(rule.alarms(), ["a b", "c", "d"]);
        let in_alarm = |names: &'static [&str]| {
            move |name: &str| if names.contains(&name) { "ALARM".to_owned() } else { "INSUFFICIENT_DATA".to_owned() }
        };
        assert!(rule.holds(&in_alarm(&["a b"])));
        assert!(!rule.holds(&in_alarm(&["a b", "d"])));
        assert!(!rule.holds(&in_alarm(&[])));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["", "ALARM", "ALARM(a", "ALARM(a) ALARM(b)", "WARNING(a)", "(ALARM(a)"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

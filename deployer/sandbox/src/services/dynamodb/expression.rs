//! Paths and operands of expressions: the parser that all kinds of expression share.

use serde_json::{Value, json};

use super::lexer::{Scope, Token, syntax, tokens};
use super::{Item, invalid, value};
use crate::error::ApiError;

/// A step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A place in an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(pub(crate) Vec<Step>);

impl Path {
    /// The attribute that the path begins with.
    pub(crate) fn root(&self) -> &str {
        match self.0.first() {
            Some(Step::Key(name)) => name,
            _ => "",
        }
    }

    /// What stands at the path in an item.
    pub(crate) fn find<'a>(&self, item: &'a Item) -> Option<&'a Value> {
        let mut value = item.get(self.root())?;
        for step in self.0.iter().skip(1) {
            value = match step {
                Step::Key(name) => value.get("M")?.get(name)?,
                Step::Index(index) => value.get("L")?.get(index)?,
            };
        }
        Some(value)
    }

    /// Whether one of two paths lies at or under the other.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a == b)
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: Vec<String> = self
            .0
            .iter()
            .map(|step| match step {
                Step::Key(name) => name.clone(),
                Step::Index(index) => format!("[{index}]"),
            })
            .collect();
        write!(f, "[{}]", shown.join(", "))
    }
}

/// Something with a value.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Path(Path),
    Value(Value),
    Size(Path),
}

impl Operand {
    pub(crate) fn value(&self, item: &Item) -> Option<Value> {
        match self {
            Self::Path(path) => path.find(item).cloned(),
            Self::Value(value) => Some(value.clone()),
            Self::Size(path) => path.find(item).and_then(value::size).map(|size| json!({"N": size.to_string()})),
        }
    }
}

/// Reads an expression word by word.
pub(crate) struct Parser<'a> {
    kind: &'static str,
    tokens: Vec<Token>,
    at: usize,
    scope: &'a Scope,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(kind: &'static str, text: &str, scope: &'a Scope) -> Result<Self, ApiError> {
        Ok(Self { kind, tokens: tokens(kind, text)?, at: 0, scope })
    }

    pub(crate) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub(crate) fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    /// Takes a sign if it comes next.
    pub(crate) fn sign(&mut self, sign: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(here);
        here
    }

    /// Takes a keyword if it comes next, whatever its case.
    pub(crate) fn keyword(&mut self, word: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(here);
        here
    }

    /// The name of a function, when a word and a bracket come next.
    pub(crate) fn function(&mut self) -> Option<String> {
        match (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
            (Some(Token::Word(name)), Some(Token::Sign("("))) => {
                self.at += 2;
                Some(name.clone())
            }
            _ => None,
        }
    }

    pub(crate) fn expect(&mut self, sign: &'static str) -> Result<(), ApiError> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn end(&self) -> Result<(), ApiError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn unexpected(&self) -> ApiError {
        let show = |token: Option<&Token>| match token {
            Some(Token::Word(text) | Token::Name(text) | Token::Value(text)) => text.clone(),
            Some(Token::Index(index)) => index.to_string(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
            None => "<EOF>".to_owned(),
        };
        let near: Vec<String> = (self.at.saturating_sub(1)..=self.at + 1)
            .filter_map(|i| self.tokens.get(i))
            .map(|t| show(Some(t)))
            .collect();
        syntax(self.kind, &show(self.peek()), &near.join(" "))
    }

    pub(crate) fn invalid(&self, message: impl AsRef<str>) -> ApiError {
        invalid(format!("Invalid {}: {}", self.kind, message.as_ref()))
    }

    pub(crate) fn path(&mut self) -> Result<Path, ApiError> {
        let mut steps = vec![Step::Key(self.name()?)];
        loop {
            if self.sign(".") {
                steps.push(Step::Key(self.name()?));
            } else if self.sign("[") {
                match self.next() {
                    Some(Token::Index(index)) => steps.push(Step::Index(index)),
                    _ => {
                        self.at -= 1;
                        return Err(self.unexpected());
                    }
                }
                self.expect("]")?;
            } else {
                return Ok(Path(steps));
            }
        }
    }

    fn name(&mut self) -> Result<String, ApiError> {
        match self.peek().cloned() {
            Some(Token::Word(word)) => {
                if super::reserved::is_reserved(&word) {
                    return Err(self.invalid(format!("Attribute name is a reserved keyword; reserved keyword: {word}")));
                }
                self.at += 1;
                Ok(word)
            }
            Some(Token::Name(alias)) => {
                self.at += 1;
                self.scope.name(self.kind, &alias)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A `:value`.
    pub(crate) fn value(&mut self) -> Result<Value, ApiError> {
        match self.peek().cloned() {
            Some(Token::Value(alias)) => {
                self.at += 1;
                self.scope.value(self.kind, &alias)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A value, or a path.
    pub(crate) fn operand(&mut self) -> Result<Operand, ApiError> {
        if matches!(self.peek(), Some(Token::Value(_))) {
            return Ok(Operand::Value(self.value()?));
        }
        Ok(Operand::Path(self.path()?))
    }
}

/// The attributes that a `ProjectionExpression` keeps. Only whole attributes are simulated.
pub(crate) fn projection(text: Option<&str>, scope: &Scope) -> Result<Option<Vec<String>>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let mut parser = Parser::new("ProjectionExpression", text, scope)?;
    let mut kept = Vec::new();
    loop {
        let path = parser.path()?;
        if path.0.len() > 1 {
            return Err(ApiError::not_simulated("ProjectionExpression with nested paths"));
        }
        kept.push(path.root().to_owned());
        if !parser.sign(",") {
            parser.end()?;
            return Ok(Some(kept));
        }
    }
}

/// An item with only the attributes asked for.
pub(crate) fn project(item: &Item, kept: Option<&Vec<String>>) -> Item {
    item.iter()
        .filter(|(name, _)| kept.is_none_or(|kept| kept.contains(name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

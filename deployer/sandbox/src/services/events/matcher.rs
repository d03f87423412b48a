//! What a pattern can ask of one value.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::pattern::wrong;
use crate::error::ApiError;

/// One thing that a value can be, or must not be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Text(String),
    Number(f64),
    Flag(bool),
    Null,
    Exists(bool),
    Prefix(String),
    Suffix(String),
    /// The same three without regard to case; their texts are in lower case.
    SameIgnoringCase(String),
    PrefixIgnoringCase(String),
    SuffixIgnoringCase(String),
    /// Letters, with none for any number of them.
    Wildcard(Vec<Option<char>>),
    Numeric(Vec<(Comparison, f64)>),
    Cidr(IpNet),
    None(Vec<Rule>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// So many `*` at most. AWS counts the states of its machine, of which they are the cause.
const MOST_WILDCARDS: usize = 5;

impl Rule {
    pub(super) fn fits(&self, value: &Value) -> bool {
        let text = value.as_str();
        let lower = || text.map(str::to_lowercase);
        match self {
            Self::Text(wanted) => text == Some(wanted),
            Self::Number(wanted) => value.as_f64() == Some(*wanted),
            Self::Flag(wanted) => value.as_bool() == Some(*wanted),
            Self::Null => value.is_null(),
            Self::Exists(wanted) => *wanted,
            Self::Prefix(start) => text.is_some_and(|text| text.starts_with(start)),
            Self::Suffix(end) => text.is_some_and(|text| text.ends_with(end)),
            Self::SameIgnoringCase(wanted) => lower().as_ref() == Some(wanted),
            Self::PrefixIgnoringCase(start) => lower().is_some_and(|text| text.starts_with(start)),
            Self::SuffixIgnoringCase(end) => lower().is_some_and(|text| text.ends_with(end)),
            Self::Wildcard(pattern) => text.is_some_and(|text| like(pattern, text)),
            Self::Numeric(tests) => {
                value.as_f64().is_some_and(|number| tests.iter().all(|(how, than)| how.holds(number, *than)))
            }
            Self::Cidr(range) => {
                text.and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(|address| range.contains(&address))
            }
            Self::None(forbidden) => !forbidden.iter().any(|rule| rule.fits(value)),
        }
    }

    /// Reads what stands in a pattern's list.
    pub(super) fn read(value: &Value) -> Result<Self, ApiError> {
        match value {
            Value::String(text) => Ok(Self::Text(text.clone())),
            Value::Number(number) => Ok(Self::Number(number.as_f64().unwrap_or_default())),
            Value::Bool(flag) => Ok(Self::Flag(*flag)),
            Value::Null => Ok(Self::Null),
            Value::Array(_) => Err(wrong("Match value must be String, number, true, false, or null")),
            Value::Object(operator) => match operator.iter().next() {
                Some((name, value)) if operator.len() == 1 => Self::operator(name, value),
                _ => Err(wrong("Only one key allowed in match expression")),
            },
        }
    }

    fn operator(name: &str, value: &Value) -> Result<Self, ApiError> {
        let text = |reason: &str| value.as_str().ok_or_else(|| wrong(reason));
        match name {
            "prefix" => affix(value, "prefix", Self::Prefix, Self::PrefixIgnoringCase),
            "suffix" => affix(value, "suffix", Self::Suffix, Self::SuffixIgnoringCase),
            "equals-ignore-case" => {
                let wanted = text("equals-ignore-case match pattern must be a string")?;
                Ok(Self::SameIgnoringCase(wanted.to_lowercase()))
            }
            "wildcard" => wildcard(value),
            "exists" => {
                let flag = value.as_bool();
                flag.map(Self::Exists).ok_or_else(|| wrong("exists match pattern must be either true or false."))
            }
            "anything-but" => Ok(Self::None(anything_but(value)?)),
            "numeric" => numeric(value),
            // The words are AWS's own.
            "cidr" => cidr(text("prefix match pattern must be a string")?),
            _ => Err(wrong(format!("Unrecognized match type {name}"))),
        }
    }
}

impl Comparison {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    #[expect(clippy::float_cmp, reason = "equal is what the pattern asks for")]
    fn holds(self, number: f64, than: f64) -> bool {
        match self {
            Self::Equal => number == than,
            Self::Less => number < than,
            Self::LessOrEqual => number <= than,
            Self::Greater => number > than,
            Self::GreaterOrEqual => number >= than,
        }
    }

    fn is_upper(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }
}

fn affix(value: &Value, name: &str, plain: fn(String) -> Rule, folded: fn(String) -> Rule) -> Result<Rule, ApiError> {
    let must = || wrong(format!("{name} match pattern must be a string"));
    match value {
        Value::String(text) => Ok(plain(text.clone())),
        Value::Object(inner) if inner.len() == 1 => {
            let text = inner.get("equals-ignore-case").and_then(Value::as_str).ok_or_else(must)?;
            Ok(folded(text.to_lowercase()))
        }
        _ => Err(must()),
    }
}

/// One value or a list of them, of which none may be there.
fn anything_but(value: &Value) -> Result<Vec<Rule>, ApiError> {
    let not_a_value = || wrong("Value of anything-but must be an array or single string/number value.");
    match value {
        Value::String(_) | Value::Number(_) => Ok(vec![Rule::read(value)?]),
        Value::Array(values) => {
            let one = |value: &Value| match value {
                Value::String(_) | Value::Number(_) => Rule::read(value),
                _ => Err(wrong("Inside anything but list, start|null|boolean is not supported.")),
            };
            values.iter().map(one).collect()
        }
        Value::Object(operator) => {
            let (name, value) = operator.iter().next().filter(|_| operator.len() == 1).ok_or_else(not_a_value)?;
            let values = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
            let one = |value: &Value| match (name.as_str(), value) {
                ("prefix" | "suffix", Value::Object(_)) => Err(not_a_value()),
                ("prefix" | "suffix", Value::String(text)) if text.is_empty() => {
                    Err(wrong("Null prefix/suffix not allowed"))
                }
                ("prefix", Value::String(text)) => Ok(Rule::Prefix(text.clone())),
                ("suffix", Value::String(text)) => Ok(Rule::Suffix(text.clone())),
                ("prefix" | "suffix", _) => Err(wrong("prefix/suffix match pattern must be a string")),
                ("equals-ignore-case", Value::String(text)) => Ok(Rule::SameIgnoringCase(text.to_lowercase())),
                ("equals-ignore-case", _) => {
                    let list = "Inside anything-but/equals-ignore-case list";
                    Err(wrong(format!("{list}, number|start|null|boolean is not supported.")))
                }
                ("wildcard", value) => wildcard(value),
                _ => Err(wrong(format!("Unsupported anything-but pattern: {name}"))),
            };
            values.into_iter().map(one).collect()
        }
        _ => Err(not_a_value()),
    }
}

/// A backslash before `*` or another backslash takes its meaning away.
fn wildcard(value: &Value) -> Result<Rule, ApiError> {
    let text = value.as_str().ok_or_else(|| wrong("wildcard match pattern must be a string"))?;
    let mut pattern = Vec::new();
    let mut letters = text.chars().enumerate();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '*' if pattern.last() == Some(&None) => {
                return Err(wrong(format!("Consecutive wildcard characters at pos {}", at - 1)));
            }
            '*' => pattern.push(None),
            '\\' => match letters.next() {
                Some((_, escaped @ ('*' | '\\'))) => pattern.push(Some(escaped)),
                _ => return Err(wrong(format!("Invalid escape character at pos {at}"))),
            },
            letter => pattern.push(Some(letter)),
        }
    }
    if pattern.iter().filter(|letter| letter.is_none()).count() > MOST_WILDCARDS {
        let hint =
            "try using fewer wildcard characters or fewer repeating character sequences after a wildcard character";
        return Err(wrong(format!("Rule is too complex - {hint}")));
    }
    Ok(Rule::Wildcard(pattern))
}

fn like(pattern: &[Option<char>], text: &str) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    match first {
        None => {
            let mut ends = text.char_indices().map(|(i, _)| i).chain([text.len()]);
            ends.any(|i| like(rest, &text[i..]))
        }
        Some(letter) => text.strip_prefix(*letter).is_some_and(|text| like(rest, text)),
    }
}

/// One comparison, or a lower and an upper bound.
fn numeric(value: &Value) -> Result<Rule, ApiError> {
    let parts = value.as_array().ok_or_else(|| wrong("Value of numeric must be an array."))?;
    let mut tests: Vec<(Comparison, f64)> = Vec::new();
    for pair in parts.chunks(2) {
        let name = pair[0].as_str().ok_or_else(|| wrong("Invalid member in numeric match"))?;
        let how =
            Comparison::read(name).ok_or_else(|| wrong(format!("Unrecognized numeric range operator: {name}")))?;
        let second = tests.first().is_some_and(|(first, _)| {
            *first == Comparison::Equal || first.is_upper() == how.is_upper() || how == Comparison::Equal
        });
        if second || tests.len() == 2 {
            return Err(wrong(format!("Bad numeric range operator: {name}")));
        }
        let number = pair.get(1).and_then(Value::as_f64);
        tests.push((how, number.ok_or_else(|| wrong(format!("Value of {name} must be numeric")))?));
    }
    match tests.is_empty() {
        true => Err(wrong("Invalid member in numeric match")),
        false => Ok(Rule::Numeric(tests)),
    }
}

fn cidr(text: &str) -> Result<Rule, ApiError> {
    let (address, bits) = text
        .split_once('/')
        .filter(|(_, bits)| !bits.contains('/'))
        .ok_or_else(|| wrong("Malformed CIDR, one '/' required"))?;
    let bits: u8 = bits.parse().map_err(|_| wrong("Malformed CIDR, mask bits must be an integer"))?;
    let address: IpAddr = address.parse().map_err(|_| wrong(format!("Nonstandard IP address: {address}")))?;
    let range = IpNet::new(address, bits).map_err(|_| wrong("IP mask bits out of range"))?;
    Ok(Rule::Cidr(range))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fits(rule: Value, value: Value) -> bool {
        Rule::read(&rule).unwrap().fits(&value)
    }

    #[test]
    fn operators_judge_values_as_aws_documents_them() {
        assert!(fits(json!({"prefix": "v"}), json!("v1")));
        assert!(fits(json!({"prefix": {"equals-ignore-case": "V"}}), json!("v1")));
        assert!(fits(json!({"suffix": ".png"}), json!("a.png")));
        assert!(fits(json!({"equals-ignore-case": "EC2"}), json!("ec2")));
        assert!(fits(json!({"wildcard": "dir/*/x*.\\*"}), json!("dir/a/b/xyz.*")));
        assert!(!fits(json!({"wildcard": "dir/*.\\*"}), json!("dir/a.b")));
        assert!(fits(json!({"numeric": [">", 0, "<=", 5]}), json!(5)));
        assert!(!fits(json!({"numeric": [">", 0, "<=", 5]}), json!(5.5)));
        assert!(!fits(json!({"numeric": ["=", 5]}), json!("5")));
        assert!(fits(json!({"cidr": "10.0.0.0/24"}), json!("10.0.0.255")));
        assert!(!fits(json!({"cidr": "10.0.0.0/24"}), json!("10.0.1.0")));
        assert!(fits(json!({"anything-but": ["a", 1]}), json!("b")));
        assert!(!fits(json!({"anything-but": ["a", 1]}), json!(1)));
        assert!(fits(json!({"anything-but": {"prefix": "init"}}), json!(3)));
        assert!(!fits(json!({"anything-but": {"wildcard": ["*/lib/*", "x"]}}), json!("/usr/lib/y")));
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_reason() {
        let reason = |rule: Value| Rule::read(&rule).unwrap_err().message;
        assert!(reason(json!({"EXISTS": true})).ends_with("Unrecognized match type EXISTS"));
        assert!(reason(json!({"numeric": [">", 0, ">", 0]})).ends_with("Bad numeric range operator: >"));
        assert!(reason(json!({"numeric": [">", 0, "<"]})).ends_with("Value of < must be numeric"));
        assert!(reason(json!({"wildcard": "a**"})).ends_with("Consecutive wildcard characters at pos 1"));
        assert!(reason(json!({"anything-but": null})).ends_with("must be an array or single string/number value."));
    }
}

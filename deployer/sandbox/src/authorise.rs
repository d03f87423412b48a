//! Who may do what: IAM policy evaluation, for the deployer and for the roles that functions run as.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::SandboxError;
use crate::store::Tags;

/// An action on a resource that a call needs, with the condition keys AWS puts into its request context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) keys: BTreeMap<String, Vec<String>>,
}

impl Grant {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), keys: BTreeMap::new() }
    }

    /// A condition key with one value.
    #[must_use]
    pub(crate) fn key(mut self, name: &str, value: impl Into<String>) -> Self {
        self.keys.entry(name.to_owned()).or_default().push(value.into());
        self
    }

    /// The tags that the resource has already.
    #[must_use]
    pub(crate) fn resource_tags(mut self, tags: &Tags) -> Self {
        let service = self.action.split(':').next().unwrap_or_default().to_owned();
        for (key, value) in tags {
            self = self.key(&format!("aws:ResourceTag/{key}"), value);
            self = self.key(&format!("{service}:ResourceTag/{key}"), value);
        }
        self
    }

    /// The keys of the tags that the request takes away.
    #[must_use]
    pub(crate) fn tag_keys(self, keys: &[String]) -> Self {
        keys.iter().fold(self, |grant, key| grant.key("aws:TagKeys", key.clone()))
    }

    /// The tags that the request asks for.
    #[must_use]
    pub(crate) fn request_tags(mut self, tags: &Tags) -> Self {
        for (key, value) in tags {
            self = self.key(&format!("aws:RequestTag/{key}"), value).key("aws:TagKeys", key);
        }
        self
    }
}

/// A policy document, as IAM understands it.
#[derive(Clone, Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    allow: bool,
    actions: Patterns,
    resources: Patterns,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Patterns {
    negated: bool,
    patterns: Vec<String>,
}

#[derive(Clone, Debug)]
struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

impl Policy {
    /// Reads a policy document.
    ///
    /// # Errors
    /// The document has a form, or a condition operator, that is not understood.
    pub fn parse(document: &Value) -> Result<Self, SandboxError> {
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().map(Statement::parse).collect::<Result<_, _>>()?,
            Some(statement) => vec![Statement::parse(statement)?],
            None => return Err(SandboxError::Policy("it has no Statement".to_owned())),
        };
        Ok(Self { statements })
    }

    /// Whether the action is allowed: some statement allows it and none denies it.
    pub(crate) fn allows(&self, grant: &Grant) -> bool {
        self.verdict(grant) == Some(true)
    }

    /// What the policy says of the action: false where a statement denies it, none where it says nothing.
    pub(crate) fn verdict(&self, grant: &Grant) -> Option<bool> {
        let says = |allow: bool| self.statements.iter().any(|s| s.allow == allow && s.applies(grant));
        if says(false) { Some(false) } else { says(true).then_some(true) }
    }
}

impl Statement {
    fn parse(statement: &Value) -> Result<Self, SandboxError> {
        let allow = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            other => return Err(SandboxError::Policy(format!("the Effect is {other:?}, not Allow or Deny"))),
        };
        let mut conditions = Vec::new();
        for (operator, keys) in statement.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                let condition = Condition { operator: operator.clone(), key: key.clone(), values: texts(values) };
                if condition.judge(&[]).is_none() {
                    return Err(SandboxError::Policy(format!("the condition operator {operator} is not simulated")));
                }
                conditions.push(condition);
            }
        }
        Ok(Self {
            allow,
            actions: Patterns::parse(statement, "Action")?,
            resources: Patterns::parse(statement, "Resource")?,
            conditions,
        })
    }

    fn applies(&self, grant: &Grant) -> bool {
        self.actions.matches(&grant.action, true)
            && self.resources.matches(&grant.resource, false)
            && self.conditions.iter().all(|condition| condition.holds(grant))
    }
}

impl Patterns {
    fn parse(statement: &Value, name: &str) -> Result<Self, SandboxError> {
        match (statement.get(name), statement.get(format!("Not{name}"))) {
            (Some(values), None) => Ok(Self { negated: false, patterns: texts(values) }),
            (None, Some(values)) => Ok(Self { negated: true, patterns: texts(values) }),
            _ => Err(SandboxError::Policy(format!("a statement needs either {name} or Not{name}"))),
        }
    }

    fn matches(&self, text: &str, ignore_case: bool) -> bool {
        let fold = |text: &str| if ignore_case { text.to_lowercase() } else { text.to_owned() };
        self.negated != self.patterns.iter().any(|pattern| like(&fold(pattern), &fold(text)))
    }
}

impl Condition {
    fn holds(&self, grant: &Grant) -> bool {
        // Names of condition keys are not case-sensitive, except for the tag key in them.
        let values = grant
            .keys
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(&self.key))
            .map_or(&[][..], |(_, values)| values);
        self.judge(values).unwrap_or(false)
    }

    /// Whether the condition holds for a key's values; `None` when the operator is not known.
    fn judge(&self, present: &[String]) -> Option<bool> {
        let (set, operator) = match self.operator.split_once(':') {
            Some((set, operator)) => (Some(set), operator),
            None => (None, self.operator.as_str()),
        };
        if operator == "Null" {
            return Some(self.values.iter().any(|wanted| wanted.eq_ignore_ascii_case("true") == present.is_empty()));
        }
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let (test, negated): (fn(&str, &str) -> bool, bool) = match operator {
            "StringEquals" => (|pattern, text| pattern == text, false),
            "StringNotEquals" => (|pattern, text| pattern == text, true),
            "StringEqualsIgnoreCase" => (str::eq_ignore_ascii_case, false),
            "StringLike" | "ArnLike" | "ArnEquals" => (like, false),
            "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (like, true),
            "Bool" => (str::eq_ignore_ascii_case, false),
            _ => return None,
        };
        let fits = |text: &String| negated != self.values.iter().any(|pattern| test(pattern, text));
        Some(match set {
            // Holds for an absent key too: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
            Some("ForAllValues") => present.iter().all(fits),
            Some("ForAnyValue") => present.iter().any(fits),
            Some(_) => return None,
            None if present.is_empty() => if_exists || negated,
            None => present.iter().any(fits),
        })
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
        other => vec![other.to_string()],
    }
}

/// Matching with `*` for any text and `?` for any letter.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(letter) if *letter == '?' || Some(letter) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(statements: Value) -> Policy {
        Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
    }

    #[test]
    fn wildcards_match_any_text() {
        assert!(like("ec2:*", "ec2:CreateVpc"));
        assert!(like("*vpc/*", "arn:aws:ec2:us-east-1:1:vpc/vpc-1"));
        assert!(like("v?c", "vpc"));
        assert!(!like("ec2:Create*", "ec2:DeleteVpc"));
        assert!(like("a*b*c", "aXbYbZc"));
    }

    #[test]
    fn a_deny_beats_an_allow() {
        let policy = policy(json!([
            {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "ec2:DeleteVpc", "Resource": "*"}
        ]));
        assert!(policy.allows(&Grant::new("ec2:CreateVpc", "arn:x")));
        assert!(!policy.allows(&Grant::new("ec2:DeleteVpc", "arn:x")));
        assert!(!policy.allows(&Grant::new("rds:CreateDBInstance", "arn:x")));
    }

    #[test]
    fn a_condition_on_a_tag_needs_that_tag() {
        let policy = policy(json!({"Effect": "Allow", "Action": "ec2:DeleteVpc", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/wharf:stack": "shop"}}}));
        let grant = |stack: &str| {
            Grant::new("ec2:DeleteVpc", "arn:x")
                .resource_tags(&Tags::from([("wharf:stack".to_owned(), stack.to_owned())]))
        };
        assert!(policy.allows(&grant("shop")));
        assert!(!policy.allows(&grant("other")));
        assert!(!policy.allows(&Grant::new("ec2:DeleteVpc", "arn:x")));
    }

    #[test]
    fn null_and_for_all_values_judge_presence() {
        let policy = policy(json!({"Effect": "Allow", "Action": "a:B", "Resource": "*",
            "Condition": {"Null": {"aws:RequestTag/x": "true"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["y", "z"]}}}));
        assert!(policy.allows(&Grant::new("a:B", "*")));
        assert!(policy.allows(&Grant::new("a:B", "*").key("aws:TagKeys", "y")));
        assert!(!policy.allows(&Grant::new("a:B", "*").key("aws:TagKeys", "w")));
        assert!(!policy.allows(&Grant::new("a:B", "*").key("aws:RequestTag/x", "1")));
    }

    #[test]
    fn an_operator_that_is_not_known_is_refused() {
        let document = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "x"}}}});
        assert!(Policy::parse(&document).is_err());
    }
}

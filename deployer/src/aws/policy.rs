//! Policy documents: how the stack writes them, and how those that AWS gives back are read.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use serde_json::{Map, Value as Json, json};

use super::call::CallError;
use super::out::Text;

/// A policy document, statement by statement. [`Document::text`] is what a kind's inputs hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document(Vec<Statement>);

/// A statement of a [`Document`]. Resources and condition values may refer to resources that do not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    effect: &'static str,
    principals: Vec<(&'static str, Text)>,
    actions: Vec<String>,
    resources: Vec<Text>,
    conditions: Vec<(String, String, Vec<Text>)>,
}

impl Document {
    /// A document of these statements.
    #[must_use]
    pub fn new(statements: impl IntoIterator<Item = Statement>) -> Self {
        Self(statements.into_iter().collect())
    }

    /// A trust policy: a service may assume the role.
    #[must_use]
    pub fn trusting(service: &str) -> Self {
        Self::new([Statement::allow(["sts:AssumeRole"]).service(service)])
    }

    /// The same with another statement.
    #[must_use]
    pub fn and(mut self, statement: Statement) -> Self {
        self.0.push(statement);
        self
    }

    /// The document's canonical text, with its references inside.
    #[must_use]
    pub fn text(&self) -> Text {
        let mut slots = Slots::default();
        let statements: Vec<Json> = self.0.iter().map(|statement| statement.json(&mut slots)).collect();
        slots.fill(&canonical(&json!({ "Version": "2012-10-17", "Statement": statements })).to_string())
    }
}

impl Statement {
    /// Allows these actions.
    #[must_use]
    pub fn allow<A: Into<String>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self::new("Allow", actions)
    }

    /// Denies these actions.
    #[must_use]
    pub fn deny<A: Into<String>>(actions: impl IntoIterator<Item = A>) -> Self {
        Self::new("Deny", actions)
    }

    fn new<A: Into<String>>(effect: &'static str, actions: impl IntoIterator<Item = A>) -> Self {
        let actions = actions.into_iter().map(Into::into).collect();
        Self { effect, principals: Vec::new(), actions, resources: Vec::new(), conditions: Vec::new() }
    }

    /// On this resource.
    #[must_use]
    pub fn on(mut self, resource: impl Into<Text>) -> Self {
        self.resources.push(resource.into());
        self
    }

    /// To this service, such as `rds.amazonaws.com`.
    #[must_use]
    pub fn service(self, name: &str) -> Self {
        self.principal("Service", name)
    }

    /// To this account, role or user, by its ARN; `*` is everyone.
    #[must_use]
    pub fn aws(self, arn: impl Into<Text>) -> Self {
        self.principal("AWS", arn)
    }

    fn principal(mut self, kind: &'static str, who: impl Into<Text>) -> Self {
        self.principals.push((kind, who.into()));
        self
    }

    /// Only when the key has this value by this operator, such as `StringEquals`, `aws:SourceAccount`.
    #[must_use]
    pub fn when(mut self, operator: &str, key: &str, value: impl Into<Text>) -> Self {
        match self.conditions.iter_mut().find(|(o, k, _)| o == operator && k == key) {
            Some((_, _, values)) => values.push(value.into()),
            None => self.conditions.push((operator.to_owned(), key.to_owned(), vec![value.into()])),
        }
        self
    }

    fn json(&self, slots: &mut Slots) -> Json {
        let mut statement = Map::from_iter([
            ("Effect".to_owned(), self.effect.into()),
            ("Action".to_owned(), self.actions.clone().into()),
        ]);
        if !self.principals.is_empty() {
            let mut principals = Map::new();
            for (kind, who) in &self.principals {
                push(&mut principals, kind, slots.hold(who));
            }
            statement.insert("Principal".to_owned(), principals.into());
        }
        for resource in &self.resources {
            push(&mut statement, "Resource", slots.hold(resource));
        }
        let mut conditions = Map::new();
        for (operator, key, values) in &self.conditions {
            let keys = conditions.entry(operator).or_insert_with(|| json!({}));
            keys[key] = values.iter().map(|value| slots.hold(value)).collect();
        }
        if !conditions.is_empty() {
            statement.insert("Condition".to_owned(), conditions.into());
        }
        statement.into()
    }
}

fn push(map: &mut Map<String, Json>, key: &str, value: Json) {
    if let Json::Array(list) = map.entry(key).or_insert_with(|| json!([])) {
        list.push(value);
    }
}

/// Stands in for references while a document is JSON.
#[derive(Default)]
pub(crate) struct Slots(Vec<Text>);

/// A character that no policy has: private use.
const SLOT: char = '\u{e000}';

impl Slots {
    /// What stands for the text in the document.
    pub(crate) fn hold(&mut self, text: &Text) -> Json {
        if let Ok(known) = text.get() {
            return known.into();
        }
        self.0.push(text.clone());
        format!("{SLOT}{}{SLOT}", self.0.len() - 1).into()
    }

    /// The document's text with the references back in it.
    pub(crate) fn fill(&self, text: &str) -> Text {
        if self.0.is_empty() {
            return text.into();
        }
        // Cut at the marks, each odd part is the number of a slot.
        Text::join(text.split(SLOT).enumerate().map(|(index, part)| {
            let slot = (index % 2 == 1).then(|| part.parse::<usize>().ok().and_then(|slot| self.0.get(slot))).flatten();
            slot.cloned().unwrap_or_else(|| part.into())
        }))
    }
}

/// A document that AWS gave back, in canonical form.
///
/// # Errors
/// It is not JSON.
pub fn observed(document: &str) -> Result<Text, CallError> {
    let json: Json = serde_json::from_str(document)
        .map_err(|error| CallError::ours(format!("a policy that AWS gave back is not JSON: {error}")))?;
    Ok(canonical(&json).to_string().into())
}

/// The same for IAM, which URL-encodes documents (RFC 3986).
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>
///
/// # Errors
/// It is not JSON.
pub fn observed_encoded(document: &str) -> Result<Text, CallError> {
    // Some emulators answer the bare text.
    if document.trim_start().starts_with('{') {
        return observed(document);
    }
    observed(&decoded(document))
}

/// Keys in order, version first, and each single item of a list without its list. How lists are ordered means nothing
/// to AWS, nor to the engine, which compares these fields as documents.
fn canonical(json: &Json) -> Json {
    match json {
        Json::Array(items) => match items.as_slice() {
            [one @ Json::String(_)] => one.clone(),
            items => items.iter().map(canonical).collect(),
        },
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| (key.as_str() != "Version", key.as_str()));
            Json::Object(entries.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        other => other.clone(),
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = &tail[if escaped.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use wharf_engine::{LogicalId, Value};

    use super::*;
    use crate::aws::out::Handle;

    fn key() -> Text {
        Handle::<()>::new(LogicalId::new("database.key").unwrap()).output::<()>("arn").text()
    }

    #[test]
    fn a_document_is_written_as_it_is_read_back() {
        let text = Document::trusting("rds.amazonaws.com").text();
        let ours = r#"{"Version":"2012-10-17","Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"rds.amazonaws.com"}}]}"#;
        assert_eq!(text.get(), Ok(ours));
        let encoded = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%20%22Principal%22%3A%7B%22Service%22%3A%5B%22rds.amazonaws.com%22%5D%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%2C%22Version%22%3A%222012-10-17%22%7D";
        assert_eq!(observed_encoded(encoded).unwrap(), text);
    }

    #[test]
    fn a_reference_in_a_document_stays_one_until_it_is_resolved() {
        let text = Document::new([Statement::allow(["kms:Decrypt"]).on(key())]).text();
        assert!(text.get().is_err());
        let value = Value::from_json(&serde_json::to_value(&text).unwrap()).unwrap();
        let resolved = value.resolve(&|_| Some(Value::text("arn:aws:kms:us-east-1:123456789012:key/1")));
        let json: Json = serde_json::from_str(&resolved.as_text().unwrap()).unwrap();
        assert_eq!(json["Statement"][0]["Resource"], "arn:aws:kms:us-east-1:123456789012:key/1");
    }

    #[test]
    fn values_of_one_condition_key_stand_together() {
        let statement = Statement::allow(["kms:*"])
            .when("StringEquals", "kms:ViaService", "rds")
            .when("StringEquals", "kms:ViaService", "ssm")
            .when("StringEquals", "kms:CallerAccount", "1");
        let json: Json = serde_json::from_str(Document::new([statement]).text().get().unwrap()).unwrap();
        let conditions = &json["Statement"][0]["Condition"]["StringEquals"];
        assert_eq!(conditions, &json!({ "kms:CallerAccount": "1", "kms:ViaService": ["rds", "ssm"] }));
    }

    #[test]
    fn a_percent_sign_that_escapes_nothing_is_itself() {
        assert_eq!(decoded("100%25 %zz%4"), "100% %zz%4");
    }
}

//! The records of services' rollouts in the stack's table.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::aws::CallError;
use crate::record::{PK, Record};

const READ: &str = "dynamodb:GetItem";
const WRITE: &str = "dynamodb:PutItem";
const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// The stack's table.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) dynamodb: Client,
    pub(crate) table: String,
}

impl Ledger {
    /// A service's record; none for a service that never had one.
    pub(crate) async fn read(&self, service: &str) -> Result<Option<Record>, CallError> {
        let get = self.dynamodb.get_item().table_name(&self.table).consistent_read(true);
        let answer = get.set_key(Some(key(service))).send().await.map_err(|error| CallError::of(READ, &error))?;
        let Some(item) = answer.item else { return Ok(None) };
        let json = item.get("record").and_then(|value| value.as_s().ok()).map_or("", String::as_str);
        let malformed = |why: crate::record::Malformed| CallError {
            action: READ,
            code: None,
            text: format!("the record of {service}'s rollouts cannot be read: {why}"),
            refused: false,
        };
        Record::from_json(json).map(Some).map_err(malformed)
    }

    /// Writes a record on the condition that the one before it stands there; false when another does.
    pub(crate) async fn write(&self, record: &Record) -> Result<bool, CallError> {
        let json = record.to_json().map_err(|error| CallError {
            action: WRITE,
            code: None,
            text: error.to_string(),
            refused: false,
        })?;
        let mut item = key(&record.service);
        item.insert("version".to_owned(), AttributeValue::N(record.version.to_string()));
        item.insert("wharf".to_owned(), AttributeValue::S(env!("CARGO_PKG_VERSION").to_owned()));
        item.insert("record".to_owned(), AttributeValue::S(json));
        let before = record.version.saturating_sub(1);
        let put = self.dynamodb.put_item().table_name(&self.table).set_item(Some(item));
        let put = match before {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            _ => put
                .condition_expression("version = :seen")
                .expression_attribute_values(":seen", AttributeValue::N(before.to_string())),
        };
        match put.send().await.map_err(|error| CallError::of(WRITE, &error)) {
            Ok(_) => Ok(true),
            // Written by an attempt whose reply was lost, or by another: the table knows.
            Err(error) if error.is(CONDITION_FAILED) => Ok(self.read(&record.service).await?.as_ref() == Some(record)),
            Err(error) if error.refused => Err(error),
            Err(error) => match self.read(&record.service).await? {
                Some(now) if now == *record => Ok(true),
                now if now.as_ref().map_or(0, |now| now.version) != before => Ok(false),
                _ => Err(error),
            },
        }
    }
}

fn key(service: &str) -> HashMap<String, AttributeValue> {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    HashMap::from([("pk".to_owned(), text(PK)), ("sk".to_owned(), text(service))])
}

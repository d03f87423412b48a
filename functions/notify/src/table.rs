//! What is remembered in the stack's table: which notices were told, what was said of which subject, and when the
//! channel is free. All under one leading key, to which the function's role is limited.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use wharf_shell::chain;

use crate::thread::{FORMAT, Thread};

/// The leading key of all that is kept here.
pub const LEADING_KEY: &str = "notice";

/// A notice that was told is remembered this long: nothing comes again later.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// The table does not do it.
#[derive(Debug, thiserror::Error)]
#[error("the stack's table: {0}")]
pub(crate) struct TableError(String);

/// The right to tell a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is given; some of it may have been done before.
    Given { people: bool, slack: bool },
    /// All has been done.
    Done,
    /// Another is at it.
    Held,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    dynamodb: aws_sdk_dynamodb::Client,
    name: String,
}

type Item = HashMap<String, AttributeValue>;

impl Table {
    pub(crate) fn new(dynamodb: aws_sdk_dynamodb::Client, name: &str) -> Self {
        Self { dynamodb, name: name.to_owned() }
    }

    /// Claims a notice for `by`, until that has surely ended.
    pub(crate) async fn claim(
        &self,
        key: &str,
        by: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, TableError> {
        let update = self.dynamodb.update_item().table_name(&self.name).set_key(Some(address("told", key)));
        let update = update
            .update_expression("SET held = :until, holder = :by, #key = :key, expires = :expires")
            .condition_expression("attribute_not_exists(finished) AND (attribute_not_exists(held) OR held < :now)")
            // The key itself, for who looks into the table: the address may have its hash.
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":key", text(crate::text::cut(key, 500)))
            .expression_attribute_values(":until", number(until.as_millisecond()))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":expires", number(later(now, KEPT).as_second()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let given = |item: &Item| Claim::Given { people: flag(item, "people"), slack: flag(item, "slack") };
        match update.send().await {
            Ok(answer) => Ok(given(&answer.attributes.unwrap_or_default())),
            Err(error) => match refused(&error) {
                Some(item) if item.contains_key("finished") => Ok(Claim::Done),
                // Our own claim, whose answer was lost.
                Some(item) if read(item, "holder") == by => Ok(given(item)),
                Some(_) => Ok(Claim::Held),
                None => Err(failed(&error)),
            },
        }
    }

    /// Writes down that people have their letter of a notice, before Slack is told.
    pub(crate) async fn written(&self, key: &str, now: Timestamp) -> Result<(), TableError> {
        let update = self.dynamodb.update_item().table_name(&self.name).set_key(Some(address("told", key)));
        let update = update
            .update_expression("SET people = :yes, expires = :expires")
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":expires", number(later(now, KEPT).as_second()));
        update.send().await.map(|_| ()).map_err(|error| failed(&error))
    }

    /// Writes down what of a notice has been done, and lets go of it.
    pub(crate) async fn finish(&self, key: &str, people: bool, slack: bool, now: Timestamp) -> Result<(), TableError> {
        let done = if people && slack { ", finished = :now" } else { "" };
        let expression = format!("SET people = :people, slack = :slack, expires = :expires{done} REMOVE held, holder");
        let update = self.dynamodb.update_item().table_name(&self.name).set_key(Some(address("told", key)));
        let update = update
            .update_expression(expression)
            .expression_attribute_values(":people", AttributeValue::Bool(people))
            .expression_attribute_values(":slack", AttributeValue::Bool(slack))
            .expression_attribute_values(":expires", number(later(now, KEPT).as_second()));
        let update = if people && slack {
            update.expression_attribute_values(":now", number(now.as_millisecond()))
        } else {
            update
        };
        update.send().await.map(|_| ()).map_err(|error| failed(&error))
    }

    /// What was said of a subject.
    pub(crate) async fn thread(&self, subject: &str) -> Result<Option<Thread>, TableError> {
        let get = self.dynamodb.get_item().table_name(&self.name).consistent_read(true);
        let answer = get.set_key(Some(address("subject", subject))).send().await.map_err(|error| failed(&error))?;
        let Some(item) = answer.item else { return Ok(None) };
        // A record that a later wharf wrote is left alone by telling the story anew.
        let thread: Option<Thread> = serde_json::from_str(read(&item, "record")).ok();
        Ok(thread.filter(|thread| thread.format <= FORMAT))
    }

    /// Writes down what was said of a subject, unless something newer stands there.
    pub(crate) async fn remember(&self, subject: &str, thread: &Thread, now: Timestamp) -> Result<(), TableError> {
        let record = serde_json::to_string(thread).map_err(|error| TableError(error.to_string()))?;
        let mut item = address("subject", subject);
        item.insert("record".to_owned(), text(record));
        item.insert("subject".to_owned(), text(crate::text::cut(subject, 500)));
        item.insert("moment".to_owned(), number(thread.at.as_millisecond()));
        item.insert("expires".to_owned(), number(later(now, thread.kept()).as_second()));
        let put = self.dynamodb.put_item().table_name(&self.name).set_item(Some(item));
        let put = put
            .condition_expression("attribute_not_exists(moment) OR moment <= :moment")
            .expression_attribute_values(":moment", number(thread.at.as_millisecond()));
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(TableError(chain(&error))),
        }
    }

    /// Takes a channel that is free for `by`, who holds it for so long at most; or says when it will be.
    pub(crate) async fn take(
        &self,
        channel: &str,
        by: &str,
        now: Timestamp,
        held: Duration,
    ) -> Result<Result<(), Timestamp>, TableError> {
        let update = self.dynamodb.update_item().table_name(&self.name).set_key(Some(address("channel", channel)));
        let update = update
            .update_expression("SET opens = :until, holder = :by, expires = :expires")
            .condition_expression("attribute_not_exists(opens) OR opens <= :now")
            .expression_attribute_values(":until", number(later(now, held).as_millisecond()))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":expires", number(later(now, KEPT).as_second()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(_) => Ok(Ok(())),
            Err(error) => match refused(&error) {
                // Taken by a try whose answer was lost.
                Some(item) if read(item, "holder") == by => Ok(Ok(())),
                Some(item) => {
                    let free = item.get("opens").and_then(|value| value.as_n().ok()).and_then(|n| n.parse().ok());
                    let free = free.and_then(|free| Timestamp::from_millisecond(free).ok());
                    Ok(Err(free.unwrap_or_else(|| later(now, held))))
                }
                None => Err(failed(&error)),
            },
        }
    }

    /// Lets go of a channel: it is free from then on. One that somebody else has taken since stays theirs.
    pub(crate) async fn leave(&self, channel: &str, by: &str, free: Timestamp) -> Result<(), TableError> {
        let update = self.dynamodb.update_item().table_name(&self.name).set_key(Some(address("channel", channel)));
        let update = update
            .update_expression("SET opens = :free, expires = :expires REMOVE holder")
            .condition_expression("holder = :by")
            // Not a fraction too early.
            .expression_attribute_values(":free", number(free.as_millisecond().saturating_add(1)))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":expires", number(later(free, KEPT).as_second()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_refused(&error) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// Where something of a kind is kept. A sort key has 1,024 bytes at most.
fn address(kind: &str, name: &str) -> Item {
    const LONGEST: usize = 512;
    let name = if name.len() <= LONGEST {
        name.to_owned()
    } else {
        let hash: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256 {hash}")
    };
    Item::from([("pk".to_owned(), text(LEADING_KEY)), ("sk".to_owned(), text(format!("{kind} {name}")))])
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn flag(item: &Item, name: &str) -> bool {
    item.get(name).and_then(|value| value.as_bool().ok()).copied().unwrap_or_default()
}

fn read<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).unwrap_or_default()
}

fn is_refused<R>(error: &SdkError<UpdateItemError, R>) -> bool {
    matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

/// The item that did not fulfil a condition.
fn refused<R>(error: &SdkError<UpdateItemError, R>) -> Option<&Item> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => refused.item(),
        _ => None,
    }
}

fn failed<E: std::error::Error + 'static, R: std::fmt::Debug + 'static>(error: &SdkError<E, R>) -> TableError {
    TableError(chain(error))
}

/// A moment so much later, stopping at the end of time.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

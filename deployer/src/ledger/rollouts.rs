//! The records of services' rollouts: written by whoever changes what a service runs, on the condition that nobody
//! else has written since. Who holds a record moves its version now and then; one whose version stands still for a
//! whole lease is dead, and the record is taken over. As with the lock, nobody's wall clock is compared with another's.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use tokio::time::Instant;
use wharf_engine::Class;

use super::Ledger;
use super::item::{Item, key, read, text};
use super::lock::Timing;
use crate::aws::connect::CALL_TIMEOUT;
use crate::aws::{Aws, CallError, Lease};
use crate::rollout::record::{Holder, PK, Record};

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// The record of a service's rollouts cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another run is changing the service, and is alive.
    #[error("{service} is being changed by {} ({}) since {}, run {}", .holder.who, .holder.command, .holder.since, .holder.run)]
    Held {
        /// The service.
        service: String,
        /// Who.
        holder: Holder,
    },
    /// Another run took it over.
    #[error("another run has taken over the rollouts of {0}")]
    Lost(String),
    /// The stack has no table.
    #[error("the stack has no table, which is the first thing that an apply makes")]
    NoTable(#[source] CallError),
    /// A later wharf wrote it, or something else did.
    #[error("the record of {service}'s rollouts cannot be read: {why}")]
    Malformed {
        /// The service.
        service: String,
        /// Why.
        why: String,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A record that is held, until it is released or lost.
#[derive(Debug)]
pub struct Claim {
    ledger: Ledger,
    /// As it stands in the table.
    pub record: Record,
    run: String,
    renewed: Arc<Renewed>,
    renew: Duration,
}

/// When the record's version last moved.
#[derive(Debug)]
struct Renewed {
    at: std::sync::Mutex<Instant>,
    lease: Duration,
}

impl Lease for Renewed {
    fn check(&self) -> Result<(), String> {
        let at = *self.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if at.elapsed() < self.lease.saturating_sub(CALL_TIMEOUT) {
            return Ok(());
        }
        Err("the claim on the service's rollouts could not be renewed in time".to_owned())
    }
}

impl Ledger {
    /// The record of a service's rollouts; none for a service that never had one.
    ///
    /// # Errors
    /// [`ClaimError::NoTable`], or what stands there is no record that this wharf knows.
    pub async fn rollouts(&self, service: &str) -> Result<Option<Record>, ClaimError> {
        let send = || {
            let get = self.aws.dynamodb.get_item().table_name(&self.table).consistent_read(true);
            get.set_key(Some(key(PK, service))).send()
        };
        let answer = self.aws.call("dynamodb:GetItem", &self.table, send).await.map_err(no_table)?;
        let Some(item) = answer.item else { return Ok(None) };
        let malformed = |why: String| ClaimError::Malformed { service: service.to_owned(), why };
        Record::from_json(&read(&item, "record")).map(Some).map_err(|error| malformed(error.to_string()))
    }

    /// Makes this run the one that changes a service, and writes with that what has changed. `on_wait` hears of another
    /// that has to be watched.
    ///
    /// # Errors
    /// [`ClaimError::Held`] when another is at it, and alive.
    pub async fn claim(
        &self,
        service: &str,
        holder: Holder,
        timing: &Timing,
        on_wait: &dyn Fn(&Holder),
        change: impl FnOnce(&mut Record),
    ) -> Result<Claim, ClaimError> {
        let timing = &timing.of_a_record();
        let mut seen = self.rollouts(service).await?;
        if let Some(other) = held_by_another(seen.as_ref(), &holder) {
            on_wait(&other);
            seen = self.watched(service, seen, &other, timing).await?;
        }
        let mut record = seen.clone().unwrap_or_else(|| Record::new(service));
        record.version += 1;
        record.by.clone_from(&holder.run);
        record.holder = Some(holder.clone());
        change(&mut record);
        let begun = Instant::now();
        if self.put_rollouts(&record, seen.as_ref()).await? {
            let at = std::sync::Mutex::new(begun);
            let renewed = Arc::new(Renewed { at, lease: timing.lease });
            return Ok(Claim { ledger: self.clone(), record, run: holder.run, renewed, renew: timing.renew });
        }
        match self.rollouts(service).await?.and_then(|now| now.holder) {
            Some(other) => Err(ClaimError::Held { service: service.to_owned(), holder: other }),
            None => Err(ClaimError::Lost(service.to_owned())),
        }
    }

    /// The record once its holder has let go, or has not moved it for a lease.
    async fn watched(
        &self,
        service: &str,
        seen: Option<Record>,
        other: &Holder,
        timing: &Timing,
    ) -> Result<Option<Record>, ClaimError> {
        let from = Instant::now();
        while from.elapsed() < timing.lease {
            tokio::time::sleep(timing.renew.min(timing.lease.saturating_sub(from.elapsed()))).await;
            let now = self.rollouts(service).await?;
            if now.as_ref().is_none_or(|now| now.holder.is_none()) {
                return Ok(now);
            }
            if now.as_ref().map(|now| now.version) != seen.as_ref().map(|seen| seen.version) {
                return Err(ClaimError::Held { service: service.to_owned(), holder: other.clone() });
            }
        }
        Ok(seen)
    }

    /// Writes the record on the condition that what stands there is what was seen; false when it is not.
    async fn put_rollouts(&self, record: &Record, seen: Option<&Record>) -> Result<bool, ClaimError> {
        let json = record.to_json().map_err(CallError::ours)?;
        let mut item: Item = key(PK, &record.service);
        item.insert("version".to_owned(), AttributeValue::N(record.version.to_string()));
        item.insert("wharf".to_owned(), text(env!("CARGO_PKG_VERSION")));
        item.insert("record".to_owned(), text(json));
        let send = || {
            let put = self.aws.dynamodb.put_item().table_name(&self.table).set_item(Some(item.clone()));
            match seen {
                None => put.condition_expression("attribute_not_exists(pk)").send(),
                Some(seen) => put
                    .condition_expression("version = :seen")
                    .expression_attribute_values(":seen", AttributeValue::N(seen.version.to_string()))
                    .send(),
            }
        };
        for _ in 0..4 {
            match self.aws.call("dynamodb:PutItem", &self.table, send).await {
                Ok(_) => return Ok(true),
                Err(error) if error.class == Class::Ambiguous || error.code.as_deref() == Some(CONDITION_FAILED) => {
                    // Written by an attempt whose reply was lost, by another, or not at all: the table knows.
                    let now = self.rollouts(&record.service).await?;
                    if now.as_ref() == Some(record) {
                        return Ok(true);
                    }
                    if now.as_ref().map(|now| now.version) != seen.map(|seen| seen.version) {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(no_table(error)),
            }
        }
        Ok(false)
    }
}

fn held_by_another(record: Option<&Record>, holder: &Holder) -> Option<Holder> {
    record?.holder.clone().filter(|other| other.run != holder.run)
}

fn no_table(error: CallError) -> ClaimError {
    if error.class == Class::Missing { ClaimError::NoTable(error) } else { ClaimError::Call(error) }
}

impl Claim {
    /// AWS, where each call that writes needs this claim to be fresh.
    #[must_use]
    pub fn guarding(&self, aws: &Aws) -> Aws {
        aws.with_lease(Arc::clone(&self.renewed) as Arc<dyn Lease>)
    }

    /// Whether nobody can have taken it over yet.
    ///
    /// # Errors
    /// Somebody can.
    pub fn fresh(&self) -> Result<(), CallError> {
        let hint = "try again";
        self.renewed.check().map_err(|reason| CallError::invalid(reason, hint))
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// [`ClaimError::Lost`] when another run has taken the record over.
    pub async fn write(&mut self, change: impl FnOnce(&mut Record)) -> Result<(), ClaimError> {
        let mut next = self.record.clone();
        change(&mut next);
        next.version += 1;
        next.by.clone_from(&self.run);
        let begun = Instant::now();
        if !self.ledger.put_rollouts(&next, Some(&self.record)).await? {
            return Err(ClaimError::Lost(self.record.service.clone()));
        }
        self.record = next;
        *self.renewed.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = begun;
        Ok(())
    }

    /// Moves the version when it is time to.
    ///
    /// # Errors
    /// As [`Claim::write`].
    pub async fn keep(&mut self) -> Result<(), ClaimError> {
        let at = *self.renewed.at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if at.elapsed() < self.renew { Ok(()) } else { self.write(|_| {}).await }
    }

    /// Lets go of it, with what has changed.
    ///
    /// # Errors
    /// As [`Claim::write`].
    pub async fn release(mut self, change: impl FnOnce(&mut Record)) -> Result<(), ClaimError> {
        self.write(|record| {
            change(record);
            record.holder = None;
        })
        .await
    }
}

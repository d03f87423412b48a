//! The stack's lock: a lease by conditional write.
//!
//! A holder renews its lease by writing a new version. Another takes over only after it has watched the version stand
//! still for the whole lease, by its own clock: nobody's wall clock is compared with anybody else's. The lease
//! outlasts AWS's eventual consistency, so that who takes over from a dead holder sees all that it did.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use wharf_engine::Class;

use super::Ledger;
use super::item::{Item, key, read, text};
use crate::aws::connect::CALL_TIMEOUT;
use crate::aws::{CallError, Lease};

/// Time since boot, the time asleep included, so that a suspended machine knows that its lease ran out.
pub(crate) type BootClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The lock's times and clock.
#[derive(Clone)]
pub struct Timing {
    /// Who holds the lock loses it when its version stands still for so long.
    pub lease: Duration,
    /// The version moves this often.
    pub renew: Duration,
    /// Time since boot.
    pub clock: BootClock,
}

impl fmt::Debug for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timing").field("lease", &self.lease).field("renew", &self.renew).finish_non_exhaustive()
    }
}

impl Timing {
    /// A lease of 55 seconds, renewed every 18: a killed job frees the stack within a minute, and a long run writes as
    /// little as that allows.
    #[must_use]
    pub fn new(clock: BootClock) -> Self {
        Self { lease: Duration::from_secs(55), renew: Duration::from_secs(18), clock }
    }

    /// The times of a service's record, which others than Wharf keep, too: docs/json.md.
    #[must_use]
    pub(super) fn of_a_record(&self) -> Self {
        let lease = crate::rollout::record::LEASE;
        Self { lease, renew: Duration::from_secs(8), clock: Arc::clone(&self.clock) }
    }

    /// The same times by the clock of this process, for what is over within a few calls.
    #[must_use]
    pub fn unguarded() -> Self {
        let begun = tokio::time::Instant::now();
        Self::new(Arc::new(move || begun.elapsed()))
    }
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Holder {
    /// The run's id.
    pub run: String,
    /// User and machine, for people.
    pub who: String,
    /// What it does, such as `apply`.
    pub command: String,
    /// When it began (RFC 3339), for people.
    pub since: String,
    /// Moves with each renewal.
    #[serde(skip)]
    version: String,
}

impl Holder {
    /// The holder that this process would be.
    #[must_use]
    pub fn new(run: &str, who: &str, command: &str, since: &str) -> Self {
        let version = format!("{run}/0");
        Self { run: run.to_owned(), who: who.to_owned(), command: command.to_owned(), since: since.to_owned(), version }
    }

    fn read(item: &Item) -> Self {
        Self {
            run: read(item, "run"),
            who: read(item, "who"),
            command: read(item, "command"),
            since: read(item, "since"),
            version: read(item, "version"),
        }
    }

    fn item(&self) -> Item {
        let mut item = key(PK, PK);
        let fields = [
            ("run", &self.run),
            ("who", &self.who),
            ("command", &self.command),
            ("since", &self.since),
            ("version", &self.version),
        ];
        item.extend(fields.map(|(name, value)| (name.to_owned(), text(value.as_str()))));
        item
    }
}

/// The stack cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it, and is alive.
    #[error("the stack is locked by {} ({}) since {}, run {}", .0.who, .0.command, .0.since, .0.run)]
    Held(Box<Holder>),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

const PK: &str = "lock";
const FREE: &str = "attribute_not_exists(pk)";
const UNMOVED: &str = "version = :seen";
const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// A renewal that takes longer is sent again: three fit into the time that a lease leaves after the renewal is due.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(4);
const RENEWAL_PAUSE: Duration = Duration::from_secs(1);

/// What became of a renewal.
enum Renewed {
    /// This attempt wrote the new version.
    Now,
    /// This attempt or an earlier one did.
    Before,
    /// Another has the lock.
    Lost,
    Unknown,
}

/// A lock that is held, until it is released or lost.
#[derive(Debug)]
pub struct Lock {
    ledger: Ledger,
    holder: Holder,
    timing: Timing,
    state: Arc<LeaseState>,
}

struct LeaseState {
    /// Milliseconds of the boot clock until which a call may begin.
    until: AtomicU64,
    lost: AtomicBool,
    clock: BootClock,
}

impl fmt::Debug for LeaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseState").field("lost", &self.lost).finish_non_exhaustive()
    }
}

impl Lease for LeaseState {
    fn check(&self) -> Result<(), String> {
        if self.lost.load(Ordering::SeqCst) {
            return Err("another run has taken the stack's lock".to_owned());
        }
        if millis((self.clock)()) >= self.until.load(Ordering::SeqCst) {
            return Err("the stack's lock could not be renewed in time".to_owned());
        }
        Ok(())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Ledger {
    /// Who holds the stack, if anybody does.
    ///
    /// # Errors
    /// The call's; a stack without a table has no holder.
    pub async fn holder(&self) -> Result<Option<Holder>, CallError> {
        let send = || {
            let get = self.aws.dynamodb.get_item().table_name(&self.table).consistent_read(true);
            get.set_key(Some(key(PK, PK))).send()
        };
        match self.aws.call("dynamodb:GetItem", &self.table, send).await {
            Ok(answer) => Ok(answer.item().map(Holder::read)),
            Err(error) if error.class == Class::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the lock; from a holder whose version stands still for the whole lease, too. `on_wait` hears of a holder
    /// that has to be watched.
    ///
    /// # Errors
    /// [`LockError::Held`] when the holder is alive.
    pub async fn lock(&self, holder: Holder, timing: Timing, on_wait: &dyn Fn(&Holder)) -> Result<Lock, LockError> {
        let begun = (timing.clock)();
        if self.put(&holder, FREE, None).await? {
            return Ok(self.held(holder, timing, begun));
        }
        let Some(other) = self.holder().await? else {
            return self.take_over(holder, timing, None).await;
        };
        if other.run == holder.run {
            // Our own write, whose reply was lost.
            return Ok(self.held(other, timing, begun));
        }
        on_wait(&other);
        let watched_from = tokio::time::Instant::now();
        while watched_from.elapsed() < timing.lease {
            tokio::time::sleep(timing.renew.min(timing.lease - watched_from.elapsed())).await;
            match self.holder().await? {
                None => return self.take_over(holder, timing, None).await,
                Some(now) if now.version != other.version => return Err(LockError::Held(Box::new(now))),
                Some(_) => {}
            }
        }
        self.take_over(holder, timing, Some(other)).await
    }

    /// Takes the lock that is free, or the one of a dead holder that was `seen`. A write that got no answer and had no
    /// effect is tried again.
    async fn take_over(&self, holder: Holder, timing: Timing, mut seen: Option<Holder>) -> Result<Lock, LockError> {
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            let begun = (timing.clock)();
            let condition = if seen.is_some() { UNMOVED } else { FREE };
            if self.put(&holder, condition, seen.as_ref().map(|seen| seen.version.clone())).await? {
                return Ok(self.held(holder, timing, begun));
            }
            match self.holder().await? {
                Some(now) if now.run == holder.run => return Ok(self.held(now, timing, begun)),
                Some(now) if seen.as_ref().is_none_or(|seen| seen.version != now.version) => {
                    return Err(LockError::Held(Box::new(now)));
                }
                now => seen = now,
            }
        }
        Err(LockError::Held(Box::new(seen.unwrap_or(holder))))
    }

    /// Frees the lock of a holder that was seen, whether it is alive or not.
    ///
    /// # Errors
    /// [`LockError::Held`] when another has it by now.
    pub async fn break_lock(&self, seen: &Holder) -> Result<(), LockError> {
        self.delete(&seen.version).await?;
        match self.holder().await? {
            None => Ok(()),
            Some(now) => Err(LockError::Held(Box::new(now))),
        }
    }

    /// Writes the holder under a condition; false when the condition does not hold. A lost reply is asked after by
    /// the callers, which read again.
    async fn put(&self, holder: &Holder, condition: &'static str, seen: Option<String>) -> Result<bool, CallError> {
        let send = || {
            let put = self.aws.dynamodb.put_item().table_name(&self.table).set_item(Some(holder.item()));
            let put = put.condition_expression(condition);
            match &seen {
                Some(version) => put.expression_attribute_values(":seen", text(version.as_str())).send(),
                None => put.send(),
            }
        };
        match self.aws.call("dynamodb:PutItem", &self.table, send).await {
            Ok(_) => Ok(true),
            Err(error) if error.code.as_deref() == Some(CONDITION_FAILED) => Ok(false),
            // Whether it was written is found by reading.
            Err(error) if error.class == Class::Ambiguous => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, version: &str) -> Result<(), CallError> {
        let send = || {
            let delete = self.aws.dynamodb.delete_item().table_name(&self.table).set_key(Some(key(PK, PK)));
            delete.condition_expression(UNMOVED).expression_attribute_values(":seen", text(version)).send()
        };
        match self.aws.call("dynamodb:DeleteItem", &self.table, send).await {
            Ok(_) => Ok(()),
            Err(error) if error.code.as_deref() == Some(CONDITION_FAILED) => Ok(()),
            Err(error) if matches!(error.class, Class::Missing | Class::Ambiguous) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn held(&self, holder: Holder, timing: Timing, begun: Duration) -> Lock {
        let state =
            LeaseState { until: AtomicU64::new(0), lost: AtomicBool::new(false), clock: Arc::clone(&timing.clock) };
        let lock = Lock { ledger: self.clone(), holder, timing, state: Arc::new(state) };
        lock.extend(begun);
        lock
    }
}

impl Lock {
    /// The right to write that this lock gives, for [`crate::aws::Aws::with_lease`].
    #[must_use]
    pub fn lease(&self) -> Arc<dyn Lease> {
        Arc::clone(&self.state) as Arc<dyn Lease>
    }

    /// A call may begin while it must end, by its own timeout, before anybody can take over. Counted from before
    /// the renewal was sent.
    fn extend(&self, begun: Duration) {
        let until = begun + self.timing.lease.saturating_sub(CALL_TIMEOUT);
        self.state.until.store(millis(until), Ordering::SeqCst);
    }

    /// Does something while the lock is kept. Once the lock is lost it refuses every further write, so that what is done
    /// comes to its end by itself.
    pub async fn while_kept<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut keep = pin!(self.keep().fuse());
        loop {
            tokio::select! {
                result = &mut work => return result,
                () = &mut keep => {}
            }
        }
    }

    /// Renews the lease for as long as it is polled. Answers when the lock is lost.
    ///
    /// A renewal that is not answered soon is sent again, as often as fits into the lease: one slow call must not cost
    /// the lock. Repeating it is safe, because it writes the same version on the same condition.
    pub async fn keep(&mut self) {
        for renewal in 1_u64.. {
            tokio::time::sleep(self.timing.renew).await;
            let next = Holder { version: format!("{}/{renewal}", self.holder.run), ..self.holder.clone() };
            let first = (self.timing.clock)();
            let mut begun = first;
            let since = loop {
                match tokio::time::timeout(RENEWAL_TIMEOUT, self.renew(&next)).await {
                    Ok(Renewed::Now) => break begun,
                    // Whoever watches may have seen it move as early as that.
                    Ok(Renewed::Before) => break first,
                    Ok(Renewed::Lost) => {
                        self.state.lost.store(true, Ordering::SeqCst);
                        return;
                    }
                    Ok(Renewed::Unknown) | Err(_) => tokio::time::sleep(RENEWAL_PAUSE).await,
                }
                begun = (self.timing.clock)();
            };
            self.holder = next;
            self.extend(since);
        }
    }

    /// Writes a new version, once.
    async fn renew(&self, next: &Holder) -> Renewed {
        match self.ledger.put(next, UNMOVED, Some(self.holder.version.clone())).await {
            Ok(true) => Renewed::Now,
            // Not written, or written and not heard of: the table knows.
            Ok(false) => match self.ledger.holder().await {
                Ok(Some(now)) if now.version == next.version => Renewed::Before,
                Ok(Some(now)) if now.version == self.holder.version => Renewed::Unknown,
                Ok(_) => Renewed::Lost,
                Err(_) => Renewed::Unknown,
            },
            Err(_) => Renewed::Unknown,
        }
    }

    /// Gives the lock back. Losing the reply costs the next run the wait for the lease, nothing else.
    ///
    /// # Errors
    /// The call's.
    pub async fn release(self) -> Result<(), CallError> {
        self.ledger.delete(&self.holder.version).await
    }
}

//! The only loop that does I/O for the engine: it performs a run's operations and hands back what came of them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;

use futures::FutureExt;
use futures::future::{LocalBoxFuture, try_join_all};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;
use wharf_engine::{
    Call, Event, Failure, Found, IllegalTransition, Limits, Op, OpId, Outcome, Plan, Reply, Run, Stack, World,
};

use crate::aws::kind::{Changed, Gone};
use crate::aws::{AnyKind, Aws, CallError, Wanted, tags};

/// The kinds by name.
pub struct Kinds(BTreeMap<&'static str, Box<dyn AnyKind>>);

impl Default for Kinds {
    fn default() -> Self {
        Self(crate::aws::kinds().into_iter().map(|kind| (kind.rules().kind, kind)).collect())
    }
}

impl Kinds {
    /// Each kind.
    pub fn iter(&self) -> impl Iterator<Item = &dyn AnyKind> {
        self.0.values().map(AsRef::as_ref)
    }

    /// Just the kind of this name.
    #[must_use]
    pub fn only(&self, name: &str) -> Kinds {
        Self(crate::aws::kinds().into_iter().map(|k| (k.rules().kind, k)).filter(|(k, _)| *k == name).collect())
    }

    /// The kind of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn AnyKind> {
        self.0.get(name).map(AsRef::as_ref)
    }
}

/// Finds everything that the stack has, and what has a name that it wants: every kind at once.
///
/// # Errors
/// The first call that failed; half a world is no ground to plan on.
pub async fn sweep(aws: &Aws, kinds: &Kinds, stack: &Stack) -> Result<World, CallError> {
    let aws = &aws.sweeping();
    let found = try_join_all(kinds.iter().map(|kind| kind.find(aws, wanted(stack, kind.rules().kind), None))).await?;
    Ok(World { found: found.into_iter().flatten().collect() })
}

fn wanted(stack: &Stack, kind: &str) -> Wanted {
    let of_kind = stack.resources.values().filter(|resource| resource.rules.kind == kind);
    of_kind.map(|resource| (resource.id.clone(), resource.inputs.clone())).collect()
}

/// What a run needs besides the plan.
pub struct Driver<'a> {
    /// AWS, with the stack's lease.
    pub aws: &'a Aws,
    /// All kinds.
    pub kinds: &'a Kinds,
    /// What should be.
    pub stack: &'a Stack,
    /// Hears each event of the run, with the time since the run began.
    pub on_event: &'a dyn Fn(&Event),
}

type InFlight<'a> = FuturesUnordered<LocalBoxFuture<'a, (OpId, Result<Reply, Failure>)>>;

impl Driver<'_> {
    /// Carries out a plan. When `interrupt` comes, calls in flight finish and none is started.
    ///
    /// # Errors
    /// A reply that the run did not expect: a fault of ours.
    pub async fn run(
        &self,
        plan: &Plan,
        world: &World,
        limits: Limits,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Outcome, IllegalTransition> {
        let begun = Instant::now();
        let mut run = Run::new(plan, self.stack, world, limits);
        let mut in_flight: InFlight<'_> = FuturesUnordered::new();
        let mut interrupt = pin!(interrupt.fuse());
        let outcome = loop {
            for op in run.poll(begun.elapsed()) {
                in_flight.push(self.perform(op).boxed_local());
            }
            run.take_events().iter().for_each(self.on_event);
            if let Some(outcome) = run.outcome() {
                break outcome;
            }
            let wake = run.wake_at().unwrap_or_else(|| begun.elapsed() + crate::aws::connect::CALL_TIMEOUT);
            tokio::select! {
                Some((op, result)) = in_flight.next(), if !in_flight.is_empty() => {
                    run.reply(begun.elapsed(), op, result)?;
                }
                () = tokio::time::sleep_until(begun + wake) => {}
                () = &mut interrupt => run.interrupt(),
            }
        };
        run.take_events().iter().for_each(self.on_event);
        Ok(outcome)
    }

    async fn perform(&self, op: Op) -> (OpId, Result<Reply, Failure>) {
        let result = match self.kinds.get(op.kind) {
            Some(kind) => self.call(kind, &op).await,
            None => Err(CallError::ours(format!("no kind is named {}", op.kind))),
        };
        (op.id, result.map_err(Failure::from))
    }

    async fn call(&self, kind: &dyn AnyKind, op: &Op) -> Result<Reply, CallError> {
        let aws = self.aws;
        Ok(match op.call.clone() {
            Call::Create { inputs, generation } => {
                let made = kind.create(aws, op.logical.clone(), generation, inputs).await?;
                Reply::Created { physical: made.physical, outputs: made.outputs }
            }
            Call::Update { found, inputs, changes } => {
                let changed = Changed(changes.into_iter().map(|change| change.field).collect());
                Reply::Updated { outputs: kind.update(aws, *found, inputs, changed).await? }
            }
            Call::Adopt { found, generation } => {
                let identity = tags::identity(&aws.scope.stack, &op.logical, Some(&generation));
                kind.adopt(aws, *found, identity).await?;
                Reply::Adopted
            }
            Call::Delete { found } => Reply::Deleted { gone: kind.delete(aws, *found).await? == Gone::Now },
            Call::Read { physical } => Reply::Read(self.read(kind, op, physical).await?),
        })
    }

    async fn read(&self, kind: &dyn AnyKind, op: &Op, physical: Option<String>) -> Result<Vec<Found>, CallError> {
        let mut wanted = wanted(self.stack, op.kind);
        wanted.retain(|id, _| *id == op.logical);
        kind.find(self.aws, wanted, Some((op.logical.clone(), physical))).await
    }
}

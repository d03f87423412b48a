//! The record of a service's rollouts: whoever changes what a service or a schedule runs claims it before.

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::Grant;
use crate::ledger::{Claim, ClaimError, Ledger, Timing};
use crate::rollout::record::Holder;

/// Makes this run the one that changes what a service runs. None in a stack without a table, where no rollout is.
pub(super) async fn claim(aws: &Aws, service: &str) -> Result<Option<Claim>, CallError> {
    let run = aws.run().to_owned();
    let holder =
        Holder { who: format!("run {run}"), run, command: "apply".to_owned(), since: "a moment ago".to_owned() };
    let claimed = Ledger::new(aws).claim(service, holder, &Timing::unguarded(), &|_| {}, |_| {}).await;
    match claimed {
        Ok(claim) => Ok(Some(claim)),
        Err(ClaimError::NoTable(_)) => Ok(None),
        Err(ClaimError::Call(error)) => Err(error),
        Err(error) => Err(CallError::invalid(error, "wait for it to end, and apply again")),
    }
}

/// Lets go of it. Losing this costs the next one the wait for a lease.
pub(super) async fn release(claim: Option<Claim>) {
    if let Some(claim) = claim {
        let _ = claim.release(|_| {}).await;
    }
}

/// What claiming takes.
pub(super) fn grants() -> [Grant; 2] {
    const TABLE: &[&str] = &["arn:{partition}:dynamodb:{region}:{account}:table/wharf-{stack}"];
    [Grant { reads: true, ..Grant::write(&["dynamodb:GetItem"], TABLE) }, Grant::write(&["dynamodb:PutItem"], TABLE)]
}

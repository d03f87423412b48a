//! The services, each with its operations. A service is one line in [`ALL`].

mod acm;
mod applicationautoscaling;
pub(crate) mod autoscaling;
pub(crate) mod deliver;
mod dlm;
mod document;
mod dynamodb;
mod ec2;
mod ecr;
pub(crate) mod ecs;
mod elbv2;
pub(crate) mod events;
pub(crate) mod iam;
mod kms;
pub(crate) mod lambda;
mod logs;
pub(crate) mod monitoring;
mod rds;
pub(crate) mod route53;
mod scheduler;
mod servicediscovery;
mod shared;
pub(crate) mod sns;
pub(crate) mod sqs;
mod ssm;
mod sts;
mod tagging;
#[cfg(test)]
mod testing;

use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::store::Timer;
use crate::weather::Bucket;
use crate::wire::rest::Rest;

/// Every service that is simulated.
pub(crate) const ALL: &[&Service] = &[
    &acm::SERVICE,
    &autoscaling::SERVICE,
    &dlm::SERVICE,
    &applicationautoscaling::SERVICE,
    &dynamodb::SERVICE,
    &ec2::SERVICE,
    &ecr::SERVICE,
    &ecs::SERVICE,
    &elbv2::SERVICE,
    &events::SERVICE,
    &iam::SERVICE,
    &kms::SERVICE,
    &lambda::SERVICE,
    &logs::SERVICE,
    &monitoring::SERVICE,
    &rds::SERVICE,
    &route53::SERVICE,
    &scheduler::SERVICE,
    &servicediscovery::SERVICE,
    &sns::SERVICE,
    &sqs::SERVICE,
    &ssm::SERVICE,
    &sts::SERVICE,
    &tagging::SERVICE,
];

/// The services that are called by paths, with the bindings of their operations.
pub(crate) const REST: &[Rest] = &[dlm::REST, lambda::REST, route53::REST, scheduler::REST];

/// A service: how it is recognised, what it can do, how its objects change by themselves.
pub(crate) struct Service {
    /// The signing name, which is also the prefix of its IAM actions and of its kinds.
    pub(crate) name: &'static str,
    /// The XML namespace of a query service; empty for others.
    pub(crate) namespace: &'static str,
    /// Whether requests come signed for us-east-1 wherever the account is.
    pub(crate) global: bool,
    pub(crate) operations: &'static [Operation],
    /// What happens when a timer of one of its kinds is due.
    pub(crate) on_timer: fn(&mut Ctx<'_>, &Timer),
    /// The bucket that an operation draws from.
    pub(crate) bucket: fn(&Operation, &Input) -> Bucket,
    /// How it says that it is too much.
    pub(crate) throttled: fn() -> ApiError,
    /// How it says that its caller (first) may not do the action (second) on the resource (third).
    pub(crate) denied: fn(&str, &str, &str) -> ApiError,
}

/// One operation and what answers it.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) write: bool,
    /// The resource-less action demanded before the handler runs; a write demands its own, see [`write`].
    pub(crate) action: Option<&'static str>,
    pub(crate) handler: fn(&mut Ctx<'_>, &Input) -> Outcome,
}

/// A read: the action of the same name on `*` is demanded by the dispatcher.
pub(crate) const fn read(name: &'static str, handler: fn(&mut Ctx<'_>, &Input) -> Outcome) -> Operation {
    Operation { name, write: false, action: Some(name), handler }
}

/// A read whose handler demands its own grant (reads of one named resource), like a write.
pub(crate) const fn read_one(name: &'static str, handler: fn(&mut Ctx<'_>, &Input) -> Outcome) -> Operation {
    Operation { name, write: false, action: None, handler }
}

/// A write: its handler must demand what it needs with `ctx.authorise`, or the call fails as a fault of the sandbox.
pub(crate) const fn write(name: &'static str, handler: fn(&mut Ctx<'_>, &Input) -> Outcome) -> Operation {
    Operation { name, write: true, action: None, handler }
}

pub(crate) fn find(name: &str) -> Option<&'static Service> {
    ALL.iter().copied().find(|service| service.name == name)
}

/// For services whose objects do not change by themselves.
pub(crate) fn no_timers(_: &mut Ctx<'_>, _: &Timer) {}

/// What query and JSON services say when there are too many calls.
pub(crate) fn throttling() -> ApiError {
    crate::error::refuse("Throttling", "Rate exceeded")
}

/// What query services say when something is not allowed.
pub(crate) fn access_denied(caller: &str, action: &str, resource: &str) -> ApiError {
    ApiError::with_status(403, "AccessDenied", not_authorised(caller, action, resource))
}

/// The sentence that all services share.
pub(crate) fn not_authorised(caller: &str, action: &str, resource: &str) -> String {
    format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
    )
}

//! Cloud Map: namespaces that are private hosted zones, services in them, and the instances that ECS registers.

pub(crate) mod instances;
mod list;
mod namespace;
mod operation;
mod service;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;

use super::shared::access_denied_exception;
use super::{Service, read, read_one, write};
use crate::account::Ctx;
use crate::error::{ApiError, refuse};
use crate::store::Timer;
use crate::weather::Bucket;

pub(crate) static SERVICE: Service = Service {
    name: "servicediscovery",
    namespace: "",
    global: false,
    operations: &[
        write("CreatePrivateDnsNamespace", namespace::create),
        write("UpdatePrivateDnsNamespace", namespace::update),
        write("DeleteNamespace", namespace::delete),
        read_one("GetNamespace", namespace::get),
        read("ListNamespaces", namespace::list),
        read_one("GetOperation", operation::get),
        read("ListOperations", operation::list),
        write("CreateService", service::create),
        write("UpdateService", service::update),
        write("DeleteService", service::delete),
        read_one("GetService", service::get),
        read("ListServices", service::list),
        write("RegisterInstance", instances::register_by_call),
        write("DeregisterInstance", instances::deregister_by_call),
        read_one("ListInstances", instances::list),
        read_one("GetInstance", instances::get),
        read_one("DiscoverInstances", instances::discover),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read("ListTagsForResource", tags::list),
    ],
    on_timer: |ctx: &mut Ctx<'_>, timer: &Timer| operation::done(ctx, &timer.id),
    // <https://docs.aws.amazon.com/cloud-map/latest/dg/cloud-map-limits.html>
    bucket: |operation, _| match operation.name {
        "DiscoverInstances" => Bucket { name: "servicediscovery DiscoverInstances", burst: 2000.0, rate: 1000.0 },
        name => Bucket { name, burst: 20.0, rate: 5.0 },
    },
    throttled: || refuse("RequestLimitExceeded", "Request limit exceeded."),
    denied: access_denied_exception,
};

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidInput", message)
}

/// Letters and digits, as the ids of Cloud Map end in.
fn new_id(ctx: &mut Ctx<'_>, prefix: &str) -> String {
    format!("{prefix}-{}", ctx.account.rng.hex(16))
}

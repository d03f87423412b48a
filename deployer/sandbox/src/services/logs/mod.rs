//! CloudWatch Logs: log groups, and the streams in them.

mod encryption;
mod event;
mod group;
mod pattern;
mod retention;
mod stream;
mod tags;
#[cfg(test)]
mod tests_of_events;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;

use super::shared::{access_denied_exception, throttling_exception};
use super::{Service, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

pub(crate) use event::{append, append_all, has_stream};
pub(crate) use group::{exists, made_by_aws};

pub(crate) static SERVICE: Service = Service {
    name: "logs",
    namespace: "",
    global: false,
    operations: &[
        write("CreateLogGroup", group::create),
        write("DeleteLogGroup", group::delete),
        read_one("DescribeLogGroups", group::describe),
        read_one("ListLogGroups", group::list),
        write("PutLogGroupDeletionProtection", group::protect),
        write("PutRetentionPolicy", retention::put),
        write("DeleteRetentionPolicy", retention::delete),
        write("AssociateKmsKey", encryption::associate),
        write("DisassociateKmsKey", encryption::disassociate),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsForResource", tags::list),
        write("TagLogGroup", tags::tag_group),
        write("UntagLogGroup", tags::untag_group),
        read_one("ListTagsLogGroup", tags::list_of_group),
        read_one("DescribeLogStreams", stream::describe),
        read_one("GetLogEvents", event::get),
        read_one("FilterLogEvents", event::filter),
    ],
    on_timer: |ctx: &mut Ctx<'_>, timer: &Timer| ctx.remove("logs.settling", &timer.id),
    // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
    bucket: |operation, _| match operation.name {
        name @ ("GetLogEvents" | "FilterLogEvents") => Bucket { name, burst: 25.0, rate: 25.0 },
        "DescribeLogStreams" => Bucket { name: "logs DescribeLogStreams", burst: 25.0, rate: 25.0 },
        name => Bucket { name, burst: 10.0, rate: 10.0 },
    },
    throttled: throttling_exception,
    denied: access_denied_exception,
};

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterException", message)
}

fn no_such_group() -> ApiError {
    refuse("ResourceNotFoundException", "The specified log group does not exist.")
}

fn find(ctx: &Ctx<'_>, name: &str) -> Result<Arc<Resource>, ApiError> {
    ctx.usable("logs.group", name).ok_or_else(no_such_group)
}

fn named(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    find(ctx, input.str("logGroupName")?)
}

fn arn(ctx: &Ctx<'_>, name: &str) -> String {
    ctx.arn("logs", format!("log-group:{name}"))
}

/// Permissions on a log group are asked for its streams, except those about tags: a policy needs the `:*` at
/// the end that the group's own ARN has not.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html>
fn wanted(ctx: &Ctx<'_>, action: &str, group: &str) -> Grant {
    Grant::new(format!("logs:{action}"), format!("{}:log-stream:", arn(ctx, group)))
}

fn authorise(ctx: &mut Ctx<'_>, action: &str, group: &Resource) -> Result<(), ApiError> {
    let grant = wanted(ctx, action, &group.id).resource_tags(&group.tags);
    ctx.authorise(grant)
}

//! Log streams: made by the services that write, only read here.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html>

use serde_json::Value;

use super::{authorise, find, group, invalid};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::services::shared::shown;

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = match (input.opt_str("logGroupName"), input.opt_str("logGroupIdentifier")) {
        (Some(name), None) => name.to_owned(),
        (None, Some(identifier)) => group::name_in(ctx, identifier),
        _ => return Err(invalid("Exactly one of logGroupName and logGroupIdentifier must be given")),
    };
    let group = find(ctx, &name)?;
    authorise(ctx, "DescribeLogStreams", &group)?;
    let prefix = input.opt_str("logStreamNamePrefix");
    let by_time = input.opt_str("orderBy") == Some("LastEventTime");
    if by_time && prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let mut streams = ctx.visible("logs.stream");
    streams.retain(|stream| {
        stream.text("_group") == group.id && prefix.is_none_or(|p| stream.text("logStreamName").starts_with(p))
    });
    streams.sort_by_key(|stream| {
        let time = if by_time { stream.number("lastEventTimestamp") } else { 0 };
        (time, stream.text("logStreamName").to_owned())
    });
    if input.bool_or("descending", false)? {
        streams.reverse();
    }
    group::paged(input, "logStreams", streams.iter().map(|stream| Value::Object(shown(stream))).collect(), 50)
}

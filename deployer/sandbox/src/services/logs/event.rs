//! Log events: written by the services that run containers, read here.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::pattern::Pattern;
use super::{arn, authorise, find, group, invalid};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::rng::rank;
use crate::services::shared::page;
use crate::store::Resource;

const STREAM: &str = "logs.stream";
/// No stream grows for ever here: of more events than this the oldest go.
const KEPT: usize = 1000;

/// Writes a line into a stream of a group as a service does; the stream is made when it is not there. False, and
/// nothing is written, when the group is not there.
pub(crate) fn append(ctx: &mut Ctx<'_>, group: &str, stream: &str, line: &str) -> bool {
    append_all(ctx, group, stream, &[line])
}

/// The same for lines that come together.
pub(crate) fn append_all(ctx: &mut Ctx<'_>, group: &str, stream: &str, lines: &[impl AsRef<str>]) -> bool {
    if ctx.get("logs.group", group).is_none() {
        return false;
    }
    let id = key(group, stream);
    let at = ctx.now.as_millisecond();
    if ctx.get(STREAM, &id).is_none() {
        let mut made = ctx.resource(
            STREAM,
            &id,
            json!({
                "logStreamName": stream,
                "creationTime": at,
                "arn": format!("{}:log-stream:{stream}", arn(ctx, group)),
                "storedBytes": 0,
                "_group": group,
                "_events": [],
            }),
        );
        // It goes with its group.
        made.aws_made = true;
        ctx.insert(made);
    }
    ctx.update(STREAM, &id, |stream| {
        if !stream.attrs.contains_key("firstEventTimestamp") {
            stream.set("firstEventTimestamp", at);
        }
        stream.set("lastEventTimestamp", at);
        stream.set("lastIngestionTime", at);
        let events = stream.list_mut("_events");
        let event = |line: &str| json!({"timestamp": at, "message": line, "ingestionTime": at});
        events.extend(lines.iter().map(|line| event(line.as_ref())));
        let surplus = events.len().saturating_sub(KEPT);
        events.drain(..surplus);
    });
    true
}

fn key(group: &str, stream: &str) -> String {
    format!("{group}|{stream}")
}

/// The group that a request means, by name or by identifier.
fn group_of(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    match (input.opt_str("logGroupName"), input.opt_str("logGroupIdentifier")) {
        (Some(name), None) => find(ctx, name),
        (None, Some(identifier)) => find(ctx, &group::name_in(ctx, identifier)),
        _ => Err(invalid("Exactly one of logGroupName and logGroupIdentifier must be given")),
    }
}

/// Whether an event lies in the time that a request asks for: the start belongs to it, the end does not.
fn window(input: &Input) -> Result<impl Fn(&Value) -> bool + use<>, ApiError> {
    let (from, to) = (input.opt_int("startTime")?, input.opt_int("endTime")?);
    Ok(move |event: &Value| {
        let at = event["timestamp"].as_i64().unwrap_or(0);
        from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
    })
}

fn limit(input: &Input) -> Result<usize, ApiError> {
    let limit = input.opt_int("limit")?.unwrap_or(10_000);
    usize::try_from(limit).ok().filter(|limit| (1..=10_000).contains(limit)).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value between 1 and 10000"
        ))
    })
}

/// The events of one stream; forwards and backwards from where the last answer ended.
pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = group_of(ctx, input)?;
    let name = input.string("logStreamName")?;
    let resource = format!("{}:log-stream:{name}", arn(ctx, &group.id));
    ctx.authorise(Grant::new("logs:GetLogEvents", resource).resource_tags(&group.tags))?;
    input.ignore(&["unmask"]);
    let stream = ctx
        .visible_one(STREAM, &key(&group.id, &name))
        .ok_or_else(|| refuse("ResourceNotFoundException", "The specified log stream does not exist."))?;
    let (inside, limit) = (window(input)?, limit(input)?);
    let events: Vec<&Value> = stream.items("_events").iter().filter(|event| inside(event)).collect();
    let from_head = input.bool_or("startFromHead", false)?;
    let (start, end) = match input.opt_str("nextToken") {
        Some(token) => place(token, events.len(), limit)?,
        None if from_head => (0, limit.min(events.len())),
        None => (events.len().saturating_sub(limit), events.len()),
    };
    Ok(json!({
        "events": events[start..end],
        "nextForwardToken": format!("f/{end:056}/s"),
        "nextBackwardToken": format!("b/{start:056}/s"),
    }))
}

/// Where a token goes on. At the end of a stream AWS gives back the token that it got.
fn place(token: &str, count: usize, limit: usize) -> Result<(usize, usize), ApiError> {
    let wrong = || invalid("The specified nextToken is invalid.");
    let (direction, rest) = token.split_once('/').ok_or_else(wrong)?;
    let from: usize = rest.trim_end_matches("/s").parse().map_err(|_| wrong())?;
    let from = from.min(count);
    match direction {
        "f" => Ok((from, from.saturating_add(limit).min(count))),
        "b" => Ok((from.saturating_sub(limit), from)),
        _ => Err(wrong()),
    }
}

/// The events of many streams that fit a pattern.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>
pub(super) fn filter(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = group_of(ctx, input)?;
    authorise(ctx, "FilterLogEvents", &group)?;
    input.ignore(&["unmask", "interleaved"]);
    let (names, prefix) = (input.strings("logStreamNames"), input.opt_str("logStreamNamePrefix"));
    if prefix.is_some() && !names.is_empty() {
        return Err(invalid("LogStreamNames and LogStreamNamePrefix are mutually exclusive parameters."));
    }
    let pattern = Pattern::read(input.opt_str("filterPattern").unwrap_or_default())?;
    let (inside, limit) = (window(input)?, limit(input)?);
    let newest_first = input.opt_bool("startFromHead")? == Some(false);
    let wanted = |name: &str| {
        (names.is_empty() || names.iter().any(|n| n == name)) && prefix.is_none_or(|p| name.starts_with(p))
    };
    let mut streams = ctx.visible(STREAM);
    streams.retain(|stream| stream.text("_group") == group.id && wanted(stream.text("logStreamName")));
    if let Some(absent) = names.iter().find(|name| !streams.iter().any(|s| s.text("logStreamName") == *name)) {
        return Err(refuse("ResourceNotFoundException", format!("The specified log stream does not exist: {absent}")));
    }
    let mut found = Vec::new();
    for stream in &streams {
        let fitting = stream.items("_events").iter().enumerate();
        let fitting =
            fitting.filter(|(_, event)| inside(event) && pattern.fits(event["message"].as_str().unwrap_or_default()));
        found.extend(fitting.map(|(n, event)| numbered(ctx, stream, n, event)));
    }
    found.sort_by_key(|event| event["timestamp"].as_i64());
    if newest_first {
        found.reverse();
    }
    let token = input.opt_str("nextToken");
    let page = page(found, token, limit).ok_or_else(|| invalid("The specified nextToken is invalid."))?;
    // Since 2020 AWS no longer says which streams it searched.
    let mut answer = json!({"events": page.items, "searchedLogStreams": []});
    if let Some(next) = page.next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

fn numbered(ctx: &Ctx<'_>, stream: &Resource, n: usize, event: &Value) -> Value {
    let mut event = event.clone();
    event["logStreamName"] = stream.text("logStreamName").into();
    let number = rank(ctx.account.seed, &format!("{}|{n}|{}", stream.id, event["timestamp"]));
    event["eventId"] = format!("{number:056}").into();
    event
}

/// Whether a group has a stream.
pub(crate) fn has_stream(ctx: &Ctx<'_>, group: &str, stream: &str) -> bool {
    ctx.get(STREAM, &key(group, stream)).is_some()
}

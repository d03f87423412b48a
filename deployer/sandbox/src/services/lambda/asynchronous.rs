//! Asynchronous invocation: a function's own queue of events, which are tried again when the function fails.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::name::{self, LATEST};
use super::work::{self, Origin};
use super::{FUNCTION, destination, function_arn, life, metrics, no_such_function, policy};
use crate::account::Ctx;
use crate::clock::later;
use crate::error::ApiError;
use crate::store::{Resource, Timer};

pub(super) const EVENT: &str = "lambda.event";
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>
const LONGEST: usize = 1_048_576;
const OLDEST: i64 = 21_600;
const RETRIES: i64 = 2;

/// Lets a function run by and by, for a caller who was found allowed to. Answers the request id.
pub(crate) fn invoke_async(ctx: &mut Ctx<'_>, function: &str, payload: &str) -> Result<String, ApiError> {
    let named = name::read(ctx, function)?;
    let found = named.find(ctx).ok_or_else(|| no_such_function(&named.arn(ctx)))?;
    accept(ctx, &found, payload)
}

/// The same for a service of AWS, such as `events.amazonaws.com`: the function's resource policy must let it, for the
/// resource whose ARN is the source.
/// <https://docs.aws.amazon.com/lambda/latest/dg/permissions-function-services.html>
pub(crate) fn invoke_by_service(
    ctx: &mut Ctx<'_>,
    function: &str,
    service: &str,
    source: &str,
    payload: &str,
) -> Result<String, ApiError> {
    let named = name::read(ctx, function)?;
    let found = named.find(ctx).ok_or_else(|| no_such_function(&named.arn(ctx)))?;
    if !policy::allows(ctx, &found, service, source)? {
        let refused = format!(
            "{service} is not authorized to perform: lambda:InvokeFunction on resource: {function} because no resource-based policy allows the lambda:InvokeFunction action"
        );
        return Err(ApiError::with_status(403, "AccessDeniedException", refused));
    }
    accept(ctx, &found, payload)
}

pub(super) fn accept(ctx: &mut Ctx<'_>, function: &Resource, payload: &str) -> Result<String, ApiError> {
    if payload.len() > LONGEST {
        let message = format!("Request must be smaller than {LONGEST} bytes for the InvokeFunction operation");
        return Err(ApiError::with_status(413, "RequestTooLargeException", message));
    }
    let id = ctx.account.rng.uuid();
    let born = ctx.now.as_millisecond();
    let event = json!({
        "_gone": true, "function": function.id, "payload": payload, "born": born, "failures": 0, "throttled": 0,
    });
    let event = ctx.resource(EVENT, id.clone(), event);
    ctx.insert(event);
    metrics::count(ctx, &function.id, "AsyncEventsReceived", 1.0);
    ctx.after(Duration::from_millis(50), EVENT, &id, "try");
    Ok(id)
}

/// Tries the events that waited for somebody to run their function.
pub(super) fn wake(ctx: &mut Ctx<'_>, function: &str) {
    for event in ctx.those(EVENT, |event| event.text("function") == function && event.flag("stranded")) {
        ctx.update(EVENT, &event.id, |event| drop(event.attrs.remove("stranded")));
        again(ctx, &event.id, Duration::ZERO);
    }
}

fn again(ctx: &mut Ctx<'_>, id: &str, by: Duration) {
    let due = later(ctx.now, by);
    ctx.account.store.schedule(due, Timer { kind: EVENT, id: id.to_owned(), event: "try" });
}

fn limit(function: &Resource, name: &str, default: i64) -> i64 {
    let own = function.attrs.get("_invoke_config").and_then(|config| config[name].as_i64());
    own.unwrap_or(default)
}

/// An event's turn has come.
pub(super) fn due(ctx: &mut Ctx<'_>, id: &str) {
    let Some(event) = ctx.get(EVENT, id) else { return };
    let Some(known) = ctx.get(FUNCTION, event.text("function")) else { return ctx.remove(EVENT, id) };
    if !ctx.account.hosted.contains(&known.id) {
        return ctx.update(EVENT, id, |event| event.set("stranded", true));
    }
    let age = (ctx.now.as_millisecond() - event.number("born")) / 1000;
    if age > limit(&known, "MaximumEventAgeInSeconds", OLDEST) {
        return exhausted(ctx, &event, &known, "EventAgeExceeded", None);
    }
    // Of a function that is switched off, events are not kept.
    // <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>
    if known.attrs.get("_reserved") == Some(&json!(0)) {
        return exhausted(ctx, &event, &known, "RetriesExhausted", None);
    }
    let begun = match life::in_force(&known) {
        Some(function) => work::begin(ctx, &function, event.text("payload"), Origin::Event(id)).is_ok(),
        None => false,
    };
    if !begun {
        // From a second on, twice as long each time, up to five minutes.
        let so_often = event.number("throttled");
        ctx.update(EVENT, id, |event| event.set("throttled", so_often + 1));
        let seconds = 1_u64 << so_often.clamp(0, 9);
        again(ctx, id, Duration::from_secs(seconds.min(300)));
    }
}

/// An attempt is over: the first failure is followed by a second attempt a minute later, that by a third after two.
pub(super) fn finished(ctx: &mut Ctx<'_>, over: &Resource) {
    let id = over.text("knownBy").to_owned();
    let Some(event) = ctx.get(EVENT, &id) else { return };
    let Some(function) = ctx.get(FUNCTION, event.text("function")) else { return ctx.remove(EVENT, &id) };
    if over.attrs.get("error").is_none_or(Value::is_null) {
        let record = record(ctx, &event, &function, "Success", Some(over));
        destination::tell(ctx, &function, "OnSuccess", &record);
        // Its queue gives out events once at least.
        let twice = ctx.account.weather.duplicates;
        if !event.flag("repeated") && ctx.account.rng.chance(twice) {
            ctx.update(EVENT, &id, |event| event.set("repeated", true));
            return again(ctx, &id, Duration::from_secs(1));
        }
        return ctx.remove(EVENT, &id);
    }
    let failures = event.number("failures") + 1;
    ctx.update(EVENT, &id, |event| event.set("failures", failures));
    let Some(event) = ctx.get(EVENT, &id) else { return };
    if failures > limit(&function, "MaximumRetryAttempts", RETRIES) {
        return exhausted(ctx, &event, &function, "RetriesExhausted", Some(over));
    }
    again(ctx, &id, Duration::from_secs(60 * u64::try_from(failures).unwrap_or(1)));
}

/// Nobody tries an event any more: it goes where the function says, and is dropped.
fn exhausted(ctx: &mut Ctx<'_>, event: &Resource, function: &Resource, condition: &str, over: Option<&Resource>) {
    metrics::count(ctx, &function.id, "AsyncEventsDropped", 1.0);
    let record = record(ctx, event, function, condition, over);
    destination::tell(ctx, function, "OnFailure", &record);
    destination::bury(ctx, function, event, over);
    ctx.remove(EVENT, &event.id);
}

/// What a destination is told.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
fn record(ctx: &Ctx<'_>, event: &Resource, function: &Resource, condition: &str, over: Option<&Resource>) -> Value {
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let attempts = event.number("failures") + i64::from(condition == "Success");
    let mut record = json!({
        "version": "1.0",
        "timestamp": ctx.now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "requestContext": {
            "requestId": event.id, "functionArn": format!("{}:{LATEST}", function_arn(ctx, &function.id)),
            "condition": condition, "approximateInvokeCount": attempts,
        },
        "requestPayload": parsed(event.text("payload")),
    });
    if let Some(over) = over {
        record["responseContext"] = json!({"statusCode": 200, "executedVersion": LATEST});
        if let Some(error) = over.attrs.get("error").filter(|error| !error.is_null()) {
            record["responseContext"]["functionError"] = error.clone();
        }
        record["responsePayload"] = parsed(over.text("result"));
    }
    record
}

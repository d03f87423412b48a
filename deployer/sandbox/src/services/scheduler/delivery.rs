//! What a schedule sends at its time, on its way to the target.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule.html>

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::account::Ctx;
use crate::error::ApiError;
use crate::services::deliver::{self, Parcel};
use crate::services::events;
use crate::store::{Resource, Timer};

pub(super) const KIND: &str = "scheduler.delivery";
const SERVICE: &str = "scheduler.amazonaws.com";
/// A schedule is kept to the minute; within it, at once as a rule.
const TYPICAL: Duration = Duration::from_millis(500);

/// Invokes the target of a schedule, in the role that it was given for that.
pub(super) fn start(ctx: &mut Ctx<'_>, schedule: &Resource) {
    let target = &schedule.attrs["Target"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |name: &str, default: i64| target["RetryPolicy"][name].as_i64().unwrap_or(default);
    let body = body(ctx, schedule);
    let group = ctx.arn("scheduler", format!("schedule-group/{}", schedule.text("GroupName")));
    let parcel = Parcel {
        kind: KIND,
        service: SERVICE,
        from: schedule.text("Arn").to_owned(),
        to: text(&target["Arn"]),
        letters: target["DeadLetterConfig"]["Arn"].as_str().map(|queue| (queue.to_owned(), body.clone())),
        body: Some(body),
        subject: None,
        attributes: Map::new(),
        typical: TYPICAL,
        most: number("MaximumRetryAttempts", 185),
        oldest: number("MaximumEventAgeInSeconds", 86_400),
        // <https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html>
        role: Some((text(&target["RoleArn"]), group)),
        task: target.get("EcsParameters").map(|task| (task.clone(), "AWS Scheduler".to_owned())),
    };
    // A target is invoked at least once.
    let twice = ctx.account.weather.duplicates;
    let times = if ctx.account.rng.chance(twice) && target.get("EcsParameters").is_none() { 2 } else { 1 };
    for _ in 0..times {
        deliver::send(ctx, &parcel);
    }
}

/// What the target gets: its input, with what it says of this time filled in, or an event of Scheduler's own.
/// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html>
fn body(ctx: &mut Ctx<'_>, schedule: &Resource) -> String {
    let (arn, time, id) = (schedule.text("Arn"), events::stamp(ctx.now), ctx.account.rng.uuid());
    match schedule.attrs["Target"]["Input"].as_str() {
        Some(input) => input
            .replace("<aws.scheduler.schedule-arn>", arn)
            .replace("<aws.scheduler.scheduled-time>", &time)
            .replace("<aws.scheduler.execution-id>", &id)
            .replace("<aws.scheduler.attempt-number>", "1"),
        None => json!({
            "version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.scheduler",
            "account": ctx.account.id, "time": time, "region": ctx.account.region, "resources": [arn], "detail": "{}",
        })
        .to_string(),
    }
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    // What cannot be delivered stays for those who look.
    let _ = deliver::arrive(ctx, KIND, &timer.id, SERVICE, letter);
}

/// What a dead letter says. <https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html>
fn letter(parcel: &Resource, error: &ApiError) -> Map<String, Value> {
    let mut said = Map::new();
    let mut say = |name: &str, kind: &str, value: &str| {
        said.insert(name.to_owned(), json!({"DataType": kind, "StringValue": value}));
    };
    say("SCHEDULE_ARN", "String", parcel.text("from"));
    say("TARGET_ARN", "String", parcel.text("to"));
    say("ERROR_CODE", "String", &error.code);
    say("ERROR_MESSAGE", "String", &error.message);
    say("IS_PAYLOAD_TRUNCATED", "String", "false");
    if deliver::is_passing(error) {
        say("EXHAUSTED_RETRY_CONDITION", "String", "MaximumRetryAttempts");
    }
    say("RETRY_ATTEMPTS", "Number", &parcel.number("attempts").to_string());
    said
}

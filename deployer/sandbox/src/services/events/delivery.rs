//! One event on its way to one target.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html>

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::account::Ctx;
use crate::error::ApiError;
use crate::services::deliver::{self, Fate, Parcel};
use crate::services::monitoring;
use crate::store::{Resource, Timer};

const KIND: &str = "events.delivery";
const SERVICE: &str = "events.amazonaws.com";
/// From the event to its target it takes about half a second: <https://aws.amazon.com/eventbridge/faqs/>
const TYPICAL: Duration = Duration::from_millis(400);

/// Sends what a target is to get of an event. An event is tried for a day and 185 times unless the target says
/// otherwise; its dead letter is the event as it came.
pub(super) fn start(ctx: &mut Ctx<'_>, rule: &Resource, target: &Value, event: &Value, body: Option<String>) {
    let number = |name: &str, default: i64| target["RetryPolicy"][name].as_i64().unwrap_or(default);
    let letters = target["DeadLetterConfig"]["Arn"].as_str().map(|queue| (queue.to_owned(), event.to_string()));
    let parcel = Parcel {
        kind: KIND,
        service: SERVICE,
        from: rule.text("Arn").to_owned(),
        to: target["Arn"].as_str().unwrap_or_default().to_owned(),
        body,
        subject: None,
        attributes: Map::new(),
        typical: TYPICAL,
        most: number("MaximumRetryAttempts", 185),
        oldest: number("MaximumEventAgeInSeconds", 86_400),
        letters,
        role: target["RoleArn"].as_str().map(|role| (role.to_owned(), rule.text("Arn").to_owned())),
        task: target.get("EcsParameters").map(|task| (task.clone(), format!("events-rule/{}", rule.id))),
    };
    deliver::send(ctx, &parcel);
}

/// What is counted of a rule's deliveries.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html>
pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let rule = ctx.get(KIND, &timer.id).map(|parcel| parcel.text("from").to_owned()).unwrap_or_default();
    let counted: &[&str] = match deliver::arrive(ctx, KIND, &timer.id, SERVICE, letter) {
        None => &[],
        Some(Fate::Delivered) => &["Invocations"],
        Some(Fate::Delayed) => &["RetryInvocationAttempts"],
        Some(Fate::Buried) => &["FailedInvocations", "InvocationsSentToDlq"],
        Some(Fate::Dropped { refused: false }) => &["FailedInvocations"],
        Some(Fate::Dropped { refused: true }) => &["FailedInvocations", "InvocationsFailedToBeSentToDlq"],
    };
    let name = rule.rsplit('/').next().unwrap_or_default();
    for metric in counted {
        monitoring::publish_now(ctx, "AWS/Events", metric, &[("RuleName", name)], 1.0);
    }
}

/// What a dead letter says. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
fn letter(parcel: &Resource, error: &ApiError) -> Map<String, Value> {
    let mut said = Map::new();
    let mut say = |name: &str, kind: &str, value: &str| {
        said.insert(name.to_owned(), json!({"DataType": kind, "StringValue": value}));
    };
    let code = match error.code.as_str() {
        code if code.contains("AccessDenied") || code == "AuthorizationError" => "NO_PERMISSIONS",
        code if code.contains("NonExistentQueue") || code.contains("NotFound") => "NO_RESOURCE",
        code => code,
    };
    say("RULE_ARN", "String", parcel.text("from"));
    say("TARGET_ARN", "String", parcel.text("to"));
    say("ERROR_CODE", "String", code);
    say("ERROR_MESSAGE", "String", &error.message);
    if deliver::is_passing(error) {
        let often = parcel.number("attempts") >= parcel.number("most");
        let condition = if often { "MaximumRetryAttempts" } else { "MaximumEventAgeInSeconds" };
        say("EXHAUSTED_RETRY_CONDITION", "String", condition);
    }
    say("RETRY_ATTEMPTS", "Number", &parcel.number("attempts").to_string());
    said
}

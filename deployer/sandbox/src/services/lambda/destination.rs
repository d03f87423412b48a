//! Where Lambda sends what became of asynchronous invocations, in the name of the function's role.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use serde_json::{Map, Value, json};

use super::{FUNCTION, asynchronous, invalid, metrics};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::ApiError;
use crate::principal::acting;
use crate::services::{iam, sns, sqs};
use crate::store::Resource;

/// So much of an error's message goes with a dead letter.
const MESSAGE: usize = 1024;

/// The service that an ARN belongs to.
pub(super) fn service(arn: &str) -> &str {
    arn.split(':').nth(2).unwrap_or_default()
}

/// Refuses a destination that is not there.
pub(super) fn there(ctx: &Ctx<'_>, arn: &str) -> Result<(), ApiError> {
    let name = arn.rsplit(':').next().unwrap_or_default();
    let found = match service(arn) {
        "sqs" => sqs::visibility_timeout(ctx, arn).is_some(),
        "sns" => sns::exists(ctx, arn),
        "lambda" => ctx.get(FUNCTION, name).is_some(),
        "events" | "s3" => return Err(ApiError::not_simulated(format!("the destination {arn}"))),
        _ => false,
    };
    if found { Ok(()) } else { Err(invalid(format!("The destination ARN {arn} is invalid."))) }
}

/// What the role must be allowed: action, and how Lambda names it.
fn needed(arn: &str) -> (&'static str, &'static str) {
    match service(arn) {
        "sqs" => ("sqs:SendMessage", "SendMessage"),
        "sns" => ("sns:Publish", "Publish"),
        _ => ("lambda:InvokeFunction", "InvokeFunction"),
    }
}

/// Refuses a destination that the role may not send to.
pub(super) fn permitted(role: &Resource, arn: &str) -> Result<(), ApiError> {
    let (action, named) = needed(arn);
    if iam::role_allows(role, &Grant::new(action, arn))? {
        return Ok(());
    }
    Err(invalid(format!("The function's execution role does not have permissions to call {named} on {arn}")))
}

fn send(
    ctx: &mut Ctx<'_>,
    function: &Resource,
    arn: &str,
    body: &str,
    attributes: Map<String, Value>,
) -> Result<(), ApiError> {
    let role = iam::role_by_arn(ctx, function.text("Role"));
    let role = role.ok_or_else(|| invalid("The role defined for the function cannot be assumed by Lambda."))?;
    permitted(&role, arn)?;
    acting(ctx, &role, &function.id, |ctx| match service(arn) {
        "sqs" => sqs::put_as_caller(ctx, arn, body, attributes).map(drop),
        "sns" => sns::as_caller(ctx, arn, body).map(drop),
        "lambda" => asynchronous::invoke_async(ctx, arn, body).map(drop),
        _ => Err(ApiError::not_simulated(format!("the destination {arn}"))),
    })
}

/// Tells a destination of success or failure, if the function has one for it.
pub(super) fn tell(ctx: &mut Ctx<'_>, function: &Resource, of: &str, record: &Value) {
    let config = function.attrs.get("_invoke_config").map(|config| &config["DestinationConfig"][of]["Destination"]);
    let Some(arn) = config.and_then(Value::as_str).map(str::to_owned) else { return };
    if send(ctx, function, &arn, &record.to_string(), Map::new()).is_err() {
        metrics::count(ctx, &function.id, "DestinationDeliveryFailures", 1.0);
    }
}

/// Sends an event as it came to the function's dead-letter queue or topic, if it has one.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq>
pub(super) fn bury(ctx: &mut Ctx<'_>, function: &Resource, event: &Resource, over: Option<&Resource>) {
    let letters = function.attrs.get("DeadLetterConfig").and_then(|letters| letters["TargetArn"].as_str());
    let Some(arn) = letters.map(str::to_owned) else { return };
    let result: Value = over.and_then(|over| serde_json::from_str(over.text("result")).ok()).unwrap_or_default();
    let message: String = result["errorMessage"].as_str().unwrap_or_default().chars().take(MESSAGE).collect();
    let mut attributes = Map::new();
    let mut say = |name: &str, kind: &str, value: &str| {
        if !value.is_empty() {
            attributes.insert(name.to_owned(), json!({"DataType": kind, "StringValue": value}));
        }
    };
    say("RequestID", "String", &event.id);
    say("ErrorCode", "Number", "200");
    say("ErrorMessage", "String", &message);
    if send(ctx, function, &arn, event.text("payload"), attributes).is_err() {
        metrics::count(ctx, &function.id, "DeadLetterErrors", 1.0);
    }
}

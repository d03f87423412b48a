//! What can be set of an event source mapping on a queue.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html>

use serde_json::json;

use super::{ill_formed, invalid, within};
use crate::account::Ctx;
use crate::error::ApiError;
use crate::input::Input;
use crate::principal::acting;
use crate::services::{iam, sqs};
use crate::store::Resource;

/// Writes what a call says into a mapping; what it leaves out stays.
pub(super) fn apply(input: &Input, mapping: &mut Resource) -> Result<(), ApiError> {
    if let Some(size) = within(input, "BatchSize", "batchSize", 1, 10_000)? {
        mapping.set("BatchSize", size);
    }
    let window = "MaximumBatchingWindowInSeconds";
    if let Some(seconds) = within(input, window, "maximumBatchingWindowInSeconds", 0, 300)? {
        mapping.set(window, seconds);
    }
    if mapping.number("BatchSize") > 10 && mapping.number(window) == 0 {
        return Err(invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ));
    }
    if input.has("FunctionResponseTypes") {
        let types = input.strings("FunctionResponseTypes");
        if let Some(other) = types.iter().find(|kind| *kind != "ReportBatchItemFailures") {
            let constraint = "satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures], Member must not be null]";
            return Err(ill_formed(&format!("[{other}]"), "functionResponseTypes", constraint));
        }
        mapping.set("FunctionResponseTypes", types);
    }
    if let Some(scaling) = input.object("ScalingConfig") {
        match within(&scaling, "MaximumConcurrency", "scalingConfig.maximumConcurrency", 2, 1000)? {
            Some(most) => mapping.set("ScalingConfig", json!({"MaximumConcurrency": most})),
            None => drop(mapping.attrs.remove("ScalingConfig")),
        }
    }
    if input.has("DestinationConfig") {
        return Err(invalid("Unsupported DestinationConfig parameter for given event source mapping type."));
    }
    if input.object("FilterCriteria").is_some_and(|filters| !filters.objects("Filters").is_empty()) {
        return Err(ApiError::not_simulated("FilterCriteria of an event source mapping"));
    }
    Ok(())
}

/// What the poller does with a queue as the function's role.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions>
const CALLS: &[(&str, &[&str])] =
    &[("ReceiveMessage", &["Decrypt"]), ("DeleteMessage", &[]), ("GetQueueAttributes", &[])];

/// The first call that a function's role may not make on a queue.
pub(super) fn refused(ctx: &mut Ctx<'_>, function: &Resource, queue: &str) -> Option<&'static str> {
    let Some(role) = iam::role_by_arn(ctx, function.text("Role")) else { return CALLS.first().map(|(call, _)| *call) };
    let may = |ctx: &mut Ctx<'_>, call: &str, of_key: &[&str]| {
        acting(ctx, &role, &function.id, |ctx| sqs::demand(ctx, queue, call, of_key)).is_ok()
    };
    CALLS.iter().find(|(call, of_key)| !may(ctx, call, of_key)).map(|(call, _)| *call)
}

/// Whether a queue and a function fit together.
pub(super) fn fits(ctx: &mut Ctx<'_>, queue: &str, function: &Resource) -> Result<(), ApiError> {
    if queue.ends_with(".fifo") {
        return Err(ApiError::not_simulated("event source mappings on FIFO queues"));
    }
    let Some(hidden) = sqs::visibility_timeout(ctx, queue) else {
        return Err(invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
        ));
    };
    if let Some(call) = refused(ctx, function, queue) {
        return Err(invalid(format!("The provided execution role does not have permissions to call {call} on SQS")));
    }
    let timeout = function.number("Timeout");
    if hidden < timeout {
        return Err(invalid(format!(
            "Queue visibility timeout: {hidden} seconds is less than Function timeout: {timeout} seconds"
        )));
    }
    Ok(())
}

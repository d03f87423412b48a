//! Lambda: functions, who may invoke them, what becomes of their invocations. No zip is executed here: the code of a
//! function is run by a host outside the account, see [`crate::lambda`].

mod asynchronous;
mod code;
mod concurrency;
mod destination;
mod function;
mod invoke;
mod invoke_config;
mod life;
mod log;
mod mapping;
mod mapping_settings;
mod metrics;
mod name;
mod policy;
mod poll;
mod settings;
mod tags;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests_of_direct_paths;
#[cfg(test)]
mod tests_of_invocations;
#[cfg(test)]
mod tests_of_mappings;
#[cfg(test)]
mod tests_over_the_wire;
mod update;
pub(crate) mod work;

use serde_json::{Value, json};

use super::shared::page;
use super::{Service, not_authorised, read, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Timer};
use crate::weather::Bucket;
use crate::wire::rest::{Format, Rest, Route};

pub(crate) use asynchronous::{invoke_async, invoke_by_service};
pub(crate) use invoke::WAITS;
pub(crate) use poll::look;

pub(crate) static SERVICE: Service = Service {
    name: "lambda",
    namespace: "",
    global: false,
    operations: &[
        write("CreateFunction", function::create),
        read_one("GetFunction", function::get),
        read_one("GetFunctionConfiguration", function::get_configuration),
        read("ListFunctions", function::list),
        read_one("ListVersionsByFunction", function::versions),
        read_one("GetFunctionCodeSigningConfig", function::code_signing),
        write("DeleteFunction", function::delete),
        write("UpdateFunctionCode", update::code),
        write("UpdateFunctionConfiguration", update::configuration),
        write("AddPermission", policy::add),
        write("RemovePermission", policy::remove),
        read_one("GetPolicy", policy::get),
        write("PutFunctionConcurrency", concurrency::put),
        read_one("GetFunctionConcurrency", concurrency::get),
        write("DeleteFunctionConcurrency", concurrency::delete),
        read("GetAccountSettings", concurrency::account_settings),
        write("PutFunctionEventInvokeConfig", invoke_config::put),
        write("UpdateFunctionEventInvokeConfig", invoke_config::update),
        read_one("GetFunctionEventInvokeConfig", invoke_config::get),
        read_one("ListFunctionEventInvokeConfigs", invoke_config::list),
        write("DeleteFunctionEventInvokeConfig", invoke_config::delete),
        write("CreateEventSourceMapping", mapping::create),
        read_one("GetEventSourceMapping", mapping::get),
        write("UpdateEventSourceMapping", mapping::update),
        write("DeleteEventSourceMapping", mapping::delete),
        read("ListEventSourceMappings", mapping::list),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTags", tags::list),
        write("Invoke", invoke::invoke),
    ],
    on_timer,
    // <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests>
    bucket: |operation, _| match operation.name {
        "Invoke" => Bucket { name: "lambda Invoke", burst: 10_000.0, rate: 10_000.0 },
        "GetFunction" => Bucket { name: "lambda GetFunction", burst: 100.0, rate: 100.0 },
        "GetPolicy" => Bucket { name: "lambda GetPolicy", burst: 15.0, rate: 15.0 },
        _ => Bucket { name: "lambda", burst: 15.0, rate: 15.0 },
    },
    throttled: || too_many("Rate exceeded", "CallerRateLimitExceeded"),
    denied: |caller, action, resource| {
        let message = not_authorised(caller, action, resource);
        ApiError::with_status(403, "AccessDeniedException", message.clone()).member("Message", message)
    },
};

/// <https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html>
pub(crate) const REST: Rest = Rest {
    service: "lambda",
    format: Format::Json,
    routes: &[
        Route::new("CreateFunction", "POST", "/2015-03-31/functions", 201),
        Route { query: QUALIFIED, ..Route::new("GetFunction", "GET", "/2015-03-31/functions/{FunctionName}", 200) },
        Route {
            query: QUALIFIED,
            ..Route::new("GetFunctionConfiguration", "GET", "/2015-03-31/functions/{FunctionName}/configuration", 200)
        },
        Route {
            query: &[
                ("Marker", "Marker"),
                ("MaxItems", "MaxItems"),
                ("FunctionVersion", "FunctionVersion"),
                ("MasterRegion", "MasterRegion"),
            ],
            ..Route::new("ListFunctions", "GET", "/2015-03-31/functions", 200)
        },
        Route {
            query: PAGES,
            ..Route::new("ListVersionsByFunction", "GET", "/2015-03-31/functions/{FunctionName}/versions", 200)
        },
        Route::new(
            "GetFunctionCodeSigningConfig",
            "GET",
            "/2020-06-30/functions/{FunctionName}/code-signing-config",
            200,
        ),
        Route {
            query: QUALIFIED,
            ..Route::new("DeleteFunction", "DELETE", "/2015-03-31/functions/{FunctionName}", 204)
        },
        Route::new("UpdateFunctionCode", "PUT", "/2015-03-31/functions/{FunctionName}/code", 200),
        Route::new("UpdateFunctionConfiguration", "PUT", "/2015-03-31/functions/{FunctionName}/configuration", 200),
        Route {
            query: QUALIFIED,
            ..Route::new("AddPermission", "POST", "/2015-03-31/functions/{FunctionName}/policy", 201)
        },
        Route {
            query: &[("Qualifier", "Qualifier"), ("RevisionId", "RevisionId")],
            ..Route::new("RemovePermission", "DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", 204)
        },
        Route {
            query: QUALIFIED,
            ..Route::new("GetPolicy", "GET", "/2015-03-31/functions/{FunctionName}/policy", 200)
        },
        Route::new("PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{FunctionName}/concurrency", 200),
        Route::new("GetFunctionConcurrency", "GET", "/2019-09-30/functions/{FunctionName}/concurrency", 200),
        Route::new("DeleteFunctionConcurrency", "DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", 204),
        Route::new("GetAccountSettings", "GET", "/2016-08-19/account-settings", 200),
        Route { query: QUALIFIED, ..Route::new("PutFunctionEventInvokeConfig", "PUT", INVOKE_CONFIG, 200) },
        Route { query: QUALIFIED, ..Route::new("UpdateFunctionEventInvokeConfig", "POST", INVOKE_CONFIG, 200) },
        Route { query: QUALIFIED, ..Route::new("GetFunctionEventInvokeConfig", "GET", INVOKE_CONFIG, 200) },
        Route { query: QUALIFIED, ..Route::new("DeleteFunctionEventInvokeConfig", "DELETE", INVOKE_CONFIG, 204) },
        Route {
            query: PAGES,
            ..Route::new(
                "ListFunctionEventInvokeConfigs",
                "GET",
                "/2019-09-25/functions/{FunctionName}/event-invoke-config/list",
                200,
            )
        },
        Route::new("CreateEventSourceMapping", "POST", "/2015-03-31/event-source-mappings", 202),
        Route::new("GetEventSourceMapping", "GET", "/2015-03-31/event-source-mappings/{UUID}", 200),
        Route::new("UpdateEventSourceMapping", "PUT", "/2015-03-31/event-source-mappings/{UUID}", 202),
        Route::new("DeleteEventSourceMapping", "DELETE", "/2015-03-31/event-source-mappings/{UUID}", 202),
        Route {
            query: &[
                ("EventSourceArn", "EventSourceArn"),
                ("FunctionName", "FunctionName"),
                ("Marker", "Marker"),
                ("MaxItems", "MaxItems"),
            ],
            ..Route::new("ListEventSourceMappings", "GET", "/2015-03-31/event-source-mappings", 200)
        },
        Route::new("TagResource", "POST", "/2017-03-31/tags/{Resource}", 204),
        Route {
            query: &[("tagKeys", "TagKeys[]")],
            ..Route::new("UntagResource", "DELETE", "/2017-03-31/tags/{Resource}", 204)
        },
        Route::new("ListTags", "GET", "/2017-03-31/tags/{Resource}", 200),
        Route {
            query: QUALIFIED,
            headers: &[
                ("x-amz-invocation-type", "InvocationType"),
                ("x-amz-log-type", "LogType"),
                ("x-amz-client-context", "ClientContext"),
            ],
            payload: Some("Payload"),
            answer_headers: &[
                ("X-Amz-Function-Error", "FunctionError"),
                ("X-Amz-Log-Result", "LogResult"),
                ("X-Amz-Executed-Version", "ExecutedVersion"),
            ],
            answer_payload: Some("Payload"),
            ..Route::new("Invoke", "POST", "/2015-03-31/functions/{FunctionName}/invocations", 200)
        },
    ],
};

const QUALIFIED: &[(&str, &str)] = &[("Qualifier", "Qualifier")];
const PAGES: &[(&str, &str)] = &[("Marker", "Marker"), ("MaxItems", "MaxItems")];
const INVOKE_CONFIG: &str = "/2019-09-25/functions/{FunctionName}/event-invoke-config";

const FUNCTION: &str = "lambda.function";
const MAPPING: &str = "lambda.event-source-mapping";

fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match (timer.kind, timer.event) {
        (FUNCTION, _) => life::settle(ctx, &timer.id),
        (MAPPING, "poll") => poll::due(ctx, &timer.id),
        (poll::BATCH, _) => poll::attempt(ctx, &timer.id),
        (MAPPING, _) => mapping::settle(ctx, &timer.id),
        (asynchronous::EVENT, _) => asynchronous::due(ctx, &timer.id),
        _ => work::timed_out(ctx, &timer.id),
    }
}

fn function_arn(ctx: &Ctx<'_>, name: &str) -> String {
    ctx.arn("lambda", format!("function:{name}"))
}

/// What is wrong with the call, as Lambda itself says it.
fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterValueException", message).member("Type", "User")
}

/// What is wrong with the form of a parameter, as is found before Lambda sees the call.
fn ill_formed(value: &str, place: &str, constraint: &str) -> ApiError {
    refuse(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: Member must {constraint}"
        ),
    )
}

/// A number in its range.
fn within(input: &Input, name: &str, place: &str, least: i64, most: i64) -> Result<Option<i64>, ApiError> {
    match input.opt_int(name)? {
        Some(value) if value < least => {
            Err(ill_formed(&value.to_string(), place, &format!("have value greater than or equal to {least}")))
        }
        Some(value) if value > most => {
            Err(ill_formed(&value.to_string(), place, &format!("have value less than or equal to {most}")))
        }
        fine => Ok(fine),
    }
}

fn not_found(message: impl Into<String>) -> ApiError {
    let message = message.into();
    ApiError::with_status(404, "ResourceNotFoundException", message.clone())
        .member("Message", message)
        .member("Type", "User")
}

fn no_such_function(arn: &str) -> ApiError {
    not_found(format!("Function not found: {arn}"))
}

fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::with_status(409, "ResourceConflictException", message).member("Type", "User")
}

fn too_many(message: &str, reason: &str) -> ApiError {
    ApiError::with_status(429, "TooManyRequestsException", message).member("Reason", reason).member("Type", "User")
}

/// What a revision id is refused with that is not the present one.
fn precondition(input: &Input, function: &Resource) -> Result<(), ApiError> {
    match input.opt_str("RevisionId") {
        Some(id) if id != function.text("RevisionId") => Err(ApiError::with_status(
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
        )
        .member("Type", "User")),
        _ => Ok(()),
    }
}

/// Demands an action on a function, with the tags that it has.
fn authorise(ctx: &mut Ctx<'_>, action: &str, arn: &str, function: Option<&Resource>) -> Result<(), ApiError> {
    let mut grant = Grant::new(format!("lambda:{action}"), arn);
    if let Some(function) = function {
        grant = grant.resource_tags(&function.tags);
    }
    ctx.authorise(grant)
}

/// A page of a list under its name.
fn paged(input: &Input, name: &str, items: Vec<Value>, most: i64) -> Outcome {
    let size = input.opt_int("MaxItems")?.unwrap_or(most).clamp(1, most);
    let token = input.opt_str("Marker").filter(|token| !token.is_empty());
    let page = page(items, token, usize::try_from(size).unwrap_or(50));
    let page = page.ok_or_else(|| invalid("Invalid pagination token"))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextMarker"] = next.into();
    }
    Ok(answer)
}

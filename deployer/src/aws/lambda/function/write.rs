//! What is asked of Lambda.

use aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder as Create;
use aws_sdk_lambda::types::{
    Architecture, DestinationConfig, Environment, FunctionCode, LogFormat, LoggingConfig, OnFailure, Runtime,
    TracingConfig, TracingMode,
};
use aws_smithy_types::Blob;
use wharf_engine::Class;

use super::{Function, Invocations};
use crate::aws::call::{Aws, CallError};
use crate::aws::out::Out;
use crate::aws::tags::Tags;

/// What changes a function of the stack.
pub(super) const ACTIONS: &[&str] = &[
    "lambda:AddPermission",
    "lambda:DeleteFunction",
    "lambda:DeleteFunctionConcurrency",
    "lambda:DeleteFunctionEventInvokeConfig",
    "lambda:PutFunctionConcurrency",
    "lambda:PutFunctionEventInvokeConfig",
    "lambda:RemovePermission",
    "lambda:TagResource",
    "lambda:UntagResource",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
];

/// The fields that one call changes together.
pub(super) const CONFIGURATION: &[&str] =
    &["description", "role", "runtime", "handler", "timeout", "memory", "env", "tracing", "log_group", "log_format"];

/// The request that creates it, with its identity.
pub(super) fn creation(wanted: &Function, aws: &Aws, tags: &Tags) -> Result<Create, CallError> {
    Ok(aws
        .lambda
        .create_function()
        .function_name(&wanted.name)
        .description(&wanted.description)
        .role(wanted.role.get()?)
        .runtime(Runtime::from(wanted.runtime.as_str()))
        .handler(&wanted.handler)
        .architectures(Architecture::from(wanted.architecture.as_str()))
        .code(FunctionCode::builder().zip_file(zip(wanted, aws)?).build())
        .timeout(wanted.timeout.0)
        .memory_size(wanted.memory)
        .environment(environment(wanted)?)
        .tracing_config(tracing(wanted))
        .logging_config(logging(wanted)?)
        .set_tags(Some(tags.clone().into_iter().collect())))
}

/// Other code, or code for other processors: the one goes with the other.
pub(super) async fn code(wanted: &Function, aws: &Aws, name: &str) -> Result<(), CallError> {
    let update = aws.lambda.update_function_code().function_name(name).zip_file(zip(wanted, aws)?);
    let update = update.architectures(Architecture::from(wanted.architecture.as_str()));
    aws.call("lambda:UpdateFunctionCode", name, || update.clone().send()).await.map(drop)
}

/// All of [`CONFIGURATION`].
pub(super) async fn configuration(wanted: &Function, aws: &Aws, name: &str) -> Result<(), CallError> {
    let update = aws
        .lambda
        .update_function_configuration()
        .function_name(name)
        .description(&wanted.description)
        .role(wanted.role.get()?)
        .runtime(Runtime::from(wanted.runtime.as_str()))
        .handler(&wanted.handler)
        .timeout(wanted.timeout.0)
        .memory_size(wanted.memory)
        .environment(environment(wanted)?)
        .tracing_config(tracing(wanted))
        .logging_config(logging(wanted)?);
    aws.call("lambda:UpdateFunctionConfiguration", name, || update.clone().send()).await.map(drop)
}

/// How many invocations may run at once; none lifts the limit.
pub(super) async fn concurrency(aws: &Aws, name: &str, most: Option<i32>) -> Result<(), CallError> {
    let Some(most) = most else {
        let send = || aws.lambda.delete_function_concurrency().function_name(name).send();
        return aws.call("lambda:DeleteFunctionConcurrency", name, send).await.map(drop);
    };
    let put = || aws.lambda.put_function_concurrency().function_name(name).reserved_concurrent_executions(most);
    match aws.call("lambda:PutFunctionConcurrency", name, || put().send()).await {
        Err(error) if error.class == Class::Quota => Err(CallError { hint: Some(NONE_TO_SPARE.to_owned()), ..error }),
        answer => answer.map(drop),
    }
}

/// Lambda keeps a hundred concurrent invocations for functions that reserve none, and a new account has ten at all.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>
const NONE_TO_SPARE: &str = "ask for a larger quota of concurrent executions, or write `[reactions] \
                             reserved_concurrency = false`";

/// What becomes of asynchronous invocations; none is Lambda's defaults.
pub(super) async fn invocations(aws: &Aws, name: &str, wanted: Option<&Invocations>) -> Result<(), CallError> {
    let Some(wanted) = wanted else {
        let send = || aws.lambda.delete_function_event_invoke_config().function_name(name).send();
        return aws.call("lambda:DeleteFunctionEventInvokeConfig", name, send).await.map(drop);
    };
    let failure = wanted.on_failure.as_ref().map(Out::get).transpose()?;
    let failure = failure.map(|arn| OnFailure::builder().destination(arn).build());
    let destinations = failure.map(|failure| DestinationConfig::builder().on_failure(failure).build());
    let put = aws.lambda.put_function_event_invoke_config().function_name(name);
    let put = put.maximum_retry_attempts(wanted.retries).maximum_event_age_in_seconds(wanted.max_age.0);
    let put = put.set_destination_config(destinations);
    aws.call("lambda:PutFunctionEventInvokeConfig", name, || put.clone().send()).await.map(drop)
}

/// The code itself.
fn zip(wanted: &Function, aws: &Aws) -> Result<Blob, CallError> {
    match aws.packages().with_digest(&wanted.code) {
        Some(package) => Ok(Blob::new(package.zip())),
        None => {
            let what = format!("the code of function {} is not at hand", wanted.name);
            Err(CallError::invalid(what, "build the functions, or say with `--functions` where they are"))
        }
    }
}

fn environment(wanted: &Function) -> Result<Environment, CallError> {
    let mut environment = Environment::builder().set_variables(Some(Default::default()));
    for (name, value) in &wanted.env {
        environment = environment.variables(name, value.get()?);
    }
    Ok(environment.build())
}

fn tracing(wanted: &Function) -> TracingConfig {
    TracingConfig::builder().mode(TracingMode::from(wanted.tracing.as_str())).build()
}

fn logging(wanted: &Function) -> Result<LoggingConfig, CallError> {
    let logging = LoggingConfig::builder().log_group(wanted.log_group.get()?);
    Ok(logging.log_format(LogFormat::from(wanted.log_format.as_str())).build())
}

//! A function as Lambda has it.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    Architecture, FunctionConfiguration, LastUpdateStatus, LogFormat, LoggingConfig, Runtime, State, TracingMode,
};
use wharf_engine::{Class, Health, Identity, Outputs, Value};

use super::{Function, Invocations, function_arn};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Found, Query};
use crate::aws::lambda::permission;
use crate::aws::out::{Out, Text};
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// A function that is the stack's, or has a name that the stack wants.
pub(super) async fn observe(
    aws: &Aws,
    query: &Query<Function>,
    name: &str,
) -> Result<Option<Found<Function>>, CallError> {
    let answer = match get(aws, name).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?,
    };
    let has = answer.configuration.ok_or_else(|| CallError::lacks("lambda:GetFunction", "Configuration"))?;
    let health = health(&has);
    if let Health::Settling(what) = &health
        && let Some(waiting) = query.at_work(what)
    {
        return Ok(Some(waiting));
    }
    let (invocations, permissions) = futures::try_join!(invocations(aws, name), permission::list(aws, name))?;
    let all: Tags = answer.tags.unwrap_or_default().into_iter().collect();
    let foreign = || query.by_name(|wanted| &wanted.name).get(name).map(|id| ((*id).clone(), Identity::Foreign));
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    let concurrency = answer.concurrency.and_then(|concurrency| concurrency.reserved_concurrent_executions);
    let mut inputs =
        Function { concurrency, invocations, permissions, tags: tags::user(&all), ..configured(name, &has) };
    if query.wanted.get(&id).is_some_and(|wanted| wanted.code.is_empty()) {
        inputs.code.clear();
    }
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health,
        inputs,
        outputs: outputs(aws, name),
        blockers: Default::default(),
    }))
}

async fn get(aws: &Aws, name: &str) -> Result<GetFunctionOutput, CallError> {
    let answer = aws.call("lambda:GetFunction", name, || aws.lambda.get_function().function_name(name).send()).await?;
    match answer.tags_error() {
        None => Ok(answer),
        Some(error) => {
            Err(CallError::of_item("lambda:ListTags", name, Some(error.error_code()), Some(error.message())))
        }
    }
}

/// What Lambda was told of asynchronous invocations; none where it was told nothing.
async fn invocations(aws: &Aws, name: &str) -> Result<Option<Invocations>, CallError> {
    let send = || aws.lambda.get_function_event_invoke_config().function_name(name).send();
    let answer = match aws.call("lambda:GetFunctionEventInvokeConfig", name, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?,
    };
    let failure = answer.destination_config.and_then(|config| config.on_failure);
    Ok(Some(Invocations {
        retries: answer.maximum_retry_attempts.unwrap_or(2),
        max_age: Seconds(answer.maximum_event_age_in_seconds.unwrap_or(6 * 60 * 60)),
        on_failure: failure.and_then(|failure| failure.destination).map(Text::known),
    }))
}

fn configured(name: &str, has: &FunctionConfiguration) -> Function {
    let logging = has.logging_config();
    let log_group = logging.and_then(LoggingConfig::log_group).map(str::to_owned);
    let variables = has.environment().and_then(|environment| environment.variables());
    let variable = |(name, value): (&String, &String)| (name.clone(), Text::known(value));
    Function {
        name: name.to_owned(),
        description: has.description().unwrap_or_default().to_owned(),
        role: Out::known(has.role().unwrap_or_default()),
        runtime: has.runtime().map_or("", Runtime::as_str).to_owned(),
        handler: has.handler().unwrap_or_default().to_owned(),
        architecture: has.architectures().first().map_or("x86_64", Architecture::as_str).to_owned(),
        code: has.code_sha256().unwrap_or_default().to_owned(),
        timeout: Seconds(has.timeout().unwrap_or(3)),
        memory: has.memory_size().unwrap_or(128),
        env: variables.into_iter().flatten().map(variable).collect(),
        tracing: has
            .tracing_config()
            .and_then(|tracing| tracing.mode())
            .map_or("PassThrough", TracingMode::as_str)
            .into(),
        log_group: Out::known(log_group.unwrap_or_else(|| format!("/aws/lambda/{name}"))),
        log_format: logging.and_then(LoggingConfig::log_format).map_or("Text", LogFormat::as_str).to_owned(),
        concurrency: None,
        invocations: None,
        permissions: BTreeMap::new(),
        tags: Tags::new(),
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>
fn health(has: &FunctionConfiguration) -> Health {
    let why = |reason: Option<&str>| reason.unwrap_or("Lambda does not say why").to_owned();
    match (has.state(), has.last_update_status()) {
        (Some(State::Failed), _) => Health::Failed(why(has.state_reason())),
        (Some(State::Deleting), _) => Health::Deleting,
        (Some(state @ State::Pending), _) => Health::Settling(state.as_str().to_owned()),
        (_, Some(LastUpdateStatus::InProgress)) => Health::Settling("updating".to_owned()),
        (_, Some(LastUpdateStatus::Failed)) => Health::Failed(why(has.last_update_status_reason())),
        // One that was not used for weeks is inactive, and comes back with its next invocation.
        _ => Health::Ready,
    }
}

fn outputs(aws: &Aws, name: &str) -> Outputs {
    let arn = function_arn(aws, name);
    Outputs::from([("arn".to_owned(), Value::text(arn)), ("name".to_owned(), Value::text(name))])
}

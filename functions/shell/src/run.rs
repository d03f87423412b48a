//! The loop that Lambda drives: the next invocation, the function, its answer.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde_json::Value;
use tracing::Instrument as _;

use crate::environment::{Environment, SettingError};
use crate::fault::Fault;
use crate::invocation::{Invocation, deadline, time_of_day};
use crate::{chain, log};

/// A function, as Lambda calls it.
pub trait Function {
    /// What comes of one invocation.
    ///
    /// # Errors
    /// Why it failed. Lambda tries it again, if its caller does not wait for the answer.
    fn handle(&self, payload: Value, invocation: &Invocation) -> impl Future<Output = Result<Value, Fault>>;
}

/// The loop could not begin, or broke off.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// What Lambda sets for every function is missing: this is not Lambda.
    #[error("this is to be started by Lambda, or by something that stands in for it")]
    NotLambda(#[source] SettingError),
    /// The Runtime API does not answer.
    #[error("the Runtime API is gone")]
    Broken(#[source] lambda_runtime::Error),
}

/// All of a function's `main`: log and environment, then [`run`]. It ends when Lambda does.
pub async fn serve<F: Function>(name: &str, build: impl FnOnce(&Environment) -> Result<F, Fault>) -> ExitCode {
    let environment = Environment::of_process();
    log::begin(&environment);
    let Err(error) = run(&environment, build).instrument(tracing::error_span!("function", function = name)).await
    else {
        return ExitCode::SUCCESS;
    };
    tracing::error!(function = name, reason = chain(&error), "the function ends");
    ExitCode::FAILURE
}

/// Runs a function's `main` on this one thread. Lambda gives a function of less than 1,769 MB less than one processor.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
pub fn block_on(main: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(main),
        Err(error) => {
            log::begin(&Environment::of_process());
            tracing::error!(reason = chain(&error), "the function cannot begin");
            ExitCode::FAILURE
        }
    }
}

/// Takes one invocation after the other from the Runtime API that the process's environment names. A function that
/// cannot be built answers every invocation with the reason, so that whoever sent it hears of it too.
///
/// # Errors
/// This process was not started as Lambda starts one, or the Runtime API is gone.
pub async fn run<F: Function>(
    environment: &Environment,
    build: impl FnOnce(&Environment) -> Result<F, Fault>,
) -> Result<(), NotStarted> {
    started_by_lambda(environment).map_err(NotStarted::NotLambda)?;
    let function = build(environment);
    if let Err(fault) = &function {
        tracing::error!(kind = fault.kind, reason = fault.message, "the function is set up wrongly");
    }
    let dated = Dated::default();
    // Boxed: what a function does is a deeply nested type, and the loop's own layers come on top.
    let handle = |event: LambdaEvent<Value>| Box::pin(answer(&function, event, dated.take()));
    let note = |invocation: LambdaInvocation| {
        dated.keep(&invocation);
        invocation
    };
    let runtime = Runtime::new(service_fn(handle)).layer(MapRequestLayer::new(note));
    runtime.run().await.map_err(NotStarted::Broken)
}

/// The runtime's own crate ends the process when one of these is missing, without a word that helps.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
fn started_by_lambda(environment: &Environment) -> Result<(), SettingError> {
    let senseless = |name: &str, value: &str, why| Err(SettingError::Senseless(name.to_owned(), value.to_owned(), why));
    for name in ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"] {
        environment.required(name)?;
    }
    let (memory, api) = ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_RUNTIME_API");
    let size = environment.required(memory)?;
    if size.parse::<i32>().is_err() {
        return senseless(memory, size, "no number of megabytes");
    }
    let address = environment.required(api)?;
    if !address.parse::<http::Uri>().is_ok_and(|uri| uri.authority().is_some()) {
        return senseless(api, address, "no address");
    }
    Ok(())
}

async fn answer<F: Function>(
    function: &Result<F, Fault>,
    event: LambdaEvent<Value>,
    handed: Timestamp,
) -> Result<Value, Fault> {
    let LambdaEvent { payload, context } = event;
    let left = deadline(context.deadline).and_then(|at| Duration::try_from(at.duration_since(handed)).ok());
    let (id, arn, trace) = (context.request_id, context.invoked_function_arn, context.xray_trace_id);
    let invocation = Invocation::new(id, arn, trace, handed, left.unwrap_or_default());
    let (request, trace) = (invocation.request_id.as_str(), invocation.trace.as_deref().unwrap_or_default());
    // Of the highest level, so that the ids are there whatever level is asked for.
    let span = tracing::error_span!("invocation", request_id = request, correlation_id = request, trace_id = trace);
    async {
        let result = match function {
            Ok(function) => function.handle(payload, &invocation).await,
            Err(fault) => Err(fault.clone()),
        };
        if let Err(fault) = &result {
            tracing::error!(kind = fault.kind, reason = fault.message, "the invocation failed");
        }
        result
    }
    .instrument(span)
    .await
}

/// When the invocation in hand was handed out. The runtime's crate keeps the headers from the handler; one invocation
/// is handled after the other, so what is kept here is that of the one that is handled next.
#[derive(Clone, Debug, Default)]
struct Dated(Arc<Mutex<Option<Timestamp>>>);

impl Dated {
    fn keep(&self, invocation: &LambdaInvocation) {
        let date = invocation.parts.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        let deadline = deadline(invocation.context.deadline);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(time_of_day(date, deadline, machine_time()));
    }

    fn take(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(machine_time)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the time of day enters a function")]
fn machine_time() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_lambda_a_function_says_what_is_missing_rather_than_break() {
        let all = [
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ];
        started_by_lambda(&Environment::of(all)).unwrap();
        for (name, _) in all {
            let rest = all.iter().filter(|(other, _)| *other != name).copied();
            let error = started_by_lambda(&Environment::of(rest)).unwrap_err();
            assert_eq!(error.to_string(), format!("{name} is not set"));
        }
        for (name, value) in [("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much"), ("AWS_LAMBDA_RUNTIME_API", "/no where")] {
            let error = started_by_lambda(&Environment::of(all.into_iter().chain([(name, value)]))).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }
}

//! Runs a function's code in this process, as its role: the account starts it, pays for it and judges its calls as it
//! does with a process of its own, and a whole story takes a moment.

use std::time::Duration;

use aws_types::SdkConfig;
use futures::future::join_all;
use serde_json::json;
use wharf_sandbox::Sandbox;
use wharf_sandbox::lambda::{Answer, Invocation as Taken};
use wharf_shell::{Environment, Function, Invocation};

/// How often it is looked whether there is something to run, at least and at most.
const LOOK: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// Runs a function for as long as a story takes: in one environment.
pub(super) async fn during<F: Function, T>(
    sandbox: &Sandbox,
    function: &str,
    build: impl Fn(&Environment, &SdkConfig) -> F,
    story: impl Future<Output = T>,
) -> T {
    during_in(1, sandbox, function, build, story).await
}

/// The same in so many environments at once.
pub(super) async fn during_in<F: Function, T>(
    environments: usize,
    sandbox: &Sandbox,
    function: &str,
    build: impl Fn(&Environment, &SdkConfig) -> F,
    story: impl Future<Output = T>,
) -> T {
    let served = join_all((0..environments).map(|_| serve(sandbox, function, &build)));
    tokio::select! {
        biased;
        _ = served => panic!("nobody serves any more"),
        told = story => {
            sandbox.unhost_function(function);
            told
        }
    }
}

async fn serve<F: Function>(
    sandbox: &Sandbox,
    name: &str,
    build: impl Fn(&Environment, &SdkConfig) -> F,
) -> std::convert::Infallible {
    let opened = sandbox.open_environment(name).unwrap_or_else(|answer| panic!("{name}: {answer:?}"));
    sandbox.host_function(name);
    let environment = Environment::of(opened.variables);
    let config = environment.aws().expect("a role has credentials");
    let function = build(&environment, &config.to_builder().http_client(sandbox.http_client()).build());
    loop {
        let next = sandbox.next_event();
        match sandbox.take_invocation(&opened.id) {
            Some(taken) => answer(sandbox, &function, &taken).await,
            None => {
                let left = next.and_then(|next| Duration::try_from(next.duration_since(sandbox.now())).ok());
                tokio::time::sleep(left.unwrap_or(LOOK[1]).clamp(LOOK[0], LOOK[1])).await;
            }
        }
    }
}

async fn answer<F: Function>(sandbox: &Sandbox, function: &F, taken: &Taken) {
    let payload = serde_json::from_str(&taken.payload).expect("a payload is JSON");
    let (id, arn, trace) = (&taken.request_id, &taken.function_arn, Some(taken.trace.clone()));
    let invocation = Invocation::new(id, arn, trace, sandbox.now(), taken.timeout);
    // Boxed: what a function does is a deeply nested type.
    let answer = match Box::pin(function.handle(payload, &invocation)).await {
        Ok(value) => Answer::Done(value.to_string()),
        Err(fault) => Answer::Failed(json!({ "errorType": fault.kind, "errorMessage": fault.message }).to_string()),
    };
    sandbox.finish_invocation(taken, &answer);
}

//! Invocations, from when one is accepted to when it is over. Between the two somebody outside the account runs it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::log::{self, Report};
use super::name::LATEST;
use super::{FUNCTION, asynchronous, concurrency, life, metrics, poll, too_many};
use crate::account::Ctx;
use crate::clock::later;
use crate::error::ApiError;
use crate::lambda::{Answer, Invocation, Invoked};
use crate::store::{Resource, Store, Timer};

/// An invocation that waits for an environment, or runs in one.
const OPEN: &str = "lambda.invocation";
/// One that is over.
const OVER: &str = "lambda.invoked";
/// Where invocations of a function run, one at a time.
const ENVIRONMENT: &str = "lambda.environment";

/// Who is told of an invocation's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// A caller who waits.
    Call,
    /// An event in the function's own queue, by its request id.
    Event(&'a str),
    /// The poller of a mapping, by its batch.
    Batch(&'a str),
}

/// How many invocations of a function there are at this moment.
pub(super) fn open(ctx: &Ctx<'_>, function: &str) -> usize {
    ctx.account.store.all(OPEN).filter(|one| one.text("function") == function).count()
}

/// Accepts an invocation if there is room for one more; answers what it is known by.
pub(super) fn begin(
    ctx: &mut Ctx<'_>,
    function: &Resource,
    payload: &str,
    origin: Origin<'_>,
) -> Result<String, ApiError> {
    if !concurrency::room(ctx, function) {
        metrics::count(ctx, &function.id, "Throttles", 1.0);
        let reason = match function.attrs.get("_reserved") {
            Some(_) => "ReservedFunctionConcurrentInvocationLimitExceeded",
            None => "ConcurrentInvocationLimitExceeded",
        };
        return Err(too_many("Rate Exceeded.", reason));
    }
    let request = match origin {
        Origin::Event(id) => id.to_owned(),
        Origin::Call | Origin::Batch(_) => ctx.account.rng.uuid(),
    };
    let (kind, known_by) = match origin {
        Origin::Call => ("call", ""),
        Origin::Event(id) => ("event", id),
        Origin::Batch(id) => ("batch", id),
    };
    let id = format!("{:012}/{request}", ctx.account.store.version);
    let trace = trace(ctx);
    let one = ctx.resource(
        OPEN,
        &id,
        // Invocations are no things that an account is made of.
        json!({
            "_gone": true, "function": function.id, "request": request, "payload": payload, "origin": kind,
            "knownBy": known_by, "trace": trace, "running": false,
        }),
    );
    ctx.insert(one);
    Ok(id)
}

/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
fn trace(ctx: &mut Ctx<'_>) -> String {
    let (root, parent) = (ctx.account.rng.hex(24), ctx.account.rng.hex(16));
    format!("Root=1-{:08x}-{root};Parent={parent};Sampled=0", ctx.now.as_second())
}

/// The functions that have an invocation waiting, with how many.
pub(crate) fn waiting(ctx: &Ctx<'_>) -> Vec<(String, usize)> {
    let mut all: Vec<(String, usize)> = Vec::new();
    for one in ctx.account.store.all(OPEN).filter(|one| !one.flag("running")) {
        let function = one.text("function");
        match all.iter_mut().find(|(known, _)| known == function) {
            Some((_, count)) => *count += 1,
            None => all.push((function.to_owned(), 1)),
        }
    }
    all
}

/// Gives the oldest waiting invocation of a function to an environment. It ends by itself when it runs for longer than
/// `allowance`.
pub(crate) fn take(
    ctx: &mut Ctx<'_>,
    environment: &str,
    allowance: impl Fn(Duration) -> Duration,
) -> Option<Invocation> {
    let place = ctx.get(ENVIRONMENT, environment)?;
    let known = ctx.get(FUNCTION, place.text("function"));
    let waits = |one: &&Arc<Resource>| one.text("function") == place.text("function") && !one.flag("running");
    let one = ctx.account.store.all(OPEN).find(waits).cloned()?;
    let function = known.as_deref().and_then(life::in_force)?;
    let timeout = Duration::from_secs(u64::try_from(function.number("Timeout")).unwrap_or(3));
    let now = ctx.now.as_millisecond();
    ctx.update(OPEN, &one.id, |one| {
        one.set("running", true);
        one.set("started", now);
        one.set("environment", environment);
    });
    let due = later(ctx.now, allowance(timeout));
    ctx.account.store.schedule(due, Timer { kind: OPEN, id: one.id.clone(), event: "timeout" });
    log::started(ctx, &function, &place, one.text("request"));
    let running = ctx.account.store.all(OPEN).filter(|one| one.flag("running"));
    let running = running.filter(|one| one.text("function") == function.id).count();
    metrics::count(ctx, &function.id, "ConcurrentExecutions", float(running));
    Some(Invocation {
        id: one.id.clone(),
        request_id: one.text("request").to_owned(),
        function: function.id.clone(),
        function_arn: function.text("FunctionArn").to_owned(),
        payload: one.text("payload").to_owned(),
        trace: one.text("trace").to_owned(),
        timeout,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of a small account")]
fn float(count: usize) -> f64 {
    count as f64
}

/// Whether an invocation still runs: it may have timed out.
pub(crate) fn runs(ctx: &Ctx<'_>, id: &str) -> bool {
    ctx.get(OPEN, id).is_some()
}

/// Its time is up.
pub(super) fn timed_out(ctx: &mut Ctx<'_>, id: &str) {
    if ctx.get(OPEN, id).is_some_and(|one| one.flag("running")) {
        finish(ctx, id, &Answer::TimedOut);
    }
}

/// An invocation that nobody will run any more is over.
pub(crate) fn give_up(ctx: &mut Ctx<'_>, function: &str, answer: &Answer) {
    let waiting = ctx.those(OPEN, |one| one.text("function") == function && !one.flag("running"));
    for one in waiting {
        finish(ctx, &one.id, answer);
    }
}

/// Ends an invocation, once: who comes later comes too late.
pub(crate) fn finish(ctx: &mut Ctx<'_>, id: &str, answer: &Answer) {
    let Some(one) = ctx.get(OPEN, id) else { return };
    ctx.remove(OPEN, id);
    let (name, request) = (one.text("function").to_owned(), one.text("request").to_owned());
    let known = ctx.get(FUNCTION, &name);
    let function = known.as_deref().and_then(life::in_force);
    let seconds = function.as_ref().map_or(3, |function| function.number("Timeout"));
    let (error, result) = result(&request, answer, seconds);
    let started = one.attrs.get("started").and_then(Value::as_i64);
    let duration = started.map_or(0, |started| ctx.now.as_millisecond() - started);
    let mut tail = String::new();
    if let (Some(function), Some(place)) = (&function, ctx.get(ENVIRONMENT, one.text("environment"))) {
        let report = Report { request: &request, duration, answer, result: &result };
        tail = log::ended(ctx, function, &place, &report);
    }
    metrics::count(ctx, &name, "Invocations", 1.0);
    metrics::count(ctx, &name, "Errors", f64::from(u8::from(error.is_some())));
    metrics::count(ctx, &name, "Throttles", 0.0);
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of an invocation")]
    metrics::count(ctx, &name, "Duration", duration as f64);
    let mut over = Resource::clone(&one);
    over.kind = OVER;
    over.set("result", result);
    over.set("error", error);
    over.set("ended", ctx.now.as_millisecond());
    over.set("tail", tail);
    let over_id = over.id.clone();
    ctx.insert(over);
    let Some(over) = ctx.get(OVER, &over_id) else { return };
    match one.text("origin") {
        "event" => asynchronous::finished(ctx, &over),
        "batch" => poll::finished(ctx, &over),
        _ => {}
    }
}

/// What the caller of an invocation gets: the kind of error, if it is one, and the body.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-retries.html>
fn result(request: &str, answer: &Answer, seconds: i64) -> (Option<&'static str>, String) {
    let failed = |kind: &str, what: String| {
        let message = format!("RequestId: {request} Error: {what}");
        (Some("Unhandled"), json!({"errorType": kind, "errorMessage": message}).to_string())
    };
    match answer {
        Answer::Done(body) => (None, body.clone()),
        Answer::Failed(body) => (Some("Unhandled"), body.clone()),
        Answer::Crashed { kind, message } => failed(kind, message.clone()),
        Answer::TimedOut => failed("Sandbox.Timedout", format!("Task timed out after {seconds}.00 seconds")),
    }
}

/// What came of an invocation whose caller waits for it.
pub(crate) fn outcome(store: &Store, id: &str) -> Option<Value> {
    let over = store.get(OVER, id)?;
    Some(json!({
        "Payload": over.text("result"), "FunctionError": over.attrs.get("error"), "ExecutedVersion": LATEST,
        "LogResult": over.text("tail"),
    }))
}

/// A place for invocations of a function, as its host starts it: what it is known by, and the environment that its
/// code finds. None for a function that cannot run now.
pub(crate) fn open_environment(ctx: &mut Ctx<'_>, function: &str) -> Result<(String, Vec<(String, String)>), Answer> {
    let crashed = |kind: &str, message: &str| Answer::Crashed { kind: kind.to_owned(), message: message.to_owned() };
    let known = ctx.get(FUNCTION, function);
    let function = known.as_deref().and_then(life::in_force);
    let function = function.ok_or_else(|| crashed("Runtime.Unknown", "the function is gone"))?;
    if !function.flag("_bootstrap") {
        // <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>
        let message = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
        return Err(crashed("Runtime.InvalidEntrypoint", message));
    }
    let Some(role) = crate::services::iam::role_by_arn(ctx, function.text("Role")) else {
        let message = "The role defined for the function cannot be assumed by Lambda.";
        return Err(crashed("AccessDeniedException", message));
    };
    let id = ctx.account.rng.hex(32);
    let day = ctx.now.strftime("%Y/%m/%d").to_string();
    let stream = format!("{day}/[{LATEST}]{id}");
    let credentials = crate::principal::assume(ctx, &role, &function.id);
    let environment = ctx.resource(
        ENVIRONMENT,
        &id,
        json!({
            "_gone": true, "function": function.id, "stream": stream, "generation": function.number("_generation"),
        }),
    );
    let mut variables = log::variables(&function, &stream);
    variables.extend(own_variables(ctx, &function));
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", credentials.access_key),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_key),
        ("AWS_SESSION_TOKEN", credentials.token),
    ] {
        variables.push((name.to_owned(), value));
    }
    ctx.insert(environment.clone());
    log::opened(ctx, &function, &environment);
    Ok((id, variables))
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
fn own_variables(ctx: &Ctx<'_>, function: &Resource) -> Vec<(String, String)> {
    let own = function.attrs.get("Environment").and_then(|environment| environment["Variables"].as_object());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<(String, String)> =
        own.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect();
    let memory = function.number("MemorySize").to_string();
    let given = [
        ("_HANDLER", function.text("Handler")),
        ("AWS_REGION", &ctx.account.region),
        ("AWS_DEFAULT_REGION", &ctx.account.region),
        ("AWS_LAMBDA_FUNCTION_NAME", &function.id),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_VERSION", LATEST),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("TZ", ":UTC"),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
    ];
    all.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    all
}

/// What the code in an environment wrote since it was asked last.
pub(crate) fn wrote(ctx: &mut Ctx<'_>, environment: &str, lines: &[String]) {
    let Some(place) = ctx.get(ENVIRONMENT, environment) else { return };
    let known = ctx.get(FUNCTION, place.text("function"));
    if let Some(function) = known.as_deref().and_then(life::in_force) {
        log::printed(ctx, &function, &place, lines);
    }
}

/// Whether an environment was started before the last change of its function, or outlived it.
pub(crate) fn outdated(ctx: &Ctx<'_>, environment: &str) -> bool {
    let place = ctx.get(ENVIRONMENT, environment);
    let function = place.as_deref().and_then(|place| ctx.get(FUNCTION, place.text("function")));
    match (place, function) {
        (Some(place), Some(function)) => place.number("generation") != function.number("_generation"),
        _ => true,
    }
}

/// An environment is no more.
pub(crate) fn close_environment(ctx: &mut Ctx<'_>, environment: &str) {
    ctx.remove(ENVIRONMENT, environment);
}

/// Somebody runs the code of a function from now on, or nobody any more.
pub(crate) fn host(ctx: &mut Ctx<'_>, function: &str, runs: bool) {
    if runs {
        ctx.account.hosted.insert(function.to_owned());
        asynchronous::wake(ctx, function);
        poll::look(ctx);
    } else {
        ctx.account.hosted.remove(function);
        let gone = Answer::Crashed { kind: "Sandbox.HostGone".to_owned(), message: "its host is gone".to_owned() };
        give_up(ctx, function, &gone);
    }
}

/// Every invocation that is over, in the order in which they were accepted.
pub(crate) fn all_over(store: &Store) -> Vec<Invoked> {
    let moment = |one: &Resource, name: &str| Timestamp::from_millisecond(one.number(name)).unwrap_or_default();
    let shown = |one: &Arc<Resource>| Invoked {
        request_id: one.text("request").to_owned(),
        function: one.text("function").to_owned(),
        payload: one.text("payload").to_owned(),
        result: one.text("result").to_owned(),
        error: one.attrs.get("error").and_then(Value::as_str).map(str::to_owned),
        started: moment(one, "started"),
        ended: moment(one, "ended"),
    };
    store.all(OVER).map(shown).collect()
}

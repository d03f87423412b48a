//! What Lambda writes into a function's log group, and what the function's code does.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::metrics;
use super::name::LATEST;
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::lambda::Answer;
use crate::services::{iam, logs};
use crate::store::Resource;

/// So much of an invocation's log goes back to a caller who asks for it.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#lambda-Invoke-response-LogResult>
const TAIL: usize = 4096;
/// What a small Rust function takes, in MB.
const MEMORY: i64 = 20;

/// How an invocation went.
pub(super) struct Report<'a> {
    pub(super) request: &'a str,
    /// In milliseconds.
    pub(super) duration: i64,
    pub(super) answer: &'a Answer,
    /// What its caller gets.
    pub(super) result: &'a str,
}

fn setting<'a>(function: &'a Resource, name: &str) -> &'a str {
    function.attrs.get("LoggingConfig").and_then(|logging| logging[name].as_str()).unwrap_or_default()
}

fn in_json(function: &Resource) -> bool {
    setting(function, "LogFormat") == "JSON"
}

/// What tells the code where its log goes.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>
pub(super) fn variables(function: &Resource, stream: &str) -> Vec<(String, String)> {
    let mut all =
        vec![("AWS_LAMBDA_LOG_GROUP_NAME", setting(function, "LogGroup")), ("AWS_LAMBDA_LOG_STREAM_NAME", stream)];
    if in_json(function) {
        all.push(("AWS_LAMBDA_LOG_FORMAT", "JSON"));
        all.push(("AWS_LAMBDA_LOG_LEVEL", setting(function, "ApplicationLogLevel")));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Writes as the function's role: where that may not write, nothing is written and nobody is told.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html#monitoring-cloudwatchlogs-prereqs>
fn write(ctx: &mut Ctx<'_>, function: &Resource, place: &Resource, lines: &[String]) {
    let Some(role) = iam::role_by_arn(ctx, function.text("Role")) else { return };
    let (group, stream) = (setting(function, "LogGroup"), place.text("stream"));
    let arn = ctx.arn("logs", format!("log-group:{group}"));
    // A policy that is not understood is found out by the function's own calls.
    let may = |action: &str, resource: String| {
        iam::role_allows(&role, &Grant::new(format!("logs:{action}"), resource)).unwrap_or(false)
    };
    if !logs::exists(ctx, group) {
        if !may("CreateLogGroup", format!("{arn}:log-stream:")) {
            return;
        }
        logs::made_by_aws(ctx, group);
    }
    let known = logs::has_stream(ctx, group, stream);
    if !known && !may("CreateLogStream", format!("{arn}:log-stream:")) {
        return;
    }
    if !may("PutLogEvents", format!("{arn}:log-stream:{stream}")) {
        return;
    }
    logs::append_all(ctx, group, stream, lines);
}

/// A platform event of the JSON format.
/// <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>
fn platform(ctx: &Ctx<'_>, kind: &str, record: &Value) -> String {
    let time = ctx.now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    json!({"time": time, "type": format!("platform.{kind}"), "record": record}).to_string()
}

/// A level of detail that the log is to have at least: WARN alone has less than what an invocation's start is.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>
fn wants(function: &Resource, warning: bool) -> bool {
    warning || setting(function, "SystemLogLevel") != "WARN"
}

/// An environment was started.
pub(super) fn opened(ctx: &mut Ctx<'_>, function: &Resource, place: &Resource) {
    let version = function.attrs.get("RuntimeVersionConfig").map(|version| version["RuntimeVersionArn"].clone());
    let version = version.unwrap_or_default();
    let line = if in_json(function) {
        let record = json!({
            "initializationType": "on-demand", "phase": "init", "runtimeVersion": "provided:al2023.v1",
            "runtimeVersionArn": version, "functionName": function.id, "functionVersion": LATEST,
        });
        platform(ctx, "initStart", &record)
    } else {
        let arn = version.as_str().unwrap_or_default();
        format!("INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: {arn}\n")
    };
    if !in_json(function) || wants(function, false) {
        write(ctx, function, place, &[line]);
    }
}

/// An invocation was handed to the code.
pub(super) fn started(ctx: &mut Ctx<'_>, function: &Resource, place: &Resource, request: &str) {
    let line = if in_json(function) {
        platform(ctx, "start", &json!({"requestId": request, "version": LATEST}))
    } else {
        format!("START RequestId: {request} Version: {LATEST}\n")
    };
    ctx.update(place.kind, &place.id, |place| place.set("tail", ""));
    if !in_json(function) || wants(function, false) {
        let lines = [line];
        write(ctx, function, place, &lines);
        keep(ctx, place, &lines);
    }
}

/// Remembers the end of what was written since the invocation began.
fn keep(ctx: &mut Ctx<'_>, place: &Resource, lines: &[String]) {
    ctx.update(place.kind, &place.id, |place| {
        let mut tail = place.text("tail").to_owned();
        for line in lines {
            tail.push_str(line.trim_end());
            tail.push('\n');
        }
        let surplus = tail.len().saturating_sub(TAIL);
        let start = (surplus..=tail.len()).find(|at| tail.is_char_boundary(*at)).unwrap_or(0);
        place.set("tail", &tail[start..]);
    });
}

/// Lines that the code wrote to its standard output and error. Those in CloudWatch's embedded metric format are
/// metrics too.
pub(super) fn printed(ctx: &mut Ctx<'_>, function: &Resource, place: &Resource, lines: &[String]) {
    let mut kept = lines.to_vec();
    if in_json(function) {
        let least = rank(setting(function, "ApplicationLogLevel"));
        kept.retain(|line| level(line) >= least);
    }
    if kept.is_empty() {
        return;
    }
    write(ctx, function, place, &kept);
    keep(ctx, place, &kept);
    for line in &kept {
        metrics::embedded(ctx, line);
    }
}

fn rank(level: &str) -> usize {
    let all = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    all.iter().position(|known| level.eq_ignore_ascii_case(known)).unwrap_or(2)
}

/// A line that does not say its level has INFO.
fn level(line: &str) -> usize {
    let value: Value = serde_json::from_str(line).unwrap_or_default();
    rank(value["level"].as_str().unwrap_or("INFO"))
}

/// An invocation is over; answers the end of its log, in base64.
pub(super) fn ended(ctx: &mut Ctx<'_>, function: &Resource, place: &Resource, report: &Report<'_>) -> String {
    let lines = if in_json(function) { in_records(ctx, function, report) } else { in_text(ctx, function, report) };
    write(ctx, function, place, &lines);
    keep(ctx, place, &lines);
    let tail = ctx.get(place.kind, &place.id);
    STANDARD.encode(tail.as_deref().map_or("", |place| place.text("tail")))
}

/// The kind of error that Lambda itself found, if it did.
fn own_error(report: &Report<'_>) -> Option<(String, String)> {
    let result: Value = serde_json::from_str(report.result).unwrap_or_default();
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    matches!(report.answer, Answer::Crashed { .. } | Answer::TimedOut)
        .then(|| (text("errorType"), text("errorMessage")))
}

fn in_text(ctx: &Ctx<'_>, function: &Resource, report: &Report<'_>) -> Vec<String> {
    let request = report.request;
    let mut lines = Vec::new();
    let mut status = String::new();
    match (report.answer, own_error(report)) {
        (Answer::TimedOut, _) => {
            let time = ctx.now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
            let seconds = function.number("Timeout");
            lines.push(format!("{time} {request} Task timed out after {seconds}.00 seconds\n\n"));
            status.push_str("Status: timeout\t");
        }
        (_, Some((kind, message))) => {
            lines.push(format!("{message}\n{kind}\n"));
            status = format!("Status: error\tError Type: {kind}\t");
        }
        _ => {}
    }
    lines.push(format!("END RequestId: {request}\n"));
    let (took, size) = (report.duration, function.number("MemorySize"));
    lines.push(format!(
        "REPORT RequestId: {request}\tDuration: {took}.00 ms\tBilled Duration: {} ms\tMemory Size: {size} MB\tMax Memory Used: {MEMORY} MB\t{status}\n",
        took.max(1)
    ));
    lines
}

fn in_records(ctx: &Ctx<'_>, function: &Resource, report: &Report<'_>) -> Vec<String> {
    let (request, error) = (report.request, own_error(report));
    let (status, bad) = match report.answer {
        Answer::Done(_) => ("success", false),
        Answer::TimedOut => ("timeout", true),
        Answer::Failed(_) | Answer::Crashed { .. } => ("error", true),
    };
    let mut record = json!({
        "requestId": request, "status": status,
        "metrics": {
            "durationMs": report.duration, "billedDurationMs": report.duration.max(1),
            "memorySizeMB": function.number("MemorySize"), "maxMemoryUsedMB": MEMORY,
        },
    });
    if let Some((kind, _)) = error {
        record["errorType"] = kind.into();
    }
    let mut lines = Vec::new();
    if wants(function, bad) {
        lines.push(platform(ctx, "report", &record));
    }
    lines
}

//! What can be set of a function: limits and defaults.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>

use serde_json::{Map, Value, json};

use super::{destination, ill_formed, invalid, within};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::ApiError;
use crate::input::Input;
use crate::services::iam;
use crate::store::Resource;

/// In the order in which Lambda lists them.
const RUNTIMES: &[&str] = &[
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];

/// What a call that makes a function says of it, with the defaults that nobody sent.
pub(super) fn defaults(name: &str) -> Value {
    json!({
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}")},
    })
}

/// Writes what a call says into a function; what it leaves out stays.
pub(super) fn apply(ctx: &Ctx<'_>, input: &Input, function: &mut Resource) -> Result<(), ApiError> {
    if let Some(runtime) = input.opt_str("Runtime") {
        function.set("Runtime", known_runtime(runtime)?);
        function.set("RuntimeVersionConfig", runtime_version(ctx, runtime));
    }
    if let Some(handler) = input.opt_str("Handler") {
        if handler.len() > 128 || handler.contains(char::is_whitespace) {
            return Err(ill_formed(handler, "handler", "satisfy regular expression pattern: [^\\s]+"));
        }
        function.set("Handler", handler);
    }
    if let Some(text) = input.opt_str("Description") {
        if text.chars().count() > 256 {
            return Err(ill_formed(text, "description", "have length less than or equal to 256"));
        }
        function.set("Description", text);
    }
    for (name, place, least, most) in [("Timeout", "timeout", 1, 900), ("MemorySize", "memorySize", 128, 10_240)] {
        if let Some(value) = within(input, name, place, least, most)? {
            function.set(name, value);
        }
    }
    if let Some(storage) = input.object("EphemeralStorage") {
        let size = within(&storage, "Size", "ephemeralStorage.size", 512, 10_240)?;
        function.set("EphemeralStorage", json!({"Size": size.ok_or_else(|| storage.missing("Size"))?}));
    }
    if let Some(environment) = input.object("Environment") {
        function.set("Environment", variables(&environment)?);
    }
    if let Some(tracing) = input.object("TracingConfig") {
        function.set(
            "TracingConfig",
            json!({"Mode": one_of(&tracing, "Mode", "tracingConfig.mode", &["PassThrough", "Active"])?}),
        );
    }
    if let Some(logging) = input.object("LoggingConfig") {
        let present = function.attrs.get("LoggingConfig").cloned().unwrap_or_default();
        function.set("LoggingConfig", logged(&logging, &present)?);
    }
    if let Some(snap) = input.object("SnapStart")
        && one_of(&snap, "ApplyOn", "snapStart.applyOn", &["None", "PublishedVersions"])? != "None"
    {
        return Err(ApiError::not_simulated("SnapStart"));
    }
    if let Some(letters) = input.object("DeadLetterConfig") {
        match letters.opt_str("TargetArn").unwrap_or_default() {
            "" => drop(function.attrs.remove("DeadLetterConfig")),
            target => function.set("DeadLetterConfig", json!({"TargetArn": target})),
        }
    }
    left_out(input)
}

/// Settings that are there only to be empty.
fn left_out(input: &Input) -> Result<(), ApiError> {
    if !input.strings("Layers").is_empty() {
        return Err(ApiError::not_simulated("layers"));
    }
    if let Some(network) = input.object("VpcConfig")
        && !(network.strings("SubnetIds").is_empty() && network.strings("SecurityGroupIds").is_empty())
    {
        return Err(ApiError::not_simulated("functions in a VPC"));
    }
    Ok(())
}

fn known_runtime(runtime: &str) -> Result<&str, ApiError> {
    if RUNTIMES.contains(&runtime) {
        return Ok(runtime);
    }
    let all = RUNTIMES.join(", ");
    Err(invalid(format!(
        "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{all}] or be a valid ARN"
    )))
}

/// The version of a runtime that Lambda chose.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html>
fn runtime_version(ctx: &Ctx<'_>, runtime: &str) -> Value {
    let digest: String = (0..4).map(|n| format!("{:016x}", crate::rng::rank(n, runtime))).collect();
    json!({"RuntimeVersionArn": format!("arn:aws:lambda:{}::runtime:{digest}", ctx.account.region)})
}

/// The one architecture that a call names.
pub(super) fn architectures(input: &Input) -> Result<Option<Vec<String>>, ApiError> {
    let all = input.strings("Architectures");
    let shown = format!("[{}]", all.join(", "));
    match all.as_slice() {
        [] => Ok(None),
        [one] if one == "x86_64" || one == "arm64" => Ok(Some(all)),
        [_] => Err(ill_formed(
            &shown,
            "architectures",
            "satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
        )),
        _ => Err(ill_formed(&shown, "architectures", "have length less than or equal to 1")),
    }
}

fn one_of(input: &Input, name: &str, place: &str, all: &[&str]) -> Result<String, ApiError> {
    let value = input.string(name)?;
    match all.contains(&value.as_str()) {
        true => Ok(value),
        false => Err(ill_formed(&value, place, &format!("satisfy enum value set: [{}]", all.join(", ")))),
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>
const VARIABLES: usize = 4096;

fn variables(environment: &Input) -> Result<Value, ApiError> {
    let mut all = Map::new();
    if let Some(variables) = environment.object("Variables") {
        for name in variables.names() {
            let value = variables.opt_str(&name).unwrap_or_default().to_owned();
            let starts = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
            if !starts || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                let places = "environment.variables";
                return Err(ill_formed(&name, places, "satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+"));
            }
            if RESERVED.contains(&name.as_str()) {
                return Err(invalid(format!(
                    "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {name}"
                )));
            }
            all.insert(name, value.into());
        }
    }
    let measured = Value::Object(all.clone()).to_string();
    if measured.len() > VARIABLES {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(json!({"Variables": all}))
}

/// Of the format JSON both levels are INFO unless somebody says otherwise; plain text has none.
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>
fn logged(logging: &Input, present: &Value) -> Result<Value, ApiError> {
    let mut all = present.clone();
    if let Some(group) = logging.opt_str("LogGroup") {
        all["LogGroup"] = group.into();
    }
    if logging.has("LogFormat") {
        all["LogFormat"] = one_of(logging, "LogFormat", "loggingConfig.logFormat", &["JSON", "Text"])?.into();
    }
    let levels = [
        (
            "ApplicationLogLevel",
            "loggingConfig.applicationLogLevel",
            &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"][..],
        ),
        ("SystemLogLevel", "loggingConfig.systemLogLevel", &["DEBUG", "INFO", "WARN"]),
    ];
    for (name, place, known) in levels {
        let asked = if logging.has(name) { Some(one_of(logging, name, place, known)?) } else { None };
        match (all["LogFormat"] == "JSON", asked) {
            (true, Some(level)) => all[name] = level.into(),
            (true, None) if all[name].is_null() => all[name] = "INFO".into(),
            (true, None) => {}
            (false, Some(_)) => {
                return Err(invalid(
                    "Log Level is not supported when Log format is set to Text. Remove Log Level from your request or change the Log Format to JSON and try again.",
                ));
            }
            (false, None) => drop(all.as_object_mut().map(|all| all.remove(name))),
        }
    }
    Ok(all)
}

/// What the role of a function must let it do for its settings.
pub(super) fn demands(ctx: &Ctx<'_>, function: &Resource, role: &Resource) -> Result<(), ApiError> {
    // <https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html>
    if function.attrs["TracingConfig"]["Mode"] == "Active"
        && !iam::role_allows(role, &Grant::new("xray:PutTraceSegments", "*"))?
    {
        return Err(invalid("The provided execution role does not have permissions to call PutTraceSegments on XRAY"));
    }
    // <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq>
    if let Some(target) = function.attrs.get("DeadLetterConfig").and_then(|letters| letters["TargetArn"].as_str()) {
        let (service, shown) = match destination::service(target) {
            "sqs" => ("sqs:SendMessage", "SendMessage on SQS"),
            "sns" => ("sns:Publish", "Publish on SNS"),
            _ => return Err(ill_formed(target, "deadLetterConfig.targetArn", "be the ARN of a queue or a topic")),
        };
        if !iam::role_allows(role, &Grant::new(service, target))? {
            return Err(invalid(format!("The provided execution role does not have permissions to call {shown}")));
        }
        destination::there(ctx, target)?;
    }
    Ok(())
}

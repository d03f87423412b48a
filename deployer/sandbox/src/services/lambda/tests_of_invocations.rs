//! What must hold of invocations, with the function played by the test.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::testing::{LETTERS, fail, hosted, lambda, lines, made, may, messages, queue, send, sum, taken, with_role};
use crate::clock::Pace;
use crate::dispatch::Delivery;
use crate::lambda::Answer;
use crate::sandbox::Sandbox;
use crate::services::testing::{code, query};
use crate::wire::{Request, Response};

const INVOKE: &str = "/2015-03-31/functions/shop-push/invocations";
const LOGS: &[&str] = &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];

async fn invoke(sandbox: &Sandbox, kind: &str, key: &str, payload: &str) -> Response {
    let credential = format!("AWS4-HMAC-SHA256 Credential={key}/20260105/us-east-1/lambda/aws4_request, Signature=0");
    let headers = [("authorization", credential.as_str()), ("x-amz-invocation-type", kind), ("x-amz-log-type", "Tail")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let request =
        Request { method: "POST".into(), path: INVOKE.into(), headers, body: payload.into(), ..Request::default() };
    match sandbox.answer(&request, Pace::Slept).await {
        Delivery::Answer(response) => response,
        other => panic!("no answer: {other:?}"),
    }
}

/// The calls that a test makes between two moments of the function.
async fn minutes(n: u64) {
    tokio::time::advance(Duration::from_secs(60 * n)).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_gets_what_the_function_answers_byte_for_byte() {
    let (sandbox, environment) = hosted(LOGS, json!({})).await;
    let payload = "{\"b\": 1,  \"a\":\t[1.50, 2e3]}";
    let played = async {
        let invocation = loop {
            tokio::task::yield_now().await;
            if let Some(invocation) = taken(&sandbox, &environment) {
                break invocation;
            }
        };
        assert_eq!(invocation.payload, payload);
        sandbox.wrote(&environment.id, &["hello".to_owned()]);
        tokio::time::advance(Duration::from_millis(1500)).await;
        sandbox.finish_invocation(&invocation, &Answer::Done("{\"z\":  1,\"y\":2}".to_owned()));
    };
    let (response, ()) = tokio::join!(invoke(&sandbox, "RequestResponse", "AKID", payload), played);
    assert_eq!((response.status, response.body.as_slice()), (200, &b"{\"z\":  1,\"y\":2}"[..]));
    let header = |name: &str| response.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert_eq!(header("X-Amz-Function-Error"), None);
    let tail = String::from_utf8(STANDARD.decode(header("X-Amz-Log-Result").unwrap()).unwrap()).unwrap();
    assert!(tail.starts_with("START RequestId: ") && tail.contains("\nhello\nEND RequestId: "), "{tail}");
    assert!(tail.contains("Duration: 1500.00 ms\tBilled Duration: 1500 ms\tMemory Size: 128 MB"), "{tail}");
    let logged = lines(&sandbox, "/aws/lambda/shop-push");
    assert_eq!(logged.iter().filter(|line| *line == "hello").count(), 1);
    assert!(logged[0].starts_with("INIT_START"), "{logged:?}");
    let group = sandbox.resource("logs.group", "/aws/lambda/shop-push").unwrap();
    assert!(group.aws_made && !group.attrs.contains_key("retentionInDays"));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_may_not_write_its_log_has_none() {
    let (sandbox, environment) = hosted(&["logs:CreateLogStream", "logs:PutLogEvents"], json!({})).await;
    send(&sandbox, "{}");
    minutes(1).await;
    let invocation = taken(&sandbox, &environment).unwrap();
    sandbox.finish_invocation(&invocation, &Answer::Done(String::new()));
    assert!(sandbox.resource("logs.group", "/aws/lambda/shop-push").is_none());
}

#[tokio::test(start_paused = true)]
async fn logs_in_json_are_platform_events() {
    let logging = json!({"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}});
    let (sandbox, environment) = hosted(LOGS, logging).await;
    send(&sandbox, "{}");
    minutes(1).await;
    let invocation = taken(&sandbox, &environment).unwrap();
    let written = ["{\"level\":\"INFO\",\"message\":\"quiet\"}", "{\"level\":\"ERROR\",\"message\":\"loud\"}"];
    sandbox.wrote(&environment.id, &written.map(str::to_owned));
    sandbox.finish_invocation(&invocation, &Answer::Done(String::new()));
    let logged: Vec<Value> =
        lines(&sandbox, "/aws/lambda/shop-push").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&Value> = logged.iter().map(|line| &line["type"]).collect();
    assert_eq!(
        kinds,
        [&json!("platform.initStart"), &json!("platform.start"), &Value::Null, &json!("platform.report")]
    );
    assert_eq!((&logged[2]["message"], &logged[3]["record"]["status"]), (&json!("loud"), &json!("success")));
}

#[tokio::test(start_paused = true)]
async fn lines_in_the_embedded_metric_format_are_metrics() {
    let (sandbox, environment) = hosted(&[], json!({})).await;
    send(&sandbox, "{}");
    minutes(1).await;
    let invocation = taken(&sandbox, &environment).unwrap();
    let event = json!({
        "_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "Wharf", "Dimensions": [["Stack"]],
            "Metrics": [{"Name": "Rollouts", "Unit": "Count"}]}]},
        "Stack": "shop", "Rollouts": [2, 3],
    });
    sandbox.wrote(&environment.id, &[event.to_string(), "no metric".to_owned()]);
    sandbox.finish_invocation(&invocation, &Answer::Done(String::new()));
    assert_eq!(sum(&sandbox, "Wharf", "Rollouts", ("Stack", "shop")), 5.0);
    assert_eq!(sum(&sandbox, "AWS/Lambda", "Invocations", ("FunctionName", "shop-push")), 1.0);
    assert_eq!(sum(&sandbox, "AWS/Lambda", "Errors", ("FunctionName", "shop-push")), 0.0);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_fails_is_tried_after_one_minute_and_after_two_and_is_then_a_dead_letter() {
    let sandbox = with_role(&["sqs:SendMessage"]);
    queue(&sandbox, "shop-push-dead", json!({}));
    made(&sandbox, json!({"DeadLetterConfig": {"TargetArn": LETTERS}})).await;
    sandbox.host_function("shop-push");
    let environment = sandbox.open_environment("shop-push").unwrap();
    let payload = "{\"second\":  2, \"first\": 1}";
    send(&sandbox, payload);
    tokio::time::advance(Duration::from_secs(1)).await;
    let first = taken(&sandbox, &environment).unwrap();
    fail(&sandbox, &first);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(taken(&sandbox, &environment).is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    let second = taken(&sandbox, &environment).unwrap();
    assert_eq!((&second.request_id, second.payload.as_str()), (&first.request_id, payload));
    fail(&sandbox, &second);
    tokio::time::advance(Duration::from_secs(119)).await;
    assert!(taken(&sandbox, &environment).is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    fail(&sandbox, &taken(&sandbox, &environment).unwrap());
    minutes(600).await;
    assert!(taken(&sandbox, &environment).is_none());
    let letters = messages(&sandbox, "shop-push-dead");
    assert_eq!((letters.len(), &letters[0]["Body"]), (1, &json!(payload)));
    let said = |name: &str| letters[0]["MessageAttributes"][name]["StringValue"].clone();
    assert_eq!((said("ErrorCode"), said("ErrorMessage")), (json!("200"), json!("no luck today")));
    assert_eq!(said("RequestID"), json!(first.request_id));
    assert_eq!(sandbox.invocations().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_destination_hears_of_success_and_of_failure() {
    let (sandbox, environment) = hosted(&["sqs:SendMessage"], json!({})).await;
    queue(&sandbox, "shop-push-dead", json!({}));
    let to = json!({"Destination": LETTERS});
    let config = json!({"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": to, "OnSuccess": to}});
    lambda(&sandbox, "PUT", "/2019-09-25/functions/shop-push/event-invoke-config", config).unwrap();
    for answer in [Answer::Done("\"fine\"".to_owned()), Answer::Failed("{\"errorType\":\"E\"}".to_owned())] {
        send(&sandbox, "{\"n\":1}");
        minutes(1).await;
        let invocation = taken(&sandbox, &environment).unwrap();
        sandbox.finish_invocation(&invocation, &answer);
    }
    let mut heard: Vec<Value> = messages(&sandbox, "shop-push-dead")
        .iter()
        .map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
        .collect();
    heard.sort_by_key(|record| record["requestContext"]["condition"].to_string());
    assert_eq!(heard[0]["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(
        (&heard[0]["requestPayload"], &heard[0]["responsePayload"]),
        (&json!({"n": 1}), &json!({"errorType": "E"}))
    );
    assert_eq!(heard[0]["responseContext"]["functionError"], "Unhandled");
    assert_eq!(
        (&heard[1]["requestContext"]["condition"], &heard[1]["responsePayload"]),
        (&json!("Success"), &json!("fine"))
    );
    assert_eq!(sum(&sandbox, "AWS/Lambda", "AsyncEventsDropped", ("FunctionName", "shop-push")), 1.0);
    may(&sandbox, &[]);
    send(&sandbox, "{}");
    minutes(1).await;
    fail(&sandbox, &taken(&sandbox, &environment).unwrap());
    assert_eq!(sum(&sandbox, "AWS/Lambda", "DestinationDeliveryFailures", ("FunctionName", "shop-push")), 1.0);
}

#[tokio::test(start_paused = true)]
async fn more_than_the_reserved_concurrency_is_throttled_and_an_event_waits_for_its_turn() {
    let (sandbox, environment) = hosted(&[], json!({"Timeout": 900})).await;
    let path = "/2017-10-31/functions/shop-push/concurrency";
    lambda(&sandbox, "PUT", path, json!({"ReservedConcurrentExecutions": 1})).unwrap();
    send(&sandbox, "{\"n\":1}");
    send(&sandbox, "{\"n\":2}");
    minutes(1).await;
    let first = taken(&sandbox, &environment).unwrap();
    let response = invoke(&sandbox, "RequestResponse", "AKID", "{}").await;
    assert_eq!(response.status, 429);
    let said: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(said["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
    assert!(taken(&sandbox, &environment).is_none());
    sandbox.finish_invocation(&first, &Answer::Done(String::new()));
    minutes(6).await;
    assert_ne!(taken(&sandbox, &environment).unwrap().payload, first.payload);
    assert!(sum(&sandbox, "AWS/Lambda", "Throttles", ("FunctionName", "shop-push")) >= 2.0);
}

#[tokio::test(start_paused = true)]
async fn an_invocation_ends_when_its_time_is_up() {
    let (sandbox, environment) = hosted(LOGS, json!({"Timeout": 5})).await;
    send(&sandbox, "{}");
    tokio::time::advance(Duration::from_secs(1)).await;
    let invocation = taken(&sandbox, &environment).unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    let over = sandbox.invocations().pop().unwrap();
    assert_eq!(over.error.as_deref(), Some("Unhandled"));
    assert!(over.result.contains("Sandbox.Timedout") && over.result.contains("Task timed out after 5.00 seconds"));
    sandbox.finish_invocation(&invocation, &Answer::Done("too late".to_owned()));
    assert_eq!(sandbox.invocations().pop().unwrap(), over);
    let logged = lines(&sandbox, "/aws/lambda/shop-push").concat();
    assert!(logged.contains("Task timed out after 5.00 seconds") && logged.contains("Status: timeout"), "{logged}");
}

#[tokio::test(start_paused = true)]
async fn a_pending_function_refuses_callers_and_keeps_events() {
    let sandbox = with_role(&[]);
    lambda(&sandbox, "POST", "/2015-03-31/functions", super::testing::request()).unwrap();
    sandbox.host_function("shop-push");
    assert_eq!(invoke(&sandbox, "RequestResponse", "AKID", "{}").await.status, 409);
    assert_eq!(invoke(&sandbox, "Event", "AKID", "{}").await.status, 202);
    assert_eq!(invoke(&sandbox, "DryRun", "AKID", "{}").await.status, 204);
    assert_eq!(invoke(&sandbox, "Event", "AKID", "no json").await.status, 400);
    minutes(5).await;
    let environment = sandbox.open_environment("shop-push").unwrap();
    assert!(taken(&sandbox, &environment).is_some());
}

#[tokio::test(start_paused = true)]
async fn code_that_nobody_runs_is_not_simulated() {
    let sandbox = with_role(&[]);
    made(&sandbox, json!({})).await;
    assert_eq!(invoke(&sandbox, "RequestResponse", "AKID", "{}").await.status, 501);
}

#[tokio::test(start_paused = true)]
async fn the_key_of_an_environment_stands_for_the_role_and_its_policies_as_they_are() {
    let (sandbox, environment) = hosted(&["lambda:InvokeFunction"], json!({})).await;
    let key = &environment.variables.iter().find(|(name, _)| name == "AWS_ACCESS_KEY_ID").unwrap().1;
    assert_eq!(invoke(&sandbox, "Event", key, "{}").await.status, 202);
    let call = sandbox.call_log().pop().unwrap();
    assert_eq!(call.principal, "arn:aws:sts::123456789012:assumed-role/shop-push/shop-push");
    may(&sandbox, &["lambda:GetFunction"]);
    let refused = invoke(&sandbox, "Event", key, "{}").await;
    assert_eq!(refused.status, 403);
    assert!(String::from_utf8_lossy(&refused.body).contains("assumed-role/shop-push/shop-push is not authorized"));
    assert_eq!(invoke(&sandbox, "Event", "AKID", "{}").await.status, 202, "other keys are the deployer");
    let attach =
        |arn: &str| query(&sandbox, "iam", "AttachRolePolicy", &[("RoleName", "shop-push"), ("PolicyArn", arn)]);
    attach("arn:aws:iam::aws:policy/AdministratorAccess").unwrap();
    assert_eq!(invoke(&sandbox, "Event", key, "{}").await.status, 202);
    let out = [("RoleName", "shop-push"), ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")];
    query(&sandbox, "iam", "DetachRolePolicy", &out).unwrap();
    attach("arn:aws:iam::aws:policy/ReadOnlyAccess").unwrap();
    assert_eq!(invoke(&sandbox, "Event", key, "{}").await.status, 501, "what it allows is not known here");
}

#[tokio::test(start_paused = true)]
async fn a_function_finds_in_its_environment_what_lambda_puts_there() {
    let more = json!({"MemorySize": 256, "Environment": {"Variables": {"WHARF_STACK": "shop"}}});
    let (sandbox, environment) = hosted(&[], more).await;
    let found =
        |name: &str| environment.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(found("WHARF_STACK"), Some("shop"));
    assert_eq!((found("AWS_LAMBDA_FUNCTION_NAME"), found("AWS_REGION")), (Some("shop-push"), Some("us-east-1")));
    assert_eq!((found("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), found("_HANDLER")), (Some("256"), Some("bootstrap")));
    assert!(found("AWS_LAMBDA_LOG_STREAM_NAME").unwrap().starts_with("2026/01/05/[$LATEST]"));
    assert_eq!(sandbox.fork().inventory(), sandbox.inventory());
    assert_eq!(code(lambda(&sandbox.fork(), "POST", INVOKE, json!({}))), "NotSimulated");
}

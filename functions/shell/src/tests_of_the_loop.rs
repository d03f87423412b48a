//! The loop in a process of its own, as Lambda starts it, over a Runtime API.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::collections::VecDeque;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};

use crate::{Environment, Fault, Function, Invocation, variable};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const SECRET: &str = "hunter2-hunter2-hunter2";
const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
/// The time that the Runtime API has: nobody's here.
const DATE: &str = "Mon, 05 Jan 2026 09:00:00 GMT";
const DATE_MS: u64 = 1_767_603_600_000;

/// The function that the tests start: it does what it is told.
struct Obedient {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
}

impl Function for Obedient {
    async fn handle(&self, payload: Value, invocation: &Invocation) -> Result<Value, Fault> {
        match payload["do"].as_str() {
            Some("fail") => Err(Fault::new("Told", "as it was told")),
            Some("call") => {
                let table = self.dynamodb.describe_table().table_name(&self.table).send().await;
                table.map_err(|error| Fault::caused("Aws", &error))?;
                Ok(Value::Null)
            }
            Some("time") => Ok(json!({
                "now": invocation.now().as_second(), "seconds": invocation.remaining().as_secs_f64(),
            })),
            _ => Ok(json!({ "payload": payload, "function": invocation.function_arn })),
        }
    }
}

fn build(environment: &Environment) -> Result<Obedient, Fault> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&environment.aws()?);
    Ok(Obedient { dynamodb, table: environment.required(variable::TABLE)?.to_owned() })
}

#[test]
#[ignore = "it is what the other tests start as a process of its own"]
fn the_function_itself() {
    assert_eq!(crate::block_on(crate::serve("obedient", build)), ExitCode::SUCCESS);
}

/// A request that came to the server.
struct Came {
    path: String,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

/// The Runtime API, and what stands in for DynamoDB beside it.
#[derive(Clone)]
struct Server {
    events: Arc<Mutex<VecDeque<Vec<u8>>>>,
    came: Arc<Mutex<Vec<Came>>>,
    all_done: Arc<Notify>,
}

impl Server {
    async fn answer(self, request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, http::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        let path = head.uri.path().to_owned();
        if path == "/2018-06-01/runtime/invocation/next" {
            return self.next().await;
        }
        let status = if path.starts_with("/2018-06-01/") { 202 } else { 200 };
        self.came.lock().unwrap().push(Came { path, headers: head.headers, body });
        http::Response::builder().status(status).body(Full::from("{}"))
    }

    async fn next(&self) -> Result<http::Response<Full<Bytes>>, http::Error> {
        let event = self.events.lock().unwrap().pop_front();
        let Some(event) = event else {
            self.all_done.notify_one();
            return std::future::pending().await;
        };
        let n = self.came.lock().unwrap().len();
        http::Response::builder()
            .header("date", DATE)
            .header("lambda-runtime-aws-request-id", format!("request-{n}"))
            .header("lambda-runtime-deadline-ms", DATE_MS + 30_000)
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:f")
            .header("lambda-runtime-trace-id", TRACE)
            .body(Full::from(event))
    }
}

/// What came of some invocations.
struct Outcome {
    came: Vec<Came>,
    log: Vec<Value>,
}

impl Outcome {
    fn told(&self, path: &str) -> Value {
        let path = format!("/2018-06-01/runtime/invocation/{path}");
        let came = self.came.iter().find(|came| came.path == path).unwrap_or_else(|| panic!("nothing came to {path}"));
        serde_json::from_slice(&came.body).unwrap()
    }
}

async fn invoke(events: &[&str], table: &str) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let events = events.iter().map(|event| event.as_bytes().to_vec()).collect();
    let server = Server { events: Arc::new(Mutex::new(events)), came: Arc::default(), all_done: Arc::default() };
    let serving = server.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let server = serving.clone();
            let service = hyper::service::service_fn(move |request| server.clone().answer(request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests_of_the_loop::the_function_itself", "--ignored", "--nocapture"])
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_SESSION_TOKEN", SECRET),
            ("AWS_ENDPOINT_URL_DYNAMODB", &format!("http://{address}")),
            ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
            (variable::TABLE, table),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    server.all_done.notified().await;
    child.kill().unwrap();
    let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(!printed.contains(SECRET), "a secret in the log: {printed}");
    // The test harness of the child prints lines of its own.
    let log = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let came = std::mem::take(&mut *server.came.lock().unwrap());
    Outcome { came, log }
}

#[tokio::test]
async fn each_invocation_is_answered_and_a_failed_one_ends_nothing() {
    let outcome = invoke(&[r#"{"do":"fail"}"#, "no JSON", r#"{"a":[1,null]}"#], "shop").await;
    let failed = outcome.told("request-0/error");
    assert_eq!((&failed["errorType"], &failed["errorMessage"]), (&json!("Told"), &json!("as it was told")));
    assert!(outcome.told("request-1/error")["errorMessage"].is_string());
    let answered = outcome.told("request-2/response");
    assert_eq!(answered["payload"], json!({ "a": [1, null] }));
    assert_eq!(answered["function"], "arn:aws:lambda:us-east-1:123456789012:function:f");
    let told: Vec<_> = outcome.log.iter().filter(|line| line["request_id"] == "request-0").collect();
    let [line] = told.as_slice() else { panic!("{:?}", outcome.log) };
    assert_eq!((&line["level"], &line["reason"]), (&json!("ERROR"), &json!("as it was told")));
    assert_eq!((&line["trace_id"], &line["function"]), (&json!(TRACE), &json!("obedient")));
}

#[tokio::test]
async fn the_trace_goes_on_to_aws_and_no_secret_into_the_log() {
    let outcome = invoke(&[r#"{"do":"call"}"#], "shop").await;
    assert_eq!(outcome.told("request-0/response"), Value::Null);
    let call = outcome.came.iter().find(|came| came.path == "/").unwrap();
    assert_eq!(call.headers["x-amzn-trace-id"], TRACE);
    assert!(call.headers["authorization"].to_str().unwrap().contains("Credential=AKIAEXAMPLE/"));
}

#[tokio::test]
async fn time_and_deadline_are_those_of_the_invoker() {
    let outcome = invoke(&[r#"{"do":"time"}"#], "shop").await;
    let told = outcome.told("request-0/response");
    assert_eq!(told["now"], DATE_MS / 1000);
    let seconds = told["seconds"].as_f64().unwrap();
    assert!((25.0..=30.0).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_function_that_is_set_up_wrongly_answers_why() {
    let outcome = invoke(&["{}", "{}"], "").await;
    for n in 0..2 {
        let told = outcome.told(&format!("request-{n}/error"));
        assert_eq!((&told["errorType"], &told["errorMessage"]), (&json!("Settings"), &json!("WHARF_TABLE is not set")));
    }
}

//! Calls over the wire for the unit tests of services, with the refusal's message where one judges it.

use serde_json::{Value, json};

use crate::dispatch::Delivery;
use crate::sandbox::Sandbox;
use crate::wire::{Request, Response};

/// What a refused call said: code and message.
pub(crate) type Refusal = (String, String);

fn send(sandbox: &Sandbox, service: &str, headers: Vec<(String, String)>, body: Vec<u8>) -> Response {
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential=AKID/20260105/us-east-1/{service}/aws4_request, Signature=0");
    let mut headers = headers;
    headers.push(("authorization".to_owned(), authorization));
    let request = Request { method: "POST".to_owned(), path: "/".to_owned(), query: String::new(), headers, body };
    match sandbox.call(&request).delivery {
        Delivery::Answer(response) => response,
        other => Response { status: 0, headers: Vec::new(), body: format!("{other:?}").into_bytes() },
    }
}

/// A call of a JSON service.
pub(crate) fn json(sandbox: &Sandbox, service: &str, operation: &str, input: Value) -> Result<Value, Refusal> {
    let headers = vec![
        ("x-amz-target".to_owned(), format!("Any.{operation}")),
        ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
    ];
    let response = send(sandbox, service, headers, input.to_string().into_bytes());
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    if response.status == 200 {
        return Ok(answer);
    }
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    Err((text("__type"), text("message")))
}

/// A call of a query service; answers the XML.
pub(crate) fn query(
    sandbox: &Sandbox,
    service: &str,
    operation: &str,
    parameters: &[(&str, &str)],
) -> Result<String, Refusal> {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", operation)
        .extend_pairs(parameters)
        .finish();
    let response = send(sandbox, service, Vec::new(), body.into_bytes());
    let answer = String::from_utf8_lossy(&response.body).into_owned();
    if response.status == 200 { Ok(answer) } else { Err((element(&answer, "Code"), element(&answer, "Message"))) }
}

/// A call of a service that is called by paths, with JSON bodies.
pub(crate) fn rest(sandbox: &Sandbox, service: &str, method: &str, path: &str, input: Value) -> Result<Value, Refusal> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let credential = format!("Credential=AKID/20260105/us-east-1/{service}/aws4_request");
    let headers = vec![("authorization".to_owned(), format!("AWS4-HMAC-SHA256 {credential}, Signature=0"))];
    let body = if input.is_null() { Vec::new() } else { input.to_string().into_bytes() };
    let request = Request { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers, body };
    let Delivery::Answer(response) = sandbox.call(&request).delivery else { return Err(Refusal::default()) };
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    if response.status < 300 {
        return Ok(answer);
    }
    let code = response.headers.iter().find(|(name, _)| name == "x-amzn-errortype").map(|(_, code)| code.clone());
    let message = answer["message"].as_str().or_else(|| answer["Message"].as_str());
    Err((code.unwrap_or_default(), message.unwrap_or_default().to_owned()))
}

/// The text of the first element with this name.
pub(crate) fn element(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let inner = xml.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map(|(inner, _)| inner);
    inner.unwrap_or_default().to_owned()
}

/// The code of a refusal, or what a call should not have answered.
pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> String {
    outcome.map_or_else(|(code, _)| code, |answer| format!("not refused: {answer:?}"))
}

/// Lets a queue of its own hear the events of the default bus that fit a pattern.
pub(crate) fn listen(sandbox: &Sandbox, pattern: &Value) {
    let queue = "arn:aws:sqs:us-east-1:123456789012:heard";
    let statement = json!({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": queue});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let attributes = json!({"Policy": policy});
    self::json(sandbox, "sqs", "CreateQueue", json!({"QueueName": "heard", "Attributes": attributes})).unwrap();
    let rule = json!({"Name": "heard", "EventPattern": pattern.to_string()});
    self::json(sandbox, "events", "PutRule", rule).unwrap();
    let targets = json!({"Rule": "heard", "Targets": [{"Id": "heard", "Arn": queue}]});
    self::json(sandbox, "events", "PutTargets", targets).unwrap();
}

/// The events that were heard since the last time, in the order in which they came.
pub(crate) fn heard(sandbox: &Sandbox) -> Vec<Value> {
    let url = "https://sqs.us-east-1.amazonaws.com/123456789012/heard";
    let mut heard = Vec::new();
    loop {
        let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
        let answer = self::json(sandbox, "sqs", "ReceiveMessage", input).unwrap();
        let Some(messages) = answer["Messages"].as_array().cloned() else { return heard };
        for one in messages {
            heard.push(serde_json::from_str::<Value>(one["Body"].as_str().unwrap()).unwrap());
            let done = json!({"QueueUrl": url, "ReceiptHandle": one["ReceiptHandle"]});
            self::json(sandbox, "sqs", "DeleteMessage", done).unwrap();
        }
    }
}

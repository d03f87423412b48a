//! What the tests of Lambda share: a role, a function, and playing the function by hand.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::code::tests::zip_of;
use crate::lambda::{Answer, Environment, Invocation};
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, json as call, query, rest};
use crate::testing::calm;

pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/shop-push";
pub(super) const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:shop-push";
pub(super) const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:shop-push";
pub(super) const LETTERS: &str = "arn:aws:sqs:us-east-1:123456789012:shop-push-dead";

/// A call of Lambda's.
pub(super) fn lambda(sandbox: &Sandbox, method: &str, path: &str, input: Value) -> Result<Value, Refusal> {
    rest(sandbox, "lambda", method, path, input)
}

/// An account with the function's role, which may do `actions`.
pub(super) fn with_role(actions: &[&str]) -> Sandbox {
    let sandbox = calm();
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]});
    let role = [("RoleName", "shop-push"), ("AssumeRolePolicyDocument", &trust.to_string())];
    query(&sandbox, "iam", "CreateRole", &role).unwrap();
    may(&sandbox, actions);
    sandbox
}

/// From now on this is what the role may do.
pub(super) fn may(sandbox: &Sandbox, actions: &[&str]) {
    let actions = if actions.is_empty() { &["none:Nothing"] } else { actions };
    let policy =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
    let policy = policy.to_string();
    let put = [("RoleName", "shop-push"), ("PolicyName", "own"), ("PolicyDocument", policy.as_str())];
    query(sandbox, "iam", "PutRolePolicy", &put).unwrap();
}

/// What a function is made with.
pub(super) fn request() -> Value {
    json!({
        "FunctionName": "shop-push", "Role": ROLE, "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Architectures": ["arm64"], "Code": {"ZipFile": STANDARD.encode(zip_of("bootstrap", b"\x7fELF"))},
    })
}

/// Makes the function, and waits until it can be invoked.
pub(super) async fn made(sandbox: &Sandbox, more: Value) {
    let mut all = request();
    for (name, value) in more.as_object().cloned().unwrap_or_default() {
        all[name] = value;
    }
    lambda(sandbox, "POST", "/2015-03-31/functions", all).unwrap();
    tokio::time::advance(Duration::from_secs(15)).await;
}

/// An account whose function is there and is played by the test.
pub(super) async fn hosted(actions: &[&str], more: Value) -> (Sandbox, Environment) {
    let sandbox = with_role(actions);
    made(&sandbox, more).await;
    sandbox.host_function("shop-push");
    let environment = sandbox.open_environment("shop-push").unwrap();
    (sandbox, environment)
}

/// Has the function invoked by and by.
pub(super) fn send(sandbox: &Sandbox, payload: &str) {
    let sent = sandbox.with(|ctx| super::invoke_async(ctx, FUNCTION, payload));
    sent.unwrap();
}

/// The next invocation, if there is one by now.
pub(super) fn taken(sandbox: &Sandbox, environment: &Environment) -> Option<Invocation> {
    // Something has to look at the account for what is due to happen.
    sandbox.next_event();
    sandbox.take_invocation(&environment.id)
}

/// Ends an invocation as a function does that fails.
pub(super) fn fail(sandbox: &Sandbox, invocation: &Invocation) {
    let said = json!({"errorType": "Unlucky", "errorMessage": "no luck today"}).to_string();
    sandbox.finish_invocation(invocation, &Answer::Failed(said));
}

/// A queue with these attributes.
pub(super) fn queue(sandbox: &Sandbox, name: &str, attributes: Value) {
    call(sandbox, "sqs", "CreateQueue", json!({"QueueName": name, "Attributes": attributes})).unwrap();
}

/// What a queue has to give.
pub(super) fn messages(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let url = format!("https://sqs.us-east-1.amazonaws.com/123456789012/{name}");
    let input = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]});
    let got = call(sandbox, "sqs", "ReceiveMessage", input).unwrap();
    got["Messages"].as_array().cloned().unwrap_or_default()
}

/// Every line in a log group, oldest first.
pub(super) fn lines(sandbox: &Sandbox, group: &str) -> Vec<String> {
    let got = call(sandbox, "logs", "FilterLogEvents", json!({"logGroupName": group}));
    let events = got.map(|got| got["events"].as_array().cloned().unwrap_or_default()).unwrap_or_default();
    events.iter().map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The sum of a metric of the function over the last hour.
pub(super) fn sum(sandbox: &Sandbox, namespace: &str, name: &str, dimension: (&str, &str)) -> f64 {
    let at = |back: i64| (sandbox.now() - jiff::SignedDuration::from_secs(back)).to_string();
    let (from, to) = (at(3600), at(-60));
    let parameters = [
        ("Namespace", namespace),
        ("MetricName", name),
        ("Dimensions.member.1.Name", dimension.0),
        ("Dimensions.member.1.Value", dimension.1),
        ("StartTime", &from),
        ("EndTime", &to),
        ("Period", "7200"),
        ("Statistics.member.1", "Sum"),
    ];
    let xml = query(sandbox, "monitoring", "GetMetricStatistics", &parameters).unwrap();
    crate::services::testing::element(&xml, "Sum").parse().unwrap_or(f64::NAN)
}

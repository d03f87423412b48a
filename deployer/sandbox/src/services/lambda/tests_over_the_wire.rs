//! What must hold of functions and mappings, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use super::testing::{FUNCTION, LETTERS, QUEUE, lambda, made, may, queue, request, with_role};
use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::services::testing::{code, json as call, query};
use crate::testing::calm;

const FUNCTIONS: &str = "/2015-03-31/functions";
const ONE: &str = "/2015-03-31/functions/shop-push";
const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const READS: &[&str] = &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"];

fn get(sandbox: &Sandbox) -> Value {
    lambda(sandbox, "GET", &format!("{ONE}/configuration"), Value::Null).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_function_is_pending_then_active_and_its_changes_come_one_at_a_time() {
    let sandbox = with_role(&[]);
    let made = lambda(&sandbox, "POST", FUNCTIONS, request()).unwrap();
    assert_eq!((&made["State"], &made["StateReasonCode"]), (&json!("Pending"), &json!("Creating")));
    assert_eq!((&made["Timeout"], &made["MemorySize"], &made["Version"]), (&json!(3), &json!(128), &json!("$LATEST")));
    assert_eq!(made["LoggingConfig"], json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/shop-push"}));
    assert!(made["Environment"].is_null() && made["LastUpdateStatus"].is_null());
    let change = || lambda(&sandbox, "PUT", &format!("{ONE}/configuration"), json!({"Timeout": 30}));
    assert_eq!(code(change()), "ResourceConflictException");
    tokio::time::advance(Duration::from_secs(15)).await;
    assert_eq!((&get(&sandbox)["State"], &get(&sandbox)["LastUpdateStatus"]), (&json!("Active"), &json!("Successful")));
    let changed = change().unwrap();
    assert_eq!((&changed["Timeout"], &changed["LastUpdateStatus"]), (&json!(30), &json!("InProgress")));
    assert_ne!(changed["RevisionId"], made["RevisionId"]);
    assert!(change().unwrap_err().1.contains("An update is in progress for resource: arn:aws:lambda"));
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(change().is_ok());
    assert_eq!(code(lambda(&sandbox, "POST", FUNCTIONS, request())), "ResourceConflictException");
    lambda(&sandbox, "DELETE", ONE, Value::Null).unwrap();
    assert_eq!(code(lambda(&sandbox, "GET", ONE, Value::Null)), "ResourceNotFoundException");
}

#[test]
fn a_role_that_lambda_cannot_assume_is_refused() {
    let refused = lambda(&calm(), "POST", FUNCTIONS, request()).unwrap_err();
    assert_eq!(refused.1, "The role defined for the function cannot be assumed by Lambda.");
    let sandbox = calm();
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs.amazonaws.com"}}]});
    let role = [("RoleName", "shop-push"), ("AssumeRolePolicyDocument", &trust.to_string())];
    query(&sandbox, "iam", "CreateRole", &role).unwrap();
    assert_eq!(lambda(&sandbox, "POST", FUNCTIONS, request()).unwrap_err(), refused);
}

#[test]
fn what_does_not_fit_is_refused_in_awss_words() {
    let sandbox = with_role(&[]);
    let with = |name: &str, value: Value| {
        let mut all = request();
        all[name] = value;
        lambda(&sandbox, "POST", FUNCTIONS, all).unwrap_err()
    };
    assert!(with("Role", json!("r1")).1.contains("Value 'r1' at 'role' failed to satisfy constraint"));
    assert!(with("Runtime", json!("PYTHON3.9")).1.starts_with("Value PYTHON3.9 at 'runtime' failed to satisfy"));
    assert!(with("Architectures", json!(["x86_64", "arm64"])).1.contains("'[x86_64, arm64]' at 'architectures'"));
    assert!(with("Timeout", json!(901)).1.contains("Member must have value less than or equal to 900"));
    assert!(with("MemorySize", json!(64)).1.contains("Member must have value greater than or equal to 128"));
    assert!(with("Code", json!({"ZipFile": "bm8gemlw"})).1.starts_with("Could not unzip uploaded file."));
    assert_eq!(with("Code", json!({"S3Bucket": "b", "S3Key": "k"})).0, "NotSimulated");
    let large = with("Environment", json!({"Variables": {"LARGE": "x".repeat(4096)}})).1;
    assert!(large.contains("exceeded the 4KB limit. String measured: {\"LARGE\":\"xxx"), "{large}");
    let reserved = with("Environment", json!({"Variables": {"AWS_REGION": "x"}})).1;
    assert!(reserved.ends_with("Reserved keys used in this request: AWS_REGION"), "{reserved}");
    assert!(with("TracingConfig", json!({"Mode": "Active"})).1.ends_with("PutTraceSegments on XRAY"));
    assert!(with("LoggingConfig", json!({"SystemLogLevel": "WARN"})).1.starts_with("Log Level is not supported"));
    assert_eq!(with("Layers", json!(["arn:aws:lambda:us-east-1:1:layer:x:1"])).0, "NotSimulated");
    assert_eq!(with("KMSKeyArn", json!("arn:aws:kms:us-east-1:123456789012:key/x")).0, "NotSimulated");
}

#[test]
fn handing_over_a_role_needs_a_permission_of_its_own() {
    let sandbox = with_role(&[]);
    let policy = json!({"Statement": {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}});
    sandbox.set_policy(Some(Policy::parse(&policy).unwrap()));
    let refused = lambda(&sandbox, "POST", FUNCTIONS, request()).unwrap_err();
    assert_eq!(refused.0, "AccessDeniedException");
    let last = sandbox.call_log().pop().unwrap();
    assert_eq!(last.principal, "arn:aws:iam::123456789012:user/deployer");
}

#[tokio::test(start_paused = true)]
async fn statements_of_a_functions_policy_come_and_go() {
    let sandbox = with_role(&[]);
    made(&sandbox, json!({})).await;
    let policy = format!("{ONE}/policy");
    let rule = "arn:aws:events:us-east-1:123456789012:rule/pushes";
    let statement = json!({
        "StatementId": "events", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com", "SourceArn": rule,
    });
    assert_eq!(code(lambda(&sandbox, "GET", &policy, Value::Null)), "ResourceNotFoundException");
    let added = lambda(&sandbox, "POST", &policy, statement.clone()).unwrap();
    let added: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(added["Condition"], json!({"ArnLike": {"AWS:SourceArn": rule}}));
    assert_eq!(code(lambda(&sandbox, "POST", &policy, statement)), "ResourceConflictException");
    let by = |source: &str| {
        sandbox.with(|ctx| super::invoke_by_service(ctx, FUNCTION, "events.amazonaws.com", source, "{}"))
    };
    assert!(by(rule).is_ok());
    assert_eq!(by("arn:aws:events:us-east-1:123456789012:rule/other").unwrap_err().code, "AccessDeniedException");
    lambda(&sandbox, "DELETE", &format!("{policy}/events"), Value::Null).unwrap();
    assert!(by(rule).is_err());
    assert_eq!(code(lambda(&sandbox, "DELETE", &format!("{policy}/events"), Value::Null)), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_reserved_out_of_the_accounts() {
    let sandbox = with_role(&[]);
    made(&sandbox, json!({})).await;
    let path = "/2017-10-31/functions/shop-push/concurrency";
    let put = |n: i64| lambda(&sandbox, "PUT", path, json!({"ReservedConcurrentExecutions": n}));
    assert!(put(901).unwrap_err().1.contains("below its minimum value of [100]"));
    assert_eq!(put(5).unwrap(), json!({"ReservedConcurrentExecutions": 5}));
    let settings = lambda(&sandbox, "GET", "/2016-08-19/account-settings", Value::Null).unwrap();
    assert_eq!(settings["AccountLimit"]["UnreservedConcurrentExecutions"], 995);
    assert_eq!(lambda(&sandbox, "GET", ONE, Value::Null).unwrap()["Concurrency"]["ReservedConcurrentExecutions"], 5);
    lambda(&sandbox, "DELETE", path, Value::Null).unwrap();
    let path = "/2019-09-30/functions/shop-push/concurrency";
    assert_eq!(lambda(&sandbox, "GET", path, Value::Null).unwrap(), json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_function_says_how_its_events_are_tried_again_and_who_hears_of_them() {
    let sandbox = with_role(&[]);
    made(&sandbox, json!({})).await;
    queue(&sandbox, "shop-push-dead", json!({}));
    let path = "/2019-09-25/functions/shop-push/event-invoke-config";
    let put = |input: Value| lambda(&sandbox, "PUT", path, input);
    assert!(put(json!({})).unwrap_err().1.starts_with("You must specify at least one of"));
    let to = |arn: &str| json!({"DestinationConfig": {"OnFailure": {"Destination": arn}}});
    assert_eq!(put(to(FUNCTION)).unwrap_err().1, "You can't specify the function as a destination for itself.");
    assert!(put(to(&format!("{LETTERS}-not"))).unwrap_err().1.ends_with("is invalid."));
    assert!(put(to(LETTERS)).unwrap_err().1.contains("does not have permissions to call SendMessage"));
    may(&sandbox, READS);
    let mut all = to(LETTERS);
    all["MaximumRetryAttempts"] = json!(1);
    let kept = put(all).unwrap();
    assert_eq!(kept["DestinationConfig"], json!({"OnSuccess": {}, "OnFailure": {"Destination": LETTERS}}));
    assert_eq!(kept["FunctionArn"], format!("{FUNCTION}:$LATEST"));
    let kept = lambda(&sandbox, "POST", path, json!({"MaximumEventAgeInSeconds": 60})).unwrap();
    assert_eq!((&kept["MaximumRetryAttempts"], &kept["MaximumEventAgeInSeconds"]), (&json!(1), &json!(60)));
    lambda(&sandbox, "DELETE", path, Value::Null).unwrap();
    assert!(lambda(&sandbox, "GET", path, Value::Null).unwrap_err().1.ends_with("doesn't have an EventInvokeConfig"));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_needs_a_queue_that_the_role_may_read_and_that_is_patient_enough() {
    let sandbox = with_role(&[]);
    made(&sandbox, json!({"Timeout": 60})).await;
    let create = || {
        let input = json!({"EventSourceArn": QUEUE, "FunctionName": "shop-push", "Tags": {"wharf:stack": "shop"},
            "FunctionResponseTypes": ["ReportBatchItemFailures"], "ScalingConfig": {"MaximumConcurrency": 2}});
        lambda(&sandbox, "POST", MAPPINGS, input)
    };
    assert!(create().unwrap_err().1.contains("SQS Error Code: AWS.SimpleQueueService.NonExistentQueue."));
    queue(&sandbox, "shop-push", json!({}));
    assert!(create().unwrap_err().1.ends_with("does not have permissions to call ReceiveMessage on SQS"));
    may(&sandbox, READS);
    let patient = "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds";
    assert_eq!(create().unwrap_err().1, patient);
    let url = "https://sqs.us-east-1.amazonaws.com/123456789012/shop-push";
    let set = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "360"}});
    call(&sandbox, "sqs", "SetQueueAttributes", set).unwrap();
    let made = create().unwrap();
    assert_eq!((&made["State"], &made["BatchSize"]), (&json!("Creating"), &json!(10)));
    assert!(create().unwrap_err().1.starts_with("An event source mapping with SQS arn"));
    let one = format!("{MAPPINGS}/{}", made["UUID"].as_str().unwrap());
    let change = |size: i64| lambda(&sandbox, "PUT", &one, json!({"BatchSize": size}));
    assert_eq!(code(change(5)), "ResourceInUseException");
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(lambda(&sandbox, "GET", &one, Value::Null).unwrap()["State"], "Enabled");
    assert!(change(11).unwrap_err().1.starts_with("Maximum batch window in seconds must be greater than 0"));
    assert_eq!(change(5).unwrap()["State"], "Updating");
    tokio::time::advance(Duration::from_secs(10)).await;
    let listed = lambda(&sandbox, "GET", &format!("{MAPPINGS}?FunctionName=shop-push"), Value::Null).unwrap();
    assert_eq!(listed["EventSourceMappings"][0]["BatchSize"], 5);
    assert_eq!(lambda(&sandbox, "DELETE", &one, Value::Null).unwrap()["State"], "Deleting");
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(code(lambda(&sandbox, "GET", &one, Value::Null)), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn tags_of_a_function_come_and_go() {
    let sandbox = with_role(&[]);
    made(&sandbox, json!({"Tags": {"wharf:stack": "shop"}})).await;
    let path = format!("/2017-03-31/tags/{}", FUNCTION.replace(':', "%3A"));
    lambda(&sandbox, "POST", &path, json!({"Tags": {"team": "a"}})).unwrap();
    lambda(&sandbox, "DELETE", &format!("{path}?tagKeys=wharf%3Astack"), Value::Null).unwrap();
    assert_eq!(lambda(&sandbox, "GET", &path, Value::Null).unwrap()["Tags"], json!({"team": "a"}));
}

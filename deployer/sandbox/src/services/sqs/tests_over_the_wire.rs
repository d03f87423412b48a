//! What must hold of queues, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Sender, delete_for, put_by_service, receive_for, visible_again};
use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call};
use crate::testing::calm;
use crate::weather::Weather;

const ACCOUNT: &str = "https://sqs.us-east-1.amazonaws.com/123456789012";
const ARN: &str = "arn:aws:sqs:us-east-1:123456789012";

fn sqs(sandbox: &Sandbox, operation: &str, queue: &str, more: Value) -> Result<Value, Refusal> {
    let mut input = json!({"QueueUrl": format!("{ACCOUNT}/{queue}")});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call(sandbox, "sqs", operation, input)
}

fn made(sandbox: &Sandbox, name: &str, attributes: Value) {
    let answer = call(sandbox, "sqs", "CreateQueue", json!({"QueueName": name, "Attributes": attributes})).unwrap();
    assert_eq!(answer["QueueUrl"], format!("{ACCOUNT}/{name}"));
}

fn send(sandbox: &Sandbox, queue: &str, body: &str) -> Value {
    sqs(sandbox, "SendMessage", queue, json!({"MessageBody": body})).unwrap()
}

/// What one receipt brings, with all that SQS says of it.
fn received(sandbox: &Sandbox, queue: &str) -> Vec<Value> {
    let asked =
        json!({"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]});
    let answer = sqs(sandbox, "ReceiveMessage", queue, asked).unwrap();
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

fn attributes(sandbox: &Sandbox, queue: &str) -> Value {
    sqs(sandbox, "GetQueueAttributes", queue, json!({"AttributeNames": ["All"]})).unwrap()["Attributes"].clone()
}

fn shape(name: &str) -> String {
    format!("com.amazonaws.sqs#{name}")
}

async fn after(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[test]
fn a_queue_has_defaults_that_nobody_sent() {
    let sandbox = calm();
    made(&sandbox, "q", json!({}));
    let shown = attributes(&sandbox, "q");
    let text = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("VisibilityTimeout"), "30");
    assert_eq!(text("MessageRetentionPeriod"), "345600");
    assert_eq!(text("MaximumMessageSize"), "1048576");
    assert_eq!(text("SqsManagedSseEnabled"), "true");
    assert_eq!(text("QueueArn"), format!("{ARN}:q"));
    assert_eq!(shown.get("Policy"), None);
    // Nobody asked for any, so none are answered.
    assert_eq!(sqs(&sandbox, "GetQueueAttributes", "q", json!({})).unwrap(), Value::Null);
    let unknown = sqs(&sandbox, "GetQueueAttributes", "q", json!({"AttributeNames": ["Colour"]}));
    assert_eq!(code(unknown), shape("InvalidAttributeName"));
}

#[test]
fn the_same_queue_again_is_no_error_and_another_of_its_name_is() {
    let sandbox = calm();
    made(&sandbox, "q", json!({"VisibilityTimeout": "60"}));
    made(&sandbox, "q", json!({"VisibilityTimeout": "60"}));
    made(&sandbox, "q", json!({}));
    let other = json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "61"}});
    assert_eq!(code(call(&sandbox, "sqs", "CreateQueue", other)), shape("QueueNameExists"));
    let fifo = json!({"QueueName": "q.fifo", "Attributes": {}});
    assert_eq!(code(call(&sandbox, "sqs", "CreateQueue", fifo)), "NotSimulated");
    let odd = json!({"QueueName": "a b"});
    assert_eq!(code(call(&sandbox, "sqs", "CreateQueue", odd)), shape("InvalidParameterValueException"));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_free_a_minute_after_its_queue_was_deleted() {
    let sandbox = calm();
    made(&sandbox, "q", json!({}));
    send(&sandbox, "q", "gone with its queue");
    sqs(&sandbox, "DeleteQueue", "q", json!({})).unwrap();
    assert!(sandbox.inventory().is_empty());
    assert_eq!(code(sqs(&sandbox, "SendMessage", "q", json!({"MessageBody": "x"}))), shape("QueueDoesNotExist"));
    let again = || call(&sandbox, "sqs", "CreateQueue", json!({"QueueName": "q"}));
    assert_eq!(code(again()), shape("QueueDeletedRecently"));
    after(60).await;
    again().unwrap();
    assert_eq!(received(&sandbox, "q"), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn a_message_is_hidden_while_its_receiver_has_it_and_comes_again_unless_it_is_deleted() {
    let sandbox = calm();
    made(&sandbox, "q", json!({"VisibilityTimeout": "30"}));
    send(&sandbox, "q", "hello");
    let first = received(&sandbox, "q");
    assert_eq!(first[0]["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(received(&sandbox, "q").len(), 0);
    assert_eq!(attributes(&sandbox, "q")["ApproximateNumberOfMessagesNotVisible"], "1");
    after(30).await;
    let second = received(&sandbox, "q");
    assert_eq!(second[0]["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(second[0]["MessageId"], first[0]["MessageId"]);
    // The receipt of the one before deletes nothing, and its holder is not told.
    sqs(&sandbox, "DeleteMessage", "q", json!({"ReceiptHandle": first[0]["ReceiptHandle"]})).unwrap();
    after(30).await;
    let third = received(&sandbox, "q");
    assert_eq!(third.len(), 1);
    sqs(&sandbox, "DeleteMessage", "q", json!({"ReceiptHandle": third[0]["ReceiptHandle"]})).unwrap();
    after(60).await;
    assert_eq!(received(&sandbox, "q").len(), 0);
    let wrong = sqs(&sandbox, "DeleteMessage", "q", json!({"ReceiptHandle": "nothing"}));
    assert_eq!(code(wrong), shape("ReceiptHandleIsInvalid"));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_can_keep_a_message_longer_or_give_it_back() {
    let sandbox = calm();
    made(&sandbox, "q", json!({}));
    send(&sandbox, "q", "hello");
    let receipt = received(&sandbox, "q")[0]["ReceiptHandle"].clone();
    let hide = |seconds: u64| {
        let asked = json!({"ReceiptHandle": receipt, "VisibilityTimeout": seconds});
        sqs(&sandbox, "ChangeMessageVisibility", "q", asked)
    };
    hide(120).unwrap();
    after(60).await;
    assert_eq!(received(&sandbox, "q").len(), 0);
    assert_eq!(code(hide(43_201)), shape("InvalidParameterValueException"));
    hide(0).unwrap();
    assert_eq!(received(&sandbox, "q").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_received_too_often_lies_in_the_dead_letter_queue_byte_for_byte() {
    let sandbox = calm();
    made(&sandbox, "dead", json!({}));
    let redrive = json!({"deadLetterTargetArn": format!("{ARN}:dead"), "maxReceiveCount": "2"}).to_string();
    made(&sandbox, "q", json!({"VisibilityTimeout": "1", "RedrivePolicy": redrive}));
    // The number comes back as a number, however it was sent.
    let kept: Value = serde_json::from_str(attributes(&sandbox, "q")["RedrivePolicy"].as_str().unwrap()).unwrap();
    assert_eq!(kept["maxReceiveCount"], 2);
    let body = "{ \"odd\" :\t\"é\u{1f600}\\u0041\"}\n";
    let attribute = json!({"k": {"DataType": "String", "StringValue": "v"}});
    let sent = json!({"MessageBody": body, "MessageAttributes": attribute});
    let id = sqs(&sandbox, "SendMessage", "q", sent).unwrap()["MessageId"].clone();
    for count in ["1", "2"] {
        assert_eq!(received(&sandbox, "q")[0]["Attributes"]["ApproximateReceiveCount"], count);
        after(1).await;
    }
    assert_eq!(received(&sandbox, "q").len(), 0);
    let letter = &received(&sandbox, "dead")[0];
    assert_eq!((letter["Body"].as_str(), &letter["MessageId"]), (Some(body), &id));
    assert_eq!(letter["MessageAttributes"], attribute);
    assert_eq!(letter["Attributes"]["ApproximateReceiveCount"], "3");
    assert_eq!(letter["Attributes"]["DeadLetterQueueSourceArn"], format!("{ARN}:q"));
    let sources = sqs(&sandbox, "ListDeadLetterSourceQueues", "dead", json!({})).unwrap();
    assert_eq!(sources["queueUrls"], json!([format!("{ACCOUNT}/q")]));
}

#[test]
fn a_dead_letter_queue_must_exist_and_may_refuse() {
    let sandbox = calm();
    let redrive = |target: &str, count: u64| {
        let policy = json!({"deadLetterTargetArn": format!("{ARN}:{target}"), "maxReceiveCount": count});
        json!({"QueueName": format!("q{count}"), "Attributes": {"RedrivePolicy": policy.to_string()}})
    };
    let create = |input: Value| call(&sandbox, "sqs", "CreateQueue", input);
    assert!(create(redrive("dead", 3)).unwrap_err().1.contains("Dead letter target does not exist."));
    let none = json!({"redrivePermission": "denyAll"}).to_string();
    made(&sandbox, "dead", json!({"RedriveAllowPolicy": none}));
    assert_eq!(code(create(redrive("dead", 3))), shape("InvalidParameterValueException"));
    let some = json!({"redrivePermission": "byQueue", "sourceQueueArns": [format!("{ARN}:q3")]}).to_string();
    sqs(&sandbox, "SetQueueAttributes", "dead", json!({"Attributes": {"RedriveAllowPolicy": some}})).unwrap();
    create(redrive("dead", 3)).unwrap();
    assert_eq!(code(create(redrive("dead", 4))), shape("InvalidParameterValueException"));
    assert_eq!(code(create(redrive("dead", 0))), shape("InvalidParameterValueException"));
}

#[tokio::test(start_paused = true)]
async fn messages_come_after_their_delay_and_are_lost_after_their_time() {
    let sandbox = calm();
    made(&sandbox, "q", json!({"MessageRetentionPeriod": "60", "DelaySeconds": "5"}));
    send(&sandbox, "q", "late");
    sqs(&sandbox, "SendMessage", "q", json!({"MessageBody": "at once", "DelaySeconds": 0})).unwrap();
    let bodies = |messages: Vec<Value>| -> Vec<String> {
        messages.iter().map(|one| one["Body"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(bodies(received(&sandbox, "q")), ["at once"]);
    assert_eq!(attributes(&sandbox, "q")["ApproximateNumberOfMessagesDelayed"], "1");
    after(5).await;
    assert_eq!(bodies(received(&sandbox, "q")), ["late"]);
    after(56).await;
    assert_eq!(attributes(&sandbox, "q")["ApproximateNumberOfMessages"], "0");
    assert_eq!(received(&sandbox, "q").len(), 0);
}

#[test]
fn a_message_is_as_long_as_its_queue_lets_it_be() {
    let sandbox = calm();
    made(&sandbox, "q", json!({"MaximumMessageSize": "1024"}));
    let sent = |body: String| sqs(&sandbox, "SendMessage", "q", json!({"MessageBody": body}));
    sent("x".repeat(1024)).unwrap();
    assert!(sent("x".repeat(1025)).unwrap_err().1.contains("Message must be shorter than 1024 bytes."));
    assert_eq!(code(sent(String::new())), shape("MissingRequiredParameterException"));
    assert_eq!(code(sent("\u{0}".to_owned())), shape("InvalidMessageContents"));
    assert_eq!(attributes(&sandbox, "q")["ApproximateNumberOfMessages"], "1");
}

#[test]
fn of_a_batch_each_entry_succeeds_or_fails_by_itself() {
    let sandbox = calm();
    made(&sandbox, "q", json!({"MaximumMessageSize": "1024"}));
    let batch = |entries: Value| sqs(&sandbox, "SendMessageBatch", "q", json!({"Entries": entries}));
    let answer = batch(json!([{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": "x".repeat(2000)}])).unwrap();
    assert_eq!((&answer["Successful"][0]["Id"], &answer["Failed"][0]["Id"]), (&json!("a"), &json!("b")));
    assert_eq!(answer["Failed"][0]["Code"], "InvalidParameterValue");
    let twice = json!([{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}]);
    assert_eq!(code(batch(twice)), shape("BatchEntryIdsNotDistinct"));
    let many: Vec<Value> = (0..11).map(|n| json!({"Id": n.to_string(), "MessageBody": "x"})).collect();
    assert_eq!(code(batch(many.into())), shape("TooManyEntriesInBatchRequest"));
    assert_eq!(code(batch(json!([]))), shape("EmptyBatchRequest"));
    let receipt = received(&sandbox, "q")[0]["ReceiptHandle"].clone();
    let entries = json!([{"Id": "1", "ReceiptHandle": receipt}, {"Id": "2", "ReceiptHandle": "?"}]);
    let answer = sqs(&sandbox, "DeleteMessageBatch", "q", json!({"Entries": entries})).unwrap();
    assert_eq!(answer["Successful"], json!([{"Id": "1"}]));
    assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
}

#[test]
fn digests_are_those_that_aws_documents() {
    let sandbox = calm();
    made(&sandbox, "q", json!({}));
    // Recorded from AWS for these attributes.
    let given = json!({"General": {"DataType": "String", "StringValue": "Kenobi"}, "Hello": {"DataType": "String", "StringValue": "There"},
        "Help.Me": {"DataType": "String", "StringValue": "Me"}});
    let answer = sqs(&sandbox, "SendMessage", "q", json!({"MessageBody": "msg", "MessageAttributes": given})).unwrap();
    assert_eq!(answer["MD5OfMessageBody"], "6e2baaf3b97dbeef01c0043275f9a0e7");
    assert_eq!(answer["MD5OfMessageAttributes"], "4c360f3fdafd970e05fae2f149d997f5");
    let asked = json!({"MessageAttributeNames": ["Hel.*"]});
    let shown = sqs(&sandbox, "ReceiveMessage", "q", asked).unwrap()["Messages"][0].clone();
    assert_eq!(shown["MD5OfMessageAttributes"], "83fee93c1bcd8b9a5a923ffacdc636c7");
    assert_eq!(shown["MessageAttributes"].get("General"), None);
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_purged_once_a_minute() {
    let sandbox = calm();
    made(&sandbox, "q", json!({}));
    send(&sandbox, "q", "x");
    let purge = || sqs(&sandbox, "PurgeQueue", "q", json!({}));
    purge().unwrap();
    assert_eq!(received(&sandbox, "q").len(), 0);
    assert_eq!(code(purge()), shape("PurgeQueueInProgress"));
    after(60).await;
    purge().unwrap();
}

#[test]
fn a_service_sends_only_where_the_queues_policy_and_the_keys_let_it() {
    let sandbox = calm();
    made(&sandbox, "q", json!({}));
    let rule = "arn:aws:events:us-east-1:123456789012:rule/r";
    let put = || {
        let sender = Sender { service: "events.amazonaws.com", source: rule };
        let sent = |ctx: &mut crate::account::Ctx<'_>| {
            put_by_service(ctx, &format!("{ARN}:q"), &sender, "{}", serde_json::Map::new())
        };
        sandbox.with(sent).map_err(|error| error.code)
    };
    assert_eq!(put().unwrap_err(), "AccessDenied");
    let policy = |source: &str| {
        let statement = json!({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": format!("{ARN}:q"),
            "Condition": {"ArnEquals": {"aws:SourceArn": source}}});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let set = |name: &str, value: String| {
        sqs(&sandbox, "SetQueueAttributes", "q", json!({"Attributes": {name: value}})).unwrap();
    };
    set("Policy", policy("arn:aws:events:us-east-1:123456789012:rule/other"));
    assert_eq!(put().unwrap_err(), "AccessDenied");
    set("Policy", policy(rule));
    put().unwrap();
    // No service can use the key that AWS keeps: nobody can change its policy.
    set("KmsMasterKeyId", "alias/aws/sqs".to_owned());
    assert_eq!(attributes(&sandbox, "q")["SqsManagedSseEnabled"], "false");
    assert_eq!(put().unwrap_err(), "KMS.AccessDeniedException");
    let key = call(&sandbox, "kms", "CreateKey", json!({})).unwrap()["KeyMetadata"]["Arn"].clone();
    set("KmsMasterKeyId", key.as_str().unwrap().to_owned());
    assert_eq!(put().unwrap_err(), "KMS.AccessDeniedException");
    let statements = json!([
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Resource": "*",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"]},
    ]);
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    call(&sandbox, "kms", "PutKeyPolicy", json!({"KeyId": key, "PolicyName": "default", "Policy": policy})).unwrap();
    put().unwrap();
    assert_eq!(attributes(&sandbox, "q")["ApproximateNumberOfMessages"], "2");
}

#[test]
fn a_caller_needs_the_action_and_the_key() {
    let sandbox = calm();
    let key = call(&sandbox, "kms", "CreateKey", json!({})).unwrap()["KeyMetadata"]["Arn"].clone();
    made(&sandbox, "q", json!({"KmsMasterKeyId": key}));
    let allowed = |actions: Value| {
        let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
        sandbox.set_policy(Some(Policy::parse(&json!({"Statement": [statement]})).unwrap()));
    };
    let send = || sqs(&sandbox, "SendMessage", "q", json!({"MessageBody": "x"}));
    allowed(json!(["sqs:ReceiveMessage"]));
    assert_eq!(code(send()), shape("AccessDeniedException"));
    allowed(json!(["sqs:SendMessage"]));
    assert_eq!(code(send()), shape("KmsAccessDenied"));
    allowed(json!(["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"]));
    send().unwrap();
    // What the queue's own policy denies, no other allows.
    let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage",
        "Resource": format!("{ARN}:q")}]});
    sandbox.set_policy(None);
    sqs(&sandbox, "SetQueueAttributes", "q", json!({"Attributes": {"Policy": deny.to_string()}})).unwrap();
    assert_eq!(code(send()), shape("AccessDeniedException"));
}

#[test]
fn tags_come_with_the_queue_and_later() {
    let sandbox = calm();
    call(&sandbox, "sqs", "CreateQueue", json!({"QueueName": "q", "tags": {"a": "1"}})).unwrap();
    sqs(&sandbox, "TagQueue", "q", json!({"Tags": {"b": "2"}})).unwrap();
    sqs(&sandbox, "UntagQueue", "q", json!({"TagKeys": ["a"]})).unwrap();
    assert_eq!(sqs(&sandbox, "ListQueueTags", "q", json!({})).unwrap(), json!({"Tags": {"b": "2"}}));
}

#[tokio::test(start_paused = true)]
async fn a_poller_receives_gives_back_and_deletes() {
    let sandbox = calm();
    made(&sandbox, "q", json!({"VisibilityTimeout": "90"}));
    for n in 0..3 {
        send(&sandbox, "q", &n.to_string());
    }
    let queue = format!("{ARN}:q");
    let got = sandbox.with(|ctx| receive_for(ctx, &queue, 10));
    assert_eq!(got.iter().map(|one| one.body.as_str()).collect::<Vec<_>>(), ["0", "1", "2"]);
    assert!(sandbox.with(|ctx| receive_for(ctx, &queue, 10)).is_empty());
    sandbox.with(|ctx| delete_for(ctx, &queue, &[got[0].receipt.clone()]));
    sandbox.with(|ctx| visible_again(ctx, &queue, &[got[1].receipt.clone()]));
    let again = sandbox.with(|ctx| receive_for(ctx, &queue, 10));
    assert_eq!(again.iter().map(|one| one.body.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(again[0].attributes["ApproximateReceiveCount"], "2");
    after(90).await;
    assert_eq!(sandbox.with(|ctx| receive_for(ctx, &queue, 1)).len(), 1);
}

#[test]
fn in_bad_weather_messages_come_in_another_order_and_more_than_once() {
    let weather = Weather { disorder: Duration::from_secs(1), duplicates: 0.3, ..Weather::calm() };
    let sandbox = Sandbox::builder().seed(3).weather(weather).build();
    made(&sandbox, "q", json!({"VisibilityTimeout": "0"}));
    for n in 0..20 {
        send(&sandbox, "q", &n.to_string());
    }
    let queue = format!("{ARN}:q");
    let mut order = Vec::new();
    for _ in 0..200 {
        let Some(one) = sandbox.with(|ctx| receive_for(ctx, &queue, 1)).pop() else { break };
        order.push(one.body);
        sandbox.with(|ctx| delete_for(ctx, &queue, &[one.receipt]));
    }
    let mut all: Vec<u32> = order.iter().map(|body| body.parse().unwrap()).collect();
    assert!(all.len() > 20, "none came twice");
    assert!(!all.is_sorted(), "all came in order");
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 20, "one never came");
}

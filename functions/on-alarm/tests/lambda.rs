//! The function as Lambda runs it: the real binary behind a Runtime API, fed by its queue, and what comes out of it in
//! Slack and on the topic. Real `lambda_runtime`, real HTTP, under the permissions of the function's own role.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, FunctionResponseType, Runtime};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::{Value, json};
use wharf_sandbox::lambda::{Hosts, Program};
use wharf_sandbox::{Pace, Sandbox, Slack, Weather};

const NAME: &str = "shop-on-alarm";
const ARN: &str = "arn:aws:iam::123456789012:role/shop-on-alarm";
const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:shop-on-alarm";
const DEAD: &str = "arn:aws:sqs:us-east-1:123456789012:shop-on-alarm-dead";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:shop-alerts";
const TABLE: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/wharf-shop";
const SECRET: &str = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/slack";

/// What the function's role may do, and on what: this and no more.
fn permissions() -> Vec<(&'static str, Value)> {
    let own = json!({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["notice"]}});
    let on = |action: &'static str, resource: &str| {
        (action, json!({"Effect": "Allow", "Action": action, "Resource": resource}))
    };
    let table = |action: &'static str| {
        (action, json!({"Effect": "Allow", "Action": action, "Resource": TABLE, "Condition": own}))
    };
    vec![
        table("dynamodb:GetItem"),
        table("dynamodb:PutItem"),
        table("dynamodb:UpdateItem"),
        on("sns:Publish", TOPIC),
        on("ssm:GetParameter", SECRET),
        on("sqs:ReceiveMessage", QUEUE),
        on("sqs:DeleteMessage", QUEUE),
        on("sqs:GetQueueAttributes", QUEUE),
        on("logs:CreateLogGroup", "*"),
        on("logs:CreateLogStream", "*"),
        on("logs:PutLogEvents", "*"),
    ]
}

/// What is taken away from the role, and missed.
const MISSED: [&str; 5] =
    ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "sns:Publish", "ssm:GetParameter"];

struct World {
    sandbox: Sandbox,
    slack: Slack,
    sqs: aws_sdk_sqs::Client,
    hosts: Hosts,
}

impl World {
    /// An account in which the function is deployed, under a role that lacks an action.
    async fn without(lacking: Option<&str>) -> Self {
        let sandbox = Sandbox::builder().seed(5).weather(Weather::calm()).build();
        let slack = Slack::beside(&sandbox);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/api", listener.local_addr().unwrap());
        tokio::spawn(slack.clone().serve(listener, Pace::Stepped));
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("AKIADEPLOYER", "x", None)))
            .http_client(sandbox.http_client())
            .build();
        make_role(&aws, lacking).await;
        make_rest(&aws, &slack).await;
        make_function(&aws, &api).await;
        let hosts = Hosts::start(&sandbox, Pace::Stepped).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let world = Self { sandbox, slack, sqs: aws_sdk_sqs::Client::new(&aws), hosts };
        world.hosts.run(NAME, Program::new(env!("CARGO_BIN_EXE_on-alarm")));
        world
    }

    async fn send(&self, body: &Value) {
        self.sqs.send_message().queue_url(url(NAME)).message_body(body.to_string()).send().await.unwrap();
    }

    /// Lets so much time pass, with all that happens in it.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.sandbox.next_event();
            self.hosts.idle().await;
        }
    }

    /// What was given up on, byte for byte.
    async fn dead_letters(&self) -> Vec<String> {
        let got = self.sqs.receive_message().queue_url(url("shop-on-alarm-dead")).max_number_of_messages(10).send();
        got.await.unwrap().messages.unwrap_or_default().into_iter().filter_map(|message| message.body).collect()
    }

    /// The lines of the function's log that are JSON.
    fn log(&self) -> Vec<Value> {
        let streams = self.sandbox.resources().into_iter().filter(|one| one.kind == "logs.stream");
        let events = streams.flat_map(|stream| stream.items("_events").to_vec());
        events.filter_map(|event| serde_json::from_str(event["message"].as_str()?).ok()).collect()
    }
}

fn url(queue: &str) -> String {
    format!("https://sqs.us-east-1.amazonaws.com/123456789012/{queue}")
}

async fn make_role(aws: &SdkConfig, lacking: Option<&str>) {
    let iam = aws_sdk_iam::Client::new(aws);
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]});
    iam.create_role().role_name(NAME).assume_role_policy_document(trust.to_string()).send().await.unwrap();
    let kept = permissions().into_iter().filter(|(action, _)| lacking != Some(*action));
    let policy = json!({"Version": "2012-10-17", "Statement": kept.map(|(_, one)| one).collect::<Vec<_>>()});
    let put = iam.put_role_policy().role_name(NAME).policy_name("own").policy_document(policy.to_string());
    put.send().await.unwrap();
}

/// Table, topic, secret and queues.
async fn make_rest(aws: &SdkConfig, slack: &Slack) {
    let attribute = |name: &str| {
        AttributeDefinition::builder().attribute_type(ScalarAttributeType::S).attribute_name(name).build().unwrap()
    };
    let key =
        |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let create = aws_sdk_dynamodb::Client::new(aws).create_table().table_name("wharf-shop");
    let create = create.attribute_definitions(attribute("pk")).attribute_definitions(attribute("sk"));
    let create = create.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
    aws_sdk_sns::Client::new(aws).create_topic().name("shop-alerts").send().await.unwrap();
    let put = aws_sdk_ssm::Client::new(aws).put_parameter().name("/shop/slack").r#type(ParameterType::SecureString);
    put.value(slack.token()).send().await.unwrap();
    let sqs = aws_sdk_sqs::Client::new(aws);
    sqs.create_queue().queue_name("shop-on-alarm-dead").send().await.unwrap();
    let redrive = json!({"deadLetterTargetArn": DEAD, "maxReceiveCount": "2"}).to_string();
    let create = sqs.create_queue().queue_name(NAME).attributes(QueueAttributeName::VisibilityTimeout, "180");
    create.attributes(QueueAttributeName::RedrivePolicy, redrive).send().await.unwrap();
}

async fn make_function(aws: &SdkConfig, api: &str) {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("bootstrap", zip::write::SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    archive.write_all(b"\x7fELF").unwrap();
    let code = FunctionCode::builder().zip_file(Blob::new(archive.finish().unwrap().into_inner())).build();
    let slack = json!({"secret": "/shop/slack", "channel": Slack::CHANNEL, "mention": "<!here>"}).to_string();
    let variables = Environment::builder()
        .variables("WHARF_STACK", "shop")
        .variables("WHARF_TABLE", "wharf-shop")
        .variables("WHARF_ALERTS", TOPIC)
        .variables("WHARF_SLACK", slack)
        .variables("WHARF_SLACK_API", api)
        .build();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let lambda = aws_sdk_lambda::Client::new(aws);
    let made = lambda.create_function().function_name(NAME).role(ARN).code(code).environment(variables).timeout(30);
    let made = made.runtime(Runtime::Providedal2023).handler("bootstrap").architectures(Architecture::Arm64);
    made.send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let mapping = lambda.create_event_source_mapping().function_name(NAME).event_source_arn(QUEUE).batch_size(10);
    mapping.function_response_types(FunctionResponseType::ReportBatchItemFailures).send().await.unwrap();
}

fn sample(name: &str) -> Value {
    let path = format!("{}/../../events/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_alarm_rings_and_clears_and_what_cannot_be_read_goes_to_the_dead_letters_byte_for_byte() {
    let world = World::without(None).await;
    world.send(&sample("alarm-sns.json")).await;
    let poison = json!({"wharf-notice": 99, "title": "of a later wharf"});
    world.send(&poison).await;
    world.pass(30).await;
    world.send(&sample("alarm-ok-sns.json")).await;
    world.pass(400).await;
    let messages = world.slack.messages();
    let log = world.log();
    assert_eq!(messages.len(), 2, "{log:#?}");
    assert_eq!(messages[0].blocks[0]["text"]["text"], "✅ OK: shop-latency");
    assert_eq!(messages[0].before.len(), 1, "the message of the alarm was edited");
    assert_eq!(messages[1].thread.as_deref(), Some(messages[0].ts.as_str()));
    let subjects: Vec<_> = world.sandbox.published().into_iter().filter_map(|letter| letter.subject).collect();
    assert_eq!(subjects, ["[shop] ALARM: shop-latency", "[shop] OK: shop-latency"]);
    assert_eq!(world.dead_letters().await, [poison.to_string()]);
    let outcomes: Vec<_> =
        log.iter().filter_map(|line| Some((line.get("outcome")?, line["correlation_id"].is_string()))).collect();
    assert!(outcomes.iter().all(|(_, correlated)| *correlated), "{outcomes:?}");
    let failed = outcomes.iter().filter(|(outcome, _)| *outcome == "failed").count();
    assert_eq!((outcomes.len(), failed), (4, 2), "two done; the poison twice: {log:#?}");
    assert!(log.iter().any(|line| line.get("_aws").is_some() && line["Told"] == 1.0), "{log:#?}");
    let said = log.iter().map(Value::to_string).collect::<String>();
    assert!(!said.contains(&world.slack.token()), "the secret stands in the log");
}

#[tokio::test(start_paused = true)]
async fn each_action_that_the_role_lacks_is_missed() {
    for action in MISSED {
        let world = World::without(Some(action)).await;
        world.send(&sample("alarm-sns.json")).await;
        world.pass(200).await;
        let told = (world.slack.messages().len(), world.sandbox.published().len());
        let failed = world.log().iter().any(|line| line["outcome"] == "failed");
        // Without the right to write it down, it is told; that it cannot be written down is said.
        let warned = world.log().iter().any(|line| line["level"] == "WARN");
        assert!(failed || (action == "dynamodb:PutItem" && warned), "{action}: {told:?} {:#?}", world.log());
    }
}

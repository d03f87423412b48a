//! What must hold of the function, seen from outside: an account and a Slack in memory, virtual time.

mod cases;
mod channel;
mod death;
mod inputs;
mod routes;
mod story;

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::SdkConfig;
use aws_types::region::Region;
use wharf_sandbox::{Published, Sandbox, Slack, SlackMessage, Weather};

use super::*;

/// How Slack is reached in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Webhook,
    Bot,
    /// People have the topic alone.
    None,
    /// People have Slack alone, by its webhook.
    Alone,
    Nobody,
}

/// An account with the function's table and topic, a Slack, and the function.
struct World {
    sandbox: Sandbox,
    slack: Slack,
    function: OnAlarm,
    ssm: aws_sdk_ssm::Client,
    way: Way,
    /// How long an invocation may take.
    time: Duration,
}

const SECRET: &str = "/shop/slack";
const SIGNALS: &str = "arn:aws:sns:us-east-1:123456789012:shop-signals";

impl World {
    async fn new(way: Way) -> Self {
        Self::with_mention(way, None).await
    }

    async fn with_mention(way: Way, mention: Option<&str>) -> Self {
        let sandbox = Sandbox::builder().seed(11).weather(Weather::calm()).build();
        let slack = Slack::beside(&sandbox);
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys(
                "AKIAEXAMPLE",
                "example",
                None,
            )))
            .http_client(sandbox.http_client())
            .build();
        let ssm = aws_sdk_ssm::Client::new(&aws);
        make_table(&aws_sdk_dynamodb::Client::new(&aws)).await;
        let topic = aws_sdk_sns::Client::new(&aws).create_topic().name("shop-alerts").send().await.unwrap();
        let mention = mention.map(|mention| serde_json::json!(mention));
        let mut settings = json!({"secret": SECRET, "mention": mention});
        if way == Way::Bot {
            settings["channel"] = json!(Slack::CHANNEL);
        }
        let ways = Ways {
            aws,
            stack: "shop".to_owned(),
            table: "wharf-shop".to_owned(),
            alerts: topic.topic_arn.filter(|_| !matches!(way, Way::Alone | Way::Nobody)),
            slack: (!matches!(way, Way::None | Way::Nobody)).then(|| serde_json::from_value(settings).unwrap()),
            api: "https://slack.example.com/api".to_owned(),
            connector: SharedHttpConnector::new(slack.http_client()),
        };
        let (function, time) = (OnAlarm::new(&ways), Duration::from_secs(60));
        let world = Self { sandbox, slack, function, ssm, way, time };
        world.store_secret().await;
        world
    }

    /// Puts the secret that Slack knows into the parameter.
    async fn store_secret(&self) {
        let secret = match self.way {
            Way::Webhook | Way::Alone => self.slack.webhook("https://hooks.slack.com"),
            Way::Bot | Way::None | Way::Nobody => self.slack.token(),
        };
        let put = self.ssm.put_parameter().name(SECRET).r#type(ParameterType::SecureString);
        put.value(secret).overwrite(true).send().await.unwrap();
    }

    fn invocation(&self) -> Invocation {
        Invocation::new(format!("r-{}", self.sandbox.calls()), "arn", None, self.sandbox.now(), self.time)
    }

    async fn invoke(&self, payload: Value) -> Result<Value, Fault> {
        self.function.handle(payload, &self.invocation()).await
    }

    /// Invokes it with messages of its queue; answers the places of those that failed.
    async fn queue(&self, bodies: &[String]) -> Vec<usize> {
        let record = |(n, body): (usize, &String)| json!({"messageId": format!("q-{n}"), "body": body, "eventSource": "aws:sqs", "attributes": {}});
        let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
        let answer = self.invoke(json!({"Records": records})).await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap().clone();
        let place = |failure: &Value| failure["itemIdentifier"].as_str()?.strip_prefix("q-")?.parse().ok();
        failures.iter().filter_map(place).collect()
    }

    async fn one(&self, body: &Value) -> Vec<usize> {
        self.queue(&[body.to_string()]).await
    }

    fn messages(&self) -> Vec<SlackMessage> {
        self.slack.messages()
    }

    fn letters(&self) -> Vec<Published> {
        self.sandbox.published()
    }

    /// How the calls of Slack ended.
    fn answers(&self) -> Vec<String> {
        self.slack.calls().into_iter().map(|call| call.answer).collect()
    }
}

async fn make_table(dynamodb: &aws_sdk_dynamodb::Client) {
    let attribute = |name: &str| {
        let kind = AttributeDefinition::builder().attribute_type(ScalarAttributeType::S);
        kind.attribute_name(name).build().unwrap()
    };
    let key =
        |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let create = dynamodb.create_table().table_name("wharf-shop").billing_mode(BillingMode::PayPerRequest);
    let create = create.attribute_definitions(attribute("pk")).attribute_definitions(attribute("sk"));
    create.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range)).send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

fn sample(name: &str) -> Value {
    let path = format!("{}/../../events/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What the topic between the functions sends to the queue.
fn signal(id: &str, message: &Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": id, "TopicArn": SIGNALS, "Message": message.to_string(),
        "Timestamp": "2026-01-05T09:12:47.000Z", "SignatureVersion": "1",
    })
}

/// An alarm's transition, so many seconds after nine.
fn alarm(name: &str, state: &str, before: &str, second: i64) -> Value {
    let at = jiff::Timestamp::from_second(1_767_603_600 + second).unwrap();
    json!({
        "AlarmName": name, "AlarmDescription": format!("{name} is wrong"), "AWSAccountId": "123456789012",
        "NewStateValue": state, "OldStateValue": before, "NewStateReason": "set by a test",
        "StateChangeTime": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string(), "Region": "US East (N. Virginia)",
        "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"),
    })
}

fn rings(name: &str, second: i64) -> Value {
    alarm(name, "ALARM", "OK", second)
}

fn clears(name: &str, second: i64) -> Value {
    alarm(name, "OK", "ALARM", second)
}

/// The text of a message's first block.
fn title(message: &SlackMessage) -> &str {
    message.blocks.first().and_then(|block| block["text"]["text"].as_str()).unwrap_or(&message.text)
}

/// All that a message says, as JSON.
fn all(message: &SlackMessage) -> String {
    format!("{}\n{}", message.text, serde_json::to_string(&message.blocks).unwrap())
}

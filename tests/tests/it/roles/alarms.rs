//! on-alarm: an alarm rings and ends, in Slack and on people's topic.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_types::SdkConfig;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wharf_notify::Ways;
use wharf_on_alarm::OnAlarm;
use wharf_sandbox::{Resource, Slack};
use wharf_shell::{Environment, variable};
use wharf_tests::stack::in_virtual_time;

use super::{Stage, Subject, held_against, host, words};

const FUNCTION: &str = "shop-on-alarm";
const SIGNALS: &str = "arn:aws:sns:us-east-1:123456789012:shop-signals";

#[derive(Clone, Copy, Debug)]
enum Story {
    RingsAndEnds,
}

struct Alarms;

/// What CloudWatch publishes of an alarm that changes.
fn changed(name: &str, state: &str, before: &str, at: Timestamp) -> String {
    json!({
        "AlarmName": name, "AWSAccountId": "123456789012", "NewStateValue": state, "OldStateValue": before,
        "NewStateReason": "it is so", "Region": "US East (N. Virginia)",
        "StateChangeTime": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string(),
        "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"),
    })
    .to_string()
}

/// The function as its environment sets it up, with this Slack.
fn built(slack: &Slack) -> impl Fn(&Environment, &SdkConfig) -> OnAlarm {
    let connector = SharedHttpConnector::new(slack.http_client());
    move |environment, config| {
        OnAlarm::new(&Ways {
            aws: config.clone(),
            stack: environment.required(variable::STACK).expect("a stack").to_owned(),
            table: environment.required(variable::TABLE).expect("a table").to_owned(),
            alerts: environment.get("WHARF_ALERTS").map(str::to_owned),
            slack: environment.json("WHARF_SLACK").expect("it can be read"),
            api: "https://slack.example.com/api".to_owned(),
            connector: connector.clone(),
        })
    }
}

impl Stage {
    async fn publish(&self, messages: &[String]) {
        let aws = self.session().await.aws;
        let publish = |message: &String| aws.sns.publish().topic_arn(SIGNALS).message(message).send();
        for answer in join_all(messages.iter().map(publish)).await {
            answer.expect("it is published");
        }
    }

    async fn alarm(&self, state: &str, before: &str) {
        self.publish(&[changed("shop-latency", state, before, self.world.sandbox.now())]).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    /// The messages that lie in a queue.
    fn queued(&self, queue: &str) -> Vec<Resource> {
        self.world.sandbox.of_kind("sqs.message").into_iter().filter(|one| one.text("_queue") == queue).collect()
    }
}

impl Subject for Alarms {
    type Story = Story;
    const FUNCTION: &'static str = "on-alarm";
    const STORIES: &'static [Story] = &[Story::RingsAndEnds];

    async fn seen(stage: &Stage, _: Story) -> Vec<String> {
        let story = async {
            stage.alarm("ALARM", "OK").await;
            stage.alarm("OK", "ALARM").await;
        };
        host::during(&stage.world.sandbox, FUNCTION, built(&stage.slack), story).await;
        let messages = stage.slack.messages();
        let threads = messages.iter().filter(|message| message.thread.is_some()).count();
        let edits: usize = messages.iter().map(|message| message.before.len()).sum();
        let state = format!("{threads} in threads, {edits} edited, logged: {}", stage.log_lines("on-alarm") > 0);
        let said = messages.iter().map(|message| words(&message.text));
        let letters = stage.published("shop-alerts").into_iter().map(|letter| words(&letter.to_string()));
        [state].into_iter().chain(said).chain(letters).collect()
    }
}

#[test]
fn all_that_on_alarm_may_do_is_needed_and_enough() {
    in_virtual_time(async {
        held_against::<Alarms>(&Stage::new(4).await.now()).await;
    });
}

/// How many invocations its mapping has at once at most, as it was deployed.
fn at_once(stage: &Stage) -> usize {
    let mappings = stage.world.sandbox.of_kind("lambda.event-source-mapping").into_iter();
    let mut mappings = mappings.filter(|mapping| mapping.text("FunctionArn").ends_with(FUNCTION));
    let most = mappings.next().expect("it has a mapping").attrs["ScalingConfig"]["MaximumConcurrency"].as_u64();
    usize::try_from(most.expect("it is limited")).expect("a small number")
}

#[test]
fn a_thousand_alarms_at_once_are_all_told_at_one_message_a_second_and_none_is_handed_over_twice() {
    in_virtual_time(async {
        let stage = Stage::new(4).await;
        let at = stage.world.sandbox.now();
        let names: Vec<String> = (0..1000).map(|n| format!("a-{n:03}")).collect();
        let alarms: Vec<String> = names.iter().map(|name| changed(name, "ALARM", "OK", at)).collect();
        let story = async {
            stage.publish(&alarms).await;
            for _ in 0..360 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                if stage.queued(FUNCTION).is_empty() {
                    break;
                }
            }
        };
        let sandbox = &stage.world.sandbox;
        host::during_in(at_once(&stage), sandbox, FUNCTION, built(&stage.slack), story).await;

        assert_eq!((stage.queued("shop-on-alarm-dead").len(), stage.queued(FUNCTION).len()), (0, 0));
        let invocations = sandbox.invocations().into_iter().filter(|one| one.function == FUNCTION);
        let invocations: Vec<_> = invocations.inspect(|one| assert_eq!(one.error, None, "{one:#?}")).collect();
        let records = |payload: &str| -> Vec<Value> {
            let batch: Value = serde_json::from_str(payload).expect("a batch is JSON");
            batch["Records"].as_array().cloned().unwrap_or_default()
        };
        let received: Vec<Value> = invocations.iter().flat_map(|one| records(&one.payload)).collect();
        let again = received.iter().filter(|one| one["attributes"]["ApproximateReceiveCount"] != "1").count();
        // The platform has something to tell, too.
        assert!(received.len() >= names.len(), "{}", received.len());
        assert_eq!(again, 0, "nothing comes back because it could not be handed over");
        let side_by_side = invocations.windows(2).any(|pair| pair[1].started < pair[0].ended);
        assert!(side_by_side, "two of them share the channel");

        let messages = stage.slack.messages();
        let said: String = messages.iter().map(|one| format!("{} {}", one.text, json!(one.blocks))).collect();
        let lost: Vec<&String> = names.iter().filter(|name| !said.contains(name.as_str())).collect();
        assert_eq!(lost, [""; 0], "nobody heard of these");
        let mut times: Vec<Timestamp> = messages.iter().map(|message| message.at).collect();
        times.sort();
        let closest = times.windows(2).map(|pair| pair[1].duration_since(pair[0])).min().expect("several messages");
        assert!(closest >= SignedDuration::from_secs(1), "{closest} between two messages");
        assert!(stage.slack.calls().iter().all(|call| call.answer == "ok"), "Slack never had to refuse");
    });
}

//! What stands before a function: a queue, the queue of what could not be worked on, the rule that fills it, and what
//! hands its messages over.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::One;
use crate::aws::events::rule::{Rule, Target};
use crate::aws::lambda::event_source_mapping::EventSourceMapping;
use crate::aws::lambda::function::Function as LambdaFunction;
use crate::aws::policy::{Document, Slots, Statement};
use crate::aws::sns::topic::TopicArn;
use crate::aws::sqs::queue::{DeadLetters, Queue};
use crate::aws::units::Seconds;
use crate::aws::{Handle, Out, Text};
use crate::platform::{BuildError, Builder};

const DAY: i32 = 24 * 60 * 60;

/// A function's two queues.
pub(super) struct Queues {
    pub(super) queue: Handle<Queue>,
    pub(super) dead: Handle<Queue>,
}

/// Events that a rule lets through, with references inside.
pub(super) struct Pattern {
    any: Vec<Json>,
    slots: Slots,
}

impl Pattern {
    pub(super) fn new() -> Self {
        Self { any: Vec::new(), slots: Slots::default() }
    }

    /// What stands for a reference in [`Pattern::or`].
    pub(super) fn hold(&mut self, text: &Text) -> Json {
        self.slots.hold(text)
    }

    /// Lets these through too.
    pub(super) fn or(&mut self, events: Json) {
        self.any.push(events);
    }

    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-complex-example-or>
    fn text(self) -> Text {
        self.slots.fill(&json!({ "$or": self.any }).to_string())
    }
}

impl One<'_> {
    /// The queues. Lambda asks that a message stays hidden for six times as long as an invocation may take.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
    pub(super) fn queues(
        &self,
        b: &mut Builder,
        timeout: Seconds,
        receives: u32,
        topic: Option<&Out<TopicArn>>,
    ) -> Result<Queues, BuildError> {
        let queue = |name: String, tags| Queue {
            policy: Some(self.queue_policy(&name, topic).text()),
            name,
            visibility: Seconds(6 * timeout.0),
            retention: Seconds(4 * DAY),
            dead_letters: None,
            key: None,
            tags,
        };
        let dead = Queue { retention: Seconds(14 * DAY), ..queue(format!("{}-dead", self.name()), b.tags()) };
        let dead = b.add(&self.id("dead-letters"), dead)?;
        let letters = Some(DeadLetters { queue: dead.arn(), receives });
        let queue = Queue { dead_letters: letters, ..queue(self.name(), b.tags()) };
        Ok(Queues { queue: b.add(&self.id("queue"), queue)?, dead })
    }

    /// The function's rule sends to its queues, and so does the topic that one of them is subscribed to: what they cannot
    /// hand over goes to the other. Nobody does without TLS.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions>
    fn queue_policy(&self, name: &str, topic: Option<&Out<TopicArn>>) -> Document {
        let site = self.ground.site;
        let arn = |service: &str, resource: &str| {
            format!("arn:{}:{service}:{}:{}:{resource}", site.partition, site.region, site.account)
        };
        let queue = arn("sqs", name);
        let send = |service: &str| Statement::allow(["sqs:SendMessage"]).service(service).on(queue.as_str());
        let rule = arn("events", &format!("rule/{}", self.name()));
        let events = send("events.amazonaws.com").when("ArnEquals", "aws:SourceArn", rule);
        let told = topic.map(|topic| send("sns.amazonaws.com").when("ArnEquals", "aws:SourceArn", topic.text()));
        let open = Statement::deny(["sqs:ReceiveMessage", "sqs:SendMessage"]).aws("*").on(queue.as_str());
        let open = open.when("Bool", "aws:SecureTransport", "false");
        Document::new([events].into_iter().chain(told).chain([open]))
    }

    /// The rule: what it cannot hand over goes where what cannot be worked on goes.
    pub(super) fn rule(
        &self,
        b: &mut Builder,
        description: &str,
        pattern: Pattern,
        queues: &Queues,
    ) -> Result<(), BuildError> {
        let target = Target {
            arn: queues.queue.arn().text(),
            retries: 185,
            max_age: Seconds(DAY),
            dead_letters: Some(queues.dead.arn().text()),
        };
        let rule = Rule {
            name: self.name(),
            description: description.to_owned(),
            pattern: pattern.text(),
            enabled: true,
            targets: BTreeMap::from([("queue".to_owned(), target)]),
            tags: b.tags(),
        };
        b.add(&self.id("rule"), rule).map(drop)
    }

    /// What hands the queue's messages to the function, which says of each what became of it: to no more invocations at
    /// once than are kept free for the function. It would take messages for more, and each time that they are refused
    /// brings them nearer to the dead letters.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-queueconfig>
    pub(super) fn mapping(
        &self,
        b: &mut Builder,
        queues: &Queues,
        function: &Handle<LambdaFunction>,
        at_once: i32,
    ) -> Result<(), BuildError> {
        let mapping = EventSourceMapping {
            queue: queues.queue.arn(),
            function: function.arn(),
            enabled: true,
            batch: 10,
            window: Seconds(0),
            partial: true,
            concurrency: Some(at_once),
            tags: b.tags(),
        };
        b.add(&self.id("mapping"), mapping).map(drop)
    }
}

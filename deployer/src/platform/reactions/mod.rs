//! Reactions: the functions that run the stack from then on, each with its role, its log group and what wakes it.
//!
//! What happens goes through a queue, so that nothing is lost while a function fails; what a function has to tell goes to
//! the topic of signals, from which one function alone tells people.

mod check_snapshots;
mod on_alarm;
mod on_image_push;
mod queue;
mod roles;

use std::collections::BTreeMap;

use self::queue::Queues;
use super::observability::{self, Observability, Watched};
use super::{BuildError, Builder, Site, trust};
use crate::aws::dlm::policy::Policy;
use crate::aws::dynamodb::table::Table;
use crate::aws::ecr::repository::Repository;
use crate::aws::iam::role::Role;
use crate::aws::kms::key::Key;
use crate::aws::lambda::function::{Function as LambdaFunction, Invocations};
use crate::aws::logs::log_group::LogGroup;
use crate::aws::policy::{Document, Statement};
use crate::aws::scheduler::group::ScheduleGroup;
use crate::aws::scheduler::schedule::{Message, Schedule};
use crate::aws::sns::topic::{Topic, TopicArn};
use crate::aws::sqs::queue::Queue;
use crate::aws::units::{Days, HOUR, Seconds};
use crate::aws::{Handle, Out, Text};
use crate::config::{Config, Function};

/// What the functions stand on.
pub(super) struct Ground<'a> {
    pub(super) config: &'a Config,
    pub(super) site: &'a Site,
    pub(super) key: &'a Handle<Key>,
    pub(super) table: &'a Handle<Table>,
    /// What the functions, and alarms, have to tell.
    pub(super) signals: &'a Handle<Topic>,
    /// From which e-mails are sent, when somebody is told at all.
    pub(super) people: Option<Out<TopicArn>>,
    pub(super) schedules: Option<&'a Handle<ScheduleGroup>>,
    /// What each service's tasks write, by its name.
    pub(super) logs: &'a BTreeMap<String, Handle<LogGroup>>,
    pub(super) repositories: &'a BTreeMap<String, Handle<Repository>>,
    /// The identifier of the stack's database.
    pub(super) database: Option<String>,
    pub(super) volumes: Option<&'a Handle<Policy>>,
}

/// The topic of signals, when there are functions.
pub(super) fn signals(
    b: &mut Builder,
    config: &Config,
    site: &Site,
    key: &Handle<Key>,
) -> Result<Option<Handle<Topic>>, BuildError> {
    if config.functions().is_empty() {
        return Ok(None);
    }
    let stack = config.stack.name.as_str();
    let name = format!("{stack}-signals");
    let topic = Topic {
        display_name: format!("{stack} signals"),
        policy: Some(observability::topic_policy(&name, site).text()),
        name,
        key: Some(key.arn()),
        tags: b.tags(),
    };
    b.add("reactions.signals", topic).map(Some)
}

/// The functions, and what wakes them.
pub(super) fn reactions(
    b: &mut Builder,
    ground: &Ground<'_>,
    mut observability: Option<&mut Observability>,
) -> Result<(), BuildError> {
    let mut woken = Woken::default();
    for function in ground.config.functions() {
        let one = One { ground, function };
        let made = match function {
            Function::OnImagePush => one.on_image_push(b)?,
            Function::OnAlarm => one.on_alarm(b)?,
            Function::CheckSnapshots => one.check_snapshots(b)?,
        };
        if let Some(observability) = observability.as_deref_mut() {
            observability.function(b, &made.watched(function))?;
        }
        match function {
            Function::OnImagePush => woken.queue = made.queues.map(|queues| queues.queue),
            Function::CheckSnapshots => woken.function = Some(made.function),
            Function::OnAlarm => {}
        }
    }
    woken.schedules(b, ground)
}

/// One function, and what it stands on.
struct One<'a> {
    ground: &'a Ground<'a>,
    function: Function,
}

/// A function that was made.
struct Made {
    function: Handle<LambdaFunction>,
    queues: Option<Queues>,
}

impl Made {
    fn watched(&self, function: Function) -> Watched<'_> {
        Watched {
            name: function.name(),
            function: &self.function,
            queues: self.queues.as_ref().map(|queues| (&queues.queue, &queues.dead)),
            // Who tells people cannot tell of its own failures.
            tells: function == Function::OnAlarm,
            daily: function == Function::CheckSnapshots,
        }
    }
}

/// What a function differs by from the others.
struct Settings {
    description: &'static str,
    timeout: Seconds,
    memory: i32,
    /// How many invocations may run at once, kept free for it.
    concurrency: Option<i32>,
    /// What becomes of asynchronous invocations; none where there are none.
    invocations: Option<Invocations>,
    env: BTreeMap<&'static str, Text>,
}

impl One<'_> {
    /// Its name, which its role, its queue, its rule and its log group have too.
    fn name(&self) -> String {
        format!("{}-{}", self.ground.config.stack.name, self.function.name())
    }

    fn id(&self, noun: &str) -> String {
        format!("reactions.{}.{noun}", self.function.name())
    }

    /// The function with its log group and its role, which may do what `statements` say.
    fn make(
        &self,
        b: &mut Builder,
        settings: Settings,
        statements: Vec<Statement>,
    ) -> Result<Handle<LambdaFunction>, BuildError> {
        let Ground { config, site, table, signals, .. } = self.ground;
        let wanted = &config.reactions;
        let log = LogGroup {
            name: format!("/aws/lambda/{}", self.name()),
            retention: Some(Days(i32::from(wanted.log_days))),
            key: Some(self.ground.key.arn()),
            class: "STANDARD".to_owned(),
            archive: false,
            tags: b.tags(),
        };
        let log = b.add(&self.id("log-group"), log)?;
        let role = b.add(&self.id("role"), self.role(b, settings.description, &log, statements))?;
        let common = [
            ("WHARF_STACK", config.stack.name.as_str().into()),
            ("WHARF_TABLE", table.name().text()),
            ("WHARF_SIGNALS", signals.arn().text()),
        ];
        let env = common.into_iter().chain(settings.env).map(|(name, value)| (name.to_owned(), value));
        let function = LambdaFunction {
            name: self.name(),
            description: settings.description.to_owned(),
            role: role.arn(),
            runtime: "provided.al2023".to_owned(),
            handler: "bootstrap".to_owned(),
            architecture: wanted.architecture.as_str().to_owned(),
            code: site.packages.of(self.function.name()).map_or_else(String::new, |code| code.digest().to_owned()),
            timeout: settings.timeout,
            memory: settings.memory,
            env: env.collect(),
            tracing: if wanted.tracing { "Active" } else { "PassThrough" }.to_owned(),
            log_group: log.name(),
            log_format: "JSON".to_owned(),
            concurrency: settings.concurrency.filter(|_| wanted.reserved_concurrency),
            invocations: settings.invocations,
            permissions: BTreeMap::new(),
            tags: b.tags(),
        };
        b.add(&self.id("function"), function)
    }

    /// What every function may do, and what this one does. Lambda itself acts for no resource that could be named.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html>
    fn role(&self, b: &Builder, description: &str, log: &Handle<LogGroup>, statements: Vec<Statement>) -> Role {
        let write = Statement::allow(["logs:CreateLogStream", "logs:PutLogEvents"]);
        let write = write.on(Text::join([log.arn().text(), ":*".into()]));
        // AWS offers nothing narrower.
        let trace = Statement::allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"]).on("*");
        let trace = self.ground.config.reactions.tracing.then_some(trace);
        let policy = Document::new([write].into_iter().chain(trace).chain(statements));
        Role {
            name: self.name(),
            description: description.to_owned(),
            trust: Document::trusting("lambda.amazonaws.com").text(),
            policies: [("function".to_owned(), policy.text())].into(),
            managed: Vec::new(),
            max_session: HOUR,
            boundary: None,
            tags: b.tags(),
        }
    }
}

/// What is woken by the clock.
#[derive(Default)]
struct Woken {
    /// Hears each five minutes that it is time to look whether an event was lost.
    queue: Option<Handle<Queue>>,
    /// Checks the snapshots each day.
    function: Option<Handle<LambdaFunction>>,
}

impl Woken {
    fn schedules(&self, b: &mut Builder, ground: &Ground<'_>) -> Result<(), BuildError> {
        let Some(group) = ground.schedules.filter(|_| self.queue.is_some() || self.function.is_some()) else {
            return Ok(());
        };
        let role = b.add("reactions.schedule-role", self.role(b, ground))?;
        let sending = |expression: &str, description: &str, to: Text, text: &str| Schedule {
            description: description.to_owned(),
            ..Schedule::sending(group.name(), expression, role.arn(), Message { to, text: text.to_owned() })
        };
        if let Some(queue) = &self.queue {
            let what = "looks for pushes whose event never came";
            let schedule = sending("rate(5 minutes)", what, queue.arn().text(), r#"{"wharf-reconcile":1}"#);
            b.add("reactions.reconcile", schedule)?;
        }
        if let Some(function) = &self.function {
            let at = &ground.config.reactions.check_at;
            let (hour, minute) = at.split_once(':').unwrap_or((at.as_str(), "0"));
            let [hour, minute] = [hour, minute].map(|number| number.parse::<u8>().unwrap_or_default());
            let daily = format!("cron({minute} {hour} * * ? *)");
            let schedule = sending(&daily, "checks the snapshots", function.arn().text(), wharf_check_snapshots::INPUT);
            b.add("reactions.check", schedule)?;
        }
        Ok(())
    }

    /// <https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role>
    fn role(&self, b: &Builder, ground: &Ground<'_>) -> Role {
        let stack = ground.config.stack.name.as_str();
        let send = self.queue.as_ref().map(|queue| Statement::allow(["sqs:SendMessage"]).on(queue.arn().text()));
        let invoke = self.function.as_ref();
        let invoke = invoke.map(|function| Statement::allow(["lambda:InvokeFunction"]).on(function.arn().text()));
        Role {
            name: format!("{stack}-reactions"),
            description: "wakes the functions at their time".to_owned(),
            trust: trust::by(
                "scheduler.amazonaws.com",
                ground.site,
                "scheduler",
                &format!("schedule-group/wharf-{stack}"),
            ),
            policies: [("wake".to_owned(), Document::new(send.into_iter().chain(invoke)).text())].into(),
            managed: Vec::new(),
            max_session: HOUR,
            boundary: None,
            tags: b.tags(),
        }
    }
}

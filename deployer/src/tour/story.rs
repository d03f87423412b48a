//! What the functions do once the platform stands: an image that is pushed runs, one that cannot is taken back and told
//! of, an alarm rings and ends, the backups are checked. It is their real code, in processes of its own, as on Lambda.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ssm::types::ParameterType;
use serde_json::{Value, json};
use wharf_on_image_push::record::{Rollout, Status};
use wharf_sandbox::lambda::{Hosts, Program};
use wharf_sandbox::{Behaviour, Pace, Slack, SlackMessage};

use super::Tour;
use super::stage::Opened;
use crate::config::Function;
use crate::operations::{RolloutError, Session};
use crate::report::Failure;
use crate::surroundings;

/// Between two looks at what the functions have come to.
const LOOK: Duration = Duration::from_secs(5);
/// So long a rollout may take, its migration and a way back included.
const ROLLOUT: Duration = Duration::from_secs(30 * 60);
/// Between two values of a metric.
const MINUTE: Duration = Duration::from_secs(60);
/// What is free of a storage that is as good as full, in bytes.
const FULL: f64 = 100_000_000.0;
/// So long an alarm may take to ring or to end.
const ALARM: Duration = Duration::from_secs(60 * 60);

/// What stands around the account: the functions' code, and the people's Slack.
pub(super) struct World {
    hosts: Hosts,
    slack: Slack,
    /// So many of its messages have been shown.
    shown: usize,
}

/// The service that images are pushed for.
struct Pushed {
    service: String,
    repository: String,
    pattern: String,
    migration: Option<String>,
}

impl Tour<'_> {
    /// Lets the functions run, and puts Slack's secret where the stack file says that it is.
    pub(super) async fn begin_world(&mut self) -> Result<World, Failure> {
        let cannot = |error: std::io::Error| Failure::ours("the functions cannot be run").because(&error);
        let slack = Slack::beside(&self.sandbox);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
        let host = format!("http://{}", listener.local_addr().map_err(cannot)?);
        tokio::spawn(slack.clone().serve(listener, Pace::Stepped));
        let hosts = Hosts::start(&self.sandbox, Pace::Stepped).await.map_err(cannot)?;
        let own = surroundings::own_program().map_err(cannot)?;
        for function in self.config.functions() {
            let program = Program::new(&own).argument("function").argument(function.name());
            let program = program.variable("WHARF_SLACK_API", format!("{host}/api"));
            hosts.run(format!("{}-{}", self.config.stack.name, function.name()), program);
        }
        self.keep_secret(&slack, &host).await?;
        Ok(World { hosts, slack, shown: 0 })
    }

    async fn keep_secret(&mut self, slack: &Slack, host: &str) -> Result<(), Failure> {
        let Some(wanted) = self.config.alerts.as_ref().and_then(|alerts| alerts.slack.clone()) else { return Ok(()) };
        let secret = if wanted.channel.is_some() { slack.token() } else { slack.webhook(host) };
        let session = self.session().await?;
        let send = || {
            let put = session.aws.ssm.put_parameter().name(&wanted.secret).value(&secret);
            put.r#type(ParameterType::SecureString).overwrite(true).send()
        };
        self.insisting(|| session.aws.call("ssm:PutParameter", &wanted.secret, send)).await?;
        // It is its owner's, who had it before there was a stack.
        self.before.extend(self.sandbox.inventory().into_iter().map(|one| (one.kind.to_owned(), one.id)));
        Ok(())
    }

    /// All that the functions do, act by act.
    pub(super) async fn story(&mut self, world: &mut World) -> Result<(), Failure> {
        if let Some(pushed) = self.pushed() {
            self.good_image(world, &pushed).await?;
            self.bad_image(world, &pushed).await?;
        }
        if self.config.has_function(Function::OnAlarm) && self.config.database.is_some() {
            self.alarm(world).await?;
        }
        if self.config.has_function(Function::CheckSnapshots) {
            self.check().await?;
        }
        Ok(())
    }

    fn pushed(&self) -> Option<Pushed> {
        let served = self.config.services.iter().find(|(_, service)| service.port.is_some() && service.is_public());
        let (name, service) = served.filter(|_| self.config.has_function(Function::OnImagePush))?;
        Some(Pushed {
            service: name.clone(),
            repository: format!("{}/{}", self.config.stack.name, service.repository_or(name)),
            pattern: service.images.tags.clone(),
            migration: (!service.before_deploy.is_empty()).then(|| service.before_deploy.join(" ")),
        })
    }

    async fn good_image(&mut self, world: &mut World, pushed: &Pushed) -> Result<(), Failure> {
        let tag = pushed.pattern.replace('*', "1");
        let mut act = self.open_act(&format!("push {}:{tag}, as a pipeline does", pushed.repository));
        let session = self.session().await?;
        let works = Behaviour { commands: self.migrates(pushed), ..Behaviour::default() };
        let digest = self.push(&session, pushed, &tag, &works).await?;
        let rollout = self.rolled_out(world, &session, pushed, &digest).await?;
        self.show_rollout(&mut act, pushed, &rollout);
        self.show_slack(&mut act, world);
        if rollout.status != Status::Settled {
            return Err(self.wrong(format!("the rollout of {tag} is {:?}: {:?}", rollout.status, rollout.why)));
        }
        let plan = self.plan(&mut act, &session).await?;
        self.must_be_empty(&plan)?;
        self.close_act(act);
        Ok(())
    }

    async fn bad_image(&mut self, world: &mut World, pushed: &Pushed) -> Result<(), Failure> {
        let tag = pushed.pattern.replace('*', "2");
        let mut act = self.open_act(&format!("push {}:{tag}, whose tasks crash", pushed.repository));
        let session = self.session().await?;
        let line = "django.core.exceptions.ImproperlyConfigured: DEFAULT_AUTO_FIELD is not set";
        let crashes = Behaviour {
            exits: Some((1, 3)),
            prints: vec![line.to_owned()],
            commands: self.migrates(pushed),
            ..Behaviour::default()
        };
        let digest = self.push(&session, pushed, &tag, &crashes).await?;
        let rollout = self.rolled_out(world, &session, pushed, &digest).await?;
        self.show_rollout(&mut act, pushed, &rollout);
        self.show_slack(&mut act, world);
        if rollout.status != Status::RolledBack {
            return Err(self.wrong(format!("the rollout of {tag} is {:?}: {:?}", rollout.status, rollout.why)));
        }
        self.close_act(act);
        Ok(())
    }

    /// What the image does when it is started to prepare a deployment: its work, and an end.
    fn migrates(&self, pushed: &Pushed) -> BTreeMap<String, Behaviour> {
        let prints =
            vec!["Operations to perform: apply all migrations".to_owned(), "No migrations to apply.".to_owned()];
        let ends = Behaviour { exits: Some((0, 8)), prints, ..Behaviour::default() };
        pushed.migration.iter().map(|command| (command.clone(), ends.clone())).collect()
    }

    /// Pushes an image that does this; answers its digest.
    async fn push(
        &self,
        session: &Session,
        pushed: &Pushed,
        tag: &str,
        behaviour: &Behaviour,
    ) -> Result<String, Failure> {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": kind, "layers": [], "annotations": { "tag": tag },
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": 2 },
        });
        let put = || {
            let put = session.aws.ecr.put_image().repository_name(&pushed.repository).image_tag(tag);
            put.image_manifest(manifest.to_string()).image_manifest_media_type(kind).send()
        };
        let answer = self.insisting(|| session.aws.call("ecr:PutImage", tag, put)).await?;
        let digest = answer.image.and_then(|image| image.image_id).and_then(|id| id.image_digest);
        let digest = digest.ok_or_else(|| self.wrong("an image without a digest"))?;
        // Before any task of it can start.
        self.sandbox.image_behaviour(&digest, behaviour);
        Ok(digest)
    }

    /// Waits until the newest rollout is of this image and is over.
    async fn rolled_out(
        &self,
        world: &World,
        session: &Session,
        pushed: &Pushed,
        digest: &str,
    ) -> Result<Rollout, Failure> {
        let begun = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(LOOK).await;
            world.hosts.idle().await;
            let record = session.ledger.rollouts(&pushed.service).await;
            let record = record.map_err(|error| crate::operations::Error::from(RolloutError::from(error)))?;
            let newest = record.and_then(|record| record.rollout).filter(|rollout| rollout.digest == digest);
            match newest {
                Some(rollout) if !rollout.status.is_open() => {
                    // What is told of it is on its way.
                    tokio::time::sleep(LOOK).await;
                    world.hosts.idle().await;
                    return Ok(rollout);
                }
                unfinished if begun.elapsed() > ROLLOUT => {
                    let how = unfinished.map_or_else(|| "never began".to_owned(), |one| format!("is {:?}", one.status));
                    return Err(self.wrong(format!("the rollout of {} {how}", pushed.service)));
                }
                _ => {}
            }
        }
    }

    fn show_rollout(&self, act: &mut Opened, pushed: &Pushed, rollout: &Rollout) {
        let Pushed { service, migration, .. } = pushed;
        let tag = rollout.tag.as_deref().unwrap_or(&rollout.digest);
        if let Some(migration) = migration {
            self.say(act, |paint| format!("  {} {service}: `{migration}` ran in a task of {tag}", paint.green("✓")));
        }
        match rollout.status {
            Status::Settled => self.say(act, |paint| format!("  {} {service} runs {tag}", paint.green("✓"))),
            _ => self.say(act, |paint| {
                let why = rollout.why.as_deref().unwrap_or("nobody knows why");
                format!("  {} {service} does not run {tag}: {why}", paint.red("✗"))
            }),
        }
    }

    /// What people have read in Slack since the last time.
    fn show_slack(&self, act: &mut Opened, world: &mut World) {
        let messages = world.slack.messages();
        for message in messages.iter().skip(world.shown) {
            self.say(act, |paint| {
                let lines = said(message).into_iter().map(|line| format!("  {} {line}", paint.cyan("slack ▌")));
                lines.collect::<Vec<_>>().join("\n")
            });
        }
        world.shown = messages.len();
    }

    async fn alarm(&mut self, world: &mut World) -> Result<(), Failure> {
        let mut act = self.open_act("the database's storage fills up, and is freed again");
        let session = self.session().await?;
        let name = format!("{}-database-storage", self.config.stack.name);
        self.until(&session, &name, "ALARM", Some(FULL)).await?;
        world.hosts.idle().await;
        self.until(&session, &name, "OK", None).await?;
        tokio::time::sleep(LOOK).await;
        world.hosts.idle().await;
        let told = world.slack.messages().len() > world.shown;
        self.show_slack(&mut act, world);
        if !told && self.config.alerts.as_ref().is_some_and(|alerts| alerts.slack.is_some()) {
            return Err(self.wrong("nobody heard of the alarm"));
        }
        self.close_act(act);
        Ok(())
    }

    /// Waits until the alarm says this, while so many bytes of the database's storage are free, or as many as there are.
    async fn until(&self, session: &Session, alarm: &str, state: &str, free: Option<f64>) -> Result<(), Failure> {
        let begun = tokio::time::Instant::now();
        let instance = crate::platform::database_identifier(&self.config);
        while begun.elapsed() < ALARM {
            if let Some(free) = free {
                self.sandbox.metric("AWS/RDS", "FreeStorageSpace", &[("DBInstanceIdentifier", &instance)], free);
            }
            tokio::time::sleep(MINUTE).await;
            let send = || session.aws.cloudwatch.describe_alarms().alarm_names(alarm).send();
            let answer = self.insisting(|| session.aws.call("cloudwatch:DescribeAlarms", alarm, send)).await?;
            let now = answer.metric_alarms().first().and_then(|alarm| alarm.state_value());
            if now.is_some_and(|now| now.as_str() == state) {
                return Ok(());
            }
        }
        Err(self.wrong(format!("the alarm {alarm} is never {state}")))
    }

    async fn check(&mut self) -> Result<(), Failure> {
        let mut act = self.open_act("check the backups, as happens every day");
        let session = self.session().await?;
        let function = format!("{}-{}", self.config.stack.name, Function::CheckSnapshots.name());
        let asked = json!({ "wharf-check-snapshots": 1, "report": "whole" }).to_string();
        let send = || {
            let payload = aws_sdk_lambda::primitives::Blob::new(asked.clone());
            session.aws.lambda.invoke().function_name(&function).payload(payload).send()
        };
        let answer = self.insisting(|| session.aws.call("lambda:Invoke", &function, send)).await?;
        let report = answer.payload.map(aws_sdk_lambda::primitives::Blob::into_inner).unwrap_or_default();
        let report: Value = serde_json::from_slice(&report).unwrap_or_default();
        if let Some(error) = answer.function_error {
            return Err(self.wrong(format!("the check fails ({error}): {report}")));
        }
        let findings = report["findings"].as_array().cloned().unwrap_or_default();
        if findings.is_empty() {
            return Err(self.wrong(format!("the check found nothing to look at: {report}")));
        }
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        for finding in &findings {
            let good = finding["verdict"].as_str().is_some_and(|verdict| verdict.eq_ignore_ascii_case("pass"));
            self.say(&mut act, |paint| {
                let mark = if good { paint.green("✓") } else { paint.yellow("!") };
                format!(
                    "  {mark} {} {}: {}",
                    text(finding, "control"),
                    text(finding, "resource"),
                    text(finding, "evidence")
                )
            });
        }
        self.close_act(act);
        Ok(())
    }
}

/// What a message says, line by line; of one that was changed, what it says now.
fn said(message: &SlackMessage) -> Vec<String> {
    let mut lines: Vec<String> = message.text.lines().map(str::to_owned).collect();
    if let (Some(first), false) = (lines.first_mut(), message.before.is_empty()) {
        first.push_str(" (edited)");
    }
    if let (Some(first), true) = (lines.first_mut(), message.thread.is_some()) {
        first.insert_str(0, "↳ ");
    }
    lines
}

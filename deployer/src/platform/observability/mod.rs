//! Observability: alarms, each with a sentence that says what to do; one alarm over those that users feel; a dashboard;
//! and who is told.

mod alarms;
mod dashboard;
mod functions;

use self::dashboard::Dashboard;
pub(super) use self::functions::Watched;
use super::cluster::Cluster;
use super::edge::Edge;
use super::services::Route;
use super::{BuildError, Builder, Site};
use crate::aws::cloudwatch::alarm::{Alarm, AlarmName};
use crate::aws::cloudwatch::composite_alarm::CompositeAlarm;
use crate::aws::kms::key::Key;
use crate::aws::policy::{Document, Statement};
use crate::aws::rds::instance::Instance;
use crate::aws::sns::subscription::Subscription;
use crate::aws::sns::topic::{Topic, TopicArn};
use crate::aws::{Handle, Out};
use crate::config::{Alerts, Config, Service};

/// What is watched, while the stack is described.
pub(super) struct Observability {
    stack: String,
    alerts: Alerts,
    /// Where alarms go.
    topic: Out<TopicArn>,
    /// From where e-mails are sent: the same, where no function stands between.
    people: Out<TopicArn>,
    /// Those that users feel.
    felt: Vec<Out<AlarmName>>,
    dashboard: Dashboard,
}

/// The topic, and who hears of what is sent to it. Where a function tells people, alarms go to `signals`.
pub(super) fn observability(
    b: &mut Builder,
    config: &Config,
    site: &Site,
    alerts: &Alerts,
    key: &Handle<Key>,
    signals: Option<&Handle<Topic>>,
) -> Result<Observability, BuildError> {
    let stack = config.stack.name.to_string();
    let name = format!("{stack}-alerts");
    let topic = Topic {
        display_name: format!("{stack} alerts"),
        policy: Some(topic_policy(&name, site).text()),
        name,
        key: Some(key.arn()),
        tags: b.tags(),
    };
    let people = b.add("observability.topic", topic)?.arn();
    for address in &alerts.email {
        let subscription = Subscription {
            topic: people.clone(),
            protocol: "email".to_owned(),
            endpoint: address.as_str().into(),
            raw: false,
            dead_letters: None,
        };
        b.add(&format!("observability.email-{}", word(address)), subscription)?;
    }
    let dashboard = Dashboard::new(site);
    let topic = signals.map_or_else(|| people.clone(), Handle::<Topic>::arn);
    Ok(Observability { stack, alerts: alerts.clone(), topic, people, felt: Vec::new(), dashboard })
}

/// CloudWatch publishes for alarms of this account; nobody does without TLS.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html>
pub(super) fn topic_policy(name: &str, site: &Site) -> Document {
    let Site { partition, account, region, .. } = site;
    let topic = format!("arn:{partition}:sns:{region}:{account}:{name}");
    let alarms = format!("arn:{partition}:cloudwatch:{region}:{account}:alarm:*");
    Document::new([
        Statement::allow(["sns:Publish"])
            .service("cloudwatch.amazonaws.com")
            .on(topic.as_str())
            .when("StringEquals", "aws:SourceAccount", account.as_str())
            .when("ArnLike", "aws:SourceArn", alarms),
        Statement::deny(["sns:Publish"]).aws("*").on(topic).when("Bool", "aws:SecureTransport", "false"),
    ])
}

/// An address as a word of a logical id.
fn word(address: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    address.chars().map(plain).collect()
}

impl Observability {
    /// From where e-mails are sent.
    pub(super) fn people(&self) -> Out<TopicArn> {
        self.people.clone()
    }

    /// What is watched of one service; answers what stops its rollout.
    pub(super) fn service(
        &mut self,
        b: &mut Builder,
        config: &Config,
        edge: Option<&Edge>,
        name: &str,
        wanted: &Service,
        route: Option<&Route>,
    ) -> Result<Vec<Out<AlarmName>>, BuildError> {
        self.dashboard.service(&self.stack, name);
        for (noun, alarm) in alarms::tasks(self, config, name, wanted) {
            self.add(b, &format!("{name}-{noun}"), alarm, noun == "missing")?;
        }
        let (Some(edge), Some(route)) = (edge, route) else { return Ok(Vec::new()) };
        self.dashboard.targets(name, &edge.balancer, route);
        let errors = self.add(b, &format!("{name}-errors"), alarms::errors(self, edge, name, route), true)?;
        self.add(b, &format!("{name}-unhealthy"), alarms::unhealthy(self, edge, name, route), true)?;
        Ok(vec![errors])
    }

    /// What is watched of all else, the alarm over those that users feel, and the dashboard.
    pub(super) fn rest(
        mut self,
        b: &mut Builder,
        config: &Config,
        edge: Option<&Edge>,
        cluster: Option<&Cluster>,
        database: Option<&Handle<Instance>>,
    ) -> Result<(), BuildError> {
        if let Some(edge) = edge {
            self.dashboard.balancer(&edge.balancer);
            for (noun, alarm) in alarms::balancer(&self, edge) {
                self.add(b, noun, alarm, true)?;
            }
            self.add(b, "certificate", alarms::certificate(&self, edge), false)?;
        }
        if let (Some(cluster), Some(wanted)) = (cluster, &config.cluster) {
            self.dashboard.instances(&cluster.group);
            self.add(b, "instances", alarms::instances(&self, wanted, &cluster.group), true)?;
        }
        if let (Some(instance), Some(wanted)) = (database, &config.database) {
            self.dashboard.database(instance);
            for (noun, alarm) in alarms::database(&self, wanted, instance) {
                self.add(b, &format!("database-{noun}"), alarm, false)?;
            }
        }
        let tags = b.tags();
        let mut unwell = None;
        if !self.felt.is_empty() {
            let all = CompositeAlarm {
                name: format!("{}-unwell", self.stack),
                description:
                    "Users feel it: requests fail, are slow, or reach no task. Begin with the dashboard, then \
                              the alarm that this one names."
                        .to_owned(),
                any: self.felt.clone(),
                unless: Vec::new(),
                actions_enabled: true,
                on_alarm: vec![self.topic.clone()],
                on_ok: vec![self.topic.clone()],
                on_no_data: Vec::new(),
                tags: tags.clone(),
            };
            unwell = Some(b.add("observability.unwell", all)?.arn().text());
        }
        b.add("observability.dashboard", self.dashboard.finish(&self.stack, unwell.as_ref(), tags))?;
        Ok(())
    }

    fn add(&mut self, b: &mut Builder, noun: &str, alarm: Alarm, felt: bool) -> Result<Out<AlarmName>, BuildError> {
        let name = self.tell(b, noun, alarm, &self.topic)?;
        if felt {
            self.felt.push(name.clone());
        }
        Ok(name)
    }

    fn tell(
        &self,
        b: &mut Builder,
        noun: &str,
        alarm: Alarm,
        whom: &Out<TopicArn>,
    ) -> Result<Out<AlarmName>, BuildError> {
        let alarm = Alarm {
            name: format!("{}-{noun}", self.stack),
            on_alarm: vec![whom.clone()],
            on_ok: vec![whom.clone()],
            tags: b.tags(),
            ..alarm
        };
        Ok(b.add(&format!("observability.{noun}"), alarm)?.name())
    }
}

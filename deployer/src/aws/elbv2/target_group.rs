//! A target group: the addresses of a service's tasks, and how their health is found out.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html>

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup as Sdk, TargetGroupAttribute, TargetTypeEnum,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::attributes::{self, Attributes};
use super::{group_name, or_none, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::ec2::vpc::VpcId;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// A target group of addresses. Its name ends in its generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// The VPC of the addresses.
    pub vpc: Out<VpcId>,
    /// The port that a target listens on unless it says otherwise.
    pub port: u16,
    /// What targets speak.
    pub protocol: Protocol,
    /// Which version of it.
    pub version: Version,
    /// When a target is well.
    pub health: HealthCheck,
    /// For how long requests in flight go on to a target that goes.
    pub draining: Seconds,
    /// Over which time a new target gets its full share; zero gives it at once.
    pub slow_start: Seconds,
    /// Who gets the next request.
    pub algorithm: Algorithm,
    /// For how long a client stays with its target; none gives each request to any.
    pub sticky: Option<Seconds>,
    /// The user's tags.
    pub tags: Tags,
}

/// What targets speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// HTTP.
    Http,
    /// HTTPS.
    Https,
}

/// The version of what targets speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
}

/// When a target is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// The path that is asked.
    pub path: String,
    /// The status codes that mean well, such as `200-399`; for gRPC its own codes.
    pub codes: String,
    /// How often it is asked.
    pub interval: Seconds,
    /// How long an answer may take; less than the interval.
    pub timeout: Seconds,
    /// So many good answers in a row make a sick target well.
    pub healthy: u8,
    /// So many bad ones make it sick.
    pub unhealthy: u8,
}

/// Who gets the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests in flight. Not together with a slow start.
    LeastOutstandingRequests,
}

/// Marks the ARN of a target group.
#[derive(Debug)]
pub enum TargetGroupArn {}

impl Handle<TargetGroup> {
    /// The group's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<TargetGroupArn> {
        self.output("arn")
    }

    /// The last part of its ARN, by which metrics know it: `targetgroup/<name>/<id>`.
    #[must_use]
    pub fn full_name(&self) -> Text {
        self.output("full-name")
    }

    /// The group's name.
    #[must_use]
    pub fn name(&self) -> Text {
        self.output("name")
    }
}

/// Health checks ask the port that the traffic goes to.
const TRAFFIC_PORT: &str = "traffic-port";

impl Kind for TargetGroup {
    const RULES: &'static Rules = &Rules {
        kind: "elbv2.target-group",
        fields: &[
            Field::new("vpc").replaces(),
            Field::new("port").replaces(),
            Field::new("protocol").replaces(),
            Field::new("version").replaces(),
            Field::new("health"),
            Field::new("draining"),
            Field::new("slow_start"),
            Field::new("algorithm"),
            Field::new("sticky"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 1, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let arns = query.only_physical().map(|arn| vec![arn.to_owned()]);
        let send =
            |marker| aws.elb.describe_target_groups().set_target_group_arns(arns.clone()).set_marker(marker).send();
        let page =
            |page: aws_sdk_elasticloadbalancingv2::operation::describe_target_groups::DescribeTargetGroupsOutput| {
                (page.target_groups.unwrap_or_default(), page.next_marker)
            };
        let all = or_none(aws.pages("elasticloadbalancing:DescribeTargetGroups", "", send, page).await)?;
        let addresses = all.iter().filter(|group| group.target_type() == Some(&TargetTypeEnum::Ip));
        let all: Vec<&Sdk> = addresses.collect();
        let arns: Vec<String> = all.iter().filter_map(|group| group.target_group_arn.clone()).collect();
        let tags = tagging::of(aws, &arns).await?;
        let found = try_join_all(all.into_iter().map(|group| observe(aws, group, &tags))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "elasticloadbalancing:CreateTargetGroup";
        let protocol = ProtocolEnum::from(attributes::spelled(self.protocol).as_str());
        let health = &self.health;
        let call = aws
            .elb
            .create_target_group()
            .name(group_name(new))
            .vpc_id(self.vpc.get()?)
            .port(self.port.into())
            .protocol(protocol.clone())
            .protocol_version(attributes::spelled(self.version))
            .target_type(TargetTypeEnum::Ip)
            .health_check_protocol(protocol)
            .health_check_port(TRAFFIC_PORT)
            .health_check_path(&health.path)
            .matcher(self.matcher())
            .health_check_interval_seconds(health.interval.0)
            .health_check_timeout_seconds(health.timeout.0)
            .healthy_threshold_count(health.healthy.into())
            .unhealthy_threshold_count(health.unhealthy.into())
            .set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))));
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        let made = answer.target_groups().first().ok_or_else(|| CallError::lacks(ACTION, "TargetGroups"))?;
        let arn = made.target_group_arn().ok_or_else(|| CallError::lacks(ACTION, "TargetGroupArn"))?;
        self.set(aws, arn, &self.attributes()).await.map_err(CallError::right_after_create)?;
        Ok(Made { physical: arn.to_owned(), outputs: Some(outputs(made)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let arn = &now.physical;
        if changed.has("health") {
            let health = &self.health;
            let protocol = ProtocolEnum::from(attributes::spelled(self.protocol).as_str());
            let call = aws
                .elb
                .modify_target_group()
                .target_group_arn(arn)
                .health_check_protocol(protocol)
                .health_check_port(TRAFFIC_PORT)
                .health_check_path(&health.path)
                .matcher(self.matcher())
                .health_check_interval_seconds(health.interval.0)
                .health_check_timeout_seconds(health.timeout.0)
                .healthy_threshold_count(health.healthy.into())
                .unhealthy_threshold_count(health.unhealthy.into());
            aws.call("elasticloadbalancing:ModifyTargetGroup", arn, || call.clone().send()).await?;
        }
        if changed.any(&["draining", "slow_start", "algorithm", "sticky"]) {
            self.set(aws, arn, &attributes::difference(&now.inputs.attributes(), &self.attributes())).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, arn, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.elb.delete_target_group().target_group_arn(&now.physical).send();
        aws.call("elasticloadbalancing:DeleteTargetGroup", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const GROUP: &[&str] = &["arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/*"];
        const CHANGE: &[&str] = &[
            "elasticloadbalancing:ModifyTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
            "elasticloadbalancing:DeleteTargetGroup",
        ];
        let own = [
            Grant::read(&[
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
            ]),
            Grant::write(&["elasticloadbalancing:CreateTargetGroup"], GROUP).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGE, GROUP).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl TargetGroup {
    fn matcher(&self) -> Matcher {
        match self.version {
            Version::Grpc => Matcher::builder().grpc_code(&self.health.codes).build(),
            _ => Matcher::builder().http_code(&self.health.codes).build(),
        }
    }

    fn attributes(&self) -> Attributes {
        let mut all = Attributes::from([
            ("deregistration_delay.timeout_seconds".to_owned(), self.draining.0.to_string()),
            ("slow_start.duration_seconds".to_owned(), self.slow_start.0.to_string()),
            ("load_balancing.algorithm.type".to_owned(), attributes::spelled(self.algorithm)),
            ("stickiness.enabled".to_owned(), self.sticky.is_some().to_string()),
        ]);
        if let Some(sticky) = self.sticky {
            all.insert("stickiness.type".to_owned(), "lb_cookie".to_owned());
            all.insert("stickiness.lb_cookie.duration_seconds".to_owned(), sticky.0.to_string());
        }
        all
    }

    async fn set(&self, aws: &Aws, arn: &str, attributes: &Attributes) -> Result<(), CallError> {
        let attribute = |(key, value)| TargetGroupAttribute::builder().key(key).value(value).build();
        let list: Vec<_> = attributes.iter().map(attribute).collect();
        let call = aws.elb.modify_target_group_attributes().target_group_arn(arn).set_attributes(Some(list));
        aws.call("elasticloadbalancing:ModifyTargetGroupAttributes", arn, || call.clone().send()).await.map(drop)
    }
}

async fn observe(
    aws: &Aws,
    group: &Sdk,
    tags: &BTreeMap<String, Tags>,
) -> Result<Option<Found<TargetGroup>>, CallError> {
    let Some(arn) = group.target_group_arn() else { return Ok(None) };
    let Some(all) = tags.get(arn) else { return Ok(None) };
    let Some((id, identity)) = tags::read(&aws.scope.stack, all) else { return Ok(None) };
    let send = || aws.elb.describe_target_group_attributes().target_group_arn(arn).send();
    let answer = match aws.call("elasticloadbalancing:DescribeTargetGroupAttributes", arn, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?,
    };
    let attributes = answer.attributes().iter();
    let attributes: Attributes = attributes.filter_map(|a| Some((a.key.clone()?, a.value.clone()?))).collect();
    Ok(Some(Found {
        id,
        physical: arn.to_owned(),
        identity,
        health: Health::Ready,
        inputs: inputs(group, &attributes, tags::user(all)),
        outputs: outputs(group),
        blockers: Default::default(),
    }))
}

fn inputs(group: &Sdk, attributes: &Attributes, tags: Tags) -> TargetGroup {
    let said = Attributes::from([
        ("protocol".to_owned(), group.protocol().map(|p| p.as_str().to_owned()).unwrap_or_default()),
        ("version".to_owned(), group.protocol_version().unwrap_or_default().to_owned()),
    ]);
    let matcher = group.matcher();
    let codes = matcher.and_then(|m| m.http_code().or(m.grpc_code())).unwrap_or_default().to_owned();
    let seconds = |key: &str, default| Seconds(attributes::value(attributes, key, default));
    let count = |count: Option<i32>| count.and_then(|n| u8::try_from(n).ok()).unwrap_or_default();
    let sticky = attributes::value(attributes, "stickiness.enabled", false);
    TargetGroup {
        vpc: Out::known(group.vpc_id().unwrap_or_default()),
        port: group.port().and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
        protocol: attributes::word(&said, "protocol", Protocol::Http),
        version: attributes::word(&said, "version", Version::Http1),
        health: HealthCheck {
            path: asked(group),
            codes,
            interval: Seconds(group.health_check_interval_seconds().unwrap_or_default()),
            timeout: Seconds(group.health_check_timeout_seconds().unwrap_or_default()),
            healthy: count(group.healthy_threshold_count()),
            unhealthy: count(group.unhealthy_threshold_count()),
        },
        draining: seconds("deregistration_delay.timeout_seconds", 300),
        slow_start: seconds("slow_start.duration_seconds", 0),
        algorithm: attributes::word(attributes, "load_balancing.algorithm.type", Algorithm::RoundRobin),
        sticky: sticky.then(|| seconds("stickiness.lb_cookie.duration_seconds", 86_400)),
        tags,
    }
}

/// The path that is asked, with protocol and port before it where somebody set others than the traffic's: no path that
/// a stack wants looks so.
fn asked(group: &Sdk) -> String {
    let path = group.health_check_path().unwrap_or_default();
    let protocol = group.health_check_protocol().filter(|asked| Some(*asked) != group.protocol());
    let port = group.health_check_port().filter(|port| *port != TRAFFIC_PORT);
    match (protocol, port) {
        (None, None) => path.to_owned(),
        _ => format!(
            "{}:{}{path}",
            protocol.or(group.protocol()).map_or("", ProtocolEnum::as_str),
            port.unwrap_or(TRAFFIC_PORT)
        ),
    }
}

fn outputs(group: &Sdk) -> Outputs {
    let arn = group.target_group_arn();
    let full = arn.and_then(|arn| arn.rsplit_once(':')).map(|(_, name)| name);
    let all = [("arn", arn), ("full-name", full), ("name", group.target_group_name())];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::text(value?)))).collect()
}

//! An application load balancer.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html>

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer as Sdk, LoadBalancerAttribute, LoadBalancerSchemeEnum};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::attributes::{self, Attributes};
use super::{balancers, group_name, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::ec2::security_group::SecurityGroupId;
use crate::aws::ec2::subnet::SubnetId;
use crate::aws::ec2::vpc::VpcId;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// An application load balancer. Its balancing across zones cannot be switched off, so that is no field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// The VPC of its subnets: a load balancer cannot move to another.
    pub vpc: Out<VpcId>,
    /// Its subnets, one in each of two zones at least.
    pub subnets: Vec<Out<SubnetId>>,
    /// The groups that guard it.
    pub security_groups: Vec<Out<SecurityGroupId>>,
    /// Whether the internet reaches it.
    pub internet_facing: bool,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
    /// A connection without data is closed after this.
    pub idle_timeout: Seconds,
    /// A client's connection is kept open for this long.
    pub keep_alive: Seconds,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// Whether header fields with names that are not valid are removed rather than passed on.
    pub drop_invalid_headers: bool,
    /// Whether the `Host` header goes on as it came.
    pub preserve_host: bool,
    /// What is done about requests that two servers may read differently.
    pub desync_mitigation: DesyncMitigation,
    /// Whether traffic can be shifted away from a zone in trouble.
    pub zonal_shift: bool,
    /// Where each request is recorded.
    pub access_logs: Option<Logs>,
    /// The user's tags.
    pub tags: Tags,
}

/// What is done about requests that two servers may read differently.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#desync-mitigation-mode>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DesyncMitigation {
    /// They are counted.
    Monitor,
    /// The known dangers are blocked.
    Defensive,
    /// Only what follows the standard passes.
    Strictest,
}

/// Where requests are recorded: a bucket that lets load balancers write into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// The bucket's name.
    pub bucket: String,
    /// What the names of its objects begin with; may be empty.
    pub prefix: String,
}

/// Marks the ARN of a load balancer.
#[derive(Debug)]
pub enum LoadBalancerArn {}
/// Marks a domain name that AWS gave.
#[derive(Debug)]
pub enum DnsName {}
/// Marks the hosted zone that such a name is in, which is AWS's own.
#[derive(Debug)]
pub enum CanonicalZoneId {}

impl Handle<LoadBalancer> {
    /// The load balancer's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<LoadBalancerArn> {
        self.output("arn")
    }

    /// The name that AWS gave it.
    #[must_use]
    pub fn dns_name(&self) -> Out<DnsName> {
        self.output("dns-name")
    }

    /// The hosted zone of that name.
    #[must_use]
    pub fn zone_id(&self) -> Out<CanonicalZoneId> {
        self.output("zone-id")
    }

    /// The last part of its ARN, by which metrics know it: `app/<name>/<id>`.
    #[must_use]
    pub fn full_name(&self) -> Text {
        self.output("full-name")
    }
}

/// The fields that are attributes.
const ATTRIBUTES: &[&str] = &[
    "deletion_protection",
    "idle_timeout",
    "keep_alive",
    "http2",
    "drop_invalid_headers",
    "preserve_host",
    "desync_mitigation",
    "zonal_shift",
    "access_logs",
];
const PROTECTION: &str = "deletion_protection.enabled";

impl Kind for LoadBalancer {
    const RULES: &'static Rules = &Rules {
        kind: "elbv2.load-balancer",
        fields: &[
            Field::new("vpc").replaces(),
            Field::new("subnets").compared(Compare::Set),
            Field::new("security_groups").compared(Compare::Set),
            Field::new("internet_facing").replaces(),
            Field::new("deletion_protection"),
            Field::new("idle_timeout"),
            Field::new("keep_alive"),
            Field::new("http2"),
            Field::new("drop_invalid_headers"),
            Field::new("preserve_host"),
            Field::new("desync_mitigation"),
            Field::new("zonal_shift"),
            Field::new("access_logs"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        // The world comes in through it, and another has another name.
        protected: true,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(132, 5, 20),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let all = balancers::all(aws, query.only_physical()).await?;
        if let ([one], Some(waiting)) = (&all[..], query.at_work("provisioning"))
            && health(one) == waiting.health
        {
            return Ok(vec![waiting]);
        }
        let arns: Vec<String> = all.iter().filter_map(|balancer| balancer.load_balancer_arn.clone()).collect();
        let tags = tagging::of(aws, &arns).await?;
        let found = try_join_all(all.iter().map(|balancer| observe(aws, balancer, &tags))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "elasticloadbalancing:CreateLoadBalancer";
        let scheme = match self.internet_facing {
            true => LoadBalancerSchemeEnum::InternetFacing,
            false => LoadBalancerSchemeEnum::Internal,
        };
        let call = aws
            .elb
            .create_load_balancer()
            .name(group_name(new))
            .scheme(scheme)
            .set_subnets(Some(known(&self.subnets)?))
            .set_security_groups(Some(known(&self.security_groups)?))
            .set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))));
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        let made = answer.load_balancers().first().and_then(|made| made.load_balancer_arn());
        let arn = made.ok_or_else(|| CallError::lacks(ACTION, "LoadBalancerArn"))?;
        self.set(aws, arn, &self.attributes()).await.map_err(CallError::right_after_create)?;
        Ok(Made { physical: arn.to_owned(), outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let arn = &now.physical;
        if changed.has("subnets") {
            let subnets = known(&self.subnets)?;
            let send = || aws.elb.set_subnets().load_balancer_arn(arn).set_subnets(Some(subnets.clone())).send();
            aws.call("elasticloadbalancing:SetSubnets", arn, send).await?;
        }
        if changed.has("security_groups") {
            let groups = known(&self.security_groups)?;
            let call = aws.elb.set_security_groups().load_balancer_arn(arn).set_security_groups(Some(groups));
            aws.call("elasticloadbalancing:SetSecurityGroups", arn, || call.clone().send()).await?;
        }
        if changed.any(ATTRIBUTES) {
            self.set(aws, arn, &attributes::difference(&now.inputs.attributes(), &self.attributes())).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, arn, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    /// It is not called unless the user allowed that by the load balancer's id, so it lifts AWS's own protection.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        if now.inputs.deletion_protection {
            let open = Attributes::from([(PROTECTION.to_owned(), false.to_string())]);
            now.inputs.set(aws, &now.physical, &open).await?;
        }
        let send = || aws.elb.delete_load_balancer().load_balancer_arn(&now.physical).send();
        aws.call("elasticloadbalancing:DeleteLoadBalancer", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const BALANCER: &[&str] = &["arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/app/*"];
        const CHANGE: &[&str] = &[
            "elasticloadbalancing:SetSubnets",
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            "elasticloadbalancing:DeleteLoadBalancer",
        ];
        const ROLE: &[&str] = &[
            "arn:{partition}:iam::{account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing",
        ];
        const FOR_THIS_SERVICE: &[(&str, &str, &str)] =
            &[("StringEquals", "iam:AWSServiceName", "elasticloadbalancing.amazonaws.com")];
        let own = [
            Grant::read(&[
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeLoadBalancerAttributes",
            ]),
            Grant::write(&["elasticloadbalancing:CreateLoadBalancer"], BALANCER).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGE, BALANCER).when(OF_THIS_STACK),
            // The first load balancer of an account brings the service's own role.
            Grant::write(&["iam:CreateServiceLinkedRole"], ROLE).when(FOR_THIS_SERVICE),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

/// The ids of what is referred to.
fn known<T>(outs: &[Out<T>]) -> Result<Vec<String>, CallError> {
    outs.iter().map(|out| Ok(out.get()?.to_owned())).collect()
}

impl LoadBalancer {
    fn attributes(&self) -> Attributes {
        let logs = self.access_logs.as_ref();
        let text = |part: fn(&Logs) -> &String| logs.map(part).cloned().unwrap_or_default();
        [
            (PROTECTION, self.deletion_protection.to_string()),
            ("idle_timeout.timeout_seconds", self.idle_timeout.0.to_string()),
            ("client_keep_alive.seconds", self.keep_alive.0.to_string()),
            ("routing.http2.enabled", self.http2.to_string()),
            ("routing.http.drop_invalid_header_fields.enabled", self.drop_invalid_headers.to_string()),
            ("routing.http.preserve_host_header.enabled", self.preserve_host.to_string()),
            ("routing.http.desync_mitigation_mode", attributes::spelled(self.desync_mitigation)),
            ("zonal_shift.config.enabled", self.zonal_shift.to_string()),
            ("access_logs.s3.enabled", logs.is_some().to_string()),
            ("access_logs.s3.bucket", text(|logs| &logs.bucket)),
            ("access_logs.s3.prefix", text(|logs| &logs.prefix)),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    async fn set(&self, aws: &Aws, arn: &str, attributes: &Attributes) -> Result<(), CallError> {
        let attribute = |(key, value)| LoadBalancerAttribute::builder().key(key).value(value).build();
        let list: Vec<_> = attributes.iter().map(attribute).collect();
        let call = aws.elb.modify_load_balancer_attributes().load_balancer_arn(arn).set_attributes(Some(list));
        aws.call("elasticloadbalancing:ModifyLoadBalancerAttributes", arn, || call.clone().send()).await.map(drop)
    }
}

async fn observe(
    aws: &Aws,
    balancer: &Sdk,
    tags: &std::collections::BTreeMap<String, Tags>,
) -> Result<Option<Found<LoadBalancer>>, CallError> {
    let Some(arn) = balancer.load_balancer_arn() else { return Ok(None) };
    let Some(all) = tags.get(arn) else { return Ok(None) };
    let Some((id, identity)) = tags::read(&aws.scope.stack, all) else { return Ok(None) };
    let send = || aws.elb.describe_load_balancer_attributes().load_balancer_arn(arn).send();
    let answer = match aws.call("elasticloadbalancing:DescribeLoadBalancerAttributes", arn, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?,
    };
    let attributes = answer.attributes().iter();
    let attributes: Attributes = attributes.filter_map(|a| Some((a.key.clone()?, a.value.clone()?))).collect();
    let inputs = inputs(balancer, &attributes, tags::user(all));
    let (physical, outputs, blockers) = (arn.to_owned(), outputs(balancer), BTreeSet::new());
    Ok(Some(Found { id, physical, identity, health: health(balancer), inputs, outputs, blockers }))
}

fn health(balancer: &Sdk) -> Health {
    match balancer.state().and_then(|state| state.code()).map(|code| code.as_str()) {
        Some("provisioning") => Health::Settling("provisioning".to_owned()),
        Some("failed") => Health::Failed(balancer.state().and_then(|s| s.reason()).unwrap_or("failed").to_owned()),
        _ => Health::Ready,
    }
}

fn inputs(balancer: &Sdk, attributes: &Attributes, tags: Tags) -> LoadBalancer {
    let mut subnets: Vec<Out<SubnetId>> =
        balancer.availability_zones().iter().filter_map(|zone| zone.subnet_id()).map(Out::known).collect();
    let mut security_groups: Vec<Out<SecurityGroupId>> = balancer.security_groups().iter().map(Out::known).collect();
    subnets.sort();
    security_groups.sort();
    let text = |key: &str| attributes.get(key).cloned().unwrap_or_default();
    let logged = attributes::value(attributes, "access_logs.s3.enabled", false);
    let logs = || Logs { bucket: text("access_logs.s3.bucket"), prefix: text("access_logs.s3.prefix") };
    let seconds = |key: &str, default| Seconds(attributes::value(attributes, key, default));
    let flag = |key: &str, default| attributes::value(attributes, key, default);
    LoadBalancer {
        vpc: Out::known(balancer.vpc_id().unwrap_or_default()),
        subnets,
        security_groups,
        internet_facing: balancer.scheme() == Some(&LoadBalancerSchemeEnum::InternetFacing),
        deletion_protection: flag(PROTECTION, false),
        idle_timeout: seconds("idle_timeout.timeout_seconds", 60),
        keep_alive: seconds("client_keep_alive.seconds", 3600),
        http2: flag("routing.http2.enabled", true),
        drop_invalid_headers: flag("routing.http.drop_invalid_header_fields.enabled", false),
        preserve_host: flag("routing.http.preserve_host_header.enabled", false),
        desync_mitigation: attributes::word(
            attributes,
            "routing.http.desync_mitigation_mode",
            DesyncMitigation::Defensive,
        ),
        zonal_shift: flag("zonal_shift.config.enabled", false),
        access_logs: logged.then(logs),
        tags,
    }
}

fn outputs(balancer: &Sdk) -> Outputs {
    let arn = balancer.load_balancer_arn();
    let all = [
        ("arn", arn),
        ("dns-name", balancer.dns_name()),
        ("zone-id", balancer.canonical_hosted_zone_id()),
        ("full-name", arn.and_then(|arn| arn.split_once(":loadbalancer/")).map(|(_, name)| name)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::text(value?)))).collect()
}

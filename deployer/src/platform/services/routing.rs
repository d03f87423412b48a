//! The way from the load balancer to a service: its target groups, its rules, and who moves requests between them.

use std::collections::{BTreeMap, BTreeSet};

use wharf_engine::LogicalId;

use super::One;
use crate::aws::Handle;
use crate::aws::elbv2::listener_rule::ListenerRule;
use crate::aws::elbv2::target_group::{Algorithm, HealthCheck, Protocol, TargetGroup, Version};
use crate::aws::iam::role::Role;
use crate::aws::policy::{Document, Statement};
use crate::aws::units::{HOUR, Seconds};
use crate::config::{Config, RANGES_OF_A_RULE};
use crate::platform::edge::Edge;
use crate::platform::{BuildError, Builder, trust};

/// The way to one service.
pub(in crate::platform) struct Route {
    pub(in crate::platform) group: Handle<TargetGroup>,
    pub(in crate::platform) rule: Handle<ListenerRule>,
    pub(in crate::platform) other: Option<Other>,
    more_rules: Vec<Handle<ListenerRule>>,
}

/// Where the next version comes up, when it comes up beside the whole old one.
pub(in crate::platform) struct Other {
    pub(in crate::platform) group: Handle<TargetGroup>,
    pub(in crate::platform) role: Handle<Role>,
}

impl Route {
    /// Every rule: only what a rule names can a service have for its target group.
    pub(in crate::platform) fn rules(&self) -> impl Iterator<Item = LogicalId> {
        [&self.rule].into_iter().chain(&self.more_rules).map(|rule| rule.logical_id().clone())
    }

    /// The target groups: one, or the two that take turns.
    pub(in crate::platform) fn groups(&self) -> impl Iterator<Item = &Handle<TargetGroup>> {
        [&self.group].into_iter().chain(self.other.as_ref().map(|other| &other.group))
    }
}

/// The priority of each service's first rule. They come from the names, so that one service more moves no other: AWS
/// refuses a priority that is taken, also for the moment of a change. Every host is another, so the order means
/// nothing, but for a service without a host, which goes last.
pub(super) fn priorities(config: &Config) -> BTreeMap<&str, u16> {
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html>: up to 50000.
    const LAST: u16 = 50_000;
    const ROOM: u16 = 49_000;
    let mut taken = BTreeSet::new();
    let mut priorities = BTreeMap::new();
    for (name, service) in config.services.iter().filter(|(_, service)| service.port.is_some()) {
        if service.is_public() && config.host(name).is_none() {
            priorities.insert(name.as_str(), LAST);
            continue;
        }
        let rules = service.allow.as_ref().map_or(1, |ranges| ranges.len().div_ceil(RANGES_OF_A_RULE));
        let rules = u16::try_from(rules).unwrap_or(1);
        let hash = name.bytes().fold(0_u32, |hash, byte| (hash * 31 + u32::from(byte)) % u32::from(ROOM));
        let mut first = u16::try_from(hash).unwrap_or_default() + 1;
        while (first..first + rules).any(|priority| taken.contains(&priority)) {
            first = if first >= ROOM - rules { 1 } else { first + 1 };
        }
        taken.extend(first..first + rules);
        priorities.insert(name, first);
    }
    priorities
}

impl One<'_> {
    /// The target groups and the rules that name them.
    pub(super) fn route(&self, b: &mut Builder, edge: &Edge, priority: u16) -> Result<Route, BuildError> {
        let group = b.add(&self.id("target-group"), self.target_group(b))?;
        let alternate = match self.wanted.deploy.doubles() {
            true => Some(b.add(&self.id("alternate-target-group"), self.target_group(b))?),
            false => None,
        };
        let mut rules = Vec::new();
        for (number, sources) in (0..).zip(self.sources()) {
            let id = if number == 0 { self.id("rule") } else { self.id(&format!("rule-{}", number + 1)) };
            let host = self.ground.config.host(self.name);
            let rule = ListenerRule {
                listener: edge.https.arn(),
                priority: priority + number,
                paths: if host.is_none() { vec!["/*".to_owned()] } else { Vec::new() },
                hosts: host.iter().map(ToString::to_string).collect(),
                sources,
                methods: Vec::new(),
                target_groups: [&group].into_iter().chain(&alternate).map(|group| group.arn()).collect(),
                weights: if alternate.is_some() { vec![100, 0] } else { vec![100] },
                tags: b.tags(),
            };
            rules.push(b.add(&id, rule)?);
        }
        // There is one range at least, or none is asked for: one rule in either case.
        let rule = rules.remove(0);
        let other = match alternate {
            Some(group_2) => {
                let role =
                    b.add(&self.id("deployment-role"), self.deployment_role(b, edge, &rule, [&group, &group_2]))?;
                Some(Other { group: group_2, role })
            }
            None => None,
        };
        Ok(Route { group, rule, other, more_rules: rules })
    }

    /// The ranges that may reach it, as many to a rule as go into one.
    fn sources(&self) -> Vec<Vec<String>> {
        match &self.wanted.allow {
            None => vec![Vec::new()],
            Some(ranges) => {
                let ranges: Vec<String> = ranges.iter().map(|range| range.net().to_string()).collect();
                ranges.chunks(RANGES_OF_A_RULE).map(<[String]>::to_vec).collect()
            }
        }
    }

    fn target_group(&self, b: &Builder) -> TargetGroup {
        let checks = &self.wanted.checks;
        TargetGroup {
            vpc: self.ground.network.vpc.id(),
            // Each task is registered with its own: another one here would be another group, empty at first.
            port: 80,
            protocol: Protocol::Http,
            version: Version::Http1,
            health: HealthCheck {
                path: self.wanted.health.clone().unwrap_or_else(|| "/".to_owned()),
                codes: checks.codes.clone(),
                interval: Seconds(i32::from(checks.every_seconds)),
                timeout: Seconds(i32::from(checks.timeout_seconds)),
                healthy: checks.healthy,
                unhealthy: checks.unhealthy,
            },
            draining: Seconds(i32::from(self.wanted.rollout.draining_seconds)),
            slow_start: Seconds(0),
            algorithm: Algorithm::LeastOutstandingRequests,
            sticky: None,
            tags: b.tags(),
        }
    }

    /// ECS moves the requests: on this service's rule, between this service's groups.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AmazonECSInfrastructureRolePolicyForLoadBalancers.html>
    fn deployment_role(
        &self,
        b: &Builder,
        edge: &Edge,
        rule: &Handle<ListenerRule>,
        groups: [&Handle<TargetGroup>; 2],
    ) -> Role {
        let shift = Statement::allow(["elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"])
            .on(edge.https.arn().text())
            .on(rule.arn().text());
        let register = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"];
        let register = groups.iter().fold(Statement::allow(register), |all, group| all.on(group.arn().text()));
        // AWS offers nothing narrower.
        let look = Statement::allow([
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeRules",
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ])
        .on("*");
        Role {
            name: format!("{}-{}-deployment", self.stack(), self.name),
            description: format!("ECS moves the requests of {}", self.name),
            trust: trust::by("ecs.amazonaws.com", self.ground.site, "ecs", "*"),
            policies: [("shift".to_owned(), Document::new([shift, register, look]).text())].into(),
            managed: Vec::new(),
            max_session: HOUR,
            boundary: None,
            tags: b.tags(),
        }
    }
}

//! A rule of a listener: which requests go to a service.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html>

use aws_sdk_elasticloadbalancingv2::types::{
    HostHeaderConditionConfig, HttpRequestMethodConditionConfig, PathPatternConditionConfig, Rule as Sdk,
    RuleCondition, RulePriorityPair, SourceIpConditionConfig,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::listener::ListenerArn;
use super::target_group::TargetGroupArn;
use super::{balancers, forward, or_none, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::{self, Tags};

/// A rule that forwards what fits all its conditions. AWS takes five values over all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerRule {
    /// The listener.
    pub listener: Out<ListenerArn>,
    /// Which rule comes first; unique on the listener.
    pub priority: u16,
    /// Hosts, of which one must be asked for; empty for any.
    pub hosts: Vec<String>,
    /// Path patterns, of which one must fit; empty for any.
    pub paths: Vec<String>,
    /// Ranges, out of one of which the request must come; empty for anywhere.
    pub sources: Vec<String>,
    /// HTTP methods; empty for any.
    pub methods: Vec<String>,
    /// Where requests go.
    pub target_groups: Vec<Out<TargetGroupArn>>,
    /// How many go to each of those; rollouts decide, this counts at creation only.
    pub weights: Vec<u16>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the ARN of a rule.
#[derive(Debug)]
pub enum ListenerRuleArn {}

impl Handle<ListenerRule> {
    /// The rule's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<ListenerRuleArn> {
        self.output("arn")
    }
}

impl Kind for ListenerRule {
    const RULES: &'static Rules = &Rules {
        kind: "elbv2.listener-rule",
        fields: &[
            Field::new("listener").replaces(),
            Field::new("priority"),
            Field::new("hosts").compared(Compare::Set),
            Field::new("paths").compared(Compare::Set),
            Field::new("sources").compared(Compare::Set),
            Field::new("methods").compared(Compare::Set),
            Field::new("target_groups").compared(Compare::Set),
            Field::new("weights").owned_by(Owner::Rollouts),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        // A group is behind one load balancer at a time, so a rule cannot stand on two.
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let all: Vec<(String, Sdk)> = match query.only_physical() {
            Some(arn) => {
                let send = || aws.elb.describe_rules().rule_arns(arn).send();
                let answer = aws.call("elasticloadbalancing:DescribeRules", arn, send).await;
                let rules = or_none(answer.map(|answer| answer.rules.unwrap_or_default()))?;
                rules.into_iter().map(|rule| (listener_of(arn), rule)).collect()
            }
            None => {
                let listeners = balancers::listeners(aws).await?;
                let arns = listeners.into_iter().filter_map(|listener| listener.listener_arn);
                let lists = try_join_all(arns.map(|listener| of(aws, listener))).await?;
                lists.into_iter().flatten().collect()
            }
        };
        let all: Vec<_> = all.into_iter().filter(|(_, rule)| rule.is_default() != Some(true)).collect();
        let arns: Vec<String> = all.iter().filter_map(|(_, rule)| rule.rule_arn.clone()).collect();
        let tags = tagging::of(aws, &arns).await?;
        let found = all.iter().filter_map(|(listener, rule)| observe(aws, listener, rule, tags.get(rule.rule_arn()?)?));
        Ok(found.collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "elasticloadbalancing:CreateRule";
        let call = aws
            .elb
            .create_rule()
            .listener_arn(self.listener.get()?)
            .priority(self.priority.into())
            .set_conditions(Some(self.conditions()))
            .actions(forward::action(&forward::first(&self.target_groups, &self.weights)?))
            .set_tags(Some(tagging::to_sdk(&new.tags(&self.tags))));
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await;
        let answer = answer.map_err(CallError::right_after_create)?;
        let made = answer.rules().first().and_then(|made| made.rule_arn());
        let arn = made.ok_or_else(|| CallError::lacks(ACTION, "RuleArn"))?;
        Ok(Made { physical: arn.to_owned(), outputs: Some(outputs(arn)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let arn = &now.physical;
        if changed.any(&["hosts", "paths", "sources", "methods", "target_groups"]) {
            let held = forward::first(&now.inputs.target_groups, &now.inputs.weights)?;
            let shares = forward::moved(&held, &self.target_groups)?;
            // Weights that a rollout shifts at this moment are not written over unless the groups change.
            let actions = changed.has("target_groups").then(|| vec![forward::action(&shares)]);
            let call = aws.elb.modify_rule().rule_arn(arn).set_conditions(Some(self.conditions())).set_actions(actions);
            aws.call("elasticloadbalancing:ModifyRule", arn, || call.clone().send()).await?;
        }
        if changed.has("priority") {
            let pair = RulePriorityPair::builder().rule_arn(arn).priority(self.priority.into()).build();
            let send = || aws.elb.set_rule_priorities().rule_priorities(pair.clone()).send();
            aws.call("elasticloadbalancing:SetRulePriorities", arn, send).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, arn, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.elb.delete_rule().rule_arn(&now.physical).send();
        aws.call("elasticloadbalancing:DeleteRule", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const LISTENER: &[&str] = &["arn:{partition}:elasticloadbalancing:{region}:{account}:listener/app/*"];
        const RULE: &[&str] = &["arn:{partition}:elasticloadbalancing:{region}:{account}:listener-rule/app/*"];
        const CHANGE: &[&str] = &[
            "elasticloadbalancing:ModifyRule",
            "elasticloadbalancing:SetRulePriorities",
            "elasticloadbalancing:DeleteRule",
        ];
        let own = [
            Grant::read(&[
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeRules",
            ]),
            Grant::write(&["elasticloadbalancing:CreateRule"], LISTENER).when(OF_THIS_STACK),
            Grant::write(CHANGE, RULE).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl ListenerRule {
    fn conditions(&self) -> Vec<RuleCondition> {
        let field = |name: &str| RuleCondition::builder().field(name);
        let some = |values: &[String]| (!values.is_empty()).then(|| Some(values.to_vec()));
        let hosts = some(&self.hosts).map(|values| {
            let config = HostHeaderConditionConfig::builder().set_values(values).build();
            field("host-header").host_header_config(config).build()
        });
        let paths = some(&self.paths).map(|values| {
            let config = PathPatternConditionConfig::builder().set_values(values).build();
            field("path-pattern").path_pattern_config(config).build()
        });
        let sources = some(&self.sources).map(|values| {
            let config = SourceIpConditionConfig::builder().set_values(values).build();
            field("source-ip").source_ip_config(config).build()
        });
        let methods = some(&self.methods).map(|values| {
            let config = HttpRequestMethodConditionConfig::builder().set_values(values).build();
            field("http-request-method").http_request_method_config(config).build()
        });
        [hosts, paths, sources, methods].into_iter().flatten().collect()
    }
}

/// The listener of a rule, out of the rule's ARN.
fn listener_of(rule: &str) -> String {
    let listener = rule.rsplit_once('/').map_or(rule, |(listener, _)| listener);
    listener.replacen(":listener-rule/", ":listener/", 1)
}

async fn of(aws: &Aws, listener: String) -> Result<Vec<(String, Sdk)>, CallError> {
    let send = |marker| aws.elb.describe_rules().listener_arn(&listener).set_marker(marker).send();
    let page = |page: aws_sdk_elasticloadbalancingv2::operation::describe_rules::DescribeRulesOutput| {
        (page.rules.unwrap_or_default(), page.next_marker)
    };
    let rules = or_none(aws.pages("elasticloadbalancing:DescribeRules", &listener, send, page).await)?;
    Ok(rules.into_iter().map(|rule| (listener.clone(), rule)).collect())
}

fn observe(aws: &Aws, listener: &str, rule: &Sdk, all: &Tags) -> Option<Found<ListenerRule>> {
    let arn = rule.rule_arn()?;
    let (id, identity) = tags::read(&aws.scope.stack, all)?;
    let values = |field: &str, of: fn(&RuleCondition) -> &[String]| {
        let fitting = rule.conditions().iter().filter(|condition| condition.field() == Some(field));
        let mut values: Vec<String> = fitting.flat_map(|condition| of(condition).iter().cloned()).collect();
        values.sort();
        values
    };
    let (target_groups, weights) = forward::fields(&forward::observe(rule.actions()));
    let inputs = ListenerRule {
        listener: Out::known(listener),
        priority: rule.priority().and_then(|priority| priority.parse().ok()).unwrap_or_default(),
        hosts: values("host-header", |c| c.host_header_config().map_or(&[], |config| config.values())),
        paths: values("path-pattern", |c| c.path_pattern_config().map_or(&[], |config| config.values())),
        sources: values("source-ip", |c| c.source_ip_config().map_or(&[], |config| config.values())),
        methods: values("http-request-method", |c| {
            c.http_request_method_config().map_or(&[], |config| config.values())
        }),
        target_groups,
        weights,
        tags: tags::user(all),
    };
    Some(Found {
        id,
        physical: arn.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(arn),
        blockers: Default::default(),
    })
}

fn outputs(arn: &str) -> Outputs {
    Outputs::from([("arn".to_owned(), Value::text(arn))])
}

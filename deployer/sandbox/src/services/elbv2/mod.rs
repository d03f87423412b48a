//! Elastic Load Balancing, version 2: application load balancers, one file per noun.

mod action;
mod attribute;
mod balancer_attribute;
mod certificate;
mod condition;
mod group_attribute;
mod listener;
mod load_balancer;
mod policy;
mod priority;
pub(crate) mod rules;
mod tags;
mod target_group;
pub(crate) mod targets;

use std::sync::Arc;

use serde_json::{Value, json};

use super::shared::page;
use super::{Service, access_denied, read, throttling, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::{Resource, Tags, Timer};
use crate::weather::Bucket;

pub(crate) static SERVICE: Service = Service {
    name: "elasticloadbalancing",
    namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
    global: false,
    operations: &[
        write("CreateLoadBalancer", load_balancer::create),
        read("DescribeLoadBalancers", load_balancer::describe),
        write("DeleteLoadBalancer", load_balancer::delete),
        write("SetSecurityGroups", load_balancer::set_security_groups),
        write("SetSubnets", load_balancer::set_subnets),
        read("DescribeLoadBalancerAttributes", balancer_attribute::describe),
        write("ModifyLoadBalancerAttributes", balancer_attribute::modify),
        read("DescribeCapacityReservation", load_balancer::capacity),
        write("CreateTargetGroup", target_group::create),
        read("DescribeTargetGroups", target_group::describe),
        write("ModifyTargetGroup", target_group::modify),
        write("DeleteTargetGroup", target_group::delete),
        read("DescribeTargetGroupAttributes", group_attribute::describe),
        write("ModifyTargetGroupAttributes", group_attribute::modify),
        write("RegisterTargets", targets::register_targets),
        write("DeregisterTargets", targets::deregister_targets),
        read("DescribeTargetHealth", targets::describe),
        write("CreateListener", listener::create),
        read("DescribeListeners", listener::describe),
        write("ModifyListener", listener::modify),
        write("DeleteListener", listener::delete),
        read("DescribeListenerAttributes", listener::describe_attributes),
        write("ModifyListenerAttributes", listener::modify_attributes),
        write("AddListenerCertificates", certificate::add),
        write("RemoveListenerCertificates", certificate::remove),
        read("DescribeListenerCertificates", certificate::describe),
        write("CreateRule", rules::create),
        read("DescribeRules", rules::describe),
        write("ModifyRule", rules::modify),
        write("DeleteRule", rules::delete),
        write("SetRulePriorities", priority::set),
        write("AddTags", tags::add),
        write("RemoveTags", tags::remove),
        read("DescribeTags", tags::describe),
        read("DescribeSSLPolicies", policy::describe),
        read("DescribeAccountLimits", policy::limits),
    ],
    on_timer,
    // AWS publishes no figures; operators have measured these for calls that read and calls that write.
    bucket: |operation, _| match operation.write {
        true => Bucket { name: "elb-write", burst: 20.0, rate: 5.0 },
        false => Bucket { name: "elb-read", burst: 40.0, rate: 10.0 },
    },
    throttled: throttling,
    denied: access_denied,
};

fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.kind {
        "elasticloadbalancing.load-balancer" => load_balancer::on_timer(ctx, timer),
        "elasticloadbalancing.target" => targets::on_timer(ctx, timer),
        _ => {}
    }
}

/// A kind of object that has an ARN, which is its id in the account.
struct Noun {
    kind: &'static str,
    /// What comes after `arn:aws:elasticloadbalancing:<region>:<account>:`.
    prefix: &'static str,
    words: &'static str,
    not_found: &'static str,
}

static BALANCER: Noun = Noun {
    kind: "elasticloadbalancing.load-balancer",
    prefix: "loadbalancer/",
    words: "load balancer",
    not_found: "LoadBalancerNotFound",
};
static GROUP: Noun = Noun {
    kind: "elasticloadbalancing.target-group",
    prefix: "targetgroup/",
    words: "target group",
    not_found: "TargetGroupNotFound",
};
static LISTENER: Noun = Noun {
    kind: "elasticloadbalancing.listener",
    prefix: "listener/",
    words: "listener",
    not_found: "ListenerNotFound",
};
static RULE: Noun =
    Noun { kind: "elasticloadbalancing.rule", prefix: "listener-rule/", words: "rule", not_found: "RuleNotFound" };
static NOUNS: [&Noun; 4] = [&BALANCER, &GROUP, &LISTENER, &RULE];

impl Noun {
    fn missing(&self) -> ApiError {
        refuse(self.not_found, format!("One or more {}s not found", self.words))
    }

    fn well_formed(&self, ctx: &Ctx<'_>, arn: &str) -> Result<(), ApiError> {
        match arn.starts_with(&ctx.arn("elasticloadbalancing", self.prefix)) {
            true => Ok(()),
            false => Err(invalid(format!("'{arn}' is not a valid {} ARN", self.words))),
        }
    }

    /// An object that a write refers to, as it is.
    fn used(&self, ctx: &Ctx<'_>, arn: &str) -> Result<Arc<Resource>, ApiError> {
        self.well_formed(ctx, arn)?;
        ctx.usable(self.kind, arn).ok_or_else(|| self.missing())
    }

    /// An object that a write is about, once the caller may do this to it.
    fn permitted(&self, ctx: &mut Ctx<'_>, action: &str, arn: &str) -> Result<Arc<Resource>, ApiError> {
        self.well_formed(ctx, arn)?;
        // Permissions know the tags before all else knows the object.
        let known = ctx.get(self.kind, arn);
        authorise_on(ctx, action, arn, known.as_deref())?;
        ctx.usable(self.kind, arn).ok_or_else(|| self.missing())
    }

    /// The objects of these ARNs as readers see them, in AWS's order; all of them when none is named.
    fn asked(&self, ctx: &Ctx<'_>, arns: &[String]) -> Result<Vec<Arc<Resource>>, ApiError> {
        for arn in arns {
            self.well_formed(ctx, arn)?;
            ctx.visible_one(self.kind, arn).ok_or_else(|| self.missing())?;
        }
        let mut all = ctx.visible(self.kind);
        all.retain(|one| arns.is_empty() || arns.contains(&one.id));
        Ok(all)
    }
}

/// Demands an action on an object, with the tags that it has.
fn authorise_on(ctx: &mut Ctx<'_>, action: &str, arn: &str, found: Option<&Resource>) -> Result<(), ApiError> {
    let mut grant = Grant::new(format!("elasticloadbalancing:{action}"), arn);
    if let Some(found) = found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(grant)
}

/// Demands the tagging that comes with a creation.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/tagging-resources-during-creation.html>
fn authorise_tags(ctx: &mut Ctx<'_>, action: &str, arn: &str, tags: &Tags) -> Result<(), ApiError> {
    if tags.is_empty() {
        return Ok(());
    }
    let grant = Grant::new("elasticloadbalancing:AddTags", arn).request_tags(tags);
    ctx.authorise(grant.key("elasticloadbalancing:CreateAction", action))
}

/// A page of a list, as `PageSize` and `Marker` ask.
fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let size = input.opt_int("PageSize")?.unwrap_or(400);
    if !(1..=400).contains(&size) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{size}' at 'pageSize' failed to satisfy constraint: Member must have value less than or equal to 400"
        )));
    }
    let page = page(items, input.opt_str("Marker").filter(|m| !m.is_empty()), usize::try_from(size).unwrap_or(400))
        .ok_or_else(|| invalid("The specified marker is not valid"))?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextMarker"] = next.into();
    }
    Ok(answer)
}

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("ValidationError", message)
}

fn configuration(message: impl Into<String>) -> ApiError {
    refuse("InvalidConfigurationRequest", message)
}

/// Names of load balancers and target groups.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>
fn name(input: &Input, words: &str) -> Result<String, ApiError> {
    let name = input.string("Name")?;
    if name.len() > 32 {
        return Err(invalid(format!("{words} name '{name}' cannot be longer than '32' characters")));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(invalid(format!("{words} name '{name}' cannot begin or end with '-'")));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(invalid(format!("{words} name '{name}' can only contain characters that are alphanumeric or '-'")));
    }
    Ok(name)
}

/// A number within bounds, as the API model has them.
fn within(input: &Input, name: &str, least: i64, most: i64, default: i64) -> Result<i64, ApiError> {
    let value = input.opt_int(name)?.unwrap_or(default);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let (bound, word) = if value < least { (least, "greater") } else { (most, "less") };
    let mut place = name.to_owned();
    place[..1].make_ascii_lowercase();
    Err(invalid(format!(
        "1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: Member must have value {word} than or equal to {bound}"
    )))
}

#[cfg(test)]
mod tests;

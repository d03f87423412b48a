//! Target groups of addresses.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html>

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    GROUP, action, authorise_on, authorise_tags, group_attribute, invalid, listener, paged, tags, targets, within,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = super::name(input, "Target group")?;
    let tags = tags::requested(input)?;
    let id = ctx.account.rng.hex(16);
    let arn = ctx.arn("elasticloadbalancing", format!("targetgroup/{name}/{id}"));
    ctx.authorise(Grant::new("elasticloadbalancing:CreateTargetGroup", &arn).request_tags(&tags))?;
    authorise_tags(ctx, "CreateTargetGroup", &arn, &tags)?;
    let request = input.without(&[]);
    let (protocol, version) = protocols(input)?;
    let vpc = input.string("VpcId")?;
    if ctx.usable("ec2.vpc", &vpc).is_none() {
        return Err(invalid(format!("The VPC ID '{vpc}' is not found")));
    }
    let port = input.opt_int("Port")?.ok_or_else(|| invalid("A port must be specified"))?;
    if !(1..=65535).contains(&port) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{port}' at 'port' failed to satisfy constraint: Member must have value between 1 and 65535"
        )));
    }
    let mut attrs = json!({
        "TargetGroupArn": arn,
        "TargetGroupName": name,
        "Protocol": protocol,
        "Port": port,
        "VpcId": vpc,
        "TargetType": "ip",
        "ProtocolVersion": version,
        "IpAddressType": "ipv4",
        "_attributes": group_attribute::defaults(),
        "_request": request,
    });
    let health = health_check(input, &defaults(&protocol, &version))?;
    if let Value::Object(attrs) = &mut attrs {
        attrs.extend(health);
    }
    if let Some(known) = ctx.those(GROUP.kind, |g| g.text("TargetGroupName") == name).first() {
        if known.attrs.get("_request") == Some(&request) {
            return Ok(json!({"TargetGroups": [answer(ctx, known)]}));
        }
        let message = format!("A target group with the same name '{name}' exists, but with different settings");
        return Err(refuse("DuplicateTargetGroupName", message));
    }
    let mut group = ctx.resource(GROUP.kind, &arn, attrs);
    group.tags = tags;
    let answer = answer(ctx, &group);
    ctx.insert(group);
    Ok(json!({"TargetGroups": [answer]}))
}

fn protocols(input: &Input) -> Result<(String, String), ApiError> {
    let kind = input.opt_str("TargetType").unwrap_or("instance");
    if kind != "ip" {
        return Err(ApiError::not_simulated(format!("target groups of type {kind}")));
    }
    match input.opt_str("IpAddressType").unwrap_or("ipv4") {
        "ipv4" => {}
        other => return Err(ApiError::not_simulated(format!("target groups with IpAddressType {other}"))),
    }
    let protocol = input.str("Protocol").map_err(|_| invalid("A protocol must be specified"))?;
    if !["HTTP", "HTTPS"].contains(&protocol) {
        return Err(ApiError::not_simulated(format!("target groups with protocol {protocol}")));
    }
    // One that is empty is as good as none: Terraform's provider sends it so.
    let version = input.opt_str("ProtocolVersion").filter(|version| !version.is_empty()).unwrap_or("HTTP1");
    if !["HTTP1", "HTTP2", "GRPC"].contains(&version) {
        return Err(invalid(format!("The protocol version '{version}' is not valid")));
    }
    Ok((protocol.to_owned(), version.to_owned()))
}

/// What a group's health checks are unless told otherwise.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
fn defaults(protocol: &str, version: &str) -> Map<String, Value> {
    let grpc = version == "GRPC";
    let health = json!({
        "HealthCheckProtocol": protocol,
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": true,
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "HealthCheckPath": if grpc { "/AWS.ALB/healthcheck" } else { "/" },
        "Matcher": if grpc { json!({"GrpcCode": "12"}) } else { json!({"HttpCode": "200"}) },
    });
    health.as_object().cloned().unwrap_or_default()
}

/// The health check that a request asks for, on top of what there is.
fn health_check(input: &Input, now: &Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let mut all = now.clone();
    for name in ["HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath"] {
        if let Some(text) = input.opt_str(name) {
            all.insert(name.to_owned(), text.into());
        }
    }
    let path = all["HealthCheckPath"].as_str().unwrap_or_default();
    if !path.starts_with('/') || path.len() > 1024 {
        return Err(invalid(format!("Health check path '{path}' must begin with a '/' character")));
    }
    if input.opt_bool("HealthCheckEnabled")? == Some(false) {
        return Err(invalid("Health check enabled must be true for target groups with target type 'ip'"));
    }
    let bounds = [
        ("HealthCheckIntervalSeconds", 5, 300),
        ("HealthCheckTimeoutSeconds", 2, 120),
        ("HealthyThresholdCount", 2, 10),
        ("UnhealthyThresholdCount", 2, 10),
    ];
    for (name, least, most) in bounds {
        let value = within(input, name, least, most, all[name].as_i64().unwrap_or(least))?;
        all.insert(name.to_owned(), value.into());
    }
    if all["HealthCheckIntervalSeconds"].as_i64() <= all["HealthCheckTimeoutSeconds"].as_i64() {
        return Err(invalid("Health check interval must be greater than the timeout."));
    }
    if let Some(matcher) = input.object("Matcher") {
        let matcher = match (matcher.opt_str("HttpCode"), matcher.opt_str("GrpcCode")) {
            (Some(codes), None) if targets::codes(codes).is_some() => json!({"HttpCode": codes}),
            (None, Some(codes)) => json!({"GrpcCode": codes}),
            (Some(codes), _) => {
                return Err(invalid(format!(
                    "Health check matcher HTTP code '{codes}' must be within '200-499' inclusive"
                )));
            }
            (None, None) => return Err(invalid("A matcher must name codes")),
        };
        all.insert("Matcher".to_owned(), matcher);
    }
    Ok(all)
}

/// A group as AWS shows it, with the load balancers that send to it.
fn answer(ctx: &Ctx<'_>, group: &Resource) -> Value {
    let mut answer = shown(group);
    answer.insert("LoadBalancerArns".to_owned(), users(ctx, &group.id).0.into_iter().collect());
    Value::Object(answer)
}

/// The load balancers that send to a group, and the listeners and rules by which they do.
pub(super) fn users(ctx: &Ctx<'_>, group: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut balancers, mut by) = (BTreeSet::new(), Vec::new());
    for listener in ctx.all("elasticloadbalancing.listener") {
        if action::groups(listener.items("DefaultActions")).iter().any(|(arn, _)| arn == group) {
            balancers.insert(listener.text("LoadBalancerArn").to_owned());
            by.push(listener.id.clone());
        }
    }
    for rule in ctx.all("elasticloadbalancing.rule") {
        if action::groups(rule.items("Actions")).iter().any(|(arn, _)| arn == group) {
            balancers.insert(listener::balancer_of(ctx, rule.text("_listener")));
            by.push(rule.id.clone());
        }
    }
    (balancers, by)
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let names = input.strings("Names");
    let mut all = GROUP.asked(ctx, &input.strings("TargetGroupArns"))?;
    all.retain(|group| names.is_empty() || names.iter().any(|name| group.text("TargetGroupName") == name));
    if all.len() < names.len() {
        return Err(GROUP.missing());
    }
    if let Some(balancer) = input.opt_str("LoadBalancerArn") {
        super::BALANCER.asked(ctx, &[balancer.to_owned()])?;
        all.retain(|group| users(ctx, &group.id).0.contains(balancer));
    }
    let shown = all.iter().map(|group| answer(ctx, group)).collect();
    paged(input, "TargetGroups", shown)
}

pub(super) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = GROUP.permitted(ctx, "ModifyTargetGroup", input.str("TargetGroupArn")?)?;
    let health = health_check(input, &group.attrs)?;
    ctx.update(GROUP.kind, &group.id, |group| group.attrs = health);
    let group = ctx.get(GROUP.kind, &group.id).unwrap_or(group);
    Ok(json!({"TargetGroups": [answer(ctx, &group)]}))
}

/// The deletion of one that is gone succeeds.
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let arn = input.string("TargetGroupArn")?;
    GROUP.well_formed(ctx, &arn)?;
    let found = ctx.get(GROUP.kind, &arn);
    authorise_on(ctx, "DeleteTargetGroup", &arn, found.as_deref())?;
    if !users(ctx, &arn).1.is_empty() {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(refuse("ResourceInUse", message));
    }
    targets::forget(ctx, &arn);
    ctx.remove(GROUP.kind, &arn);
    Ok(empty_result())
}

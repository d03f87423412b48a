//! Actions of listeners and rules.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html>

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{GROUP, configuration, invalid, target_group};
use crate::account::Ctx;
use crate::error::{ApiError, refuse};
use crate::input::Input;

/// The actions of a request, as AWS shows them afterwards, for a listener of `balancer`.
pub(super) fn read(ctx: &Ctx<'_>, input: &Input, name: &str, balancer: &str) -> Result<Vec<Value>, ApiError> {
    let actions = input.objects(name);
    let [action] = actions.as_slice() else {
        return Err(match actions.len() {
            0 => input.missing(name),
            _ => ApiError::not_simulated("several actions in one rule"),
        });
    };
    let kind = action.string("Type")?;
    let mut shown = match kind.as_str() {
        "forward" => forward(ctx, action, balancer)?,
        "redirect" => redirect(action)?,
        "fixed-response" => fixed(action)?,
        other => return Err(ApiError::not_simulated(format!("actions of type {other}"))),
    };
    shown["Type"] = kind.into();
    if let Some(order) = action.opt_int("Order")? {
        shown["Order"] = order.into();
    }
    Ok(vec![shown])
}

fn forward(ctx: &Ctx<'_>, action: &Input, balancer: &str) -> Result<Value, ApiError> {
    let single = action.opt_str("TargetGroupArn");
    let mut groups: Vec<(String, i64)> = Vec::new();
    let mut stickiness = json!({"Enabled": false});
    if let Some(config) = action.object("ForwardConfig") {
        for group in config.objects("TargetGroups") {
            let weight = group.opt_int("Weight")?.unwrap_or(1);
            if !(0..=999).contains(&weight) {
                return Err(invalid(format!("Target group weight '{weight}' must be between 0 and 999")));
            }
            groups.push((group.string("TargetGroupArn")?, weight));
        }
        if let Some(sticky) = config.object("TargetGroupStickinessConfig") {
            stickiness["Enabled"] = sticky.bool_or("Enabled", false)?.into();
            if let Some(seconds) = sticky.opt_int("DurationSeconds")? {
                stickiness["DurationSeconds"] = seconds.into();
            }
        }
    }
    match single {
        Some(group) if groups.is_empty() => groups.push((group.to_owned(), 1)),
        Some(group) if groups.len() > 1 || groups[0].0 != group => {
            return Err(invalid("You cannot specify both a target group ARN and other target groups"));
        }
        _ => {}
    }
    usable(ctx, &groups, balancer)?;
    Ok(forwarding(&groups, &stickiness))
}

fn usable(ctx: &Ctx<'_>, groups: &[(String, i64)], balancer: &str) -> Result<(), ApiError> {
    let names: BTreeSet<&String> = groups.iter().map(|(arn, _)| arn).collect();
    if groups.is_empty() || groups.len() > 5 || names.len() < groups.len() {
        return Err(configuration("A forward action names one to five different target groups"));
    }
    for arn in names {
        GROUP.used(ctx, arn)?;
        if target_group::users(ctx, arn).0.iter().any(|user| user != balancer) {
            let message =
                format!("The following target groups cannot be associated with more than one load balancer: {arn}");
            return Err(refuse("TargetGroupAssociationLimit", message));
        }
    }
    Ok(())
}

/// A forward action as AWS shows it.
pub(super) fn forwarding(groups: &[(String, i64)], stickiness: &Value) -> Value {
    let list: Vec<Value> =
        groups.iter().map(|(arn, weight)| json!({"TargetGroupArn": arn, "Weight": weight})).collect();
    let mut shown = json!({
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": list, "TargetGroupStickinessConfig": stickiness},
    });
    if let [(arn, _)] = groups {
        shown["TargetGroupArn"] = arn.clone().into();
    }
    shown
}

fn redirect(action: &Input) -> Result<Value, ApiError> {
    let config =
        action.object("RedirectConfig").ok_or_else(|| invalid("A redirect configuration must be specified"))?;
    let part = |name: &str, default: &str| config.opt_str(name).unwrap_or(default).to_owned();
    let shown = json!({
        "Protocol": part("Protocol", "#{protocol}"),
        "Port": part("Port", "#{port}"),
        "Host": part("Host", "#{host}"),
        "Path": part("Path", "/#{path}"),
        "Query": part("Query", "#{query}"),
        "StatusCode": config.string("StatusCode")?,
    });
    let unchanged = ["Protocol", "Port", "Host", "Path"]
        .iter()
        .all(|name| shown[name].as_str().is_some_and(|text| text.trim_start_matches('/').starts_with("#{")));
    if unchanged {
        return Err(refuse(
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop.",
        ));
    }
    if !["HTTP_301", "HTTP_302"].iter().any(|code| shown["StatusCode"] == *code) {
        return Err(invalid("The redirect status code must be HTTP_301 or HTTP_302"));
    }
    Ok(json!({"RedirectConfig": shown}))
}

fn fixed(action: &Input) -> Result<Value, ApiError> {
    let config = action
        .object("FixedResponseConfig")
        .ok_or_else(|| invalid("A fixed response configuration must be specified"))?;
    let mut shown = json!({"StatusCode": config.string("StatusCode")?});
    let code = shown["StatusCode"].as_str().unwrap_or_default();
    if code.len() != 3 || !code.starts_with(['2', '4', '5']) {
        return Err(invalid(format!("The fixed response status code '{code}' must be 2XX, 4XX, or 5XX")));
    }
    if let Some(kind) = config.opt_str("ContentType") {
        let known = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];
        if !known.contains(&kind) {
            return Err(invalid(format!("The fixed response content type '{kind}' is not valid")));
        }
        shown["ContentType"] = kind.into();
    }
    if let Some(body) = config.opt_str("MessageBody") {
        if body.len() > 1024 {
            return Err(invalid("The fixed response message body cannot be longer than 1024 characters"));
        }
        shown["MessageBody"] = body.into();
    }
    Ok(json!({"FixedResponseConfig": shown}))
}

/// The groups that actions send to, with their weights.
pub(super) fn groups(actions: &[Value]) -> Vec<(String, i64)> {
    let groups = actions.iter().filter_map(|action| action["ForwardConfig"]["TargetGroups"].as_array()).flatten();
    groups
        .filter_map(|group| Some((group["TargetGroupArn"].as_str()?.to_owned(), group["Weight"].as_i64().unwrap_or(1))))
        .collect()
}

/// The actions with other weights, as a rollout sets them.
pub(super) fn reweighted(actions: &[Value], groups: &[(String, i64)]) -> Vec<Value> {
    actions
        .iter()
        .map(|action| match action["Type"] == "forward" {
            true => forwarding(groups, &action["ForwardConfig"]["TargetGroupStickinessConfig"]),
            false => action.clone(),
        })
        .collect()
}

//! Rules of listeners, and what rollouts do to their weights.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html>

use serde_json::{Value, json};

use super::{
    LISTENER, RULE, action, authorise_tags, condition, configuration, invalid, listener, paged, priority, tags, targets,
};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::empty_result;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let listener = input.string("ListenerArn")?;
    LISTENER.well_formed(ctx, &listener)?;
    let tags = tags::requested(input)?;
    let mut grant = Grant::new("elasticloadbalancing:CreateRule", &listener).request_tags(&tags);
    if let Some(known) = ctx.get(LISTENER.kind, &listener) {
        grant = grant.resource_tags(&known.tags);
    }
    ctx.authorise(grant)?;
    let id = ctx.account.rng.hex(16);
    let arn = format!("{}/{id}", listener.replacen(":listener/", ":listener-rule/", 1));
    authorise_tags(ctx, "CreateRule", &arn, &tags)?;
    let found = LISTENER.used(ctx, &listener)?;
    let conditions = condition::read(input)?;
    let actions = action::read(ctx, input, "Actions", found.text("LoadBalancerArn"))?;
    let number = input.int("Priority")?;
    priority::free(ctx, &listener, number, &[])?;
    let groups = action::groups(&actions);
    let mut rule = ctx.resource(
        RULE.kind,
        &arn,
        json!({
            "RuleArn": arn,
            "Priority": number.to_string(),
            "Conditions": conditions,
            "Actions": actions,
            "IsDefault": false,
            "_listener": listener,
        }),
    );
    rule.tags = tags;
    let answer = shown(&rule);
    ctx.insert(rule);
    targets::wake(ctx, &groups);
    Ok(json!({"Rules": [answer]}))
}

/// The rule that each listener has by itself.
fn default_rule(listener: &Resource) -> Value {
    json!({
        "RuleArn": listener.text("_defaultRule"),
        "Priority": "default",
        "Conditions": [],
        "Actions": listener.items("DefaultActions"),
        "IsDefault": true,
    })
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let arns = input.strings("RuleArns");
    let mut all: Vec<Value> = Vec::new();
    match input.opt_str("ListenerArn") {
        Some(_) if !arns.is_empty() => {
            return Err(configuration("You cannot specify both a listener ARN and rule ARNs"));
        }
        Some(listener) => {
            let found = LISTENER.asked(ctx, &[listener.to_owned()])?;
            let mut rules = ctx.visible(RULE.kind);
            rules.retain(|rule| rule.text("_listener") == listener);
            rules.sort_by_key(|rule| rule.text("Priority").parse::<i64>().unwrap_or(i64::MAX));
            all.extend(rules.iter().map(|rule| Value::Object(shown(rule))));
            all.extend(found.iter().map(|listener| default_rule(listener)));
        }
        None if arns.is_empty() => return Err(invalid("You must specify either rule ARNs or a listener ARN")),
        None => {
            let defaults = ctx.visible(LISTENER.kind);
            let default =
                |arn: &String| defaults.iter().find(|l| l.text("_defaultRule") == arn).map(|l| default_rule(l));
            for arn in &arns {
                RULE.well_formed(ctx, arn)?;
                let rule = ctx.visible_one(RULE.kind, arn).map(|rule| Value::Object(shown(&rule)));
                all.push(rule.or_else(|| default(arn)).ok_or_else(|| RULE.missing())?);
            }
        }
    }
    paged(input, "Rules", all)
}

/// A rule that a write is about. The one that a listener has by itself is changed through the listener.
fn changeable(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<std::sync::Arc<Resource>, ApiError> {
    let arn = input.str("RuleArn")?;
    if !ctx.those(LISTENER.kind, |listener| listener.text("_defaultRule") == arn).is_empty() {
        ctx.authorise(Grant::new(format!("elasticloadbalancing:{action}"), arn))?;
        return Err(refuse("OperationNotPermitted", format!("Default rule '{arn}' cannot be modified or deleted")));
    }
    RULE.permitted(ctx, action, arn)
}

pub(super) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let rule = changeable(ctx, input, "ModifyRule")?;
    let conditions = match input.has("Conditions") {
        true => condition::read(input)?,
        false => rule.items("Conditions").to_vec(),
    };
    let actions = match input.has("Actions") {
        true => action::read(ctx, input, "Actions", &listener::balancer_of(ctx, rule.text("_listener")))?,
        false => rule.items("Actions").to_vec(),
    };
    let groups = action::groups(&actions);
    ctx.update(RULE.kind, &rule.id, |rule| {
        rule.set("Conditions", conditions);
        rule.set("Actions", actions);
    });
    targets::wake(ctx, &groups);
    let rule = ctx.get(RULE.kind, &rule.id).unwrap_or(rule);
    Ok(json!({"Rules": [shown(&rule)]}))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let rule = changeable(ctx, input, "DeleteRule")?;
    ctx.remove(RULE.kind, &rule.id);
    Ok(empty_result())
}

/// Gives the groups behind a rule, or behind a listener's own action, these weights, as ECS does while it shifts
/// traffic. The weights stay so.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/alb-resources-for-blue-green.html>
pub(crate) fn shift(ctx: &mut Ctx<'_>, arn: &str, groups: &[(String, i64)]) {
    let by_default = ctx.those(LISTENER.kind, |listener| listener.text("_defaultRule") == arn);
    let listener = by_default.first().map_or(arn, |listener| listener.id.as_str()).to_owned();
    for (kind, id, name) in [(RULE.kind, arn, "Actions"), (LISTENER.kind, listener.as_str(), "DefaultActions")] {
        ctx.update(kind, id, |resource| {
            let actions = action::reweighted(resource.items(name), groups);
            resource.set(name, actions);
        });
    }
    targets::wake(ctx, groups);
}

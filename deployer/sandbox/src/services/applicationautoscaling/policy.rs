//! Scaling policies of the target-tracking sort.
//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html>

use serde_json::{Map, Value, json};

use super::{Scaled, alarms, invalid, paged, target};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

pub(super) const KIND: &str = "application-autoscaling.policy";
const CONFIG: &str = "TargetTrackingScalingPolicyConfiguration";
const METRICS: [&str; 3] =
    ["ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization", "ALBRequestCountPerTarget"];

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let scaled = Scaled::read(input)?;
    let name = input.string("PolicyName")?;
    let owner = ctx.get(target::KIND, &scaled.key());
    let grant = scaled.grant(ctx, "PutScalingPolicy", owner.as_deref());
    ctx.authorise(grant)?;
    let id = format!("{}|{name}", scaled.key());
    let known = ctx.get(KIND, &id);
    let sort = input.opt_str("PolicyType").or_else(|| known.as_ref().map(|policy| policy.text("PolicyType")));
    if sort != Some("TargetTrackingScaling") {
        return Err(ApiError::not_simulated("scaling policies other than TargetTrackingScaling"));
    }
    let given =
        input.object(CONFIG).ok_or_else(|| invalid(format!("{CONFIG} is required for TargetTrackingScaling")))?;
    let config = config(&given)?;
    owner.ok_or_else(|| scaled.nothing())?;
    let metric = |config: &Value| config["PredefinedMetricSpecification"].clone();
    let twin = |one: &Resource| scaled.fits(one) && one.id != id && metric(&one.attrs[CONFIG]) == metric(&config);
    if !ctx.those(KIND, twin).is_empty() {
        let message = "Only one TargetTrackingScaling policy for a given metric specification is allowed.";
        return Err(invalid(message));
    }
    scaled.alone(ctx)?;
    let mut policy = match known {
        Some(policy) => {
            alarms::remove(ctx, &policy);
            Resource::clone(&policy)
        }
        None => fresh(ctx, &scaled, &name, &id),
    };
    policy.set(CONFIG, config);
    let alarms = alarms::make(ctx, &scaled.resource, &policy)?;
    policy.set("Alarms", alarms.clone());
    let arn = policy.text("PolicyARN").to_owned();
    match ctx.get(KIND, &id) {
        Some(_) => ctx.update(KIND, &id, |old| *old = policy),
        None => ctx.insert(policy),
    }
    Ok(json!({"PolicyARN": arn, "Alarms": alarms}))
}

fn fresh(ctx: &mut Ctx<'_>, scaled: &Scaled, name: &str, id: &str) -> Resource {
    let uuid = ctx.account.rng.uuid();
    let arn =
        ctx.arn("autoscaling", format!("scalingPolicy:{uuid}:resource/ecs/{}:policyName/{name}", scaled.resource));
    ctx.resource(
        KIND,
        id,
        json!({
            "PolicyARN": arn, "PolicyName": name, "ServiceNamespace": scaled.namespace,
            "ResourceId": scaled.resource, "ScalableDimension": scaled.dimension,
            "PolicyType": "TargetTrackingScaling", "CreationTime": seconds(ctx.now), "_target": scaled.key(),
        }),
    )
}

fn config(given: &Input) -> Result<Value, ApiError> {
    let value = given.opt("TargetValue").and_then(Value::as_f64).ok_or_else(|| given.missing("TargetValue"))?;
    if value <= 0.0 {
        return Err(invalid("TargetValue must be greater than 0"));
    }
    let Some(metric) = given.object("PredefinedMetricSpecification") else {
        return Err(ApiError::not_simulated("target tracking of a metric that is not predefined"));
    };
    let sort = metric.string("PredefinedMetricType")?;
    if !METRICS.contains(&sort.as_str()) {
        return Err(invalid(format!("The metric {sort} cannot be used with the dimension ecs:service:DesiredCount")));
    }
    let mut specification = Map::from_iter([("PredefinedMetricType".to_owned(), Value::from(sort.clone()))]);
    match (sort.as_str(), metric.opt_str("ResourceLabel")) {
        ("ALBRequestCountPerTarget", None) => {
            return Err(invalid("ResourceLabel is required for ALBRequestCountPerTarget"));
        }
        ("ALBRequestCountPerTarget", Some(label)) => {
            let parts: Vec<&str> = label.split('/').collect();
            if !matches!(parts.as_slice(), ["app", _, _, "targetgroup", _, _]) {
                return Err(invalid(format!(
                    "The resource label {label} is not of the form app/NAME/ID/targetgroup/NAME/ID"
                )));
            }
            specification.insert("ResourceLabel".to_owned(), label.into());
        }
        (_, Some(_)) => return Err(invalid(format!("ResourceLabel cannot be used with {sort}"))),
        (_, None) => {}
    }
    let mut config = json!({
        "TargetValue": value,
        "PredefinedMetricSpecification": specification,
        "DisableScaleIn": given.bool_or("DisableScaleIn", false)?,
    });
    for name in ["ScaleOutCooldown", "ScaleInCooldown"] {
        if let Some(cooldown) = given.opt_int(name)? {
            config[name] = cooldown.into();
        }
    }
    Ok(config)
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (namespace, names) = (input.string("ServiceNamespace")?, input.strings("PolicyNames"));
    let (resource, dimension) = (input.opt_str("ResourceId"), input.opt_str("ScalableDimension"));
    let mut all = ctx.visible(KIND);
    all.retain(|policy| {
        policy.text("ServiceNamespace") == namespace
            && (names.is_empty() || names.iter().any(|name| name == policy.text("PolicyName")))
            && resource.is_none_or(|resource| policy.text("ResourceId") == resource)
            && dimension.is_none_or(|dimension| policy.text("ScalableDimension") == dimension)
    });
    paged(input, "ScalingPolicies", all.iter().map(|policy| Value::Object(shown(policy))).collect())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let scaled = Scaled::read(input)?;
    let name = input.string("PolicyName")?;
    let owner = ctx.get(target::KIND, &scaled.key());
    let grant = scaled.grant(ctx, "DeleteScalingPolicy", owner.as_deref());
    ctx.authorise(grant)?;
    let found = ctx.get(KIND, &format!("{}|{name}", scaled.key()));
    let policy = found.ok_or_else(|| {
        let message = format!("No scaling policy found for service namespace: {}, resource ID: {}, scalable dimension: {}, policy name: {name}", scaled.namespace, scaled.resource, scaled.dimension);
        refuse("ObjectNotFoundException", message)
    })?;
    scaled.alone(ctx)?;
    remove(ctx, &policy);
    Ok(nothing())
}

/// A policy goes, and its alarms with it.
pub(super) fn remove(ctx: &mut Ctx<'_>, policy: &Resource) {
    alarms::remove(ctx, policy);
    ctx.remove(KIND, &policy.id);
}

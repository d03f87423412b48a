//! Capacity providers: Auto Scaling groups that a cluster fills.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{CLUSTER, PROVIDER, arn, failure, invalid, name_in, neighbours, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::{Resource, Timer};

const BUSY: Duration = Duration::from_secs(10);

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("name")?;
    let tags = tags::requested(input)?;
    let provider_arn = arn(ctx, format!("capacity-provider/{name}"));
    ctx.authorise(Grant::new("ecs:CreateCapacityProvider", &provider_arn).request_tags(&tags))?;
    tags::authorise_new(ctx, "CreateCapacityProvider", &provider_arn, &tags)?;
    if ["aws", "ecs", "fargate"].iter().any(|taken| name.to_lowercase().starts_with(taken)) {
        return Err(invalid(
            "The specified capacity provider name is invalid: it cannot begin with aws, ecs or fargate.",
        ));
    }
    if ctx.get(PROVIDER, &name).is_some_and(|there| there.text("status") == "ACTIVE") {
        return Err(invalid(format!(
            "The specified capacity provider already exists. To change the configuration of an existing capacity provider, update the capacity provider: {name}"
        )));
    }
    let group = input
        .object("autoScalingGroupProvider")
        .ok_or_else(|| ApiError::not_simulated("capacity providers without an Auto Scaling group"))?;
    let group_arn = group.string("autoScalingGroupArn")?;
    // The service-linked role may see and tag the group; its maker must be able to.
    ctx.authorise(Grant::new("autoscaling:CreateOrUpdateTags", &group_arn))?;
    let asked = read(ctx, &group, None)?;
    neighbours::group(ctx, &group_arn).ok_or_else(|| client_missing(&group_arn))?;
    let other = |p: &Resource| {
        p.attrs["autoScalingGroupProvider"]["autoScalingGroupArn"] == group_arn.as_str() && p.text("status") == "ACTIVE"
    };
    if !ctx.those(PROVIDER, other).is_empty() {
        return Err(invalid("The specified Auto Scaling group is already associated with another capacity provider."));
    }
    neighbours::mark_managed(ctx, &group_arn);
    let mut provider = ctx.resource(
        PROVIDER,
        &name,
        json!({
            "capacityProviderArn": provider_arn,
            "name": name,
            "status": "ACTIVE",
            "type": "EC2_AUTOSCALING",
            "autoScalingGroupProvider": asked,
        }),
    );
    provider.tags = tags;
    let answer = view(&provider, true);
    ctx.insert(provider);
    Ok(json!({"capacityProvider": answer}))
}

fn client_missing(group: &str) -> ApiError {
    super::client(format!("The specified Auto Scaling group ARN '{group}' could not be found."))
}

/// The settings, with AWS's defaults.
fn read(ctx: &Ctx<'_>, group: &Input, before: Option<&Value>) -> Result<Value, ApiError> {
    let before = before.cloned().unwrap_or_else(|| json!({
        "managedScaling": {
            "status": "DISABLED", "targetCapacity": 100, "minimumScalingStepSize": 1, "maximumScalingStepSize": 10000,
            "instanceWarmupPeriod": 300,
        },
        "managedTerminationProtection": "DISABLED",
        "managedDraining": "ENABLED",
    }));
    let mut settings = before;
    if let Some(arn) = group.opt_str("autoScalingGroupArn") {
        settings["autoScalingGroupArn"] = arn.into();
    }
    if let Some(scaling) = group.object("managedScaling") {
        if let Some(status) = scaling.opt_str("status") {
            settings["managedScaling"]["status"] = status.into();
        }
        for name in ["targetCapacity", "minimumScalingStepSize", "maximumScalingStepSize", "instanceWarmupPeriod"] {
            if let Some(number) = scaling.opt_int(name)? {
                settings["managedScaling"][name] = number.into();
            }
        }
    }
    for name in ["managedTerminationProtection", "managedDraining"] {
        if let Some(value) = group.opt_str(name) {
            settings[name] = value.into();
        }
    }
    let scaling = &settings["managedScaling"];
    if !(1..=100).contains(&scaling["targetCapacity"].as_i64().unwrap_or(0)) {
        return Err(invalid("The managed scaling target capacity must be between 1 and 100."));
    }
    if settings["managedTerminationProtection"] == "ENABLED" {
        if scaling["status"] != "ENABLED" {
            return Err(invalid("Managed termination protection requires managed scaling to be enabled."));
        }
        let arn = settings["autoScalingGroupArn"].as_str().unwrap_or_default();
        if neighbours::group(ctx, arn).is_some_and(|group| !group.flag("NewInstancesProtectedFromScaleIn")) {
            return Err(invalid(
                "The managed termination protection setting for the capacity provider is invalid. To enable managed termination protection for a capacity provider, the Auto Scaling group must have instance protection from scale in enabled.",
            ));
        }
    }
    Ok(settings)
}

fn own(ctx: &mut Ctx<'_>, action: &str, name: &str) -> Result<Arc<Resource>, ApiError> {
    let found = ctx.get(PROVIDER, name).filter(|provider| provider.text("status") == "ACTIVE");
    let mut grant = Grant::new(format!("ecs:{action}"), arn(ctx, format!("capacity-provider/{name}")));
    if let Some(found) = &found {
        grant = grant.resource_tags(&found.tags);
    }
    ctx.authorise(grant)?;
    found.ok_or_else(|| {
        invalid("The specified capacity provider does not exist. Specify a valid name or ARN and try again.")
    })
}

fn idle(provider: &Resource) -> Result<(), ApiError> {
    if provider.text("updateStatus").ends_with("_IN_PROGRESS") {
        return Err(refuse(
            "UpdateInProgressException",
            "The specified capacity provider is in a busy state. Wait for it to settle and try again.",
        ));
    }
    Ok(())
}

pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = name_in(input.str("name")?);
    let provider = own(ctx, "UpdateCapacityProvider", &name)?;
    idle(&provider)?;
    let group = input.object("autoScalingGroupProvider").ok_or_else(|| input.missing("autoScalingGroupProvider"))?;
    let settings = read(ctx, &group, provider.attrs.get("autoScalingGroupProvider"))?;
    ctx.update(PROVIDER, &name, |provider| {
        provider.set("autoScalingGroupProvider", settings);
        provider.set("updateStatus", "UPDATE_IN_PROGRESS");
    });
    ctx.after(BUSY, PROVIDER, &name, "updated");
    let provider = own(ctx, "UpdateCapacityProvider", &name)?;
    Ok(json!({"capacityProvider": view(&provider, true)}))
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = name_in(input.str("capacityProvider")?);
    let provider = own(ctx, "DeleteCapacityProvider", &name)?;
    idle(&provider)?;
    let uses =
        |c: &Resource| c.text("status") == "ACTIVE" && c.items("capacityProviders").iter().any(|p| p == name.as_str());
    if !ctx.those(CLUSTER, uses).is_empty() {
        return Err(refuse(
            "ResourceInUseException",
            "The specified capacity provider is in use and cannot be removed.",
        ));
    }
    ctx.update(PROVIDER, &name, |provider| provider.set("updateStatus", "DELETE_IN_PROGRESS"));
    ctx.after(BUSY, PROVIDER, &name, "deleted");
    let provider = own(ctx, "DeleteCapacityProvider", &name)?;
    Ok(json!({"capacityProvider": view(&provider, true)}))
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.event {
        "updated" => ctx.update(PROVIDER, &timer.id, |provider| provider.set("updateStatus", "UPDATE_COMPLETE")),
        "deleted" => {
            ctx.update(PROVIDER, &timer.id, |provider| {
                provider.set("status", "INACTIVE");
                provider.set("updateStatus", "DELETE_COMPLETE");
                provider.set("_gone", true);
                provider.tags.clear();
            });
            ctx.after(Duration::from_secs(3600), PROVIDER, &timer.id, "forgotten");
        }
        "scale-in" => super::placement::shrink(ctx, &timer.id),
        "forgotten" if ctx.get(PROVIDER, &timer.id).is_some_and(|p| p.flag("_gone")) => ctx.remove(PROVIDER, &timer.id),
        _ => {}
    }
}

/// Managed scaling begins when a cluster takes the provider.
pub(super) fn attached(ctx: &mut Ctx<'_>, provider: &str, cluster: &str) {
    ctx.update(PROVIDER, provider, |provider| provider.set("_attached", cluster));
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let names: Vec<String> = input.strings("capacityProviders").iter().map(|name| name_in(name)).collect();
    let tags = input.strings("include").iter().any(|what| what == "TAGS");
    input.ignore(&["maxResults", "nextToken", "cluster"]);
    let fargate = |name: &str| {
        json!({
            "capacityProviderArn": arn(ctx, format!("capacity-provider/{name}")), "name": name, "status": "ACTIVE", "type": name, "tags": [],
        })
    };
    let mut found: Vec<Value> = Vec::new();
    let mut failures = Vec::new();
    if names.is_empty() {
        found.extend(["FARGATE", "FARGATE_SPOT"].map(fargate));
        found.extend(ctx.visible(PROVIDER).iter().map(|provider| view(provider, tags)));
        ctx.authorise(Grant::new("ecs:DescribeCapacityProviders", arn(ctx, "capacity-provider/*")))?;
        return Ok(json!({"capacityProviders": found, "failures": []}));
    }
    for name in names {
        let provider = ctx.get(PROVIDER, &name);
        let provider_arn = arn(ctx, format!("capacity-provider/{name}"));
        let mut grant = Grant::new("ecs:DescribeCapacityProviders", &provider_arn);
        if let Some(provider) = &provider {
            grant = grant.resource_tags(&provider.tags);
        }
        ctx.authorise(grant)?;
        match provider {
            Some(provider) => found.push(view(&provider, tags)),
            None => failures.push(failure(&provider_arn)),
        }
    }
    Ok(json!({"capacityProviders": found, "failures": failures}))
}

fn view(provider: &Resource, with_tags: bool) -> Value {
    let mut map = shown(provider);
    map.insert("tags".into(), if with_tags { tags::shown(&provider.tags) } else { json!([]) });
    Value::Object(map)
}

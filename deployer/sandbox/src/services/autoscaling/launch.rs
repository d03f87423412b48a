//! What a group launches by: its template, and whether its creator may launch by that.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html>

use serde_json::{Value, json};

use super::invalid;
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::ApiError;
use crate::input::Input;
use crate::services::ec2::launch_template::Version;
use crate::services::{ec2, iam};
use crate::store::Resource;

/// A template as a group names it: id, name, version.
pub(super) fn specification(ctx: &Ctx<'_>, wanted: &Input) -> Result<Value, ApiError> {
    let id = match (wanted.opt_str("LaunchTemplateId"), wanted.opt_str("LaunchTemplateName")) {
        (Some(id), None) => id.to_owned(),
        (None, Some(name)) => ec2::launch_template::named(ctx, name)
            .ok_or_else(|| invalid("At least one of the launch templates specified in the request does not exist."))?,
        _ => return Err(invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")),
    };
    let version = wanted.opt_str("Version").unwrap_or("$Default").to_owned();
    let found = ec2::launch_template::version_of(ctx, &id, &version).map_err(not_well_formed)?;
    Ok(json!({
        "LaunchTemplateId": id,
        "LaunchTemplateName": found.template.text("launchTemplateName"),
        "Version": version,
    }))
}

fn not_well_formed(error: ApiError) -> ApiError {
    invalid(format!("You must use a valid fully-formed launch template. {}", error.message))
}

/// The version that a specification means now.
pub(super) fn version(ctx: &Ctx<'_>, specification: &Value) -> Result<Version, ApiError> {
    let text = |name: &str| specification[name].as_str().unwrap_or_default();
    ec2::launch_template::version_of(ctx, text("LaunchTemplateId"), text("Version"))
}

/// The subnets of a group.
pub(super) fn subnets(group: &Resource) -> Vec<String> {
    group.text("VPCZoneIdentifier").split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// A group is not made by a template by which nothing could be launched, nor by somebody who may not launch by it.
pub(super) fn judge(ctx: &mut Ctx<'_>, group: &Resource) -> Result<(), ApiError> {
    let specification = group.attrs.get("LaunchTemplate").cloned().unwrap_or_default();
    let Version { template, data, .. } = version(ctx, &specification).map_err(not_well_formed)?;
    let id = template.id.clone();
    let subnets = subnets(group);
    let Some(first) = subnets.first() else {
        return Err(invalid("At least one Availability Zone or VPC Subnet is required."));
    };
    let judged = ec2::instance::judge(ctx, &data, first).map_err(not_well_formed)?;
    let template = format!("launch-template/{id}");
    let arn = ctx.arn("ec2", &template);
    let run = |resource: String| {
        Grant::new("ec2:RunInstances", resource)
            .key("ec2:LaunchTemplate", arn.clone())
            .key("ec2:IsLaunchTemplateResource", "true")
    };
    for kind in ["instance", "volume", "network-interface"] {
        let tags = ec2::instance::template_tags(&data, kind);
        let all = ctx.arn("ec2", format!("{kind}/*"));
        ctx.authorise(run(all.clone()).request_tags(&tags))?;
        if !tags.is_empty() {
            let grant = Grant::new("ec2:CreateTags", all).request_tags(&tags).key("ec2:CreateAction", "RunInstances");
            ctx.authorise(grant)?;
        }
    }
    let image = format!("arn:aws:ec2:{}::image/{}", ctx.account.region, judged.image.id);
    ctx.authorise(run(image))?;
    let used = |kind: &'static str, noun: &str, id: &String| (kind, format!("{noun}/{id}"), id.clone());
    let mut named = vec![("ec2.launch-template", template, id)];
    named.extend(subnets.iter().map(|id| used("ec2.subnet", "subnet", id)));
    named.extend(judged.groups.iter().map(|id| used("ec2.security-group", "security-group", id)));
    for (kind, place, id) in named {
        let tags = ctx.get(kind, &id).map(|found| found.tags.clone()).unwrap_or_default();
        let arn = ctx.arn("ec2", place);
        ctx.authorise(run(arn).resource_tags(&tags))?;
    }
    for role in judged.profile.iter().flat_map(|profile| profile.items("_roles").to_vec()) {
        let role = role.as_str().and_then(|name| ctx.get("iam.role", name));
        if let Some(role) = role {
            iam::authorise_pass(ctx, role.text("Arn"), "ec2.amazonaws.com")?;
        }
    }
    Ok(())
}

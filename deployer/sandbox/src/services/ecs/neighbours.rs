//! What ECS asks of other services: instances and their groups, load balancers, Cloud Map, images, secrets, logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::account::Ctx;
use crate::services::{ecr, elbv2, servicediscovery};
use crate::store::Resource;

const GROUP: &str = "autoscaling.group";

/// The Auto Scaling group behind an ARN.
pub(super) fn group(ctx: &Ctx<'_>, arn: &str) -> Option<Arc<Resource>> {
    ctx.those(GROUP, |group| group.text("AutoScalingGroupARN") == arn).into_iter().next()
}

/// ECS marks the groups that it scales, unless they bear the mark already.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/asg-capacity-providers.html>
pub(super) fn mark_managed(ctx: &mut Ctx<'_>, arn: &str) {
    if let Some(group) = group(ctx, arn) {
        ctx.update(GROUP, &group.id, |group| {
            group.tags.entry("AmazonECSManaged".to_owned()).or_default();
        });
    }
}

/// A target group's place for a task: its group and port.
pub(super) fn register(ctx: &mut Ctx<'_>, target_group: &str, ip: &str, port: i64) {
    elbv2::targets::register(ctx, target_group, ip, port);
}

pub(super) fn deregister(ctx: &mut Ctx<'_>, target_group: &str, ip: &str, port: i64) {
    elbv2::targets::deregister(ctx, target_group, ip, port);
}

pub(super) fn health(ctx: &Ctx<'_>, target_group: &str, ip: &str, port: i64) -> Option<String> {
    elbv2::targets::health(ctx, target_group, ip, port)
}

pub(super) fn is_attached(ctx: &Ctx<'_>, target_group: &str) -> bool {
    elbv2::targets::is_attached(ctx, target_group)
}

/// A task gets a name in private DNS.
pub(super) fn announce(ctx: &mut Ctx<'_>, registry: &str, task: &str, attributes: &BTreeMap<String, String>) {
    servicediscovery::instances::register(ctx, registry, task, attributes);
}

pub(super) fn withdraw(ctx: &mut Ctx<'_>, registry: &str, task: &str) {
    servicediscovery::instances::deregister(ctx, registry, task);
}

/// An image that can be pulled, with its digest; none when its repository or tag is not there. What is not in this
/// account's registry is taken to be there.
pub(super) fn image(ctx: &Ctx<'_>, reference: &str) -> Option<String> {
    let registry = format!("{}.dkr.ecr.{}.amazonaws.com/", ctx.account.id, ctx.account.region);
    match reference.strip_prefix(&registry) {
        Some(path) => ecr::pulled(ctx, path),
        None => Some(format!("sha256:{:064x}", crate::rng::rank(0, reference))),
    }
}

/// Whether a secret that a container names can be fetched: an SSM parameter by ARN or name.
pub(super) fn secret_exists(ctx: &Ctx<'_>, value_from: &str) -> bool {
    let name = value_from.split_once(":parameter").map_or(value_from, |(_, name)| name);
    ctx.get("ssm.parameter", name).is_some() || ctx.get("ssm.parameter", name.trim_start_matches('/')).is_some()
}

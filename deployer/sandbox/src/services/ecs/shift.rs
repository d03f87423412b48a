//! How traffic goes over to a new deployment: all at once, a part first, or step by step.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-blue-green.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{DEPLOYMENT, SERVICE_KIND, deployment};
use crate::account::Ctx;
use crate::services::elbv2;
use crate::store::Resource;

/// Whether a service's deployments shift traffic rather than replace tasks one by one.
pub(super) fn shifts(service: &Resource) -> bool {
    service.attrs["deploymentConfiguration"]["strategy"].as_str().is_some_and(|strategy| strategy != "ROLLING")
        && !service.items("loadBalancers").is_empty()
}

/// The two groups of a load balancer of a service, the one first that was named first.
fn groups(lb: &Value) -> Option<(String, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some((text(&lb["targetGroupArn"])?, text(&lb["advancedConfiguration"]["alternateTargetGroupArn"])?))
}

/// Which of the two groups gets the next deployment's tasks: 0 or 1. The live one is read from the rule.
pub(super) fn next_group(ctx: &Ctx<'_>, service: &Resource) -> i64 {
    if !shifts(service) {
        return 0;
    }
    let running = deployment::all(ctx, &service.id).into_iter().find(|d| d.flag("_completed"));
    running.map_or(0, |d| 1 - d.number("_group"))
}

/// The target groups of a deployment's tasks, with ports.
pub(super) fn targets(service: &Resource, group: i64) -> Vec<(String, i64)> {
    let of = |lb: &Value| {
        let port = lb["containerPort"].as_i64()?;
        let chosen = match groups(lb) {
            Some((_, second)) if group == 1 => second,
            Some((first, _)) => first,
            None => lb["targetGroupArn"].as_str()?.to_owned(),
        };
        Some((chosen, port))
    };
    service.items("loadBalancers").iter().filter_map(of).collect()
}

/// Gives the deployment in `group` this share of the production traffic, in percent.
fn weigh(ctx: &mut Ctx<'_>, service: &Resource, group: i64, percent: i64) {
    for lb in service.items("loadBalancers") {
        let Some((first, second)) = groups(lb) else { continue };
        let rule = lb["advancedConfiguration"]["productionListenerRule"].as_str().unwrap_or_default();
        let weights = match group {
            0 => [(first, percent), (second, 100 - percent)],
            _ => [(first, 100 - percent), (second, percent)],
        };
        elbv2::rules::shift(ctx, rule, &weights);
    }
}

/// Back to what ran before.
pub(super) fn back(ctx: &mut Ctx<'_>, service: &Resource, good: &Arc<Resource>) {
    if shifts(service) {
        weigh(ctx, service, good.number("_group"), 100);
    }
}

/// What comes next for a deployment whose tasks are all healthy.
pub(super) enum Next {
    /// The old tasks may go.
    CleanUp,
    /// Time has to pass.
    Wait,
}

/// Takes a deployment, all of whose tasks are healthy, on through its stages.
pub(super) fn advance(ctx: &mut Ctx<'_>, service: &Resource, current: &Resource) -> Next {
    let now = ctx.now.as_second();
    let due = current.number("_due");
    let settings = service.attrs["deploymentConfiguration"].clone();
    let number = |section: &str, name: &str| settings[section][name].as_f64().unwrap_or(0.0);
    let bake = settings["bakeTimeInMinutes"].as_i64().unwrap_or(0) * 60;
    let (percent, minutes) = match settings["strategy"].as_str() {
        Some("CANARY") => {
            (number("canaryConfiguration", "canaryPercent"), number("canaryConfiguration", "canaryBakeTimeInMinutes"))
        }
        Some("LINEAR") => {
            (number("linearConfiguration", "stepPercent"), number("linearConfiguration", "stepBakeTimeInMinutes"))
        }
        _ => (100.0, 0.0),
    };
    let first = deployment::all(ctx, &service.id).iter().all(|d| d.id == current.id || !d.flag("_completed"));
    #[expect(clippy::cast_possible_truncation, reason = "a share in percent and minutes fit")]
    let (percent, wait) = (percent as i64, (minutes * 60.0) as i64);
    let group = current.number("_group");
    let set = |ctx: &mut Ctx<'_>, stage: &str, share: i64, due: i64| {
        ctx.update(DEPLOYMENT, &current.id, |d| {
            d.set("_stage", stage);
            d.set("_share", share);
            d.set("_due", due);
        });
    };
    match current.text("_stage") {
        // There is nobody to share with.
        "SCALE_UP" if first => {
            weigh(ctx, service, group, 100);
            set(ctx, "BAKE_TIME", 100, now);
            Next::Wait
        }
        "SCALE_UP" => {
            let share = percent.clamp(1, 100);
            weigh(ctx, service, group, share);
            match share {
                100 => set(ctx, "BAKE_TIME", 100, now + bake),
                _ => set(ctx, "PRODUCTION_TRAFFIC_SHIFT", share, now + wait),
            }
            Next::Wait
        }
        "PRODUCTION_TRAFFIC_SHIFT" if now >= due => {
            let canary = settings["strategy"] == "CANARY";
            let share = if canary { 100 } else { (current.number("_share") + percent).min(100) };
            weigh(ctx, service, group, share);
            match share {
                100 => set(ctx, "BAKE_TIME", 100, now + bake),
                _ => set(ctx, "PRODUCTION_TRAFFIC_SHIFT", share, now + wait),
            }
            Next::Wait
        }
        "BAKE_TIME" if now >= due => {
            set(ctx, "CLEAN_UP", 100, now);
            Next::CleanUp
        }
        "CLEAN_UP" => Next::CleanUp,
        _ => Next::Wait,
    }
}

/// The service that has been read may be a moment old.
pub(super) fn fresh(ctx: &Ctx<'_>, service: &str) -> Option<Arc<Resource>> {
    ctx.get(SERVICE_KIND, service)
}

/// A network configuration as a task takes it.
pub(super) fn network(current: &Resource) -> Value {
    current.attrs.get("networkConfiguration").cloned().unwrap_or_else(|| json!({}))
}

//! What is switched on a group beside its fields: metrics, and processes that pause.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html>

use serde_json::{Value, json};

use super::{authorise, invalid, look_after, named};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::rng::rank;

/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html>
pub(super) const METRICS: &[&str] = &[
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
    "GroupInServiceCapacity",
    "GroupPendingCapacity",
    "GroupStandbyCapacity",
    "GroupTerminatingCapacity",
    "GroupTotalCapacity",
    "WarmPoolDesiredCapacity",
    "WarmPoolWarmedCapacity",
    "WarmPoolPendingCapacity",
    "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity",
    "GroupAndWarmPoolDesiredCapacity",
    "GroupAndWarmPoolTotalCapacity",
];

const PROCESSES: &[&str] = &[
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
];

/// Those asked for, or all when none are.
fn chosen(input: &Input, name: &str, known: &[&str]) -> Result<Vec<String>, ApiError> {
    let asked = input.strings(name);
    if let Some(wrong) = asked.iter().find(|one| !known.contains(&one.as_str())) {
        return Err(invalid(format!("Invalid value in {name}: {wrong}")));
    }
    Ok(if asked.is_empty() { known.iter().map(|one| (*one).to_owned()).collect() } else { asked })
}

pub(super) fn enable_metrics(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "EnableMetricsCollection", &group)?;
    if input.str("Granularity")? != "1Minute" {
        return Err(invalid("Granularity must be 1Minute"));
    }
    let mut all = chosen(input, "Metrics", METRICS)?;
    all.sort_by_cached_key(|metric| rank(ctx.account.seed, metric));
    ctx.update("autoscaling.group", &group.id, |group| {
        let metrics = group.list_mut("EnabledMetrics");
        metrics.retain(|known| !all.iter().any(|metric| known["Metric"] == **metric));
        metrics.extend(all.iter().map(|metric| json!({"Metric": metric, "Granularity": "1Minute"})));
    });
    Ok(nothing())
}

pub(super) fn disable_metrics(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "DisableMetricsCollection", &group)?;
    let gone = chosen(input, "Metrics", METRICS)?;
    ctx.update("autoscaling.group", &group.id, |group| {
        group.list_mut("EnabledMetrics").retain(|known| !gone.iter().any(|metric| known["Metric"] == **metric));
    });
    Ok(nothing())
}

pub(super) fn suspend(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "SuspendProcesses", &group)?;
    let processes = chosen(input, "ScalingProcesses", PROCESSES)?;
    let at = ctx.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    ctx.update("autoscaling.group", &group.id, |group| {
        let suspended = group.list_mut("SuspendedProcesses");
        for process in processes {
            if !suspended.iter().any(|known| known["ProcessName"] == *process) {
                let reason = format!("User suspended at {at}");
                suspended.push(json!({"ProcessName": process, "SuspensionReason": reason}));
            }
        }
    });
    Ok(nothing())
}

pub(super) fn resume(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let group = named(ctx, input)?;
    authorise(ctx, "ResumeProcesses", &group)?;
    let processes = chosen(input, "ScalingProcesses", PROCESSES)?;
    let stays = |known: &Value| !processes.iter().any(|process| known["ProcessName"] == **process);
    ctx.update("autoscaling.group", &group.id, |group| group.list_mut("SuspendedProcesses").retain(stays));
    look_after(ctx, &group.id, std::time::Duration::from_secs(3));
    Ok(nothing())
}

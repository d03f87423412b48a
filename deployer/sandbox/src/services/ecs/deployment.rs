//! Deployments of services: what is to run, how far it has come, and how it ends.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    DEPLOYMENT, SERVICE_KIND, TASK, arn, authorise_in, definition, emitted, lifecycle, name_in, scheduler, service,
    shift,
};
use crate::account::Ctx;
use crate::error::{Outcome, refuse};
use crate::input::Input;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

/// One service deployment: the record that stays after the deployment itself has gone from the service.
pub(super) const RECORD: &str = "ecs.service-deployment";
/// What a deployment was to run.
pub(super) const REVISION: &str = "ecs.service-revision";

/// A new deployment of a service as it now is; the one before becomes `ACTIVE`.
pub(super) fn begin(ctx: &mut Ctx<'_>, service: &str) {
    let Some(object) = ctx.get(SERVICE_KIND, service) else { return };
    let before = primary(ctx, service);
    let id = format!("ecs-svc/{:019}", ctx.account.rng.next() >> 1);
    let key = ctx.account.rng.hex(17);
    let (record, revision) = (
        arn(ctx, format!("service-deployment/{service}/{key}")),
        arn(ctx, format!("service-revision/{service}/{key}")),
    );
    for other in all(ctx, service) {
        let superseded = other.text("rolloutState") == "IN_PROGRESS";
        ctx.update(DEPLOYMENT, &other.id, |d| d.set("status", "ACTIVE"));
        if superseded {
            finish(ctx, &other, "STOPPED", "The deployment was replaced by a newer one.");
        }
    }
    let mut map = json!({
        "id": id,
        "status": "PRIMARY",
        "taskDefinition": object.text("taskDefinition"),
        "desiredCount": object.number("desiredCount"),
        "failedTasks": 0,
        "createdAt": seconds(ctx.now),
        "updatedAt": seconds(ctx.now),
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": format!("ECS deployment {id} in progress."),
        "_service": service,
        "_order": ctx.now.as_millisecond(),
        "_deploymentArn": record,
        "_revisionArn": revision,
        "_stage": "SCALE_UP",
        "_group": shift::next_group(ctx, &object),
    });
    for name in ["networkConfiguration", "capacityProviderStrategy", "launchType"] {
        if let Some(value) = object.attrs.get(name) {
            map[name] = value.clone();
        }
    }
    let mut deployment = ctx.resource(DEPLOYMENT, &id, map);
    deployment.aws_made = true;
    ctx.insert(deployment);
    emitted::deployment(ctx, &object, &id, "IN_PROGRESS", &format!("ECS deployment {id} in progress."));
    keep_revision(ctx, &object, &revision);
    let mut kept = ctx.resource(RECORD, &record, json!({
        "serviceDeploymentArn": record,
        "serviceArn": object.text("serviceArn"),
        "clusterArn": object.text("clusterArn"),
        "createdAt": seconds(ctx.now),
        "startedAt": seconds(ctx.now),
        "updatedAt": seconds(ctx.now),
        "status": "IN_PROGRESS",
        "lifecycleStage": "SCALE_UP",
        "deploymentConfiguration": object.attrs["deploymentConfiguration"],
        "sourceServiceRevisions": before.iter().map(|b| json!({"arn": b.text("_revisionArn"), "requestedTaskCount": b.number("desiredCount"), "runningTaskCount": running(ctx, &b.id), "pendingTaskCount": pending(ctx, &b.id)})).collect::<Vec<_>>(),
        "_target": revision,
        "_deployment": id,
        "_service": service,
        "_gone": true,
    }));
    kept.aws_made = true;
    ctx.insert(kept);
}

fn keep_revision(ctx: &mut Ctx<'_>, object: &Resource, revision: &str) {
    let containers = definition::find(ctx, object.text("taskDefinition"));
    let images: Vec<Value> = containers
        .iter()
        .flat_map(|d| d.items("containerDefinitions").to_vec())
        .map(|c| json!({"containerName": c["name"], "image": c["image"]}))
        .collect();
    let mut map = json!({
        "serviceRevisionArn": revision, "serviceArn": object.text("serviceArn"), "clusterArn": object.text("clusterArn"),
        "taskDefinition": object.text("taskDefinition"), "containerImages": images, "createdAt": seconds(ctx.now),
        "guardDutyEnabled": false, "_service": object.id, "_gone": true,
    });
    for name in ["networkConfiguration", "capacityProviderStrategy", "launchType", "loadBalancers", "serviceRegistries"]
    {
        if let Some(value) = object.attrs.get(name) {
            map[name] = value.clone();
        }
    }
    let mut kept = ctx.resource(REVISION, revision, map);
    kept.aws_made = true;
    ctx.insert(kept);
}

/// All deployments of a service, the newest first.
pub(super) fn all(ctx: &Ctx<'_>, service: &str) -> Vec<Arc<Resource>> {
    let mut all = ctx.those(DEPLOYMENT, |d| d.text("_service") == service);
    all.sort_by_key(|d| std::cmp::Reverse((d.number("_order"), d.id.clone())));
    all
}

pub(super) fn primary(ctx: &Ctx<'_>, service: &str) -> Option<Arc<Resource>> {
    all(ctx, service).into_iter().find(|d| d.text("status") == "PRIMARY")
}

/// The tasks of a deployment that are to run.
pub(super) fn tasks(ctx: &Ctx<'_>, deployment: &str) -> Vec<Arc<Resource>> {
    ctx.those(TASK, |task| task.text("_deployment") == deployment && task.text("desiredStatus") == "RUNNING")
}

pub(super) fn running(ctx: &Ctx<'_>, deployment: &str) -> usize {
    tasks(ctx, deployment).iter().filter(|task| task.text("lastStatus") == "RUNNING").count()
}

pub(super) fn pending(ctx: &Ctx<'_>, deployment: &str) -> usize {
    tasks(ctx, deployment).iter().filter(|task| task.text("lastStatus") != "RUNNING").count()
}

pub(super) fn view(ctx: &Ctx<'_>, deployment: &Resource) -> Value {
    let mut map = shown(deployment);
    map.insert("runningCount".into(), running(ctx, &deployment.id).into());
    map.insert("pendingCount".into(), pending(ctx, &deployment.id).into());
    Value::Object(map)
}

/// How many failed tasks are too many.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>
pub(super) fn threshold(desired: i64) -> i64 {
    ((desired + 1) / 2).clamp(3, 200)
}

/// Notes how the record of a deployment ended.
pub(super) fn finish(ctx: &mut Ctx<'_>, deployment: &Resource, status: &str, reason: &str) {
    let at = seconds(ctx.now);
    ctx.update(RECORD, deployment.text("_deploymentArn"), |record| {
        record.set("status", status);
        record.set("statusReason", reason);
        record.set("updatedAt", at.clone());
        if !status.ends_with("IN_PROGRESS") {
            record.set("finishedAt", at);
        }
    });
}

/// A deployment that has got everything up: what was before it goes.
pub(super) fn complete(ctx: &mut Ctx<'_>, object: &Resource, deployment: &Resource) {
    let (id, at) = (deployment.id.clone(), seconds(ctx.now));
    ctx.update(DEPLOYMENT, &id, |d| {
        d.set("rolloutState", "COMPLETED");
        d.set("rolloutStateReason", format!("ECS deployment {} completed.", d.id));
        d.set("updatedAt", at);
        d.set("_completed", true);
        d.set("_stage", "COMPLETED");
    });
    let rolled_back = deployment.flag("_completed");
    match rolled_back {
        true => {
            let failed = all(ctx, &object.id).into_iter().find(|d| d.text("rolloutState") == "FAILED");
            if let Some(failed) = failed {
                finish(ctx, &failed, "ROLLBACK_SUCCESSFUL", failed.text("rolloutStateReason"));
            }
        }
        false => finish(ctx, deployment, "SUCCESSFUL", ""),
    }
    for other in all(ctx, &object.id).into_iter().filter(|d| d.id != id) {
        ctx.remove(DEPLOYMENT, &other.id);
        definition::reap(ctx, &name_in(other.text("taskDefinition")));
    }
    service::tell(ctx, &object.id, &format!("(deployment {id}) deployment completed."));
    service::tell(ctx, &object.id, "has reached a steady state.");
    emitted::deployment(ctx, object, &id, "COMPLETED", &format!("ECS deployment {id} completed."));
    emitted::steady(ctx, object);
}

/// A deployment that is given up: what ran before comes back where that was asked for and there is such a thing.
pub(super) fn fail(ctx: &mut Ctx<'_>, object: &Resource, deployment: &Resource, reason: &str, roll_back: bool) {
    let (id, at) = (deployment.id.clone(), seconds(ctx.now));
    let reason = format!("ECS deployment {reason}");
    ctx.update(DEPLOYMENT, &id, |d| {
        d.set("rolloutState", "FAILED");
        d.set("rolloutStateReason", reason.clone());
        d.set("updatedAt", at.clone());
    });
    service::tell(ctx, &object.id, &format!("(deployment {id}) deployment failed: {reason}"));
    emitted::deployment(ctx, object, &id, "FAILED", &reason);
    let last_good = all(ctx, &object.id).into_iter().find(|d| d.id != id && d.flag("_completed"));
    let Some(good) = last_good.filter(|_| roll_back) else {
        finish(ctx, deployment, if roll_back { "ROLLBACK_FAILED" } else { "STOPPED" }, &reason);
        for task in tasks(ctx, &id) {
            lifecycle::end(ctx, &task.id, "ServiceSchedulerInitiated", "Deployment failed");
        }
        return;
    };
    finish(ctx, deployment, "ROLLBACK_IN_PROGRESS", &reason);
    let (revision, started) = (good.text("_revisionArn").to_owned(), at.clone());
    ctx.update(RECORD, deployment.text("_deploymentArn"), |record| {
        record.set("rollback", json!({"reason": reason, "startedAt": started, "serviceRevisionArn": revision}));
    });
    ctx.update(DEPLOYMENT, &id, |d| d.set("status", "ACTIVE"));
    ctx.update(DEPLOYMENT, &good.id, |d| {
        d.set("status", "PRIMARY");
        d.set("rolloutState", "IN_PROGRESS");
        d.set("rolloutStateReason", "ECS deployment circuit breaker: rolling back to this deployment.");
        d.set("updatedAt", at);
        d.set("_stage", "SCALE_UP");
    });
    // The service is what its last good deployment was.
    ctx.update(SERVICE_KIND, &object.id, |service| {
        service.set("taskDefinition", good.text("taskDefinition"));
        for name in ["networkConfiguration", "capacityProviderStrategy", "launchType"] {
            match good.attrs.get(name) {
                Some(value) => service.set(name, value.clone()),
                None => drop(service.attrs.remove(name)),
            }
        }
    });
    shift::back(ctx, object, &good);
    let back = format!("ECS deployment circuit breaker: rolling back to deploymentId {}.", good.id);
    emitted::deployment(ctx, object, &good.id, "IN_PROGRESS", &back);
    service::tell(
        ctx,
        &object.id,
        &format!("(deployment {id}) deployment failed: rolling back to deploymentId {}.", good.id),
    );
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html>
pub(super) fn stop(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let wanted = input.string("serviceDeploymentArn")?;
    let record = ctx.get(RECORD, &wanted);
    let cluster = record.as_ref().map_or_else(String::new, |r| name_in(r.text("clusterArn")));
    authorise_in(ctx, "StopServiceDeployment", &wanted, &cluster, None)?;
    let record = record.ok_or_else(|| refuse("ServiceDeploymentNotFoundException", "Service deployment not found."))?;
    let roll_back = input.opt_str("stopType").unwrap_or("ROLLBACK") == "ROLLBACK";
    let deployment =
        ctx.get(DEPLOYMENT, record.text("_deployment")).filter(|d| d.text("rolloutState") == "IN_PROGRESS");
    let service = ctx.get(SERVICE_KIND, record.text("_service"));
    let (Some(deployment), Some(service)) = (deployment, service) else {
        return Err(refuse("ConflictException", "The service deployment has ended already."));
    };
    fail(ctx, &service, &deployment, "was stopped by a user.", roll_back);
    scheduler::wake(ctx, &service.id);
    Ok(json!({"serviceDeploymentArn": wanted}))
}

/// Everything that is kept of a service goes with it.
pub(super) fn forget(ctx: &mut Ctx<'_>, service: &str) {
    for deployment in all(ctx, service) {
        ctx.remove(DEPLOYMENT, &deployment.id);
        definition::reap(ctx, &name_in(deployment.text("taskDefinition")));
    }
}

//! The service scheduler: it keeps the tasks that there should be.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_services.html>

use std::sync::Arc;
use std::time::Duration;

use super::task::{self, Launch, New};
use super::{
    DEPLOYMENT, INSTANCE, SERVICE_KIND, alarm, container_instance, daemon, definition, deployment, emitted, lifecycle,
    placement, protection, service, shift, tags,
};
use crate::account::Ctx;
use crate::services::shared::seconds;
use crate::store::{Resource, Tags, Timer};

/// How often it looks while something is to be done, and while nothing is.
const BUSY: Duration = Duration::from_secs(3);
const STEADY: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(1);
/// A deleted service is remembered for a while.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// Lets the scheduler look at a service soon.
pub(super) fn wake(ctx: &mut Ctx<'_>, service: &str) {
    let due = ctx.now.as_millisecond() + i64::try_from(SOON.as_millis()).unwrap_or(0);
    let sooner = ctx
        .get(SERVICE_KIND, service)
        .is_some_and(|s| s.attrs.get("_tick").and_then(serde_json::Value::as_i64).is_none_or(|tick| tick > due));
    if sooner {
        tick(ctx, service, SOON);
    }
}

/// The same for the service of a task.
pub(super) fn wake_for(ctx: &mut Ctx<'_>, task: &Resource) {
    let service = task.text("_service");
    if service.is_empty() {
        return;
    }
    // What ended before it was healthy counts against the deployment that wanted it.
    if let Some(now) = ctx.get(super::TASK, &task.id)
        && now.text("desiredStatus") == "STOPPED"
        && !now.flag("_counted")
        && ["TaskFailedToStart", "EssentialContainerExited"].contains(&now.text("stopCode"))
    {
        ctx.update(super::TASK, &task.id, |task| task.set("_counted", true));
        count_failure(ctx, now.text("_deployment"));
        let words = format!("(task {}) stopped: {}", now.id, now.text("stoppedReason"));
        if now.text("stopCode") == "TaskFailedToStart" {
            service::tell(ctx, service, &format!("was unable to start a task. Reason: {}", now.text("stoppedReason")));
            if let Some(service) = ctx.get(SERVICE_KIND, service) {
                emitted::impaired(ctx, &service);
            }
        } else {
            service::tell(ctx, service, &words);
        }
    }
    wake(ctx, service);
}

pub(super) fn wake_cluster(ctx: &mut Ctx<'_>, cluster: &str) {
    for service in container_instance::services_of(ctx, cluster) {
        wake(ctx, &service.id);
    }
}

fn count_failure(ctx: &mut Ctx<'_>, id: &str) {
    ctx.update(DEPLOYMENT, id, |d| {
        let failed = d.number("failedTasks") + 1;
        d.set("failedTasks", failed);
    });
}

fn tick(ctx: &mut Ctx<'_>, service: &str, after: Duration) {
    let due = ctx.now.as_millisecond() + i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
    ctx.update(SERVICE_KIND, service, |service| service.set("_tick", due));
    let at = crate::clock::later(ctx.now, after);
    ctx.account.store.schedule(at, Timer { kind: SERVICE_KIND, id: service.to_owned(), event: "tick" });
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let Some(service) = ctx.get(SERVICE_KIND, &timer.id) else { return };
    match timer.event {
        "tick" => {
            // Only the tick that was set last counts.
            if service.number("_tick") > ctx.now.as_millisecond() || service.text("status") == "INACTIVE" {
                return;
            }
            let busy = look(ctx, &service);
            if ctx.get(SERVICE_KIND, &timer.id).is_some_and(|s| s.text("status") != "INACTIVE") {
                tick(ctx, &timer.id, if busy { BUSY } else { STEADY });
            }
        }
        "forgotten" if service.text("status") == "INACTIVE" => ctx.remove(SERVICE_KIND, &timer.id),
        _ => {}
    }
}

/// One look at a service: what is unwell or on its way out goes, what is missing comes. Tells whether more is to do.
fn look(ctx: &mut Ctx<'_>, object: &Arc<Resource>) -> bool {
    if object.text("status") == "DRAINING" {
        return drain(ctx, object);
    }
    let object = &daemon::counted(ctx, object);
    replace_unwell(ctx, object);
    leave_draining_instances(ctx, object);
    let Some(current) = deployment::primary(ctx, &object.id) else { return false };
    if current.text("rolloutState") == "IN_PROGRESS" && give_up(ctx, object, &current) {
        return true;
    }
    let desired = object.number("desiredCount");
    if current.number("desiredCount") != desired {
        ctx.update(DEPLOYMENT, &current.id, |d| d.set("desiredCount", desired));
    }
    if current.text("rolloutState") == "FAILED" {
        return false;
    }
    match shift::shifts(object) {
        true => shift_traffic(ctx, object, &current, desired),
        false => roll(ctx, object, &current, desired),
    }
    settled(ctx, &object.id)
}

/// Whether all is not as it should be yet.
fn settled(ctx: &Ctx<'_>, id: &str) -> bool {
    let Some(object) = shift::fresh(ctx, id) else { return false };
    let current = deployment::primary(ctx, id);
    let on_the_way = current.as_ref().is_none_or(|d| d.text("rolloutState") == "IN_PROGRESS");
    let running = current.map_or(0, |d| deployment::running(ctx, &d.id));
    on_the_way || i64::try_from(running).unwrap_or(0) != object.number("desiredCount")
}

/// A deleted service lets its tasks go. AWS's page on protection does not say that a deletion lifts it, so it is taken
/// not to: until it ends, a protected task keeps the service.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html>
fn drain(ctx: &mut Ctx<'_>, object: &Resource) -> bool {
    let tasks = lifecycle::of_service(ctx, &object.id);
    let going: Vec<_> = tasks.iter().filter(|task| !protection::is_on(ctx, task)).cloned().collect();
    for task in &going {
        lifecycle::end(
            ctx,
            &task.id,
            "ServiceSchedulerInitiated",
            &format!("Scaling activity initiated by (service {})", object.text("serviceName")),
        );
    }
    if !tasks.is_empty() {
        return true;
    }
    deployment::forget(ctx, &object.id);
    ctx.update(SERVICE_KIND, &object.id, |service| {
        service.set("status", "INACTIVE");
        service.set("_gone", true);
        service.tags.clear();
    });
    let at = crate::clock::later(ctx.now, REMEMBERED);
    ctx.account.store.schedule(at, Timer { kind: SERVICE_KIND, id: object.id.clone(), event: "forgotten" });
    false
}

fn replace_unwell(ctx: &mut Ctx<'_>, object: &Resource) {
    let grace = object.number("healthCheckGracePeriodSeconds");
    for task in lifecycle::of_service(ctx, &object.id) {
        if let Some(reason) = lifecycle::unhealthy(ctx, &task, grace) {
            count_failure(ctx, task.text("_deployment"));
            service::tell(ctx, &object.id, &format!("(task {}) {}", task.id, reason.replacen("Task", "task", 1)));
            lifecycle::end(ctx, &task.id, "ServiceSchedulerInitiated", &reason);
        }
    }
}

/// Tasks on an instance that drains are replaced before they go, as far as the service's percentages let them.
fn leave_draining_instances(ctx: &mut Ctx<'_>, object: &Resource) {
    let tasks = lifecycle::of_service(ctx, &object.id);
    let leaving: Vec<_> = tasks
        .iter()
        .filter(|task| ctx.get(INSTANCE, task.text("_instance")).is_some_and(|i| i.text("status") == "DRAINING"))
        .filter(|task| task.text("desiredStatus") == "RUNNING")
        .cloned()
        .collect();
    let healthy = tasks.iter().filter(|task| lifecycle::is_healthy(ctx, task)).count();
    let mut spare = i64::try_from(healthy).unwrap_or(0) - least(object, object.number("desiredCount"));
    for task in leaving {
        ctx.update(super::TASK, &task.id, |task| task.set("_leaving", true));
        if spare > 0 || !lifecycle::is_healthy(ctx, &task) {
            spare -= 1;
            lifecycle::end(ctx, &task.id, "ServiceSchedulerInitiated", "Container instance is in DRAINING status.");
        }
    }
}

/// The circuit breaker and the alarms.
fn give_up(ctx: &mut Ctx<'_>, object: &Resource, current: &Resource) -> bool {
    let settings = &object.attrs["deploymentConfiguration"];
    let breaker = &settings["deploymentCircuitBreaker"];
    let desired = object.number("desiredCount").max(current.number("desiredCount"));
    if breaker["enable"] == true
        && current.number("failedTasks") >= deployment::threshold(desired)
        && !current.flag("_completed")
    {
        let roll_back = breaker["rollback"] == true;
        deployment::fail(ctx, object, current, "circuit breaker: tasks failed to start.", roll_back);
        return true;
    }
    let ringing = alarm::ringing(ctx, object);
    if !ringing.is_empty() && !current.flag("_completed") {
        let roll_back = settings["alarms"]["rollback"] == true;
        deployment::fail(ctx, object, current, &format!("alarm detected: {}.", ringing.join(", ")), roll_back);
        return true;
    }
    false
}

fn percent(object: &Resource, name: &str) -> i64 {
    object.attrs["deploymentConfiguration"][name].as_i64().unwrap_or(100)
}

/// How many tasks have to be healthy all along.
fn least(object: &Resource, desired: i64) -> i64 {
    (desired * percent(object, "minimumHealthyPercent") + 99) / 100
}

/// A rolling update: new tasks as far as the maximum goes, old ones as far as the minimum lets them.
fn roll(ctx: &mut Ctx<'_>, object: &Resource, current: &Resource, desired: i64) {
    let most = (desired * percent(object, "maximumPercent") / 100).max(desired.min(1));
    let is_new = |task: &Arc<Resource>| task.text("_deployment") == current.id && !task.flag("_leaving");
    let wanted = |ctx: &Ctx<'_>| -> Vec<Arc<Resource>> {
        lifecycle::of_service(ctx, &object.id)
            .into_iter()
            .filter(|task| task.text("desiredStatus") == "RUNNING")
            .collect()
    };
    let tasks = wanted(ctx);
    let (new, old): (Vec<_>, Vec<_>) = tasks.into_iter().partition(is_new);
    let mut healthy = new.iter().chain(&old).filter(|task| lifecycle::is_healthy(ctx, task)).count();
    let keep = usize::try_from(least(object, desired)).unwrap_or(0);
    // Old tasks: those that do not work first.
    let mut going = old.clone();
    going.sort_by_key(|task| (lifecycle::is_healthy(ctx, task), task.created, task.id.clone()));
    for task in going.iter().filter(|task| !protection::is_on(ctx, task)).cloned().collect::<Vec<_>>() {
        let well = lifecycle::is_healthy(ctx, &task);
        if well && healthy <= keep {
            continue;
        }
        healthy -= usize::from(well);
        lifecycle::end(
            ctx,
            &task.id,
            "ServiceSchedulerInitiated",
            &format!("Scaling activity initiated by (deployment {})", current.id),
        );
    }
    scale(ctx, object, current, &new, desired, most);
    let tasks = wanted(ctx);
    let well = tasks.iter().filter(|task| is_new(task) && lifecycle::is_healthy(ctx, task)).count();
    let done = i64::try_from(well).unwrap_or(0) == desired && tasks.iter().all(is_new);
    if done && current.text("rolloutState") == "IN_PROGRESS" {
        deployment::complete(ctx, object, current);
    }
}

/// Brings a deployment's tasks to their number.
fn scale(ctx: &mut Ctx<'_>, object: &Resource, current: &Resource, new: &[Arc<Resource>], desired: i64, most: i64) {
    let have = i64::try_from(new.len()).unwrap_or(0);
    let wanted = lifecycle::of_service(ctx, &object.id).iter().filter(|t| t.text("desiredStatus") == "RUNNING").count();
    let room = most - i64::try_from(wanted).unwrap_or(0);
    for _ in 0..(desired - have).min(room) {
        if !place(ctx, object, current) {
            return;
        }
    }
    let surplus = usize::try_from(have - desired).unwrap_or(0);
    let mut going: Vec<_> = new.iter().filter(|task| !protection::is_on(ctx, task)).cloned().collect();
    going.sort_by_key(|task| (lifecycle::is_healthy(ctx, task), std::cmp::Reverse(task.created), task.id.clone()));
    for task in going.into_iter().take(surplus) {
        lifecycle::end(
            ctx,
            &task.id,
            "ServiceSchedulerInitiated",
            &format!("Scaling activity initiated by (deployment {})", current.id),
        );
    }
}

/// Starts one task, or says why there is no place for it.
fn place(ctx: &mut Ctx<'_>, object: &Resource, current: &Resource) -> bool {
    let Some(definition) = definition::find(ctx, current.text("taskDefinition")) else { return false };
    let providers = placement::providers(current.items("capacityProviderStrategy"));
    let mut tags = match object.text("propagateTags") {
        "SERVICE" => object.tags.clone(),
        "TASK_DEFINITION" => definition.tags.clone(),
        _ => Tags::new(),
    };
    if object.flag("enableECSManagedTags") {
        tags.extend(tags::managed(object.text("_cluster"), Some(object.text("serviceName"))));
    }
    let new = New {
        cluster: object.text("_cluster"),
        definition: &definition,
        group: format!("service:{}", object.text("serviceName")),
        started_by: current.id.clone(),
        launch: if providers.is_empty() { Launch::Ec2 } else { Launch::Providers(providers.clone()) },
        network: shift::network(current),
        overrides: serde_json::json!({"containerOverrides": [], "inferenceAcceleratorOverrides": []}),
        exec: object.flag("enableExecuteCommand"),
        tags,
        strategy: object.items("placementStrategy").to_vec(),
        distinct: false,
        service: Some((&object.id, &current.id)),
        targets: shift::targets(object, current.number("_group")),
        registries: object.items("serviceRegistries").to_vec(),
    };
    match task::start(ctx, new) {
        Ok(Ok(task)) => {
            service::tell(ctx, &object.id, &format!("has started 1 tasks: (task {}).", task.id));
            let at = seconds(ctx.now);
            ctx.update(DEPLOYMENT, &current.id, |d| d.set("updatedAt", at));
            true
        }
        Ok(Err(nowhere)) => {
            // As long as instances are still to come, there is nothing to complain of.
            if daemon::is_daemon(object) || !placement::grow(ctx, &providers) {
                service::tell(ctx, &object.id, &nowhere.words());
                emitted::no_place(ctx, object, &nowhere);
            }
            false
        }
        Err(error) => {
            service::tell(ctx, &object.id, &format!("was unable to place a task. Reason: {}", error.message));
            false
        }
    }
}

/// Blue/green and its kin: all new tasks beside the old ones, then the traffic, then the old ones go.
fn shift_traffic(ctx: &mut Ctx<'_>, object: &Resource, current: &Resource, desired: i64) {
    let new = deployment::tasks(ctx, &current.id);
    scale(ctx, object, current, &new, desired, desired * 2);
    let well = deployment::tasks(ctx, &current.id).iter().filter(|task| lifecycle::is_healthy(ctx, task)).count();
    if i64::try_from(well).unwrap_or(0) < desired || current.text("rolloutState") != "IN_PROGRESS" {
        return;
    }
    if let shift::Next::Wait = shift::advance(ctx, object, current) {
        return;
    }
    let old: Vec<_> = lifecycle::of_service(ctx, &object.id)
        .into_iter()
        .filter(|task| task.text("_deployment") != current.id)
        .collect();
    let stays = old.iter().any(|task| task.text("desiredStatus") == "RUNNING");
    let going: Vec<_> = old.into_iter().filter(|task| !protection::is_on(ctx, task)).collect();
    for task in going {
        lifecycle::end(
            ctx,
            &task.id,
            "ServiceSchedulerInitiated",
            &format!("Scaling activity initiated by (deployment {})", current.id),
        );
    }
    if !stays {
        deployment::complete(ctx, object, current);
    }
}

//! What happens to a task by itself, from its interface to its end.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{TASK, behaviour, definition, emitted, neighbours, placement, scheduler};
use crate::account::Ctx;
use crate::services::ec2::interface;
use crate::services::shared::seconds;
use crate::store::{Resource, Timer};

const ATTACHED: Duration = Duration::from_secs(4);
const PULLED: Duration = Duration::from_secs(8);
const STARTED: Duration = Duration::from_secs(2);
/// How often a task that goes looks whether its targets have drained.
const DRAINING: Duration = Duration::from_secs(2);
const STOPPED: Duration = Duration::from_secs(3);
/// Stopped tasks are shown for an hour.
const REMEMBERED: Duration = Duration::from_secs(3600);

pub(super) fn begin(ctx: &mut Ctx<'_>, id: &str) {
    emitted::task(ctx, id);
    ctx.after(ATTACHED, TASK, id, "attached");
}

pub(super) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let Some(task) = ctx.get(TASK, &timer.id) else { return };
    let alive = task.text("desiredStatus") == "RUNNING";
    match timer.event {
        "attached" if alive => attached(ctx, &task),
        "pulled" if alive => pulled(ctx, &task),
        "started" if alive => started(ctx, &task),
        "health" if alive => checked(ctx, &task),
        "exit" if alive => exited(ctx, &task),
        "draining" => draining(ctx, &task),
        "stopped" => stopped(ctx, &task),
        "forgotten" => ctx.remove(TASK, &timer.id),
        _ => {}
    }
}

fn status(ctx: &mut Ctx<'_>, id: &str, status: &str) {
    ctx.update(TASK, id, |task| {
        task.set("lastStatus", status);
        let version = task.number("version") + 1;
        task.set("version", version);
    });
}

fn attached(ctx: &mut Ctx<'_>, task: &Resource) {
    status(ctx, &task.id, "PENDING");
    let at = seconds(ctx.now);
    ctx.update(TASK, &task.id, |task| {
        task.set("pullStartedAt", at);
        for attachment in task.list_mut("attachments") {
            attachment["status"] = "ATTACHED".into();
        }
    });
    ctx.after(PULLED, TASK, &task.id, "pulled");
    emitted::task(ctx, &task.id);
}

/// The containers of the task's revision.
pub(super) fn containers(ctx: &Ctx<'_>, task: &Resource) -> Vec<Value> {
    definition::find(ctx, task.text("taskDefinitionArn"))
        .map(|d| d.items("containerDefinitions").to_vec())
        .unwrap_or_default()
}

/// Secrets are fetched and images pulled; either can end the task before it began.
fn pulled(ctx: &mut Ctx<'_>, task: &Resource) {
    for container in containers(ctx, task) {
        for secret in container["secrets"].as_array().into_iter().flatten() {
            let from = secret["valueFrom"].as_str().unwrap_or_default();
            if !neighbours::secret_exists(ctx, from) {
                let name = from.split_once(":parameter").map_or(from, |(_, name)| name);
                let reason = format!(
                    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: {name}"
                );
                return fail_to_start(ctx, task, &reason, None);
            }
        }
        let reference = container["image"].as_str().unwrap_or_default();
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        let Some(digest) = neighbours::image(ctx, reference) else {
            let reason = format!("CannotPullContainerError: failed to resolve ref {reference}: {reference}: not found");
            return fail_to_start(ctx, task, &reason, Some(&name));
        };
        set_container(ctx, &task.id, &name, |container| container["imageDigest"] = digest.clone().into());
    }
    let at = seconds(ctx.now);
    ctx.update(TASK, &task.id, |task| task.set("pullStoppedAt", at));
    ctx.after(STARTED, TASK, &task.id, "started");
}

fn set_container(ctx: &mut Ctx<'_>, id: &str, name: &str, change: impl Fn(&mut Value)) {
    ctx.update(TASK, id, |task| task.list_mut("containers").iter_mut().filter(|c| c["name"] == name).for_each(&change));
}

fn fail_to_start(ctx: &mut Ctx<'_>, task: &Resource, reason: &str, container: Option<&str>) {
    if let Some(name) = container {
        set_container(ctx, &task.id, name, |container| container["reason"] = reason.into());
    }
    end(ctx, &task.id, "TaskFailedToStart", reason);
}

/// What a container does, its image known by reference or digest.
fn behaviour_of(ctx: &Ctx<'_>, task: &Resource, container: &Value) -> behaviour::Behaviour {
    let running = task.items("containers").iter().find(|c| c["name"] == container["name"]);
    let digest = running.and_then(|c| c["imageDigest"].as_str()).unwrap_or_default();
    let overrides = task.attrs.get("overrides").and_then(|all| all["containerOverrides"].as_array());
    let own = overrides.into_iter().flatten().find(|one| one["name"] == container["name"]);
    let words = own.and_then(|own| own["command"].as_array()).or_else(|| container["command"].as_array());
    let command = words.map(|words| words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
    behaviour::of(ctx, container["image"].as_str().unwrap_or_default(), digest, command.as_deref())
}

fn started(ctx: &mut Ctx<'_>, task: &Resource) {
    status(ctx, &task.id, "RUNNING");
    let at = seconds(ctx.now);
    let now = ctx.now.as_second();
    ctx.update(TASK, &task.id, |task| {
        task.set("startedAt", at);
        task.set("_running_since", now);
    });
    let mut answers = Map::new();
    for container in containers(ctx, task) {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        let runtime = ctx.account.rng.hex(32);
        let interface =
            json!([{"attachmentId": task.attrs["attachments"][0]["id"], "privateIpv4Address": task.text("_ip")}]);
        let agent = task.flag("enableExecuteCommand");
        set_container(ctx, &task.id, &name, |container| {
            container["lastStatus"] = "RUNNING".into();
            container["runtimeId"] = runtime.clone().into();
            if !task.text("_ip").is_empty() {
                container["networkInterfaces"] = interface.clone();
            }
            if agent {
                container["managedAgents"] = json!([{"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}]);
            }
        });
        let does = behaviour_of(ctx, task, &container);
        write_logs(ctx, task, &container, &does.prints);
        serve(&container, &does, &mut answers);
        if let Some((_, after)) = does.exits {
            ctx.after(Duration::from_secs(after.max(1)), TASK, &task.id, "exit");
        }
        if container["healthCheck"].is_object() {
            let interval = container["healthCheck"]["interval"].as_u64().unwrap_or(30);
            ctx.after(Duration::from_secs(interval), TASK, &task.id, "health");
        }
    }
    // One-off tasks whose command is overridden do it and end.
    if let Some((code, after)) = one_off(ctx, task) {
        ctx.update(TASK, &task.id, |task| task.set("_exit", code));
        ctx.after(after, TASK, &task.id, "exit");
    }
    ctx.update("ec2.network-interface", task.text("_eni"), |eni| eni.set("_answers", Value::Object(answers)));
    for target in task.items("_targets") {
        if let (Some(group), Some(port)) = (target[0].as_str(), target[1].as_i64()) {
            neighbours::register(ctx, group, task.text("_ip"), port);
        }
    }
    announce(ctx, task);
    emitted::task(ctx, &task.id);
    scheduler::wake_for(ctx, task);
}

/// A task of no service whose containers have a command of their own ends by itself, with the code that its image's
/// behaviour says (0 if none does).
fn one_off(ctx: &Ctx<'_>, task: &Resource) -> Option<(i64, Duration)> {
    let commanded = task.attrs["overrides"]["containerOverrides"].as_array()?.iter().any(|o| o["command"].is_array());
    if !commanded || !task.text("_service").is_empty() {
        return None;
    }
    let exits = containers(ctx, task).iter().any(|container| behaviour_of(ctx, task, container).exits.is_some());
    (!exits).then_some((0, Duration::from_secs(5)))
}

fn serve(container: &Value, does: &behaviour::Behaviour, answers: &mut Map<String, Value>) {
    if does.silent {
        return;
    }
    for port in container["portMappings"].as_array().into_iter().flatten() {
        let mut paths: Map<String, Value> =
            does.paths.iter().map(|(path, status)| (path.clone(), (*status).into())).collect();
        paths.entry("*").or_insert_with(|| 200.into());
        answers.insert(port["containerPort"].to_string(), Value::Object(paths));
    }
}

fn write_logs(ctx: &mut Ctx<'_>, task: &Resource, container: &Value, lines: &[String]) {
    let options = &container["logConfiguration"]["options"];
    if container["logConfiguration"]["logDriver"] != "awslogs" {
        return;
    }
    let group = options["awslogs-group"].as_str().unwrap_or_default().to_owned();
    let name = container["name"].as_str().unwrap_or_default();
    let stream = format!("{}/{name}/{}", options["awslogs-stream-prefix"].as_str().unwrap_or_default(), task.id);
    for line in lines {
        crate::services::logs::append(ctx, &group, &stream, line);
    }
}

fn announce(ctx: &mut Ctx<'_>, task: &Resource) {
    let attributes = BTreeMap::from([
        ("AWS_INSTANCE_IPV4".to_owned(), task.text("_ip").to_owned()),
        ("AVAILABILITY_ZONE".to_owned(), task.text("availabilityZone").to_owned()),
        ("REGION".to_owned(), ctx.account.region.clone()),
        ("ECS_SERVICE_NAME".to_owned(), super::name_in(task.text("_service"))),
    ]);
    for registry in task.items("_registries").to_vec() {
        let mut attributes = attributes.clone();
        if let Some(port) = registry["containerPort"].as_i64() {
            attributes.insert("AWS_INSTANCE_PORT".to_owned(), port.to_string());
        }
        neighbours::announce(ctx, registry["registryArn"].as_str().unwrap_or_default(), &task.id, &attributes);
    }
}

/// The containers' own health checks.
fn checked(ctx: &mut Ctx<'_>, task: &Resource) {
    let mut worst = "HEALTHY";
    for container in containers(ctx, task).iter().filter(|container| container["healthCheck"].is_object()) {
        let health = if behaviour_of(ctx, task, container).unhealthy { "UNHEALTHY" } else { "HEALTHY" };
        if health == "UNHEALTHY" {
            worst = health;
        }
        let name = container["name"].as_str().unwrap_or_default();
        set_container(ctx, &task.id, name, |container| container["healthStatus"] = health.into());
    }
    ctx.update(TASK, &task.id, |task| task.set("healthStatus", worst));
    scheduler::wake_for(ctx, task);
}

fn exited(ctx: &mut Ctx<'_>, task: &Resource) {
    let given = task.attrs.get("_exit").and_then(Value::as_i64);
    for container in containers(ctx, task) {
        let does = behaviour_of(ctx, task, &container);
        let code = given.or_else(|| does.exits.map(|(code, _)| i64::from(code)));
        let Some(code) = code.filter(|_| container["essential"] == true) else { continue };
        let name = container["name"].as_str().unwrap_or_default();
        set_container(ctx, &task.id, name, |container| {
            container["lastStatus"] = "STOPPED".into();
            container["exitCode"] = code.into();
        });
        return end(ctx, &task.id, "EssentialContainerExited", "Essential container in task exited");
    }
}

/// Begins the end of a task.
pub(super) fn end(ctx: &mut Ctx<'_>, id: &str, code: &str, reason: &str) {
    let Some(task) = ctx.get(TASK, id).filter(|task| task.text("desiredStatus") == "RUNNING") else { return };
    let at = seconds(ctx.now);
    ctx.update(TASK, id, |task| {
        task.set("desiredStatus", "STOPPED");
        task.set("stopCode", code);
        task.set("stoppedReason", reason);
        task.set("stoppingAt", at);
    });
    status(ctx, id, "DEACTIVATING");
    for target in task.items("_targets") {
        if let (Some(group), Some(port)) = (target[0].as_str(), target[1].as_i64()) {
            neighbours::deregister(ctx, group, task.text("_ip"), port);
        }
    }
    for registry in task.items("_registries") {
        neighbours::withdraw(ctx, registry["registryArn"].as_str().unwrap_or_default(), id);
    }
    ctx.after(DRAINING, TASK, id, "draining");
    emitted::task(ctx, id);
    scheduler::wake_for(ctx, &task);
}

/// The containers are told to stop when no request is on its way to them any more.
fn draining(ctx: &mut Ctx<'_>, task: &Resource) {
    let registered = task.items("_targets").iter().any(|target| {
        let (group, port) = (target[0].as_str().unwrap_or_default(), target[1].as_i64().unwrap_or(0));
        neighbours::health(ctx, group, task.text("_ip"), port).is_some()
    });
    if registered && task.text("stopCode") != "EssentialContainerExited" {
        ctx.after(DRAINING, TASK, &task.id, "draining");
        return;
    }
    status(ctx, &task.id, "STOPPING");
    let killed = killed_after(ctx, task);
    ctx.update(TASK, &task.id, |task| task.set("_killed", killed.is_some()));
    ctx.after(killed.unwrap_or(STOPPED), TASK, &task.id, "stopped");
    emitted::task(ctx, &task.id);
}

/// When a container that does not hear is killed: after its stop timeout, which is 30 seconds where none is given.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout>
fn killed_after(ctx: &Ctx<'_>, task: &Resource) -> Option<Duration> {
    let running = task.attrs.contains_key("startedAt") && task.text("stopCode") != "EssentialContainerExited";
    let deaf = |container: &Value| running && behaviour_of(ctx, task, container).deaf;
    let timeout = |container: Value| container["stopTimeout"].as_u64().unwrap_or(30);
    containers(ctx, task).into_iter().filter(deaf).map(timeout).max().map(Duration::from_secs)
}

fn stopped(ctx: &mut Ctx<'_>, task: &Resource) {
    let ran = task.attrs.contains_key("startedAt");
    let signal = if task.flag("_killed") { 137 } else { 143 };
    let at = seconds(ctx.now);
    status(ctx, &task.id, "STOPPED");
    ctx.update(TASK, &task.id, |task| {
        task.set("stoppedAt", at.clone());
        task.set("executionStoppedAt", at);
        task.set("connectivity", "DISCONNECTED");
        task.set("_gone", true);
        for attachment in task.list_mut("attachments") {
            attachment["status"] = "DELETED".into();
        }
        for container in task.list_mut("containers") {
            container["lastStatus"] = "STOPPED".into();
            // Told to stop, they end by SIGTERM, or else by SIGKILL.
            if ran && container["exitCode"].is_null() {
                container["exitCode"] = signal.into();
            }
        }
    });
    interface::remove_for(ctx, task.text("taskArn"));
    emitted::task(ctx, &task.id);
    ctx.after(REMEMBERED, TASK, &task.id, "forgotten");
    placement::protect(ctx, task.text("_instance"));
    definition::reap(ctx, &super::name_in(task.text("taskDefinitionArn")));
    scheduler::wake_for(ctx, task);
}

/// The machine under a task is gone.
pub(super) fn lost(ctx: &mut Ctx<'_>, id: &str, reason: &str) {
    end(ctx, id, "TerminationNotice", reason);
    if let Some(task) = ctx.get(TASK, id) {
        stopped(ctx, &task);
    }
}

/// Whether a task does what it is for: it runs, its targets are healthy, its health checks pass, and it has done so
/// for long enough not to be a container that starts and dies.
pub(super) fn is_healthy(ctx: &Ctx<'_>, task: &Resource) -> bool {
    const PROVEN: i64 = 10;
    task.text("lastStatus") == "RUNNING"
        && task.text("desiredStatus") == "RUNNING"
        && ctx.now.as_second() - task.number("_running_since") >= PROVEN
        && (task.text("healthStatus") == "HEALTHY" || !has_check(ctx, task))
        && targets(task)
            .iter()
            .all(|(group, port)| neighbours::health(ctx, group, task.text("_ip"), *port).as_deref() == Some("healthy"))
}

fn has_check(ctx: &Ctx<'_>, task: &Resource) -> bool {
    containers(ctx, task).iter().any(|container| container["healthCheck"].is_object())
}

/// Where the load balancer finds the task.
pub(super) fn targets(task: &Resource) -> Vec<(String, i64)> {
    let pair = |target: &Value| Some((target[0].as_str()?.to_owned(), target[1].as_i64()?));
    task.items("_targets").iter().filter_map(pair).collect()
}

/// Why a running task has to be replaced, in ECS's words.
pub(super) fn unhealthy(ctx: &Ctx<'_>, task: &Resource, grace: i64) -> Option<String> {
    if task.text("lastStatus") != "RUNNING" || task.text("desiredStatus") != "RUNNING" {
        return None;
    }
    if task.text("healthStatus") == "UNHEALTHY" {
        return Some("Task failed container health checks".to_owned());
    }
    let in_grace = ctx.now.as_second() - task.number("_running_since") < grace;
    let (group, _) = targets(task).into_iter().find(|(group, port)| {
        neighbours::health(ctx, group, task.text("_ip"), *port).as_deref() == Some("unhealthy")
    })?;
    (!in_grace).then(|| format!("Task failed ELB health checks in (target-group {group})"))
}

/// The tasks of a service that have not ended.
pub(super) fn of_service(ctx: &Ctx<'_>, service: &str) -> Vec<Arc<Resource>> {
    ctx.those(TASK, |task| task.text("_service") == service && task.text("lastStatus") != "STOPPED")
}

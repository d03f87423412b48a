//! Task definitions: families of revisions that never change.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html>

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{DEFINITION, DEPLOYMENT, TASK, arn, arns, client, definition_check, invalid, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::iam;
use crate::services::shared::{seconds, shown};
use crate::store::Resource;

/// Members that are kept as they come.
const KEPT: &[&str] =
    &["volumes", "placementConstraints", "runtimePlatform", "pidMode", "ipcMode", "enableFaultInjection"];

pub(super) fn register(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let family = input.string("family")?;
    let tags = tags::requested(input)?;
    ctx.authorise(
        Grant::new("ecs:RegisterTaskDefinition", arn(ctx, format!("task-definition/{family}:*"))).request_tags(&tags),
    )?;
    tags::authorise_new(ctx, "RegisterTaskDefinition", &arn(ctx, format!("task-definition/{family}:*")), &tags)?;
    if family.len() > 255 || !family.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Err(client("Family contains invalid characters."));
    }
    let mut roles = Vec::new();
    for role in ["taskRoleArn", "executionRoleArn"] {
        if let Some(role_arn) = input.opt_str(role) {
            if !role_arn.starts_with("arn:") {
                return Err(client("Role is not valid"));
            }
            iam::authorise_pass(ctx, role_arn, "ecs-tasks.amazonaws.com")?;
            roles.push((role, role_arn.to_owned()));
        }
    }
    let network_mode = input.opt_str("networkMode").unwrap_or("bridge").to_owned();
    let (cpu, memory) = (size(input, "cpu")?, size(input, "memory")?);
    let task = definition_check::Task {
        network_mode: &network_mode,
        has_memory: memory.is_some(),
        has_execution_role: roles.iter().any(|(role, _)| *role == "executionRoleArn"),
    };
    let given = input.opt("containerDefinitions").and_then(Value::as_array).cloned().unwrap_or_default();
    let _ = input.objects("containerDefinitions").iter().map(Input::raw).count();
    let containers = definition_check::containers(&task, &given)?;
    let requires = input.strings("requiresCompatibilities");
    if requires.iter().any(|one| one != "EC2") {
        return Err(ApiError::not_simulated("task definitions for other than EC2"));
    }
    let revision = next_revision(ctx, &family);
    let id = format!("{family}:{revision}");
    let mut definition = ctx.resource(
        DEFINITION,
        &id,
        json!({
            "taskDefinitionArn": arn(ctx, format!("task-definition/{id}")),
            "family": family,
            "revision": revision,
            "networkMode": network_mode,
            "containerDefinitions": containers,
            "volumes": [],
            "placementConstraints": [],
            "status": "ACTIVE",
            "compatibilities": ["EC2", "MANAGED_INSTANCES"],
            "requiresAttributes": requirements(&given, &network_mode),
            "registeredAt": seconds(ctx.now),
            "registeredBy": ctx.caller(),
        }),
    );
    if !requires.is_empty() {
        definition.set("requiresCompatibilities", requires);
    }
    for (name, value) in
        roles.into_iter().map(|(role, arn)| (role, Some(arn))).chain([("cpu", cpu), ("memory", memory)])
    {
        if let Some(value) = value {
            definition.set(name, value);
        }
    }
    for name in KEPT {
        if let Some(value) = input.opt(name) {
            definition.set(name, value.clone());
            let _ = input.object(name).map(|inside| inside.raw());
            let _ = input.objects(name).iter().map(Input::raw).count();
        }
    }
    definition.tags = tags;
    let answer = json!({"taskDefinition": shown(&definition), "tags": tags::shown(&definition.tags)});
    ctx.insert(definition);
    // A revision number is never used twice, even when all of a family are deleted.
    let counter = ctx.resource("ecs.task-definition-counter", &family, json!({"_last": revision, "_initial": true}));
    ctx.insert(counter);
    Ok(answer)
}

/// CPU units or MiB, as digits (also `1 vCPU`, `2GB`).
fn size(input: &Input, name: &str) -> Result<Option<String>, ApiError> {
    let Some(text) = input.opt_str(name) else { return Ok(None) };
    let lower = text.to_lowercase();
    let number = |unit: &str| {
        lower.strip_suffix(unit).and_then(|n| n.trim().parse::<f64>().ok()).map(|n| (n * 1024.0).to_string())
    };
    let plain = lower.parse::<u32>().ok().map(|number| number.to_string());
    plain
        .or_else(|| number("vcpu"))
        .or_else(|| number("gb"))
        .map(Some)
        .ok_or_else(|| client(format!("Invalid '{name}' setting for task.")))
}

fn next_revision(ctx: &Ctx<'_>, family: &str) -> i64 {
    ctx.get("ecs.task-definition-counter", family).map_or(0, |counter| counter.number("_last")) + 1
}

fn requirements(containers: &[Value], network_mode: &str) -> Vec<Value> {
    let mut names = BTreeSet::from(["com.amazonaws.ecs.capability.docker-remote-api.1.18".to_owned()]);
    if network_mode == "awsvpc" {
        names.insert("ecs.capability.task-eni".to_owned());
    }
    for container in containers {
        if let Some(driver) = container["logConfiguration"]["logDriver"].as_str() {
            names.insert(format!("com.amazonaws.ecs.capability.logging-driver.{driver}"));
            names.insert("ecs.capability.execution-role-awslogs".to_owned());
        }
        if container["healthCheck"].is_object() {
            names.insert("ecs.capability.container-health-check".to_owned());
        }
        if container["secrets"].as_array().is_some_and(|secrets| !secrets.is_empty()) {
            names.insert("ecs.capability.secrets.ssm.environment-variables".to_owned());
        }
        if container["image"].as_str().is_some_and(|image| image.contains(".dkr.ecr.")) {
            names.insert("com.amazonaws.ecs.capability.ecr-auth".to_owned());
            names.insert("ecs.capability.execution-role-ecr-pull".to_owned());
        }
    }
    names.into_iter().map(|name| json!({"name": name})).collect()
}

/// The revision that a request or a service means: `family`, `family:revision` or an ARN of either.
pub(super) fn find(ctx: &Ctx<'_>, text: &str) -> Option<Arc<Resource>> {
    let id = super::name_in(text);
    if id.contains(':') {
        return ctx.get(DEFINITION, &id);
    }
    let active = ctx.those(DEFINITION, |d| d.text("family") == id && d.text("status") == "ACTIVE");
    active.into_iter().max_by_key(|definition| definition.number("revision"))
}

/// The same, when a new task or service may use it.
pub(super) fn usable(ctx: &Ctx<'_>, text: &str) -> Result<Arc<Resource>, ApiError> {
    match find(ctx, text) {
        Some(found) if found.text("status") == "ACTIVE" => Ok(found),
        Some(_) => Err(client("TaskDefinition is inactive")),
        None => Err(client("TaskDefinition not found.")),
    }
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = input.strings("include").iter().any(|what| what == "TAGS");
    let found = find(ctx, input.str("taskDefinition")?).ok_or_else(|| client("Unable to describe task definition."))?;
    let mut answer = json!({"taskDefinition": shown(&found)});
    if tags {
        answer["tags"] = tags::shown(&found.tags);
    }
    Ok(answer)
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let prefix = input.opt_str("familyPrefix").map(str::to_owned);
    let status = input.opt_str("status").unwrap_or("ACTIVE").to_owned();
    let descending = input.opt_str("sort") == Some("DESC");
    let mut all = ctx.those(DEFINITION, |d| {
        d.text("status") == status && prefix.as_deref().is_none_or(|prefix| d.text("family") == prefix)
    });
    all.sort_by_key(|d| (d.text("family").to_owned(), d.number("revision")));
    if descending {
        all.reverse();
    }
    arns(input, "taskDefinitionArns", all.iter().map(|d| d.attrs["taskDefinitionArn"].clone()).collect())
}

pub(super) fn families(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let prefix = input.opt_str("familyPrefix").unwrap_or_default().to_owned();
    let status = input.opt_str("status").unwrap_or("ALL").to_owned();
    let all = ctx.those(DEFINITION, |d| {
        d.text("family").starts_with(&prefix)
            && (status == "ALL" || d.text("status") == status)
            && d.text("status") != "DELETE_IN_PROGRESS"
    });
    let families: BTreeSet<String> = all.iter().map(|d| d.text("family").to_owned()).collect();
    arns(input, "families", families.into_iter().map(Value::from).collect())
}

pub(super) fn deregister(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("ecs:DeregisterTaskDefinition", "*"))?;
    let text = input.string("taskDefinition")?;
    if !super::name_in(&text).contains(':') {
        return Err(invalid("Revision is missing: give family:revision"));
    }
    let found = find(ctx, &text).ok_or_else(|| client("Unable to describe task definition."))?;
    let at = seconds(ctx.now);
    ctx.update(DEFINITION, &found.id, |definition| {
        if definition.text("status") == "ACTIVE" {
            definition.set("status", "INACTIVE");
            definition.set("deregisteredAt", at);
        }
    });
    let found = find(ctx, &found.id).ok_or_else(|| client("Unable to describe task definition."))?;
    Ok(json!({"taskDefinition": shown(&found)}))
}

/// Deletes inactive revisions; those still in use stay `DELETE_IN_PROGRESS` until they are not.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteTaskDefinitions.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let wanted = input.strings("taskDefinitions");
    if wanted.is_empty() || wanted.len() > 10 {
        return Err(invalid("Between 1 and 10 task definitions can be deleted in one call."));
    }
    let (mut gone, mut failures) = (Vec::new(), Vec::new());
    for text in wanted {
        let definition_arn = arn(ctx, format!("task-definition/{}", super::name_in(&text)));
        let found = find(ctx, &text);
        let mut grant = Grant::new("ecs:DeleteTaskDefinitions", &definition_arn);
        if let Some(found) = &found {
            grant = grant.resource_tags(&found.tags);
        }
        ctx.authorise(grant)?;
        match found {
            None => failures.push(json!({"arn": definition_arn, "reason": "MISSING", "detail": "The specified task definition does not exist. Specify a valid account, family, revision and try again."})),
            Some(found) if found.text("status") == "ACTIVE" => failures.push(json!({"arn": definition_arn, "reason": "ACTIVE_TASK_DEFINITION", "detail": "The specified task definition is still in ACTIVE status. Please deregister the target and try again."})),
            Some(found) => {
                let at = seconds(ctx.now);
                ctx.update(DEFINITION, &found.id, |definition| {
                    definition.set("status", "DELETE_IN_PROGRESS");
                    definition.set("deleteRequestedAt", at);
                    definition.set("_gone", true);
                });
                gone.extend(find(ctx, &found.id).map(|d| Value::Object(shown(&d))));
                reap(ctx, &found.id);
            }
        }
    }
    Ok(json!({"taskDefinitions": gone, "failures": failures}))
}

/// A deleted revision that nothing uses any more goes.
pub(super) fn reap(ctx: &mut Ctx<'_>, id: &str) {
    let Some(found) = ctx.get(DEFINITION, id).filter(|d| d.text("status") == "DELETE_IN_PROGRESS") else { return };
    let used = |r: &Resource| super::name_in(r.text("taskDefinition")) == found.id;
    let tasks =
        |t: &Resource| super::name_in(t.text("taskDefinitionArn")) == found.id && t.text("lastStatus") != "STOPPED";
    if ctx.those(DEPLOYMENT, used).is_empty() && ctx.those(TASK, tasks).is_empty() {
        ctx.after(Duration::from_secs(30), DEFINITION, id, "deleted");
    }
}

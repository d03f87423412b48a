//! What AWS tells of service deployments and revisions.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html>

use serde_json::{Value, json};

use super::deployment::{RECORD, REVISION, pending, running, threshold};
use super::service_settings::key;
use super::{DEPLOYMENT, SERVICE_KIND, arn, authorise_in, cluster_name, failure, invalid, name_in};
use crate::account::Ctx;
use crate::error::Outcome;
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

pub(super) fn list_deployments(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let cluster = cluster_name(input);
    let id = key(&cluster, input.str("service")?);
    authorise_in(ctx, "ListServiceDeployments", &arn(ctx, format!("service/{id}")), &cluster, None)?;
    let statuses = input.strings("status");
    if input.has("createdAt") {
        return Err(crate::error::ApiError::not_simulated("createdAt of ListServiceDeployments"));
    }
    if ctx.get(SERVICE_KIND, &id).is_none() {
        return Err(super::service_settings::no_service());
    }
    let mut all = ctx.those(RECORD, |r| {
        r.text("_service") == id && (statuses.is_empty() || statuses.iter().any(|s| r.text("status") == s))
    });
    all.sort_by_key(|r| std::cmp::Reverse(r.created));
    let brief = |record: &Resource| {
        let mut map = shown(record);
        let kept = [
            "serviceDeploymentArn",
            "serviceArn",
            "clusterArn",
            "startedAt",
            "createdAt",
            "finishedAt",
            "status",
            "statusReason",
        ];
        map.retain(|name, _| kept.contains(&name.as_str()));
        map.insert("targetServiceRevisionArn".into(), record.text("_target").into());
        Value::Object(map)
    };
    super::arns(input, "serviceDeployments", all.iter().map(|record| brief(record)).collect())
}

pub(super) fn describe_deployments(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    let wanted = input.strings("serviceDeploymentArns");
    if wanted.is_empty() {
        return Err(invalid("serviceDeploymentArns cannot be empty."));
    }
    for wanted in wanted {
        let record = ctx.get(RECORD, &wanted);
        let cluster = record.as_ref().map_or_else(String::new, |r| name_in(r.text("clusterArn")));
        authorise_in(ctx, "DescribeServiceDeployments", &wanted, &cluster, None)?;
        match record {
            Some(record) => found.push(view(ctx, &record)),
            None => failures.push(failure(&wanted)),
        }
    }
    Ok(json!({"serviceDeployments": found, "failures": failures}))
}

fn view(ctx: &Ctx<'_>, record: &Resource) -> Value {
    let mut map = shown(record);
    let deployment = ctx.get(DEPLOYMENT, record.text("_deployment"));
    let desired = deployment.as_ref().map_or(0, |d| d.number("desiredCount"));
    map.insert(
        "targetServiceRevision".into(),
        json!({
            "arn": record.text("_target"),
            "requestedTaskCount": desired,
            "runningTaskCount": deployment.as_ref().map_or(0, |d| running(ctx, &d.id)),
            "pendingTaskCount": deployment.as_ref().map_or(0, |d| pending(ctx, &d.id)),
        }),
    );
    let settings = &record.attrs["deploymentConfiguration"];
    let status = match (settings["deploymentCircuitBreaker"]["enable"] == true, record.text("status")) {
        (false, _) => "DISABLED",
        (true, "IN_PROGRESS") => "MONITORING",
        (true, "SUCCESSFUL") => "MONITORING_COMPLETE",
        (true, _) => "TRIGGERED",
    };
    map.insert("deploymentCircuitBreaker".into(), json!({
        "status": status, "failureCount": deployment.as_ref().map_or(0, |d| d.number("failedTasks")), "threshold": threshold(desired),
    }));
    if let Some(deployment) = deployment {
        map.insert("lifecycleStage".into(), deployment.text("_stage").into());
        if deployment.text("_stage") == "COMPLETED" {
            map.insert("lifecycleStage".into(), "CLEAN_UP".into());
        }
    }
    Value::Object(map)
}

pub(super) fn describe_revisions(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    let wanted = input.strings("serviceRevisionArns");
    if wanted.is_empty() {
        return Err(invalid("serviceRevisionArns cannot be empty."));
    }
    for wanted in wanted {
        let revision = ctx.get(REVISION, &wanted);
        let cluster = revision.as_ref().map_or_else(String::new, |r| name_in(r.text("clusterArn")));
        authorise_in(ctx, "DescribeServiceRevisions", &wanted, &cluster, None)?;
        match revision {
            Some(revision) => found.push(Value::Object(shown(&revision))),
            None => failures.push(failure(&wanted)),
        }
    }
    Ok(json!({"serviceRevisions": found, "failures": failures}))
}

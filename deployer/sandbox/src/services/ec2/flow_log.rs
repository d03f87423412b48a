//! Flow logs.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::interface::INTERFACE;
use super::subnet::SUBNET;
use super::vpc::VPC;
use super::{Noun, describe, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::{iam, logs};
use crate::store::{Resource, Tags, Timer};
use crate::wire::iso_millis;

pub(crate) static FLOW_LOG: Noun = Noun {
    kind: "ec2.vpc-flow-log",
    resource_type: "vpc-flow-log",
    prefix: "fl",
    set: "flowLogSet",
    ids: "FlowLogId",
    id_attr: "flowLogId",
    not_found: "InvalidFlowLogId.NotFound",
    malformed: "InvalidFlowLogId.Malformed",
    label: "flow log ID",
    filters: &[
        ("flow-log-id", "flowLogId"),
        ("resource-id", "resourceId"),
        ("traffic-type", "trafficType"),
        ("log-group-name", "logGroupName"),
        ("log-destination-type", "logDestinationType"),
        ("deliver-log-status", "deliverLogsStatus"),
    ],
};

const FORMAT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";

/// The service that a flow log's role must trust.
const DELIVERY: &str = "vpc-flow-logs.amazonaws.com";

/// Typical time to the first delivery.
const FIRST_RECORDS: Duration = Duration::from_secs(600);

/// What a request asks of each flow log.
struct Wanted {
    attrs: Value,
    tags: Tags,
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = tags::requested(input, &FLOW_LOG)?;
    tags::authorise_create(ctx, "CreateFlowLogs", &FLOW_LOG, &tags)?;
    let token = input.opt_str("ClientToken");
    if let Some(known) = ctx.token("CreateFlowLogs", token, input)? {
        return Ok(
            json!({"flowLogIdSet": known.split(' ').collect::<Vec<_>>(), "unsuccessful": [], "clientToken": token}),
        );
    }
    let wanted = Wanted { attrs: asked(ctx, input)?, tags };
    let noun = match input.str("ResourceType")? {
        "VPC" => &VPC,
        "Subnet" => &SUBNET,
        "NetworkInterface" => &INTERFACE,
        other => return Err(ApiError::not_simulated(format!("flow logs of a {other}"))),
    };
    if let Some(role) = input.opt_str("DeliverLogsPermissionArn") {
        iam::authorise_pass(ctx, role, DELIVERY)?;
    }
    let (mut made, mut failed) = (Vec::new(), Vec::new());
    for id in input.strings("ResourceId") {
        match put(ctx, noun, &id, &wanted) {
            Ok(flow_log) => made.push(flow_log),
            Err(error) if error.code == "UnauthorizedOperation" => return Err(error),
            Err(error) => {
                failed.push(json!({"resourceId": id, "error": {"code": error.code, "message": error.message}}))
            }
        }
    }
    if failed.is_empty() {
        ctx.remember("CreateFlowLogs", token, input, &made.join(" "));
    }
    Ok(json!({"flowLogIdSet": made, "unsuccessful": failed, "clientToken": token}))
}

/// The destination and form that the request asks for; the rules are those that real AWS was recorded to have.
fn asked(ctx: &Ctx<'_>, input: &Input) -> Result<Value, ApiError> {
    let group = input.opt_str("LogGroupName");
    let destination = input.opt_str("LogDestination");
    let kind = input.opt_str("LogDestinationType").unwrap_or("cloud-watch-logs");
    let invalid = |message: &str| refuse("InvalidParameter", message);
    if group.is_some() && destination.is_some() {
        return Err(invalid("Please only provide LogGroupName or only provide LogDestination."));
    }
    if group.is_some() && kind != "cloud-watch-logs" {
        return Err(invalid("LogDestination type must be cloud-watch-logs if LogGroupName is provided."));
    }
    if group.is_none() && destination.is_none() {
        return Err(invalid("LogDestination can't be empty if LogGroupName is not provided."));
    }
    let role = input.opt_str("DeliverLogsPermissionArn");
    if kind == "cloud-watch-logs" && role.is_none() {
        return Err(invalid("DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs."));
    }
    if kind != "cloud-watch-logs" {
        return Err(ApiError::not_simulated(format!("flow logs to {kind}")));
    }
    let interval = input.opt_int("MaxAggregationInterval")?.unwrap_or(600);
    if !matches!(interval, 60 | 600) {
        return Err(input.invalid("MaxAggregationInterval", &Value::from(interval)));
    }
    // AWS answers name and ARN, whichever of them it was given; the ARN without the `:*` that Logs puts behind it.
    let name = group.or_else(|| destination.and_then(|arn| arn.split(":log-group:").nth(1))).unwrap_or_default();
    let name = name.trim_end_matches(":*");
    Ok(json!({
        "trafficType": input.opt_str("TrafficType").unwrap_or("ALL"),
        "logDestinationType": kind,
        "logGroupName": name,
        "logDestination": ctx.arn("logs", format!("log-group:{name}")),
        "deliverLogsPermissionArn": role,
        "logFormat": input.opt_str("LogFormat").unwrap_or(FORMAT),
        "maxAggregationInterval": interval,
        "flowLogStatus": "ACTIVE",
        "deliverLogsStatus": "SUCCESS",
        "creationTime": iso_millis(ctx.now),
    }))
}

fn put(ctx: &mut Ctx<'_>, noun: &'static Noun, id: &str, wanted: &Wanted) -> Result<String, ApiError> {
    let target = noun.used(ctx, id)?;
    tags::authorise_on(ctx, "CreateFlowLogs", noun, &target)?;
    let same = |other: &Resource| {
        other.text("resourceId") == id
            && ["trafficType", "logDestination"].iter().all(|name| other.text(name) == wanted.attrs[name])
    };
    if !ctx.those("ec2.vpc-flow-log", same).is_empty() {
        let message = "Error. There is an existing Flow Log with the same configuration and log destination.";
        return Err(refuse("FlowLogAlreadyExists", message));
    }
    let new = ctx.new_id("fl");
    let mut flow_log = ctx.resource("ec2.vpc-flow-log", &new, wanted.attrs.clone());
    flow_log.set("resourceId", id);
    flow_log.tags = wanted.tags.clone();
    ctx.insert(flow_log);
    ctx.after(FIRST_RECORDS, "ec2.vpc-flow-log", &new, "delivered");
    Ok(new)
}

/// The first delivery makes the log group where nobody else has: without retention, and it stays behind.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html>
pub(crate) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let Some(flow_log) = ctx.get("ec2.vpc-flow-log", &timer.id) else { return };
    let role = iam::role_by_arn(ctx, flow_log.text("deliverLogsPermissionArn"));
    if role.is_some_and(|role| iam::trusts(&role, DELIVERY)) {
        logs::made_by_aws(ctx, flow_log.text("logGroupName"));
        return;
    }
    // <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-troubleshooting.html>
    ctx.update("ec2.vpc-flow-log", &timer.id, |flow_log| {
        flow_log.set("deliverLogsStatus", "FAILED");
        flow_log.set("deliverLogsErrorMessage", "Access error");
    });
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    describe::describe(ctx, input, &FLOW_LOG)
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let mut found = Vec::new();
    for id in input.strings("FlowLogId") {
        found.push(FLOW_LOG.used(ctx, &id)?);
    }
    if found.is_empty() {
        return Err(input.missing("FlowLogId"));
    }
    for flow_log in found {
        tags::authorise_on(ctx, "DeleteFlowLogs", &FLOW_LOG, &flow_log)?;
        ctx.remove("ec2.vpc-flow-log", &flow_log.id);
    }
    Ok(json!({"unsuccessful": []}))
}

//! Instances: how a launch template becomes a machine, and how it goes again. Auto Scaling launches them.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::instance_type::{self, Spec};
use super::security_group::GROUP;
use super::subnet::SUBNET;
use super::{Noun, image, instance_object, interface, tags, volume};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::{autoscaling, iam};
use crate::store::{Resource, Tags, Timer};
use crate::wire::iso_millis;

pub(crate) static INSTANCE: Noun = Noun {
    kind: "ec2.instance",
    resource_type: "instance",
    prefix: "i",
    set: "instancesSet",
    ids: "InstanceId",
    id_attr: "instanceId",
    not_found: "InvalidInstanceID.NotFound",
    malformed: "InvalidInstanceID.Malformed",
    label: "instance ID",
    filters: &[
        ("instance-id", "instanceId"),
        ("instance-state-name", "instanceState.name"),
        ("instance-state-code", "instanceState.code"),
        ("instance-type", "instanceType"),
        ("image-id", "imageId"),
        ("architecture", "architecture"),
        ("availability-zone", "placement.availabilityZone"),
        ("subnet-id", "subnetId"),
        ("vpc-id", "vpcId"),
        ("private-ip-address", "privateIpAddress"),
        ("private-dns-name", "privateDnsName"),
        ("ip-address", "ipAddress"),
        ("dns-name", "dnsName"),
        ("iam-instance-profile.arn", "iamInstanceProfile.arn"),
        ("iam-instance-profile.id", "iamInstanceProfile.id"),
        ("instance.group-id", "groupSet.groupId"),
        ("instance.group-name", "groupSet.groupName"),
        ("network-interface.network-interface-id", "networkInterfaceSet.networkInterfaceId"),
        ("block-device-mapping.volume-id", "blockDeviceMapping.ebs.volumeId"),
        ("monitoring-state", "monitoring.state"),
        ("metadata-options.http-tokens", "metadataOptions.httpTokens"),
        ("owner-id", "ownerId"),
        ("root-device-name", "rootDeviceName"),
        ("tenancy", "placement.tenancy"),
        ("key-name", "keyName"),
        ("launch-time", "launchTime"),
    ],
};

/// Typical times until an instance runs, until its ECS agent is there, until it is terminated, and until nobody
/// remembers it.
const RUNNING: Duration = Duration::from_secs(20);
const AGENT: Duration = Duration::from_secs(70);
const TERMINATED: Duration = Duration::from_secs(30);
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);

/// What is to be launched.
pub(crate) struct Launch<'a> {
    /// A launch template's data, in the form of its answers.
    pub(crate) data: &'a Map<String, Value>,
    pub(crate) subnet: &'a str,
    /// On the instance, beside those that the template has for it.
    pub(crate) tags: Tags,
    /// The role in whose name keys are used; none: the caller's own, which is not judged here.
    pub(crate) role: Option<String>,
}

/// What instances need of a template before any is launched; the checks of a `RunInstances`.
pub(crate) struct Judged {
    pub(crate) spec: Spec,
    pub(crate) image: image::Image,
    pub(crate) profile: Option<Arc<Resource>>,
    pub(crate) groups: Vec<String>,
}

pub(super) fn text<'a>(data: &'a Map<String, Value>, name: &str) -> &'a str {
    data.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Judges a template's data as a launch into a subnet would.
///
/// # Errors
/// What is named is not there, not yet, or does not fit together.
pub(crate) fn judge(ctx: &Ctx<'_>, data: &Map<String, Value>, subnet: &str) -> Result<Judged, ApiError> {
    let subnet = SUBNET.used(ctx, subnet)?;
    let kind = text(data, "instanceType");
    let spec = instance_type::spec(kind)
        .ok_or_else(|| refuse("InvalidParameterValue", format!("Invalid value '{kind}' for InstanceType.")))?;
    if text(data, "imageId").is_empty() {
        return Err(refuse("MissingParameter", "The request must contain the parameter ImageId"));
    }
    let image = image::of(ctx, text(data, "imageId"))?;
    if image.arch != spec.arch {
        let message = format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
            spec.arch, image.arch
        );
        return Err(refuse("InvalidParameterValue", message));
    }
    let groups = groups(data);
    for id in &groups {
        if GROUP.used(ctx, id)?.text("vpcId") != subnet.text("vpcId") {
            let message = format!("Security group {id} and subnet {} belong to different networks.", subnet.id);
            return Err(refuse("InvalidParameter", message));
        }
    }
    Ok(Judged { spec, image, profile: profile(ctx, data)?, groups })
}

fn groups(data: &Map<String, Value>) -> Vec<String> {
    let own = data.get("networkInterfaceSet").and_then(|all| all.get(0)).and_then(|one| one.get("groupSet:groupId"));
    let listed = own.or_else(|| data.get("securityGroupIdSet")).and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// The instance profile, which EC2 comes to know some seconds after IAM.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html>
fn profile(ctx: &Ctx<'_>, data: &Map<String, Value>) -> Result<Option<Arc<Resource>>, ApiError> {
    let Some(wanted) = data.get("iamInstanceProfile") else { return Ok(None) };
    let (member, value, what) = match (wanted["arn"].as_str(), wanted["name"].as_str()) {
        (Some(arn), _) => ("arn", arn, "ARN"),
        (None, name) => ("name", name.unwrap_or_default(), "name"),
    };
    let name = value.rsplit('/').next().unwrap_or_default();
    let known = iam::profile_for_instances(ctx, name).filter(|p| member == "name" || p.text("Arn") == value);
    let known = known.ok_or_else(|| {
        let message = format!(
            "Value ({value}) for parameter iamInstanceProfile.{member} is invalid. Invalid IAM Instance Profile {what}"
        );
        refuse("InvalidParameterValue", message)
    })?;
    if known.items("_roles").is_empty() {
        let message = format!("IAM Instance Profile \"{}\" has no associated IAM Roles", known.text("Arn"));
        return Err(refuse("InvalidParameterValue", message));
    }
    Ok(Some(known))
}

/// Launches an instance; answers its id.
///
/// # Errors
/// As [`judge`]; a subnet without a free address; a key that the launching role may not use.
pub(crate) fn launch(ctx: &mut Ctx<'_>, wanted: &Launch<'_>) -> Result<String, ApiError> {
    let judged = judge(ctx, wanted.data, wanted.subnet)?;
    let id = ctx.new_id("i");
    let groups = if judged.groups.is_empty() { default_group(ctx, wanted.subnet) } else { judged.groups.clone() };
    let made = interface::make(
        ctx,
        &interface::Wanted {
            owner: &id,
            subnet: wanted.subnet,
            groups: &groups,
            interface_type: "interface",
            description: "",
            requester: "",
        },
    )?;
    let own = own_interface(ctx, &id, made, wanted);
    let devices = volume::of_instance(ctx, &id, wanted, &judged.image, own.text("availabilityZone"))?;
    let mut instance = instance_object::of(ctx, &id, wanted, &judged, &own);
    instance.set("blockDeviceMapping", devices);
    instance.tags = template_tags(wanted.data, "instance");
    instance.tags.extend(wanted.tags.clone());
    instance.aws_made = true;
    ctx.insert(instance);
    ctx.after(RUNNING, "ec2.instance", &id, "running");
    Ok(id)
}

/// The tags that a template has for what is launched by it.
pub(crate) fn template_tags(data: &Map<String, Value>, kind: &str) -> Tags {
    let all = data.get("tagSpecificationSet").and_then(Value::as_array);
    let of_kind = all.into_iter().flatten().filter(|one| one["resourceType"] == kind);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_kind
        .flat_map(|one| one["tagSet"].as_array().cloned().unwrap_or_default())
        .map(|tag| (text(&tag["key"]), text(&tag["value"])))
        .collect()
}

fn default_group(ctx: &Ctx<'_>, subnet: &str) -> Vec<String> {
    let vpc = ctx.get("ec2.subnet", subnet).map(|s| s.text("vpcId").to_owned()).unwrap_or_default();
    let groups = ctx.those("ec2.security-group", |g| g.text("vpcId") == vpc && g.text("groupName") == "default");
    groups.iter().map(|group| group.id.clone()).collect()
}

/// The first interface: the instance's own, with a public address where the template or the subnet says so.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html>
fn own_interface(ctx: &mut Ctx<'_>, id: &str, made: Resource, wanted: &Launch<'_>) -> Arc<Resource> {
    let subnet = ctx.get("ec2.subnet", wanted.subnet);
    let asked = wanted.data.get("networkInterfaceSet").and_then(|all| all.get(0));
    let asked = asked.and_then(|one| one["associatePublicIpAddress"].as_bool());
    let public = asked.unwrap_or_else(|| subnet.is_some_and(|s| s.flag("mapPublicIpOnLaunch")));
    let tags = template_tags(wanted.data, "network-interface");
    let (account, now) = (ctx.account.id.clone(), iso_millis(ctx.now));
    let address = public.then(|| super::address::fresh(ctx).text("publicIp").to_owned());
    ctx.update("ec2.network-interface", &made.id, |eni| {
        eni.set("requesterManaged", false);
        eni.attrs.remove("requesterId");
        if let Some(attachment) = eni.attrs.get_mut("attachment") {
            attachment["deviceIndex"] = 0.into();
            attachment["networkCardIndex"] = 0.into();
            attachment["instanceId"] = id.into();
            attachment["instanceOwnerId"] = account.into();
            attachment["deleteOnTermination"] = true.into();
            attachment["attachTime"] = now.into();
        }
        if let Some(ip) = address {
            let name = format!("ec2-{}.compute-1.amazonaws.com", ip.replace('.', "-"));
            eni.set("association", json!({"publicIp": ip, "publicDnsName": name, "ipOwnerId": "amazon"}));
        }
        eni.tags = tags;
    });
    ctx.get("ec2.network-interface", &made.id).unwrap_or_else(|| Arc::new(made))
}

/// The state's name, such as `running`; empty when there is no such instance.
pub(crate) fn state(ctx: &Ctx<'_>, id: &str) -> String {
    let instance = ctx.get("ec2.instance", id);
    instance.and_then(|i| i.attrs.get("instanceState")?["name"].as_str().map(str::to_owned)).unwrap_or_default()
}

fn enter(ctx: &mut Ctx<'_>, id: &str, code: i64, name: &str) {
    ctx.update("ec2.instance", id, |i| i.set("instanceState", json!({"code": code, "name": name})));
}

/// Begins the end of an instance.
pub(crate) fn terminate(ctx: &mut Ctx<'_>, id: &str) {
    if !matches!(state(ctx, id).as_str(), "pending" | "running" | "stopping" | "stopped") {
        return;
    }
    enter(ctx, id, 32, "shutting-down");
    let at = ctx.now.strftime("%Y-%m-%d %H:%M:%S GMT").to_string();
    ctx.update("ec2.instance", id, |i| {
        i.set("reason", format!("User initiated ({at})"));
        let why = "Client.UserInitiatedShutdown";
        i.set("stateReason", json!({"code": why, "message": format!("{why}: User initiated shutdown")}));
    });
    ctx.after(TERMINATED, "ec2.instance", id, "terminated");
    autoscaling::instance_going(ctx, id);
}

pub(crate) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let id = &timer.id;
    match (timer.event, state(ctx, id).as_str()) {
        ("running", "pending") => {
            enter(ctx, id, 16, "running");
            ctx.update("ec2.instance", id, |i| {
                for (of, from, to) in [("monitoring", "pending", "enabled"), ("metadataOptions", "pending", "applied")]
                {
                    match i.attrs.get_mut(of) {
                        Some(part) if part["state"] == from => part["state"] = to.into(),
                        _ => {}
                    }
                }
            });
            // The agent of an image for ECS registers by itself.
            ctx.after(AGENT, "ecs.container-instance", id, "agent-started");
            autoscaling::instance_runs(ctx, id);
        }
        ("terminated", "shutting-down") => {
            enter(ctx, id, 48, "terminated");
            gone(ctx, id);
            ctx.after(FORGOTTEN, "ec2.instance", id, "forgotten");
            ctx.after(Duration::ZERO, "ecs.container-instance", id, "instance-gone");
            autoscaling::instance_gone(ctx, id);
        }
        ("forgotten", "terminated") => ctx.remove("ec2.instance", id),
        _ => {}
    }
}

/// Interfaces and volumes go; the instance is remembered for about an hour, without its place in the network.
fn gone(ctx: &mut Ctx<'_>, id: &str) {
    interface::remove_for(ctx, id);
    volume::leave(ctx, id);
    ctx.update("ec2.instance", id, |i| {
        for name in ["subnetId", "vpcId", "privateIpAddress", "ipAddress", "iamInstanceProfile"] {
            i.attrs.remove(name);
        }
        for name in ["groupSet", "blockDeviceMapping"] {
            i.set(name, json!([]));
        }
        i.set("privateDnsName", "");
        i.set("dnsName", "");
        i.set("_gone", true);
    });
}

/// A running instance that anyone with the permission ends, whoever launched it.
pub(crate) fn terminate_many(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["Force", "SkipOsShutdown"]);
    let ids = input.strings("InstanceId");
    if ids.is_empty() {
        return Err(input.missing("InstanceId"));
    }
    let mut changes = Vec::new();
    for id in ids {
        let instance = INSTANCE.used(ctx, &id)?;
        tags::authorise_on(ctx, "TerminateInstances", &INSTANCE, &instance)?;
        if instance.flag("_disableApiTermination") {
            let message = format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
            );
            return Err(refuse("OperationNotPermitted", message));
        }
        terminate(ctx, &id);
        let now = ctx.get("ec2.instance", &id).and_then(|i| i.attrs.get("instanceState").cloned());
        changes.push(json!({
            "instanceId": id, "currentState": now, "previousState": instance.attrs.get("instanceState"),
        }));
    }
    Ok(json!({"instancesSet": changes}))
}

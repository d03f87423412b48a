//! Volumes: made with their instance, and gone with it; and whether new ones are encrypted unless told otherwise.
//! <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption.html>

use serde_json::{Value, json};

use super::image::{self, Image};
use super::instance::{Launch, template_tags};
use super::{Noun, describe};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::kms;
use crate::wire::iso_millis;

pub(crate) static VOLUME: Noun = Noun {
    kind: "ec2.volume",
    resource_type: "volume",
    prefix: "vol",
    set: "volumeSet",
    ids: "VolumeId",
    id_attr: "volumeId",
    not_found: "InvalidVolume.NotFound",
    malformed: "InvalidParameterValue",
    label: "volume",
    filters: &[
        ("volume-id", "volumeId"),
        ("status", "status"),
        ("size", "size"),
        ("encrypted", "encrypted"),
        ("volume-type", "volumeType"),
        ("availability-zone", "availabilityZone"),
        ("snapshot-id", "snapshotId"),
        ("create-time", "createTime"),
        ("attachment.instance-id", "attachmentSet.instanceId"),
        ("attachment.device", "attachmentSet.device"),
        ("attachment.status", "attachmentSet.status"),
        ("attachment.delete-on-termination", "attachmentSet.deleteOnTermination"),
    ],
};

/// The block devices of a new instance: the image's, as the template changes them, and the template's own.
///
/// # Errors
/// A key that is not there, not usable, or not for the role that launches.
pub(crate) fn of_instance(
    ctx: &mut Ctx<'_>,
    instance: &str,
    wanted: &Launch<'_>,
    image: &Image,
    zone: &str,
) -> Result<Vec<Value>, ApiError> {
    let asked = wanted.data.get("blockDeviceMappingSet").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut devices: Vec<(String, Value, bool)> = Vec::new();
    if !asked.iter().any(|one| one["deviceName"] == image::ROOT_DEVICE) {
        devices.push((image::ROOT_DEVICE.to_owned(), json!({}), true));
    }
    for one in asked.iter().filter(|one| one["noDevice"].is_null()) {
        let name = one["deviceName"].as_str().unwrap_or_default().to_owned();
        let root = name == image::ROOT_DEVICE;
        devices.push((name, one["ebs"].clone(), root));
    }
    let mut shown = Vec::new();
    for (device, ebs, root) in devices {
        let id = put(ctx, instance, wanted, &device, &ebs, root.then_some(image), zone)?;
        let keep = ebs["deleteOnTermination"].as_bool().unwrap_or(true);
        let attached = iso_millis(ctx.now);
        shown.push(json!({"deviceName": device, "ebs": {
            "volumeId": id, "status": "attached", "attachTime": attached, "deleteOnTermination": keep,
        }}));
    }
    Ok(shown)
}

fn put(
    ctx: &mut Ctx<'_>,
    instance: &str,
    wanted: &Launch<'_>,
    device: &str,
    ebs: &Value,
    image: Option<&Image>,
    zone: &str,
) -> Result<String, ApiError> {
    let size = ebs["volumeSize"].as_i64().or(image.map(|_| image::ROOT_GIB)).unwrap_or(8);
    if image.is_some() && size < image::ROOT_GIB {
        let message = format!("Volume of size {size}GB is smaller than snapshot, expect size >= {}GB", image::ROOT_GIB);
        return Err(refuse("InvalidBlockDeviceMapping", message));
    }
    let kind = ebs["volumeType"].as_str().unwrap_or("gp3").to_owned();
    let steady = kind == "gp3";
    let encrypted = ebs["encrypted"].as_bool().unwrap_or(false) || by_default(ctx);
    let key = encrypted.then(|| key(ctx, ebs["kmsKeyId"].as_str(), wanted.role.as_deref())).transpose()?;
    let id = ctx.new_id("vol");
    let mut volume = ctx.resource(
        VOLUME.kind,
        &id,
        json!({
            "size": size,
            "snapshotId": image.map(|image| image.snapshot.as_str()).unwrap_or_default(),
            "availabilityZone": zone,
            "status": "in-use",
            "createTime": iso_millis(ctx.now),
            "attachmentSet": [{
                "volumeId": id, "instanceId": instance, "device": device, "status": "attached",
                "attachTime": iso_millis(ctx.now),
                "deleteOnTermination": ebs["deleteOnTermination"].as_bool().unwrap_or(true),
            }],
            "encrypted": encrypted,
            "kmsKeyId": key,
            "volumeType": kind,
            "iops": ebs["iops"].as_i64().or(steady.then_some(3000)),
            "throughput": ebs["throughput"].as_i64().or(steady.then_some(125)),
            "multiAttachEnabled": false,
            "operator": {"managed": false},
        }),
    );
    volume.tags = template_tags(wanted.data, "volume");
    volume.aws_made = true;
    ctx.insert(volume);
    Ok(id)
}

/// The ARN of the key that a volume gets. The key's own policy must let the role that launches use it.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html>
fn key(ctx: &mut Ctx<'_>, wanted: Option<&str>, role: Option<&str>) -> Result<String, ApiError> {
    let Some(wanted) = wanted else { return Ok(kms::managed(ctx, "ebs")) };
    let fault = || refuse("Client.InvalidKMSKey.InvalidState", "The KMS key provided is in an incorrect state");
    let key = kms::usable(ctx, wanted).map_err(|_| fault())?;
    let actions = ["GenerateDataKeyWithoutPlaintext", "Decrypt", "CreateGrant"];
    if let Some(role) = role
        && !kms::allows_role(ctx, &key, role, &actions, "ec2")?
    {
        return Err(refuse("Client.InternalError", "Client error on launch"));
    }
    Ok(key.text("Arn").to_owned())
}

/// The volumes of an instance that has ended: deleted, or left behind where the template said so.
pub(crate) fn leave(ctx: &mut Ctx<'_>, instance: &str) {
    let of_it = |attachment: &Value| attachment["instanceId"] == instance;
    for volume in ctx.those(VOLUME.kind, |v| v.items("attachmentSet").iter().any(of_it)) {
        if volume.items("attachmentSet").iter().all(|a| a["deleteOnTermination"] == true) {
            ctx.remove(VOLUME.kind, &volume.id);
        } else {
            ctx.update(VOLUME.kind, &volume.id, |v| {
                v.set("attachmentSet", json!([]));
                v.set("status", "available");
            });
        }
    }
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeManagedResources"]);
    describe::describe(ctx, input, &VOLUME)
}

/// A volume that nobody uses any more.
pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("VolumeId")?;
    let volume = VOLUME.used(ctx, id)?;
    super::tags::authorise_on(ctx, "DeleteVolume", &VOLUME, &volume)?;
    if let Some(attachment) = volume.items("attachmentSet").first() {
        let by = attachment["instanceId"].as_str().unwrap_or_default();
        return Err(refuse("VolumeInUse", format!("Volume {id} is currently attached to {by}")));
    }
    ctx.remove(VOLUME.kind, id);
    super::done()
}

/// The account's own setting, kept in an object that no inventory counts.
const SETTING: (&str, &str) = ("ec2.account-setting", "ebs-encryption-by-default");

fn by_default(ctx: &Ctx<'_>) -> bool {
    ctx.get(SETTING.0, SETTING.1).is_some_and(|setting| setting.flag("on"))
}

pub(crate) fn get_default(ctx: &mut Ctx<'_>, _: &Input) -> Outcome {
    Ok(json!({"ebsEncryptionByDefault": by_default(ctx), "sseType": if by_default(ctx) { "sse-kms" } else { "none" }}))
}

pub(crate) fn enable_default(ctx: &mut Ctx<'_>, _: &Input) -> Outcome {
    switch(ctx, "EnableEbsEncryptionByDefault", true)
}

pub(crate) fn disable_default(ctx: &mut Ctx<'_>, _: &Input) -> Outcome {
    switch(ctx, "DisableEbsEncryptionByDefault", false)
}

fn switch(ctx: &mut Ctx<'_>, action: &str, on: bool) -> Outcome {
    ctx.authorise(Grant::new(format!("ec2:{action}"), "*"))?;
    let setting = ctx.resource(SETTING.0, SETTING.1, json!({"on": on, "_initial": true}));
    ctx.insert(setting);
    Ok(json!({"ebsEncryptionByDefault": on}))
}

pub(crate) fn default_key(_: &mut Ctx<'_>, _: &Input) -> Outcome {
    Ok(json!({"kmsKeyId": "alias/aws/ebs"}))
}

//! Snapshots of volumes.
//! <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-snapshots.html>

use std::time::Duration;

use serde_json::json;

use super::volume::VOLUME;
use super::{Noun, describe, done, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::events;
use crate::store::{Resource, Tags, Timer};
use crate::wire::iso_millis;

pub(crate) static SNAPSHOT: Noun = Noun {
    kind: "ec2.snapshot",
    resource_type: "snapshot",
    prefix: "snap",
    set: "snapshotSet",
    ids: "SnapshotId",
    id_attr: "snapshotId",
    not_found: "InvalidSnapshot.NotFound",
    malformed: "InvalidParameterValue",
    label: "snapshot",
    filters: &[
        ("snapshot-id", "snapshotId"),
        ("volume-id", "volumeId"),
        ("volume-size", "volumeSize"),
        ("status", "status"),
        ("encrypted", "encrypted"),
        ("owner-id", "ownerId"),
        ("owner-alias", "ownerAlias"),
        ("description", "description"),
        ("progress", "progress"),
        ("start-time", "startTime"),
        ("storage-tier", "storageTier"),
    ],
};

/// Typical time until a snapshot is complete.
const COMPLETE: Duration = Duration::from_secs(120);

/// Begins a snapshot of a volume; others than the caller (lifecycle policies) begin theirs here too.
pub(crate) fn make(ctx: &mut Ctx<'_>, volume: &Resource, description: &str, tags: Tags) -> String {
    let id = ctx.new_id("snap");
    let mut snapshot = ctx.resource(
        SNAPSHOT.kind,
        &id,
        json!({
            "volumeId": volume.id,
            "volumeSize": volume.number("size"),
            "status": "pending",
            "startTime": iso_millis(ctx.now),
            "progress": "0%",
            "ownerId": ctx.account.id,
            "description": description,
            "encrypted": volume.flag("encrypted"),
            "kmsKeyId": volume.attrs.get("kmsKeyId"),
            "storageTier": "standard",
            "transferType": "standard",
        }),
    );
    snapshot.tags = tags;
    ctx.insert(snapshot);
    ctx.after(COMPLETE, SNAPSHOT.kind, &id, "completed");
    id
}

pub(crate) fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    let at = iso_millis(ctx.now);
    ctx.update(SNAPSHOT.kind, &timer.id, |snapshot| {
        snapshot.set("status", "completed");
        snapshot.set("progress", "100%");
        snapshot.set("completionTime", at);
    });
    emitted(ctx, &timer.id);
}

/// Tells EventBridge that a snapshot is complete.
/// <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-cloud-watch-events.html#create-snapshot-complete>
fn emitted(ctx: &mut Ctx<'_>, id: &str) {
    let Some(snapshot) = ctx.get(SNAPSHOT.kind, id) else { return };
    // Without the account: so these ARNs are.
    let arn = |resource: String| format!("arn:aws:ec2::{}:{resource}", ctx.account.region);
    let (about, volume) = (arn(format!("snapshot/{id}")), arn(format!("volume/{}", snapshot.text("volumeId"))));
    let detail = json!({
        "event": "createSnapshot", "result": "succeeded", "cause": "", "request-id": "", "snapshot_id": about,
        "source": volume, "startTime": events::stamp(snapshot.created), "endTime": events::stamp(ctx.now),
    });
    events::tell(ctx, "aws.ec2", "EBS Snapshot Notification", &about, detail);
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let volume = VOLUME.used(ctx, input.str("VolumeId")?)?;
    let tags = tags::requested(input, &SNAPSHOT)?;
    tags::authorise_create(ctx, "CreateSnapshot", &SNAPSHOT, &tags)?;
    tags::authorise_on(ctx, "CreateSnapshot", &VOLUME, &volume)?;
    let description = input.opt_str("Description").unwrap_or_default().to_owned();
    let id = make(ctx, &volume, &description, tags);
    let made = ctx.get(SNAPSHOT.kind, &id);
    Ok(made.map(|made| describe::shown(&SNAPSHOT, &made)).unwrap_or_default())
}

/// Without owners, AWS answers the public ones of everybody too, tens of thousands: ask for `self`.
pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (owners, restorable) = (input.strings("Owner"), input.strings("RestorableBy"));
    if restorable.iter().any(|user| user != "self" && *user != ctx.account.id) {
        return Err(ApiError::not_simulated("snapshots that others may restore"));
    }
    let mut answer = describe::describe(ctx, input, &SNAPSHOT)?;
    let ours = owners.is_empty() || owners.iter().any(|owner| owner == "self" || *owner == ctx.account.id);
    if let Some(all) = answer["snapshotSet"].as_array_mut().filter(|_| !ours) {
        all.clear();
    }
    Ok(answer)
}

pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("SnapshotId")?;
    let snapshot = SNAPSHOT.used(ctx, id)?;
    tags::authorise_on(ctx, "DeleteSnapshot", &SNAPSHOT, &snapshot)?;
    ctx.remove(SNAPSHOT.kind, id);
    done()
}

/// Who may make volumes of it: nobody else, as long as sharing is not simulated.
pub(crate) fn describe_attribute(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let id = input.str("SnapshotId")?;
    SNAPSHOT.well_formed(id)?;
    let snapshot = ctx.visible_one(SNAPSHOT.kind, id).ok_or_else(|| SNAPSHOT.not_found(id))?;
    match input.str("Attribute")? {
        "createVolumePermission" => {
            Ok(json!({"snapshotId": id, "createVolumePermission": snapshot.items("_createVolumePermission")}))
        }
        "productCodes" => Ok(json!({"snapshotId": id, "productCodes": []})),
        other => Err(refuse("InvalidParameterValue", format!("Value ({other}) for parameter attribute is invalid."))),
    }
}

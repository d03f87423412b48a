//! What reads say of instances.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>

use serde_json::{Map, Value, json};

use super::describe;
use super::instance::INSTANCE;
use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::store::Resource;

fn shown(ctx: &Ctx<'_>, instance: &Resource) -> Value {
    let mut value = describe::shown(&INSTANCE, instance);
    let own = ctx.those("ec2.network-interface", |eni| {
        eni.attrs.get("attachment").is_some_and(|a| a["instanceId"] == *instance.id)
    });
    value["networkInterfaceSet"] = own
        .iter()
        .map(|eni| {
            let mut shown: Map<String, Value> = eni
                .attrs
                .iter()
                .filter(|(key, _)| !key.starts_with('_'))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            for name in ["availabilityZone", "availabilityZoneId", "requesterManaged", "requesterId"] {
                shown.remove(name);
            }
            shown.insert("networkInterfaceId".to_owned(), eni.id.clone().into());
            Value::Object(shown)
        })
        .collect();
    value["_reservation"] = instance.text("_reservation").into();
    value
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeManagedResources"]);
    let mut answer = describe::describe_as(ctx, input, &INSTANCE, shown)?;
    let owner = ctx.account.id.clone();
    let found = answer["instancesSet"].take();
    // Auto Scaling launches each on its own.
    let reservations: Value = found
        .as_array()
        .into_iter()
        .flatten()
        .map(|instance| {
            json!({
                "reservationId": instance["_reservation"], "ownerId": owner, "requesterId": "940372691376",
                "groupSet": [], "instancesSet": [instance],
            })
        })
        .collect();
    let mut out = json!({"reservationSet": reservations});
    if let Some(next) = answer.get("nextToken") {
        out["nextToken"] = next.clone();
    }
    Ok(out)
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html>
pub(crate) fn status(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    const FILTERS: &[(&str, &str)] = &[
        ("instance-state-name", "instanceState.name"),
        ("instance-state-code", "instanceState.code"),
        ("instance-status.status", "instanceStatus.status"),
        ("system-status.status", "systemStatus.status"),
        ("availability-zone", "availabilityZone"),
    ];
    input.ignore(&["IncludeManagedResources", "DryRun"]);
    let all = input.bool_or("IncludeAllInstances", false)?;
    let (ids, filters) = (input.strings("InstanceId"), describe::filters(input)?);
    let mut found = Vec::new();
    for instance in ctx.visible(INSTANCE.kind) {
        let state = instance.attrs.get("instanceState").cloned().unwrap_or_default();
        let runs = state["name"] == "running";
        let asked = ids.is_empty() || ids.contains(&instance.id);
        if !asked || !(runs || all) {
            continue;
        }
        // The checks pass some two minutes after the launch.
        let fresh = ctx.now.duration_since(instance.created).as_secs() < 150;
        let (status, detail) = match (runs, fresh) {
            (false, _) => ("not-applicable", None),
            (true, true) => ("initializing", Some("initializing")),
            (true, false) => ("ok", Some("passed")),
        };
        let details: Vec<Value> =
            detail.iter().map(|detail| json!({"name": "reachability", "status": detail})).collect();
        let value = json!({
            "instanceId": instance.id,
            "availabilityZone": instance.attrs.get("placement").map(|p| p["availabilityZone"].clone()),
            "instanceState": state,
            "instanceStatus": {"status": status, "details": details},
            "systemStatus": {"status": status, "details": details},
            "attachedEbsStatus": {"status": status, "details": details},
            "operator": {"managed": false},
        });
        if describe::all_match(&filters, FILTERS, &value, &instance)? {
            found.push(value);
        }
    }
    for id in &ids {
        INSTANCE.well_formed(id)?;
        ctx.visible_one(INSTANCE.kind, id).ok_or_else(|| INSTANCE.not_found(id))?;
    }
    describe::page(input, "instanceStatusSet", found)
}

/// One attribute of an instance, in a structure of its own.
pub(crate) fn attribute(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (id, name) = (input.str("InstanceId")?, input.str("Attribute")?);
    INSTANCE.well_formed(id)?;
    let instance = ctx.visible_one(INSTANCE.kind, id).ok_or_else(|| INSTANCE.not_found(id))?;
    let attr = |name: &str| instance.attrs.get(name).cloned().unwrap_or_default();
    let value = match name {
        "disableApiTermination" => attr("_disableApiTermination"),
        "disableApiStop" => attr("_disableApiStop"),
        "instanceInitiatedShutdownBehavior" => attr("_shutdown"),
        "userData" => attr("_userData"),
        "instanceType" | "rootDeviceName" | "ebsOptimized" | "sourceDestCheck" | "enaSupport" => attr(name),
        "groupSet" | "blockDeviceMapping" => return Ok(json!({"instanceId": id, name: attr(name)})),
        "sriovNetSupport" | "kernel" | "ramdisk" => return Ok(json!({"instanceId": id, name: {}})),
        "productCodes" => return Ok(json!({"instanceId": id, "productCodes": []})),
        other => return Err(ApiError::not_simulated(format!("the instance attribute {other}"))),
    };
    let value = if value == "" { json!({}) } else { json!({"value": value}) };
    Ok(json!({"instanceId": id, name: value}))
}

/// What an unlimited or standard instance may use of its processor.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceCreditSpecifications.html>
pub(crate) fn credits(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let ids = input.strings("InstanceId");
    let bursts = |i: &Resource| i.text("instanceType").starts_with('t');
    let found = ctx
        .visible(INSTANCE.kind)
        .iter()
        .filter(|i| bursts(i) && (ids.is_empty() || ids.contains(&i.id)))
        .map(|i| {
            // T3 and later are unlimited from the start.
            json!({"instanceId": i.id, "cpuCredits": "unlimited"})
        })
        .collect();
    describe::page(input, "instanceCreditSpecificationSet", found)
}

//! A new instance as it is shown: what was asked for, and what AWS says of one that asked for nothing.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html>

use serde_json::{Map, Value, json};

use super::image;
use super::instance::{Judged, Launch, text};
use crate::account::Ctx;
use crate::store::Resource;
use crate::wire::iso_millis;

/// The instance, not yet in the account.
pub(super) fn of(ctx: &mut Ctx<'_>, id: &str, wanted: &Launch<'_>, judged: &Judged, own: &Resource) -> Resource {
    let parts = [
        placed(ctx, wanted.data, own),
        machine(ctx, wanted.data, judged),
        options(wanted.data, judged),
        hidden(ctx, wanted.data, own),
    ];
    let mut all = Map::new();
    for part in parts {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    ctx.resource("ec2.instance", id, Value::Object(all))
}

/// Where it is and how it is reached.
fn placed(ctx: &Ctx<'_>, data: &Map<String, Value>, own: &Resource) -> Value {
    let region = &ctx.account.region;
    let domain = if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
    let ip = own.text("privateIpAddress");
    let public = |name: &str| own.attrs.get("association").map(|a| a[name].clone());
    json!({
        "instanceState": {"code": 0, "name": "pending"},
        "launchTime": iso_millis(ctx.now),
        "privateDnsName": format!("ip-{}.{domain}", ip.replace('.', "-")),
        "privateIpAddress": ip,
        "ipAddress": public("publicIp"),
        "dnsName": public("publicDnsName").unwrap_or_else(|| "".into()),
        "keyName": data.get("keyName"),
        "placement": {
            "availabilityZone": own.text("availabilityZone"), "availabilityZoneId": own.text("availabilityZoneId"),
            "groupName": "", "tenancy": "default",
        },
        "subnetId": own.text("subnetId"),
        "vpcId": own.text("vpcId"),
        "groupSet": own.items("groupSet"),
        "sourceDestCheck": true,
    })
}

fn machine(ctx: &mut Ctx<'_>, data: &Map<String, Value>, judged: &Judged) -> Value {
    let threads = if judged.spec.arch == "arm64" { 1 } else { 2.min(judged.spec.vcpu) };
    json!({
        "imageId": judged.image.id,
        "instanceType": text(data, "instanceType"),
        "amiLaunchIndex": 0,
        "productCodes": [],
        "architecture": judged.spec.arch,
        "rootDeviceType": "ebs",
        "rootDeviceName": image::ROOT_DEVICE,
        "virtualizationType": "hvm",
        "hypervisor": "xen",
        "clientToken": ctx.account.rng.uuid(),
        "ebsOptimized": data.get("ebsOptimized").and_then(Value::as_bool).unwrap_or(false),
        "enaSupport": true,
        "cpuOptions": {"coreCount": judged.spec.vcpu / threads, "threadsPerCore": threads},
        "bootMode": if judged.image.arch == "arm64" { "uefi" } else { "uefi-preferred" },
        "currentInstanceBootMode": "uefi",
        "platformDetails": "Linux/UNIX",
        "usageOperation": "RunInstances",
        "usageOperationUpdateTime": iso_millis(ctx.now),
    })
}

fn options(data: &Map<String, Value>, judged: &Judged) -> Value {
    let asked = |name: &str| data.get("metadataOptions").map(|options| options[name].clone()).unwrap_or_default();
    let or = |name: &str, default: &str| asked(name).as_str().unwrap_or(default).to_owned();
    let monitored = data.get("monitoring").is_some_and(|m| m["enabled"] == true);
    let profile = judged.profile.as_ref();
    json!({
        "monitoring": {"state": if monitored { "pending" } else { "disabled" }},
        "iamInstanceProfile": profile.map(|p| json!({"arn": p.text("Arn"), "id": p.text("InstanceProfileId")})),
        "capacityReservationSpecification": {"capacityReservationPreference": "open"},
        "hibernationOptions": {"configured": false},
        "metadataOptions": {
            "state": "pending",
            // The image asks for version 2 and two hops by itself:
            // <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html>
            "httpTokens": or("httpTokens", "required"),
            "httpPutResponseHopLimit": asked("httpPutResponseHopLimit").as_i64().unwrap_or(2),
            "httpEndpoint": or("httpEndpoint", "enabled"),
            "httpProtocolIpv6": or("httpProtocolIpv6", "disabled"),
            "instanceMetadataTags": or("instanceMetadataTags", "disabled"),
        },
        "enclaveOptions": {"enabled": false},
        "privateDnsNameOptions": {
            "hostnameType": "ip-name", "enableResourceNameDnsARecord": false, "enableResourceNameDnsAAAARecord": false,
        },
        "maintenanceOptions": {"autoRecovery": "default", "rebootMigration": "default"},
        "networkPerformanceOptions": {"bandwidthWeighting": "default"},
        "operator": {"managed": false},
    })
}

/// What only a question about one attribute brings out, and what nobody is shown.
fn hidden(ctx: &mut Ctx<'_>, data: &Map<String, Value>, own: &Resource) -> Value {
    let flag = |name: &str| data.get(name).and_then(Value::as_bool).unwrap_or(false);
    json!({
        "_interface": own.id,
        "_reservation": ctx.new_id("r"),
        "_userData": text(data, "userData"),
        "_disableApiTermination": flag("disableApiTermination"),
        "_disableApiStop": flag("disableApiStop"),
        "_shutdown": data.get("instanceInitiatedShutdownBehavior").and_then(Value::as_str).unwrap_or("stop"),
    })
}

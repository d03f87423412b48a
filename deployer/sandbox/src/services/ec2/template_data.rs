//! What a launch template holds: the members of a request under the names and types that answers have.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::error::{ApiError, refuse};
use crate::input::Input;

enum Form {
    Text,
    Int,
    Bool,
    Texts,
    One(&'static [Member]),
    Many(&'static [Member]),
}

/// A member: its name in requests, its name in answers, its form.
type Member = (&'static str, &'static str, Form);

use Form::{Bool, Int, Many, One, Text, Texts};

const EBS: &[Member] = &[
    ("Encrypted", "encrypted", Bool),
    ("DeleteOnTermination", "deleteOnTermination", Bool),
    ("Iops", "iops", Int),
    ("KmsKeyId", "kmsKeyId", Text),
    ("SnapshotId", "snapshotId", Text),
    ("VolumeSize", "volumeSize", Int),
    ("VolumeType", "volumeType", Text),
    ("Throughput", "throughput", Int),
];
const DEVICE: &[Member] = &[
    ("DeviceName", "deviceName", Text),
    ("VirtualName", "virtualName", Text),
    ("NoDevice", "noDevice", Text),
    ("Ebs", "ebs", One(EBS)),
];
const INTERFACE: &[Member] = &[
    ("AssociatePublicIpAddress", "associatePublicIpAddress", Bool),
    ("DeleteOnTermination", "deleteOnTermination", Bool),
    ("Description", "description", Text),
    ("DeviceIndex", "deviceIndex", Int),
    ("SecurityGroupId", "groupSet:groupId", Texts),
    ("InterfaceType", "interfaceType", Text),
    ("SubnetId", "subnetId", Text),
    ("NetworkCardIndex", "networkCardIndex", Int),
];
const TAG: &[Member] = &[("Key", "key", Text), ("Value", "value", Text)];
const TAGS: &[Member] = &[("ResourceType", "resourceType", Text), ("Tag", "tagSet", Many(TAG))];
const METADATA: &[Member] = &[
    ("HttpTokens", "httpTokens", Text),
    ("HttpPutResponseHopLimit", "httpPutResponseHopLimit", Int),
    ("HttpEndpoint", "httpEndpoint", Text),
    ("HttpProtocolIpv6", "httpProtocolIpv6", Text),
    ("InstanceMetadataTags", "instanceMetadataTags", Text),
];
const PLACEMENT: &[Member] =
    &[("AvailabilityZone", "availabilityZone", Text), ("Tenancy", "tenancy", Text), ("GroupName", "groupName", Text)];
const CPU: &[Member] = &[("CoreCount", "coreCount", Int), ("ThreadsPerCore", "threadsPerCore", Int)];
const DNS: &[Member] = &[
    ("HostnameType", "hostnameType", Text),
    ("EnableResourceNameDnsARecord", "enableResourceNameDnsARecord", Bool),
    ("EnableResourceNameDnsAAAARecord", "enableResourceNameDnsAAAARecord", Bool),
];
const DATA: &[Member] = &[
    ("EbsOptimized", "ebsOptimized", Bool),
    ("IamInstanceProfile", "iamInstanceProfile", One(&[("Arn", "arn", Text), ("Name", "name", Text)])),
    ("BlockDeviceMapping", "blockDeviceMappingSet", Many(DEVICE)),
    ("NetworkInterface", "networkInterfaceSet", Many(INTERFACE)),
    ("ImageId", "imageId", Text),
    ("InstanceType", "instanceType", Text),
    ("KeyName", "keyName", Text),
    ("Monitoring", "monitoring", One(&[("Enabled", "enabled", Bool)])),
    ("Placement", "placement", One(PLACEMENT)),
    ("DisableApiTermination", "disableApiTermination", Bool),
    ("DisableApiStop", "disableApiStop", Bool),
    ("InstanceInitiatedShutdownBehavior", "instanceInitiatedShutdownBehavior", Text),
    ("UserData", "userData", Text),
    ("TagSpecification", "tagSpecificationSet", Many(TAGS)),
    ("SecurityGroupId", "securityGroupIdSet", Texts),
    ("CreditSpecification", "creditSpecification", One(&[("CpuCredits", "cpuCredits", Text)])),
    ("CpuOptions", "cpuOptions", One(CPU)),
    ("MetadataOptions", "metadataOptions", One(METADATA)),
    ("EnclaveOptions", "enclaveOptions", One(&[("Enabled", "enabled", Bool)])),
    ("HibernationOptions", "hibernationOptions", One(&[("Configured", "configured", Bool)])),
    ("MaintenanceOptions", "maintenanceOptions", One(&[("AutoRecovery", "autoRecovery", Text)])),
    ("PrivateDnsNameOptions", "privateDnsNameOptions", One(DNS)),
];

/// The data of a request as AWS keeps and answers them.
pub(crate) fn kept(input: &Input) -> Result<Map<String, Value>, ApiError> {
    let data = converted(input, DATA)?;
    judged(&data)?;
    Ok(data)
}

fn converted(input: &Input, members: &'static [Member]) -> Result<Map<String, Value>, ApiError> {
    let mut out = Map::new();
    for (name, answer, form) in members {
        if !input.has(name) {
            continue;
        }
        let value = match form {
            Text => input.opt_str(name).map(Value::from),
            Int => input.opt_int(name)?.map(Value::from),
            Bool => input.opt_bool(name)?.map(Value::from),
            Texts => Some(input.strings(name).into()),
            One(inner) => input.object(name).map(|one| converted(&one, inner)).transpose()?.map(Value::Object),
            Many(inner) => {
                let all = input.objects(name);
                let all: Result<Vec<_>, _> = all.iter().map(|one| converted(one, inner).map(Value::Object)).collect();
                Some(all?.into())
            }
        };
        out.extend(value.map(|value| ((*answer).to_owned(), value)));
    }
    Ok(out)
}

/// What AWS refuses of a template already when it is made: little; the rest shows at the launch.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/create-launch-template.html>
fn judged(data: &Map<String, Value>) -> Result<(), ApiError> {
    if data.is_empty() {
        return Err(refuse("MissingParameter", "The request must contain the parameter LaunchTemplateData"));
    }
    let malformed = |why: &str| Err(refuse("InvalidUserData.Malformed", why.to_owned()));
    match data.get("userData").and_then(Value::as_str).map(|text| STANDARD.decode(text)) {
        Some(Err(_)) => return malformed("Invalid BASE64 encoding of user data."),
        Some(Ok(bytes)) if bytes.len() > 16_384 => return malformed("User data is limited to 16384 bytes"),
        _ => {}
    }
    let profile = data.get("iamInstanceProfile").and_then(Value::as_object);
    if profile.is_some_and(|profile| profile.len() > 1) {
        let message =
            "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'";
        return Err(refuse("InvalidParameterCombination", message));
    }
    if data.contains_key("securityGroupIdSet") && data.contains_key("networkInterfaceSet") {
        let message =
            "Network interfaces and an instance-level security groups may not be specified on the same request";
        return Err(refuse("InvalidParameterCombination", message));
    }
    Ok(())
}

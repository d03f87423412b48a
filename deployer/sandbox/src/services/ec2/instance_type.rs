//! Instance types: what a machine has, and where it is offered.
//! <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html>

use serde_json::{Value, json};

use super::{describe, zone};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;

/// What a machine of one type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) vcpu: u32,
    pub(crate) memory_mib: u32,
    /// Network interfaces, the first of which is the machine's own.
    pub(crate) max_interfaces: u32,
    /// `x86_64` or `arm64`.
    pub(crate) arch: &'static str,
    /// How many tasks get an interface of their own where `awsvpcTrunking` is on; none where the type cannot.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/eni-trunking-supported-instance-types.html>
    pub(crate) trunking_interfaces: Option<u32>,
}

/// A family: its architecture, GiB of memory for each vCPU (none: it bursts), clock and maker.
struct Family {
    name: &'static str,
    arch: &'static str,
    gib_per_vcpu: Option<u32>,
    clock: f64,
    maker: &'static str,
}

const fn family(
    name: &'static str,
    arch: &'static str,
    gib_per_vcpu: Option<u32>,
    clock: f64,
    maker: &'static str,
) -> Family {
    Family { name, arch, gib_per_vcpu, clock, maker }
}

const FAMILIES: &[Family] = &[
    family("t3", "x86_64", None, 2.5, "Intel"),
    family("t3a", "x86_64", None, 2.5, "AMD"),
    family("t4g", "arm64", None, 2.5, "AWS"),
    family("c6g", "arm64", Some(2), 2.5, "AWS"),
    family("c6i", "x86_64", Some(2), 3.5, "Intel"),
    family("c7g", "arm64", Some(2), 2.6, "AWS"),
    family("c7i", "x86_64", Some(2), 3.2, "Intel"),
    family("c8g", "arm64", Some(2), 2.8, "AWS"),
    family("m6g", "arm64", Some(4), 2.5, "AWS"),
    family("m6i", "x86_64", Some(4), 3.5, "Intel"),
    family("m7g", "arm64", Some(4), 2.6, "AWS"),
    family("m7i", "x86_64", Some(4), 3.2, "Intel"),
    family("m8g", "arm64", Some(4), 2.8, "AWS"),
    family("r6g", "arm64", Some(8), 2.5, "AWS"),
    family("r6i", "x86_64", Some(8), 3.5, "Intel"),
    family("r7g", "arm64", Some(8), 2.6, "AWS"),
    family("r7i", "x86_64", Some(8), 3.2, "Intel"),
    family("r8g", "arm64", Some(8), 2.8, "AWS"),
];

/// Sizes of families that burst: vCPU, memory in MiB, interfaces, addresses on each.
const BURSTING: &[(&str, u32, u32, u32, u32)] = &[
    ("nano", 2, 512, 2, 2),
    ("micro", 2, 1024, 2, 2),
    ("small", 2, 2048, 3, 4),
    ("medium", 2, 4096, 3, 6),
    ("large", 2, 8192, 3, 12),
    ("xlarge", 4, 16_384, 4, 15),
    ("2xlarge", 8, 32_768, 4, 15),
];

/// Sizes of the others: vCPU, interfaces, addresses on each, tasks with trunking.
const STEADY: &[(&str, u32, u32, u32, u32)] = &[
    ("medium", 1, 2, 4, 4),
    ("large", 2, 3, 10, 10),
    ("xlarge", 4, 4, 15, 20),
    ("2xlarge", 8, 4, 15, 40),
    ("4xlarge", 16, 8, 30, 60),
    ("8xlarge", 32, 8, 30, 60),
];

fn found(name: &str) -> Option<(&'static Family, Spec, u32)> {
    let (family, size) = name.split_once('.')?;
    let family = FAMILIES.iter().find(|known| known.name == family)?;
    let Some(gib) = family.gib_per_vcpu else {
        let (_, vcpu, memory_mib, max_interfaces, addresses) = *BURSTING.iter().find(|row| row.0 == size)?;
        let spec = Spec { vcpu, memory_mib, max_interfaces, arch: family.arch, trunking_interfaces: None };
        return Some((family, spec, addresses));
    };
    let (_, vcpu, max_interfaces, addresses, tasks) = *STEADY.iter().find(|row| row.0 == size)?;
    // Only Graviton comes with a single vCPU.
    if vcpu == 1 && family.arch != "arm64" {
        return None;
    }
    let memory_mib = vcpu * gib * 1024;
    let spec = Spec { vcpu, memory_mib, max_interfaces, arch: family.arch, trunking_interfaces: Some(tasks) };
    Some((family, spec, addresses))
}

/// What a machine of this type has; none when the type is not known here.
pub(crate) fn spec(name: &str) -> Option<Spec> {
    found(name).map(|(_, spec, _)| spec)
}

fn names() -> Vec<String> {
    let sizes = |family: &Family| -> Vec<&str> {
        if family.gib_per_vcpu.is_none() {
            BURSTING.iter().map(|row| row.0).collect()
        } else {
            STEADY.iter().map(|row| row.0).collect()
        }
    };
    let all = FAMILIES.iter().flat_map(|f| sizes(f).into_iter().map(move |size| format!("{}.{size}", f.name)));
    all.filter(|name| spec(name).is_some()).collect()
}

fn shown(name: &str) -> Option<Value> {
    let (family, spec, addresses) = found(name)?;
    let bursts = family.gib_per_vcpu.is_none();
    let threads = if family.arch == "arm64" { 1 } else { 2.min(spec.vcpu) };
    let performance = if spec.vcpu <= 2 && bursts { "Up to 5 Gigabit" } else { "Up to 12.5 Gigabit" };
    Some(json!({
        "instanceType": name,
        "currentGeneration": true,
        "freeTierEligible": matches!(name, "t3.micro" | "t3.small" | "t4g.micro" | "t4g.small"),
        "supportedUsageClasses": ["on-demand", "spot"],
        "supportedRootDeviceTypes": ["ebs"],
        "supportedVirtualizationTypes": ["hvm"],
        "bareMetal": false,
        "hypervisor": "nitro",
        "processorInfo": {
            "supportedArchitectures": [family.arch], "sustainedClockSpeedInGhz": family.clock,
            "manufacturer": family.maker,
        },
        "vCpuInfo": {
            "defaultVCpus": spec.vcpu, "defaultCores": spec.vcpu / threads, "defaultThreadsPerCore": threads,
        },
        "memoryInfo": {"sizeInMiB": spec.memory_mib},
        "instanceStorageSupported": false,
        "ebsInfo": {"ebsOptimizedSupport": "default", "encryptionSupport": "supported", "nvmeSupport": "required"},
        "networkInfo": {
            "networkPerformance": performance,
            "maximumNetworkInterfaces": spec.max_interfaces,
            "maximumNetworkCards": 1,
            "defaultNetworkCardIndex": 0,
            "networkCards": [{
                "networkCardIndex": 0, "networkPerformance": performance,
                "maximumNetworkInterfaces": spec.max_interfaces,
            }],
            "ipv4AddressesPerInterface": addresses,
            "ipv6AddressesPerInterface": addresses,
            "ipv6Supported": true,
            "enaSupport": "required",
            "efaSupported": false,
            "encryptionInTransitSupported": !bursts,
            "enaSrdSupported": false,
        },
        "placementGroupInfo": {"supportedStrategies": ["partition", "spread"]},
        "hibernationSupported": family.arch == "x86_64",
        "burstablePerformanceSupported": bursts,
        "dedicatedHostsSupported": !bursts,
        "autoRecoverySupported": true,
        "supportedBootModes": if family.arch == "arm64" { vec!["uefi"] } else { vec!["legacy-bios", "uefi"] },
        "nitroEnclavesSupport": "unsupported",
        "nitroTpmSupport": "supported",
    }))
}

/// What AWS says of a type that it does not have.
pub(crate) fn unknown(names: &[&str]) -> ApiError {
    let message = format!("The following supplied instance types do not exist: [{}]", names.join(", "));
    refuse("InvalidInstanceType", message)
}

const FILTERS: &[(&str, &str)] = &[
    ("instance-type", "instanceType"),
    ("current-generation", "currentGeneration"),
    ("bare-metal", "bareMetal"),
    ("burstable-performance-supported", "burstablePerformanceSupported"),
    ("free-tier-eligible", "freeTierEligible"),
    ("hypervisor", "hypervisor"),
    ("instance-storage-supported", "instanceStorageSupported"),
    ("memory-info.size-in-mib", "memoryInfo.sizeInMiB"),
    ("processor-info.supported-architecture", "processorInfo.supportedArchitectures"),
    ("supported-usage-class", "supportedUsageClasses"),
    ("supported-root-device-type", "supportedRootDeviceTypes"),
    ("supported-virtualization-type", "supportedVirtualizationTypes"),
    ("vcpu-info.default-vcpus", "vCpuInfo.defaultVCpus"),
];

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (asked, filters) = (input.strings("InstanceType"), describe::filters(input)?);
    let wrong: Vec<&str> = asked.iter().map(String::as_str).filter(|name| spec(name).is_none()).collect();
    if !wrong.is_empty() {
        return Err(unknown(&wrong));
    }
    let nobody = ctx.resource("ec2.instance-type", "", json!({}));
    let mut found = Vec::new();
    for value in names().iter().filter(|name| asked.is_empty() || asked.contains(name)).filter_map(|name| shown(name)) {
        if describe::all_match(&filters, FILTERS, &value, &nobody)? {
            found.push(value);
        }
    }
    describe::page(input, "instanceTypeSet", found)
}

/// Every type is offered in every zone but `d`, which has only the older ones, as such zones do.
pub(crate) fn offerings(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    const FILTERS: &[(&str, &str)] = &[("location", "location"), ("instance-type", "instanceType")];
    let filters = describe::filters(input)?;
    let kind = input.opt_str("LocationType").unwrap_or("region");
    let places: Vec<(String, bool)> = match kind {
        "region" => vec![(ctx.account.region.clone(), true)],
        "availability-zone" => zone::all(ctx).into_iter().map(|z| (z.name.clone(), !z.name.ends_with('d'))).collect(),
        "availability-zone-id" => zone::all(ctx).into_iter().map(|z| (z.id, !z.name.ends_with('d'))).collect(),
        other => return Err(ApiError::not_simulated(format!("offerings by {other}"))),
    };
    let nobody = ctx.resource("ec2.instance-type", "", json!({}));
    let mut found = Vec::new();
    for name in names() {
        for (place, all) in &places {
            let value = json!({"instanceType": name, "locationType": kind, "location": place});
            let newer = name.starts_with(['c', 'm', 'r']) && name[1..].starts_with(['7', '8']);
            if (*all || !newer) && describe::all_match(&filters, FILTERS, &value, &nobody)? {
                found.push(value);
            }
        }
    }
    describe::page(input, "instanceTypeOfferingSet", found)
}

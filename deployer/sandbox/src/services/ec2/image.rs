//! The images that AWS publishes for ECS, a new one about every two weeks, and the public parameters that name the
//! newest. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{describe, tags};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::rng::rank;

/// The account by which AWS publishes the images for ECS.
const PUBLISHER: &str = "591542846629";
/// Seconds between two releases, and how many stay published.
const PERIOD: i64 = 14 * 24 * 60 * 60;
const KEPT: i64 = 52;

/// One published image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arch: &'static str,
    /// The snapshot of its root volume.
    pub(crate) snapshot: String,
    /// Its release, such as `20260105`.
    day: String,
    created: Timestamp,
    release: i64,
}

/// What an image's root volume is called, and how large it is.
pub(crate) const ROOT_DEVICE: &str = "/dev/xvda";
pub(crate) const ROOT_GIB: i64 = 30;

fn image(ctx: &Ctx<'_>, arch: &'static str, release: i64) -> Image {
    let created = Timestamp::from_second(release * PERIOD).unwrap_or(ctx.now);
    let day = created.strftime("%Y%m%d").to_string();
    let code = rank(0, &format!("{} {arch} {release}", ctx.account.region));
    Image {
        id: format!("ami-0{code:016x}"),
        name: format!("al2023-ami-ecs-hvm-2023.0.{day}-kernel-6.1-{arch}"),
        arch,
        snapshot: format!("snap-0{:016x}", rank(1, &format!("{code}"))),
        day,
        created,
        release,
    }
}

fn published(ctx: &Ctx<'_>) -> Vec<Image> {
    let newest = ctx.now.as_second() / PERIOD;
    let releases = (newest - KEPT + 1..=newest).rev();
    releases.flat_map(|release| ["x86_64", "arm64"].map(|arch| image(ctx, arch, release))).collect()
}

fn newest(ctx: &Ctx<'_>, arch: &'static str) -> Image {
    image(ctx, arch, ctx.now.as_second() / PERIOD)
}

/// The image of an id, or of `resolve:ssm:` and a public parameter, as launch templates may have it.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/using-systems-manager-parameters.html>
pub(crate) fn of(ctx: &Ctx<'_>, id: &str) -> Result<Image, ApiError> {
    let id = match id.strip_prefix("resolve:ssm:") {
        Some(name) => public_parameter(ctx, name).map(|(value, _, _)| value).unwrap_or_default(),
        None => id.to_owned(),
    };
    let found = published(ctx).into_iter().find(|image| image.id == id);
    found.ok_or_else(|| refuse("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")))
}

/// The value, version and date of a public parameter about these images; none when there is no such parameter.
pub(crate) fn public_parameter(ctx: &Ctx<'_>, name: &str) -> Option<(String, i64, Timestamp)> {
    let rest = name.strip_prefix("/aws/service/ecs/optimized-ami/amazon-linux-2023/")?;
    let (arch, rest) = match rest.strip_prefix("arm64/") {
        Some(rest) => ("arm64", rest),
        None => ("x86_64", rest),
    };
    let image = newest(ctx, arch);
    let value = match rest.strip_prefix("recommended")? {
        "" => json!({
            "ecs_agent_version": "1.98.0",
            "ecs_runtime_version": "Docker version 25.0.8",
            "image_id": image.id,
            "image_name": image.name,
            "image_version": format!("2023.0.{}", image.day),
            "os": "Amazon Linux 2023",
            "schema_version": 1,
            "source_image_name": format!("al2023-ami-minimal-2023.9.{}.0-kernel-6.1-{arch}", image.day),
        })
        .to_string(),
        "/image_id" => image.id,
        "/image_name" => image.name,
        "/image_version" => format!("2023.0.{}", image.day),
        "/ecs_agent_version" => "1.98.0".to_owned(),
        "/ecs_runtime_version" => "Docker version 25.0.8".to_owned(),
        "/os" => "Amazon Linux 2023".to_owned(),
        _ => return None,
    };
    // The first of these images came in 2023.
    Some((value, image.release - 1382, image.created))
}

fn shown(image: &Image) -> Value {
    json!({
        "imageId": image.id,
        "imageLocation": format!("amazon/{}", image.name),
        "imageState": "available",
        "imageOwnerId": PUBLISHER,
        "imageOwnerAlias": "amazon",
        "creationDate": format!("{:.3}", image.created),
        "isPublic": true,
        "architecture": image.arch,
        "imageType": "machine",
        "name": image.name,
        "description": format!("Amazon Linux AMI 2023.0.{} {} ECS HVM EBS", image.day, image.arch),
        "rootDeviceType": "ebs",
        "rootDeviceName": ROOT_DEVICE,
        "blockDeviceMapping": [{"deviceName": ROOT_DEVICE, "ebs": {
            "snapshotId": image.snapshot, "volumeSize": ROOT_GIB, "deleteOnTermination": true,
            "volumeType": "gp3", "iops": 3000, "throughput": 125, "encrypted": false,
        }}],
        "virtualizationType": "hvm",
        "hypervisor": "xen",
        "enaSupport": true,
        "sriovNetSupport": "simple",
        "bootMode": if image.arch == "arm64" { "uefi" } else { "uefi-preferred" },
        "imdsSupport": "v2.0",
        "platformDetails": "Linux/UNIX",
        "usageOperation": "RunInstances",
        "tagSet": tags::set(&crate::store::Tags::new()),
    })
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    const FILTERS: &[(&str, &str)] = &[
        ("image-id", "imageId"),
        ("name", "name"),
        ("architecture", "architecture"),
        ("owner-id", "imageOwnerId"),
        ("owner-alias", "imageOwnerAlias"),
        ("state", "imageState"),
        ("is-public", "isPublic"),
        ("image-type", "imageType"),
        ("root-device-name", "rootDeviceName"),
        ("root-device-type", "rootDeviceType"),
        ("virtualization-type", "virtualizationType"),
        ("hypervisor", "hypervisor"),
        ("ena-support", "enaSupport"),
        ("creation-date", "creationDate"),
        ("description", "description"),
    ];
    input.ignore(&["IncludeDeprecated", "IncludeDisabled"]);
    let (ids, owners, filters) = (input.strings("ImageId"), input.strings("Owner"), describe::filters(input)?);
    let all = published(ctx);
    if let Some(id) = ids.iter().find(|id| !all.iter().any(|image| image.id == **id)) {
        return Err(refuse("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")));
    }
    let theirs = owners.is_empty() || owners.iter().any(|owner| owner == "amazon" || owner == PUBLISHER);
    let nobody = ctx.resource("ec2.image", "", json!({}));
    let mut found = Vec::new();
    for value in all.iter().filter(|image| ids.is_empty() || ids.contains(&image.id)).map(shown) {
        if theirs && describe::all_match(&filters, FILTERS, &value, &nobody)? {
            found.push(value);
        }
    }
    describe::page(input, "imagesSet", found)
}

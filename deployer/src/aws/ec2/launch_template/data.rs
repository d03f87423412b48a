//! A template's data: as AWS takes them, and as AWS gives them back.

use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplateBlockDeviceMappingRequest as Device, LaunchTemplateEbsBlockDevice,
    LaunchTemplateEbsBlockDeviceRequest as Ebs, LaunchTemplateHttpTokensState as Tokens,
    LaunchTemplateIamInstanceProfileSpecificationRequest as Profile,
    LaunchTemplateInstanceMetadataEndpointState as Endpoint, LaunchTemplateInstanceMetadataOptions,
    LaunchTemplateInstanceMetadataOptionsRequest as MetadataRequest, LaunchTemplateTagSpecification,
    LaunchTemplateTagSpecificationRequest as TagsRequest, LaunchTemplatesMonitoringRequest as Monitoring,
    RequestLaunchTemplateData as Request, ResourceType, ResponseLaunchTemplateData as Response, VolumeType,
};
use aws_smithy_types::base64;

use super::{LaunchTemplate, RootVolume};
use crate::aws::call::CallError;
use crate::aws::ec2::tagging;
use crate::aws::out::Out;
use crate::aws::tags::{self, Tags};

/// What the images for ECS call their root volume.
const ROOT: &str = "/dev/xvda";

/// What is launched gets the same tags, whatever it is.
const TAGGED: [ResourceType; 3] = [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];

impl LaunchTemplate {
    /// The data for AWS, with the stack's name on what is launched.
    pub(super) fn data(&self, image: &str, stack: &str, name: &str) -> Result<Request, CallError> {
        let groups: Result<Vec<String>, CallError> =
            self.security_groups.iter().map(|group| Ok(group.get()?.to_owned())).collect();
        let metadata = MetadataRequest::builder()
            .http_tokens(Tokens::Required)
            .http_put_response_hop_limit(self.metadata_hops)
            .http_endpoint(Endpoint::Enabled);
        let profile = Profile::builder().arn(self.instance_profile.get()?);
        Ok(Request::builder()
            .image_id(image)
            .instance_type(InstanceType::from(self.instance_type.as_str()))
            .iam_instance_profile(profile.build())
            .set_security_group_ids(Some(groups?))
            .user_data(base64::encode(self.user_data.get()?))
            .block_device_mappings(self.root.device()?)
            .metadata_options(metadata.build())
            .monitoring(Monitoring::builder().enabled(self.detailed_monitoring).build())
            .set_tag_specifications(Some(self.launched(stack, name)))
            .build())
    }

    fn launched(&self, stack: &str, name: &str) -> Vec<TagsRequest> {
        let mut all = Tags::from([(tags::STACK.to_owned(), stack.to_owned()), ("Name".to_owned(), name.to_owned())]);
        all.extend(self.instance_tags.clone());
        let of = |kind| TagsRequest::builder().resource_type(kind).set_tags(Some(tagging::to_sdk(&all))).build();
        TAGGED.map(of).into()
    }
}

impl RootVolume {
    fn device(&self) -> Result<Device, CallError> {
        let key = self.kms_key.as_ref().map(Out::get).transpose()?.map(str::to_owned);
        let ebs = Ebs::builder()
            .volume_size(self.gib)
            .volume_type(VolumeType::Gp3)
            .iops(self.iops)
            .throughput(self.throughput_mibs)
            .encrypted(true)
            .set_kms_key_id(key)
            .delete_on_termination(true);
        Ok(Device::builder().device_name(ROOT).ebs(ebs.build()).build())
    }
}

/// The data of the version in force, and the template's own tags.
pub(super) fn observed(data: &Response, tags: Tags) -> LaunchTemplate {
    let devices = data.block_device_mappings();
    let root = devices.iter().find(|device| device.device_name() == Some(ROOT)).and_then(|device| device.ebs());
    let metadata = data.metadata_options();
    let mut groups: Vec<_> = data.security_group_ids().iter().map(Out::known).collect();
    groups.sort();
    LaunchTemplate {
        instance_type: data.instance_type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        image: data.image_id().unwrap_or_default().to_owned(),
        instance_profile: Out::known(data.iam_instance_profile().and_then(|profile| profile.arn()).unwrap_or_default()),
        security_groups: groups,
        user_data: Out::known(decoded(data.user_data().unwrap_or_default())),
        root: volume(root),
        metadata_hops: metadata.map_or(0, hops),
        detailed_monitoring: data.monitoring().and_then(|monitoring| monitoring.enabled()).unwrap_or_default(),
        instance_tags: common(data.tag_specifications()),
        tags,
    }
}

/// How far metadata go that only who has a token gets; none where anybody gets them, or nobody does.
fn hops(options: &LaunchTemplateInstanceMetadataOptions) -> i32 {
    let off = options.http_endpoint() == Some(&Endpoint::Disabled);
    match options.http_tokens() {
        Some(Tokens::Required) if !off => options.http_put_response_hop_limit().unwrap_or(1),
        _ => 0,
    }
}

/// The root volume, in which what must never be shows as a value that nobody wants.
fn volume(ebs: Option<&LaunchTemplateEbsBlockDevice>) -> RootVolume {
    let encrypted = ebs.and_then(|ebs| ebs.encrypted()).unwrap_or_default();
    let gp3 = ebs.and_then(|ebs| ebs.volume_type()) == Some(&VolumeType::Gp3);
    RootVolume {
        gib: ebs.and_then(|ebs| ebs.volume_size()).unwrap_or_default(),
        kms_key: match encrypted {
            true => ebs.and_then(|ebs| ebs.kms_key_id()).map(Out::known),
            false => Some(Out::known("unencrypted")),
        },
        iops: ebs.and_then(|ebs| ebs.iops()).filter(|_| gp3).unwrap_or_default(),
        throughput_mibs: ebs.and_then(|ebs| ebs.throughput()).filter(|_| gp3).unwrap_or_default(),
    }
}

/// What is not base64, or not text, is nobody's script.
fn decoded(user_data: &str) -> String {
    base64::decode(user_data).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// The user's tags that instances, volumes and interfaces all get: one that some do not get is missing.
fn common(all: &[LaunchTemplateTagSpecification]) -> Tags {
    let of = |kind: &ResourceType| {
        let found = all.iter().find(|one| one.resource_type() == Some(kind));
        tags::user(&tagging::read(found.map(|one| one.tags()).unwrap_or_default()))
    };
    let [mut first, second, third] = TAGGED.each_ref().map(of);
    first.retain(|key, value| [&second, &third].iter().all(|other| other.get(key) == Some(&*value)));
    first
}

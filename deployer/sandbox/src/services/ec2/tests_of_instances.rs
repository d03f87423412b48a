//! What must hold of launch templates, images, types, snapshots, seen from outside.

use std::time::Duration;

use crate::sandbox::Sandbox;
use crate::services::testing::{code, json as call, query};
use crate::testing::{calm, ec2, ec2_id, text};

const DATA: &[(&str, &str)] = &[
    ("LaunchTemplateName", "shop"),
    ("LaunchTemplateData.InstanceType", "m7g.large"),
    ("LaunchTemplateData.ImageId", "ami-1"),
    ("LaunchTemplateData.UserData", "IyEvYmluL3No"),
    ("LaunchTemplateData.MetadataOptions.HttpTokens", "required"),
    ("LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit", "1"),
    ("LaunchTemplateData.BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
    ("LaunchTemplateData.BlockDeviceMapping.1.Ebs.Encrypted", "true"),
    ("LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize", "40"),
    ("LaunchTemplateData.TagSpecification.1.ResourceType", "volume"),
    ("LaunchTemplateData.TagSpecification.1.Tag.1.Key", "backup"),
    ("LaunchTemplateData.TagSpecification.1.Tag.1.Value", "daily"),
];

fn template(sandbox: &Sandbox) -> String {
    ec2_id(sandbox, "CreateLaunchTemplate", "launchTemplateId", DATA)
}

fn default_version(sandbox: &Sandbox, id: &str) -> String {
    let parameters = [("LaunchTemplateId", id), ("LaunchTemplateVersion.1", "$Default")];
    ec2(sandbox, "DescribeLaunchTemplateVersions", &parameters).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_template_gives_back_all_that_it_was_given_with_types() {
    let sandbox = calm();
    let id = template(&sandbox);
    let shown = default_version(&sandbox, &id);
    for part in [
        "<httpPutResponseHopLimit>1</httpPutResponseHopLimit>",
        "<ebs><encrypted>true</encrypted><volumeSize>40</volumeSize></ebs>",
        "<tagSpecificationSet><item><resourceType>volume</resourceType><tagSet><item><key>backup</key>",
        "<userData>IyEvYmluL3No</userData>",
        "<defaultVersion>true</defaultVersion>",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_version_is_the_default_only_when_it_is_made_so() {
    let sandbox = calm();
    let id = template(&sandbox);
    let new =
        [("LaunchTemplateId", id.as_str()), ("LaunchTemplateData.InstanceType", "m7g.xlarge"), ("SourceVersion", "1")];
    let made = ec2(&sandbox, "CreateLaunchTemplateVersion", &new).unwrap();
    assert_eq!(text(&made, "versionNumber").unwrap(), "2");
    assert!(made.contains("<imageId>ami-1</imageId>"), "what the source has is kept: {made}");
    assert_eq!(text(&default_version(&sandbox, &id), "versionNumber").unwrap(), "1");
    ec2(&sandbox, "ModifyLaunchTemplate", &[("LaunchTemplateId", &id), ("SetDefaultVersion", "2")]).unwrap();
    assert_eq!(text(&default_version(&sandbox, &id), "instanceType").unwrap(), "m7g.xlarge");
    let wrong = [("LaunchTemplateId", id.as_str()), ("SetDefaultVersion", "9")];
    assert_eq!(ec2(&sandbox, "ModifyLaunchTemplate", &wrong).unwrap_err(), "InvalidLaunchTemplateId.VersionNotFound");
    let all = ec2(&sandbox, "DescribeLaunchTemplateVersions", &[("LaunchTemplateVersion.1", "$Default")]).unwrap();
    assert_eq!(text(&all, "versionNumber").unwrap(), "2", "the default versions of all templates");
}

#[tokio::test(start_paused = true)]
async fn a_templates_name_is_its_own_and_free_again_when_it_is_gone() {
    let sandbox = calm();
    let id = template(&sandbox);
    let taken = ec2(&sandbox, "CreateLaunchTemplate", DATA).unwrap_err();
    assert_eq!(taken, "InvalidLaunchTemplateName.AlreadyExistsException");
    ec2(&sandbox, "DeleteLaunchTemplate", &[("LaunchTemplateId", &id)]).unwrap();
    let gone = ec2(&sandbox, "DescribeLaunchTemplates", &[("LaunchTemplateName.1", "shop")]).unwrap_err();
    assert_eq!(gone, "InvalidLaunchTemplateName.NotFoundException");
    assert_eq!(sandbox.inventory(), []);
}

#[tokio::test(start_paused = true)]
async fn the_newest_image_for_ecs_is_named_by_a_public_parameter_and_changes_in_time() {
    let sandbox = calm();
    let name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id";
    let id = || {
        let answer = call(&sandbox, "ssm", "GetParameter", serde_json::json!({"Name": name})).unwrap();
        answer["Parameter"]["Value"].as_str().unwrap().to_owned()
    };
    let first = id();
    let image = ec2(&sandbox, "DescribeImages", &[("ImageId.1", &first)]).unwrap();
    assert_eq!(text(&image, "architecture").unwrap(), "arm64");
    tokio::time::sleep(Duration::from_secs(15 * 24 * 60 * 60)).await;
    assert_ne!(id(), first);
    ec2(&sandbox, "DescribeImages", &[("ImageId.1", &first)]).unwrap();
    let whole = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended";
    let answer = call(&sandbox, "ssm", "GetParameters", serde_json::json!({"Names": [whole]})).unwrap();
    assert!(answer["Parameters"][0]["Value"].as_str().unwrap().contains("\"image_id\":\"ami-0"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_type_tells_its_processors_memory_interfaces_and_architecture() {
    let sandbox = calm();
    let shown = ec2(&sandbox, "DescribeInstanceTypes", &[("InstanceType.1", "m7g.large")]).unwrap();
    assert_eq!(text(&shown, "defaultVCpus").unwrap(), "2");
    assert_eq!(text(&shown, "sizeInMiB").unwrap(), "8192");
    assert_eq!(text(&shown, "maximumNetworkInterfaces").unwrap(), "3");
    assert!(shown.contains("<supportedArchitectures><item>arm64</item>"), "{shown}");
    let unknown = query(&sandbox, "ec2", "DescribeInstanceTypes", &[("InstanceType.1", "m7x.large")]);
    assert_eq!(code(unknown), "InvalidInstanceType");
    let zones =
        [("LocationType", "availability-zone"), ("Filter.1.Name", "instance-type"), ("Filter.1.Value.1", "t3.micro")];
    let offered = ec2(&sandbox, "DescribeInstanceTypeOfferings", &zones).unwrap();
    assert_eq!(offered.matches("<location>us-east-1").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn new_volumes_are_encrypted_by_default_once_the_account_says_so() {
    let sandbox = calm();
    let answer = ec2(&sandbox, "GetEbsEncryptionByDefault", &[]).unwrap();
    assert_eq!(text(&answer, "ebsEncryptionByDefault").unwrap(), "false");
    ec2(&sandbox, "EnableEbsEncryptionByDefault", &[]).unwrap();
    let answer = ec2(&sandbox, "GetEbsEncryptionByDefault", &[]).unwrap();
    assert_eq!(text(&answer, "ebsEncryptionByDefault").unwrap(), "true");
    assert_eq!(sandbox.inventory(), []);
}

//! A launch template: how the instances of a cluster are made.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-launch-templates.html>

mod data;

use aws_sdk_ec2::types::{LaunchTemplate as Sdk, LaunchTemplateVersion as SdkVersion, ResourceType};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, LogicalId, Order, Outputs, Owner, Rules, Value};

use super::security_group::SecurityGroupId;
use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::iam::instance_profile::InstanceProfileArn;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::kms::key::KeyArn;
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::{self, Tags};

/// A launch template, named by the stack and its logical id. A change makes a new version and that the default one;
/// what runs stays as it is until its group replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// The machine, such as `m7g.large`.
    pub instance_type: String,
    /// The image: [`LaunchTemplate::ecs_image`], the public parameter that names AWS's newest, when the template is made. The image
    /// found then stays until it is asked for anew, or a machine of another architecture needs another.
    pub image: String,
    /// What hands its role to the instances.
    pub instance_profile: Out<InstanceProfileArn>,
    /// Who reaches the instances.
    pub security_groups: Vec<Out<SecurityGroupId>>,
    /// The script of the first boot, as it is: not encoded.
    pub user_data: Text,
    /// The root volume.
    pub root: RootVolume,
    /// How far the instance's metadata, and with them its role's credentials, go: with one hop, not into a container's
    /// bridged network. They are only for who has a session token (IMDSv2), which a request forged through an
    /// application does not have; where that is found off, or all of it is, this is found to be 0.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>
    pub metadata_hops: i32,
    /// Metrics of each instance once a minute instead of every five.
    pub detailed_monitoring: bool,
    /// The tags of instances, and of their volumes and network interfaces.
    pub instance_tags: Tags,
    /// The user's tags of the template itself.
    pub tags: Tags,
}

/// The volume that an instance boots from: `gp3`, and always encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootVolume {
    /// Its size; the images for ECS want 30 at least.
    pub gib: i32,
    /// The key; none: the account's own for volumes. Auto Scaling's service-linked role has to be allowed its use in
    /// the key's policy.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html>
    pub kms_key: Option<Out<KeyArn>>,
    /// Operations a second: 3000 come with it.
    pub iops: i32,
    /// Throughput: 125 MiB/s come with it.
    pub throughput_mibs: i32,
}

impl LaunchTemplate {
    /// The public parameter that names AWS's newest image for ECS that this machine can run.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html>
    #[must_use]
    pub fn ecs_image(instance_type: &str) -> String {
        let arm = if is_arm(instance_type) { "arm64/" } else { "" };
        format!("/aws/service/ecs/optimized-ami/amazon-linux-2023/{arm}recommended/image_id")
    }
}

/// A `g` behind the generation is Graviton; `a1` is older than the rule.
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>
fn is_arm(instance_type: &str) -> bool {
    let family = instance_type.split('.').next().unwrap_or_default();
    let options =
        family.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_start_matches(|c: char| c.is_ascii_digit());
    family == "a1" || options.contains('g')
}

/// Marks the id of a launch template.
#[derive(Debug)]
pub enum LaunchTemplateId {}
/// Marks the number of a launch template's default version.
#[derive(Debug)]
pub enum LaunchTemplateVersion {}

impl Handle<LaunchTemplate> {
    /// The template's id.
    #[must_use]
    pub fn id(&self) -> Out<LaunchTemplateId> {
        self.output("id")
    }

    /// The number of its default version.
    #[must_use]
    pub fn version(&self) -> Out<LaunchTemplateVersion> {
        self.output("version")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> Text {
        self.output("name")
    }
}

/// A field that a new version changes.
const fn versioned(name: &'static str) -> Field {
    Field::new(name).renews(&["version"])
}

impl Kind for LaunchTemplate {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.launch-template",
        fields: &[
            versioned("instance_type"),
            versioned("image").owned_by(Owner::Aws),
            versioned("instance_profile"),
            versioned("security_groups").compared(Compare::Set),
            versioned("user_data"),
            versioned("root"),
            versioned("metadata_hops"),
            versioned("detailed_monitoring"),
            versioned("instance_tags"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::CreateFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 2, 1),
    };

    /// All templates, for one that is not the stack's may have a name that it wants; then of each one the version
    /// in force.
    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let only = query.only_physical().map(|id| vec![id.to_owned()]);
        let send = |token| {
            let describe = aws.ec2.describe_launch_templates().set_launch_template_ids(only.clone());
            describe.set_next_token(token).send()
        };
        let page = |page: aws_sdk_ec2::operation::describe_launch_templates::DescribeLaunchTemplatesOutput| {
            (page.launch_templates.unwrap_or_default(), page.next_token)
        };
        let on = query.only_physical().unwrap_or_default();
        let all = aws.pages("ec2:DescribeLaunchTemplates", on, send, page).await?;
        let mine = all.iter().filter_map(|template| Some((whose(aws, query, template)?, template)));
        let found = mine.map(|(whose, template)| observe(aws, whose, template));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateLaunchTemplate";
        let data = self.data(&image(aws, &self.image).await?, new.stack, &new.name())?;
        let tags = tagging::specification(new, ResourceType::LaunchTemplate, &self.tags);
        let call = aws.ec2.create_launch_template().launch_template_name(new.name()).client_token(new.token);
        let call = call.launch_template_data(data).tag_specifications(tags);
        let template = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?.launch_template;
        let id = template.and_then(|template| template.launch_template_id);
        let id = id.ok_or_else(|| CallError::lacks(ACTION, "LaunchTemplateId"))?;
        Ok(Made { outputs: Some(outputs(&id, &new.name(), 1)), physical: id })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let mut outputs = now.outputs.clone();
        if changed.0.iter().any(|field| field != "tags") {
            let other = is_arm(&self.instance_type) != is_arm(&now.inputs.instance_type);
            let image = match changed.has("image") {
                _ if other => image(aws, &Self::ecs_image(&self.instance_type)).await?,
                true => image(aws, &self.image).await?,
                false => now.inputs.image.clone(),
            };
            let version = self.renew(aws, now, &image).await?;
            outputs.insert("version".to_owned(), Value::text(version.to_string()));
        }
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(outputs))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.ec2.delete_launch_template().launch_template_id(&now.physical).send();
        aws.call("ec2:DeleteLaunchTemplate", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const TEMPLATE: &[&str] = &["arn:{partition}:ec2:{region}:{account}:launch-template/*"];
        const IMAGES: &[&str] = &["arn:{partition}:ssm:{region}::parameter/aws/service/ecs/optimized-ami/*"];
        const CHANGES: &[&str] =
            &["ec2:CreateLaunchTemplateVersion", "ec2:DeleteLaunchTemplate", "ec2:ModifyLaunchTemplate"];
        let own = [
            Grant::read(&["ec2:DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplates"]),
            Grant::write(&["ssm:GetParameter"], IMAGES),
            Grant::write(&["ec2:CreateLaunchTemplate"], TEMPLATE).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGES, TEMPLATE).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl LaunchTemplate {
    /// Makes a new version, and that the one in force; answers its number.
    async fn renew(&self, aws: &Aws, now: &Found<Self>, image: &str) -> Result<i64, CallError> {
        const ACTION: &str = "ec2:CreateLaunchTemplateVersion";
        let id = &now.physical;
        let name = now.outputs.get("name").and_then(Value::as_text).unwrap_or_default();
        let data = self.data(image, &aws.scope.stack, &name)?;
        let call = aws.ec2.create_launch_template_version().launch_template_id(id).launch_template_data(data);
        let version = aws.call(ACTION, id, || call.clone().send()).await?.launch_template_version;
        let version = version.and_then(|version| version.version_number);
        let version = version.ok_or_else(|| CallError::lacks(ACTION, "VersionNumber"))?;
        let modify = || aws.ec2.modify_launch_template().launch_template_id(id).default_version(version.to_string());
        // A version just made may not be seen everywhere yet.
        let modified = aws.call("ec2:ModifyLaunchTemplate", id, || modify().send()).await;
        modified.map_err(CallError::right_after_create)?;
        Ok(version)
    }
}

/// The id of an image: what the public parameter of this name says now, unless it is one already.
async fn image(aws: &Aws, wanted: &str) -> Result<String, CallError> {
    const ACTION: &str = "ssm:GetParameter";
    if !wanted.starts_with('/') {
        return Ok(wanted.to_owned());
    }
    let answer = aws.call(ACTION, wanted, || aws.ssm.get_parameter().name(wanted).send()).await?;
    let value = answer.parameter.and_then(|parameter| parameter.value);
    value.ok_or_else(|| CallError::lacks(ACTION, "Value"))
}

fn outputs(id: &str, name: &str, version: i64) -> Outputs {
    let version = version.to_string();
    [("id", id), ("name", name), ("version", &version)].map(|(key, text)| (key.to_owned(), Value::text(text))).into()
}

/// Whose a template is: the stack's by its tags, or nobody's that the stack knows under a name that it wants.
fn whose(aws: &Aws, query: &Query<LaunchTemplate>, template: &Sdk) -> Option<(LogicalId, Identity)> {
    let all = tagging::read(template.tags());
    let ours = tags::read(&aws.scope.stack, &all).filter(|(id, _)| query.asks_for(id));
    let wants = |id: &&LogicalId| {
        let name = format!("{}-{}", aws.scope.stack, id.as_str().replace('.', "-"));
        query.asks_for(id) && template.launch_template_name() == Some(name.as_str())
    };
    ours.or_else(|| query.wanted.keys().find(wants).map(|id| (id.clone(), Identity::Foreign)))
}

/// A template with its version in force; none when it went between the two looks.
async fn observe(
    aws: &Aws,
    (id, identity): (LogicalId, Identity),
    template: &Sdk,
) -> Result<Option<Found<LaunchTemplate>>, CallError> {
    const VERSIONS: &str = "ec2:DescribeLaunchTemplateVersions";
    let Some(physical) = template.launch_template_id() else { return Ok(None) };
    let send = || aws.ec2.describe_launch_template_versions().launch_template_id(physical).versions("$Default").send();
    let versions = match aws.call(VERSIONS, physical, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?.launch_template_versions.unwrap_or_default(),
    };
    let Some(SdkVersion { version_number, launch_template_data, .. }) = versions.into_iter().next() else {
        return Ok(None);
    };
    let data = launch_template_data.ok_or_else(|| CallError::lacks(VERSIONS, "LaunchTemplateData"))?;
    let tags = tags::user(&tagging::read(template.tags()));
    Ok(Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health: Health::Ready,
        inputs: data::observed(&data, tags),
        outputs: outputs(physical, template.launch_template_name().unwrap_or_default(), version_number.unwrap_or(1)),
        blockers: Default::default(),
    }))
}

#[cfg(test)]
mod tests;

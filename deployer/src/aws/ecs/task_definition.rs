//! A task definition: what a task is made of. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definitions.html>
//!
//! A revision of a family never changes, so each change makes a new one. What stands for the stack's is the revision
//! that a service runs, whoever registered it: a rollout registers revisions too, which differ in the image alone and
//! carry the same tags. So a rollout is no drift, and a new revision from here keeps the image that runs.

pub mod container;
mod observe;
mod revisions;
pub mod rolled;
pub mod versions;

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, HostVolumeProperties, NetworkMode, OsFamily, RuntimePlatform,
    TaskDefinition as TaskDefinitionSdk, Volume as SdkVolume,
};
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Generation, Identity, Order, Outputs, Owner, Rules, Value};
use wharf_on_image_push::revision::ROLLOUTS;

use super::{claim, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::iam::role::RoleArn;
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::tags::Tags;
use crate::ledger::Claim;
pub use container::Container;

/// A task definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// The name that its revisions share; it begins with the stack's.
    pub family: String,
    /// `awsvpc`: each task has an address and security groups of its own.
    pub network_mode: String,
    /// What it has to be able to run on: `EC2`, `FARGATE`.
    pub compatibilities: Vec<String>,
    /// CPU units of the whole task: 1024 are one CPU.
    pub cpu: Option<i32>,
    /// Memory of the whole task, in MiB.
    pub memory: Option<i32>,
    /// `ARM64` or `X86_64`.
    pub architecture: String,
    /// The role with which ECS pulls images, reads secrets and writes logs.
    pub execution_role: Option<Out<RoleArn>>,
    /// The role that the containers have.
    pub task_role: Option<Out<RoleArn>>,
    /// The containers by name.
    pub containers: BTreeMap<String, Container>,
    /// Tag or digest, with its mark (`:v1.2`, `@sha256:…`), of the images that rollouts decide about, by container.
    /// What stands here counts for the first revision only, which can take the [newest](versions::newest) image; later
    /// ones keep what runs.
    pub versions: BTreeMap<String, String>,
    /// Volumes by name.
    pub volumes: BTreeMap<String, Volume>,
    /// The user's tags.
    pub tags: Tags,
}

/// A volume of a task: a place of the instance, or one of the task's own that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// A path on the instance; none is a volume of the task's own.
    pub host_path: Option<String>,
}

/// Marks the ARN of a task definition.
#[derive(Debug)]
pub enum TaskDefinitionArn {}

impl Handle<TaskDefinition> {
    /// The ARN of the revision.
    #[must_use]
    pub fn arn(&self) -> Out<TaskDefinitionArn> {
        self.output("arn")
    }

    /// The ARN of the family: the newest revision at any time. For what is started anew each time, such as a schedule's
    /// task.
    #[must_use]
    pub fn family_arn(&self) -> Out<TaskDefinitionArn> {
        self.output("family_arn")
    }
}

impl Kind for TaskDefinition {
    const RULES: &'static Rules = &Rules {
        kind: "ecs.task-definition",
        fields: &[
            Field::new("family").replaces(),
            Field::new("network_mode").replaces(),
            Field::new("compatibilities").compared(Compare::Set).replaces(),
            Field::new("cpu").replaces(),
            Field::new("memory").replaces(),
            Field::new("architecture").replaces(),
            Field::new("execution_role").replaces(),
            Field::new("task_role").replaces(),
            Field::new("containers").replaces(),
            Field::new("versions").owned_by(Owner::Rollouts).replaces(),
            Field::new("volumes").replaces(),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        // While there is none that is usable, a schedule has nothing to start.
        order: Order::Numbered,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(2, 1, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let wanted = query.wanted.values().map(|definition| definition.family.as_str()).collect();
        let revisions = match query.only_physical() {
            Some(arn) => revisions::one_of(aws, arn, &wanted).await?.into_iter().collect(),
            None => revisions::of_stack(aws, &wanted).await?,
        };
        Ok(revisions.iter().filter_map(|revision| observe::found(aws, query, revision)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ecs:RegisterTaskDefinition";
        if !self.family.starts_with(&format!("{}-", new.stack)) {
            let what = format!("task definition {} would not be found again", self.family);
            return Err(CallError::invalid(what, format!("give it a name that begins with `{}-`", new.stack)));
        }
        let live = revisions::live(aws, &self.family).await?;
        let held = match &live {
            // Of a family that a schedule starts, the newest revision is what runs next: no rollout may register another
            // between the look at it and the call.
            Some(live) if !live.is_served && !self.versions.is_empty() => {
                let name = self.family.strip_prefix(&format!("{}-", new.stack)).unwrap_or(&self.family);
                claim::claim(aws, name).await?
            }
            _ => None,
        };
        let made = async {
            let live = if held.is_some() { revisions::live(aws, &self.family).await? } else { live };
            let now = live.map(|live| observe::inputs(aws, &live.revision));
            let request = self.registration(aws, new, now.as_ref()).await?;
            held.as_ref().map_or(Ok(()), Claim::fresh)?;
            aws.call(ACTION, &self.family, || request.clone().send()).await
        };
        let made = made.await;
        claim::release(held).await;
        let arn = made?.task_definition.and_then(|made| made.task_definition_arn);
        let arn = arn.ok_or_else(|| CallError::lacks(ACTION, "taskDefinitionArn"))?;
        aws.note(new.id, arn.as_str());
        Ok(Made { outputs: Some(outputs(&arn)), physical: arn })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, _changed: &Changed) -> Result<Option<Outputs>, CallError> {
        tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        Ok(Some(now.outputs.clone()))
    }

    /// As long as its family stays, this revision alone goes out of use; otherwise the family goes, with every revision
    /// that rollouts left in it. It stays when this run has made a successor, which can be of the same generation.
    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let generation = match &now.identity {
            Identity::Ours(generation) => generation.as_ref().map(Generation::as_str),
            Identity::Foreign => None,
        };
        let successor = aws.noted(&now.id).filter(|made| *made != now.physical);
        revisions::retire(aws, &now.physical, generation, successor.as_deref()).await.map(|()| Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const DEFINITION: &[&str] = &["arn:{partition}:ecs:{region}:{account}:task-definition/{stack}-*"];
        const REPOSITORY: &[&str] = &["arn:{partition}:ecr:{region}:{account}:repository/{stack}/*"];
        const ROLES: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        const TO_TASKS: &[(&str, &str, &str)] = &[("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")];
        let own = vec![
            Grant::read(&[
                "ecs:DescribeServices",
                "ecs:DescribeTaskDefinition",
                "ecs:ListServices",
                "ecs:ListTaskDefinitionFamilies",
                "ecs:ListTaskDefinitions",
            ]),
            // The first revision runs the image that is there.
            Grant { resources: REPOSITORY, ..Grant::read(&["ecr:DescribeImages"]) },
            Grant::write(&["ecs:RegisterTaskDefinition", "ecs:TagResource"], DEFINITION).when(TAGGED_WITH_THIS_STACK),
            // AWS offers nothing narrower.
            Grant::write(&["ecs:DeregisterTaskDefinition"], &["*"]),
            Grant::write(&["ecs:DeleteTaskDefinitions", "ecs:TagResource", "ecs:UntagResource"], DEFINITION)
                .when(OF_THIS_STACK),
            Grant::write(&["iam:PassRole"], ROLES).when(TO_TASKS),
        ];
        own.into_iter().chain(claim::grants()).collect()
    }
}

impl TaskDefinition {
    /// What is sent to make a revision after the one that runs now.
    async fn registration(
        &self,
        aws: &Aws,
        new: &New<'_>,
        now: Option<&Self>,
    ) -> Result<RegisterTaskDefinitionFluentBuilder, CallError> {
        let versions = self.new_versions(aws, now).await?;
        let mut tags = new.tags(&self.tags);
        if !self.versions.is_empty() {
            tags.insert(ROLLOUTS.to_owned(), self.versions.keys().cloned().collect::<Vec<_>>().join(" "));
        }
        let platform = RuntimePlatform::builder()
            .cpu_architecture(CpuArchitecture::from(self.architecture.as_str()))
            .operating_system_family(OsFamily::Linux)
            .build();
        let compatibilities = self.compatibilities.iter().map(|one| Compatibility::from(one.as_str())).collect();
        Ok(aws
            .ecs
            .register_task_definition()
            .family(&self.family)
            .network_mode(NetworkMode::from(self.network_mode.as_str()))
            .set_requires_compatibilities(Some(compatibilities))
            .set_cpu(self.cpu.map(|cpu| cpu.to_string()))
            .set_memory(self.memory.map(|memory| memory.to_string()))
            .runtime_platform(platform)
            .set_execution_role_arn(self.execution_role.as_ref().map(Out::get).transpose()?.map(str::to_owned))
            .set_task_role_arn(self.task_role.as_ref().map(Out::get).transpose()?.map(str::to_owned))
            .set_container_definitions(Some(self.definitions(aws, &versions)?))
            .set_volumes(Some(self.volumes.iter().map(|(name, volume)| volume.to_sdk(name)).collect()))
            .set_tags(Some(tagging::to_sdk(&tags))))
    }

    fn definitions(
        &self,
        aws: &Aws,
        versions: &BTreeMap<String, String>,
    ) -> Result<Vec<ContainerDefinition>, CallError> {
        let definition = |(name, container): (&String, &Container)| {
            let version = versions.get(name).map(String::as_str).unwrap_or_default();
            container.to_sdk(name, version, &aws.scope.region)
        };
        self.containers.iter().map(definition).collect()
    }
}

impl Volume {
    fn to_sdk(&self, name: &str) -> SdkVolume {
        let host = |path: &String| HostVolumeProperties::builder().source_path(path).build();
        SdkVolume::builder().name(name).set_host(self.host_path.as_ref().map(host)).build()
    }
}

/// Whether a rollout changed an image since the revision `to` was registered to stand in for `from`.
pub(super) async fn overtaken(aws: &Aws, from: &str, to: &str) -> Result<bool, CallError> {
    let (from, to) = futures::try_join!(revisions::one(aws, from), revisions::one(aws, to))?;
    let (Some(from), Some(to)) = (from, to) else { return Ok(false) };
    let (from, to) = (observe::inputs(aws, &from), observe::inputs(aws, &to));
    Ok(to.kept_versions(Some(&from)) != to.versions)
}

/// The images of a revision, by container.
pub(super) async fn images(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>, CallError> {
    Ok(revisions::one(aws, arn).await?.map(|revision| revision.images()).unwrap_or_default())
}

/// A revision as ECS describes it.
pub(super) async fn definition(aws: &Aws, arn: &str) -> Result<Option<TaskDefinitionSdk>, CallError> {
    Ok(revisions::one(aws, arn).await?.map(|revision| revision.sdk))
}

fn outputs(arn: &str) -> Outputs {
    let family = arn.rsplit_once(':').map_or(arn, |(family, _)| family);
    Outputs::from([("arn".to_owned(), Value::text(arn)), ("family_arn".to_owned(), Value::text(family))])
}

//! A revision as AWS has it, in the shape of the inputs.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{Compatibility, NetworkMode};
use wharf_engine::{Health, Identity};
use wharf_on_image_push::revision::{ROLLOUTS, split};

use super::revisions::Revision;
use super::{Container, TaskDefinition, Volume, outputs};
use crate::aws::call::Aws;
use crate::aws::kind::{Found, Query};
use crate::aws::out::{Out, Text};
use crate::aws::tags;

pub(super) fn found(aws: &Aws, query: &Query<TaskDefinition>, revision: &Revision) -> Option<Found<TaskDefinition>> {
    let inputs = inputs(aws, revision);
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| wanted.family == inputs.family);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let (id, identity) = tags::read(&aws.scope.stack, &revision.tags).or_else(foreign)?;
    Some(Found {
        id,
        physical: revision.arn().to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(revision.arn()),
        blockers: Default::default(),
    })
}

pub(super) fn inputs(aws: &Aws, revision: &Revision) -> TaskDefinition {
    let sdk = &revision.sdk;
    let rolled: BTreeSet<&str> =
        revision.tags.get(ROLLOUTS).map(|names| names.split(' ').collect()).unwrap_or_default();
    let mut containers = BTreeMap::new();
    let mut versions = BTreeMap::new();
    for definition in sdk.container_definitions() {
        let name = definition.name().unwrap_or_default();
        let mut container = Container::from_sdk(definition, &aws.scope.region);
        if rolled.contains(name) {
            let (repository, version) = split(definition.image().unwrap_or_default());
            container.image = Text::known(repository);
            versions.insert(name.to_owned(), version.to_owned());
        }
        containers.insert(name.to_owned(), container);
    }
    let platform = sdk.runtime_platform();
    let architecture = platform.and_then(|platform| platform.cpu_architecture());
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    let volume = |volume: &aws_sdk_ecs::types::Volume| {
        let host_path = volume.host().and_then(|host| host.source_path()).map(str::to_owned);
        Some((volume.name()?.to_owned(), Volume { host_path }))
    };
    TaskDefinition {
        family: sdk.family().unwrap_or_default().to_owned(),
        network_mode: sdk.network_mode().map_or("bridge", NetworkMode::as_str).to_owned(),
        compatibilities: sdk.requires_compatibilities().iter().map(Compatibility::as_str).map(str::to_owned).collect(),
        cpu: number(sdk.cpu()),
        memory: number(sdk.memory()),
        architecture: architecture.map_or("X86_64", |architecture| architecture.as_str()).to_owned(),
        execution_role: sdk.execution_role_arn().map(Out::known),
        task_role: sdk.task_role_arn().map(Out::known),
        containers,
        versions,
        volumes: sdk.volumes().iter().filter_map(volume).collect(),
        tags: tags::user(&revision.tags),
    }
}

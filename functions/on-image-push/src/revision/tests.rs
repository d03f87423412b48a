//! Whatever a task definition has, the next revision has it too, but for one image.

use aws_sdk_ecs::types::builders::{ContainerDefinitionBuilder, TaskDefinitionBuilder};
use aws_sdk_ecs::types::{
    Compatibility, ContainerCondition, ContainerDependency, ContainerRestartPolicy, CpuArchitecture, EnvironmentFile,
    EnvironmentFileType, EphemeralStorage, FirelensConfiguration, FirelensConfigurationType, HealthCheck, HostEntry,
    HostVolumeProperties, IpcMode, KernelCapabilities, KeyValuePair, LinuxParameters, LogConfiguration, LogDriver,
    MountPoint, NetworkMode, OsFamily, PidMode, PortMapping, ProxyConfiguration, RepositoryCredentials,
    ResourceRequirement, ResourceType, RuntimePlatform, Secret, SystemControl, TaskDefinition,
    TaskDefinitionPlacementConstraint, TaskDefinitionPlacementConstraintType, TaskDefinitionStatus, Ulimit, UlimitName,
    VersionConsistency, Volume, VolumeFrom,
};
use proptest::prelude::*;

use super::*;

#[test]
fn an_image_is_cut_before_its_tag_or_digest_and_not_at_the_port_of_its_registry() {
    for (image, cut) in [
        ("web:v1", ("web", ":v1")),
        ("localhost:5000/web", ("localhost:5000/web", "")),
        ("localhost:5000/web:v1", ("localhost:5000/web", ":v1")),
        ("r.dkr/web@sha256:0a", ("r.dkr/web", "@sha256:0a")),
    ] {
        assert_eq!(split(image), cut, "{image}");
    }
}

/// A setting of a container, by its place; each is one that AWS takes and gives back.
const OF_CONTAINERS: &[fn(ContainerDefinitionBuilder, &str) -> ContainerDefinitionBuilder] = &[
    |c, t| c.repository_credentials(RepositoryCredentials::builder().credentials_parameter(t).build().unwrap()),
    |c, t| c.cpu(i32::try_from(t.len()).unwrap()),
    |c, t| c.memory(128 + i32::try_from(t.len()).unwrap()),
    |c, _| c.memory_reservation(64),
    |c, t| c.links(t),
    |c, t| c.port_mappings(PortMapping::builder().container_port(8000).host_port(8000).name(t).build()),
    |c, _| c.essential(false),
    |c, _| {
        c.restart_policy(ContainerRestartPolicy::builder().enabled(true).restart_attempt_period(60).build().unwrap())
    },
    |c, t| c.entry_point(t),
    |c, t| c.command(t),
    |c, t| c.environment(KeyValuePair::builder().name(t).value(t).build()),
    |c, t| c.environment_files(EnvironmentFile::builder().value(t).r#type(EnvironmentFileType::S3).build().unwrap()),
    |c, t| c.mount_points(MountPoint::builder().source_volume(t).container_path("/data").read_only(true).build()),
    |c, t| c.volumes_from(VolumeFrom::builder().source_container(t).build()),
    |c, t| {
        let capabilities = KernelCapabilities::builder().drop("ALL").add(t).build();
        c.linux_parameters(LinuxParameters::builder().init_process_enabled(true).capabilities(capabilities).build())
    },
    |c, t| c.secrets(Secret::builder().name(t).value_from(t).build().unwrap()),
    |c, t| {
        let until = ContainerDependency::builder().container_name(t).condition(ContainerCondition::Healthy);
        c.depends_on(until.build().unwrap())
    },
    |c, _| c.start_timeout(30),
    |c, _| c.stop_timeout(40),
    |c, _| c.version_consistency(VersionConsistency::Disabled),
    |c, t| c.hostname(t),
    |c, t| c.user(t),
    |c, t| c.working_directory(t),
    |c, _| c.disable_networking(true),
    |c, _| c.privileged(true),
    |c, _| c.readonly_root_filesystem(true),
    |c, t| c.dns_servers(t),
    |c, t| c.dns_search_domains(t),
    |c, t| c.extra_hosts(HostEntry::builder().hostname(t).ip_address("10.0.0.1").build().unwrap()),
    |c, t| c.docker_security_options(t),
    |c, _| c.interactive(true),
    |c, _| c.pseudo_terminal(true),
    |c, t| c.docker_labels(t, t),
    |c, _| c.ulimits(Ulimit::builder().name(UlimitName::Nofile).soft_limit(1).hard_limit(2).build().unwrap()),
    |c, t| {
        c.log_configuration(LogConfiguration::builder().log_driver(LogDriver::Awslogs).options("a", t).build().unwrap())
    },
    |c, t| c.health_check(HealthCheck::builder().command(t).interval(10).build().unwrap()),
    |c, t| c.system_controls(SystemControl::builder().namespace("net.core.somaxconn").value(t).build()),
    |c, t| c.resource_requirements(ResourceRequirement::builder().value(t).r#type(ResourceType::Gpu).build().unwrap()),
    |c, t| {
        let firelens = FirelensConfiguration::builder().r#type(FirelensConfigurationType::Fluentbit).options("a", t);
        c.firelens_configuration(firelens.build().unwrap())
    },
    |c, t| c.credential_specs(t),
];

/// A setting of a task definition, by its place.
const OF_DEFINITIONS: &[fn(TaskDefinitionBuilder, &str) -> TaskDefinitionBuilder] = &[
    |d, t| d.task_role_arn(t),
    |d, t| d.execution_role_arn(t),
    |d, _| d.network_mode(NetworkMode::Awsvpc),
    |d, t| d.volumes(Volume::builder().name(t).host(HostVolumeProperties::builder().source_path(t).build()).build()),
    |d, t| {
        let constraint = TaskDefinitionPlacementConstraint::builder().expression(t);
        d.placement_constraints(constraint.r#type(TaskDefinitionPlacementConstraintType::MemberOf).build())
    },
    |d, _| d.requires_compatibilities(Compatibility::Ec2),
    |d, t| d.cpu(t),
    |d, t| d.memory(t),
    |d, _| d.pid_mode(PidMode::Task),
    |d, _| d.ipc_mode(IpcMode::None),
    |d, t| d.proxy_configuration(ProxyConfiguration::builder().container_name(t).build().unwrap()),
    |d, _| d.ephemeral_storage(EphemeralStorage::builder().size_in_gib(30).build()),
    |d, _| {
        let platform = RuntimePlatform::builder().cpu_architecture(CpuArchitecture::Arm64);
        d.runtime_platform(platform.operating_system_family(OsFamily::Linux).build())
    },
    |d, _| d.enable_fault_injection(true),
    accelerator,
];

#[expect(deprecated, reason = "who has accelerators keeps them")]
fn accelerator(definition: TaskDefinitionBuilder, text: &str) -> TaskDefinitionBuilder {
    use aws_sdk_ecs::types::InferenceAccelerator;

    let one = InferenceAccelerator::builder().device_name(text).device_type("eia2.medium").build().unwrap();
    definition.inference_accelerators(one)
}

fn client() -> Client {
    Client::from_conf(aws_sdk_ecs::Config::builder().behavior_version_latest().build())
}

/// What the request would register, as ECS would describe it.
#[expect(deprecated, reason = "who has accelerators keeps them")]
fn registered(revision: &Revision) -> Revision {
    let ecs = client();
    let request = revision.registration(&ecs);
    let input = request.as_input();
    let sdk = TaskDefinition::builder()
        .set_family(input.get_family().clone())
        .set_container_definitions(input.get_container_definitions().clone())
        .set_task_role_arn(input.get_task_role_arn().clone())
        .set_execution_role_arn(input.get_execution_role_arn().clone())
        .set_network_mode(input.get_network_mode().clone())
        .set_volumes(input.get_volumes().clone())
        .set_placement_constraints(input.get_placement_constraints().clone())
        .set_requires_compatibilities(input.get_requires_compatibilities().clone())
        .set_cpu(input.get_cpu().clone())
        .set_memory(input.get_memory().clone())
        .set_pid_mode(input.get_pid_mode().clone())
        .set_ipc_mode(input.get_ipc_mode().clone())
        .set_proxy_configuration(input.get_proxy_configuration().clone())
        .set_inference_accelerators(input.get_inference_accelerators().clone())
        .set_ephemeral_storage(input.get_ephemeral_storage().clone())
        .set_runtime_platform(input.get_runtime_platform().clone())
        .set_enable_fault_injection(*input.get_enable_fault_injection())
        .build();
    Revision { sdk, tags: input.get_tags().clone().unwrap_or_default() }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// A definition with a random part of all settings; `web` and perhaps others, of which some have the same image.
fn definitions() -> impl Strategy<Value = Revision> {
    let settings = prop::collection::vec(any::<bool>(), OF_CONTAINERS.len());
    let container = ("[a-z]{1,8}", settings, "[a-z0-9/.:@]{1,20}");
    let containers = prop::collection::vec(container, 0..3);
    let of_definition = prop::collection::vec(any::<bool>(), OF_DEFINITIONS.len());
    let tags = prop::collection::vec(("[a-zA-Z:]{1,12}", "[ -~]{0,12}"), 0..4);
    let own = prop::collection::vec(any::<bool>(), OF_CONTAINERS.len());
    (containers, of_definition, tags, own, 0_usize..3, "[a-z]{1,6}").prop_map(
        |(others, of_definition, tags, own, place, text)| {
            let container = |name: &str, image: &str, settings: &[bool], text: &str| {
                let plain = ContainerDefinition::builder().name(name).image(image);
                let chosen = OF_CONTAINERS.iter().zip(settings).filter(|(_, chosen)| **chosen);
                chosen.fold(plain, |container, (set, _)| set(container, text)).build()
            };
            let mut containers: Vec<_> = others
                .iter()
                .map(|(name, settings, image)| container(&format!("other-{name}"), image, settings, name))
                .collect();
            containers.insert(place.min(containers.len()), container("web", "r/web:v1", &own, &text));
            let plain = TaskDefinition::builder().family("shop-web").set_container_definitions(Some(containers));
            let chosen = OF_DEFINITIONS.iter().zip(&of_definition).filter(|(_, chosen)| **chosen);
            let definition = chosen.fold(plain, |definition, (set, _)| set(definition, &text));
            let by_aws = definition.task_definition_arn("arn:7").revision(7).status(TaskDefinitionStatus::Active);
            let tags = tags.iter().map(|(key, value)| tag(&format!("t:{key}"), value));
            let own = [tag(ROLLOUTS, "web"), tag("aws:cloudformation:stack-name", "theirs")];
            Revision { sdk: by_aws.build(), tags: tags.chain(own).collect() }
        },
    )
}

proptest! {
    #[test]
    fn the_new_revision_differs_in_the_one_image_alone(before in definitions()) {
        let after = registered(&before.with_image("r/web@sha256:0a"));
        prop_assert_eq!(after.image(), Some(("r/web", "@sha256:0a")));
        let (was, _) = before.image().unwrap();
        prop_assert_eq!(was, "r/web");
        // With the old image again, it is the old one but for what AWS says of each by itself.
        prop_assert!(after.with_image("r/web:v1").is_like(&before), "{:#?}\n{:#?}", before, after);
        prop_assert!(!after.is_like(&before));
        prop_assert!(!after.tags.iter().any(is_reserved));
    }
}

/// The settings of what is shown that have no value.
fn unset(shown: &str) -> Vec<&str> {
    let own = |line: &&str| line.starts_with("    ") && !line.starts_with("     ") && line.ends_with(": None,");
    shown.lines().filter(own).collect()
}

#[test]
fn every_setting_that_can_be_registered_and_is_described_is_tried() {
    // A setting that a later SDK adds is missing here, and in what is sent.
    let all = OF_CONTAINERS.iter().fold(ContainerDefinition::builder(), |container, set| set(container, "t"));
    let shown = format!("{:#?}", all.name("web").image("i").build());
    assert!(unset(&shown).is_empty(), "{:#?}", unset(&shown));
    let all = OF_DEFINITIONS.iter().fold(TaskDefinition::builder(), |definition, set| set(definition, "t"));
    let at = aws_smithy_types::DateTime::from_secs(0);
    let by_aws = all.task_definition_arn("a").status(TaskDefinitionStatus::Active).registered_by("me");
    let by_aws = by_aws.registered_at(at).deregistered_at(at).delete_requested_at(at);
    let by_aws = by_aws.set_requires_attributes(Some(Vec::new())).set_compatibilities(Some(Vec::new()));
    let shown = format!("{:#?}", by_aws.family("f").set_container_definitions(Some(Vec::new())).build());
    assert!(unset(&shown).is_empty(), "{:#?}", unset(&shown));
}

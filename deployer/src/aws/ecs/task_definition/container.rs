//! A container of a task.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definitions>

use std::collections::{BTreeMap, HashMap};

use aws_sdk_ecs::types::{
    ContainerCondition, ContainerDefinition, ContainerDependency, HealthCheck as SdkHealth, KernelCapabilities,
    KeyValuePair, LinuxParameters, LogConfiguration, LogDriver, MountPoint, PortMapping, Secret, Tmpfs,
    TransportProtocol, Ulimit as SdkUlimit, UlimitName,
};
use serde::{Deserialize, Serialize};

use crate::aws::call::CallError;
use crate::aws::logs::log_group::LogGroupName;
use crate::aws::out::{Out, Text};
use crate::aws::units::Seconds;

/// A container of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its image; without tag and digest where rollouts decide about them (`TaskDefinition::versions`).
    pub image: Text,
    /// The task stops when it does.
    pub essential: bool,
    /// Its arguments; empty: the image's own.
    pub command: Vec<String>,
    /// Its program; empty: the image's own.
    pub entry_point: Vec<String>,
    /// The directory it starts in.
    pub working_directory: Option<String>,
    /// The ports it listens on.
    pub ports: Vec<Port>,
    /// Its variables.
    pub env: BTreeMap<String, Text>,
    /// Its variables with secret values: to each the ARN of an SSM parameter.
    pub secrets: BTreeMap<String, Text>,
    /// Where its output goes.
    pub logs: Option<Logs>,
    /// How Docker tells that it works.
    pub health: Option<HealthCheck>,
    /// How long it may take to stop before it is killed.
    pub stop_timeout: Option<Seconds>,
    /// It cannot write to its own file system.
    pub read_only_root: bool,
    /// A first process that passes signals on and collects what has ended.
    pub init_process: bool,
    /// It may do on the instance what root may.
    pub privileged: bool,
    /// Kernel capabilities taken from it, such as `ALL`.
    pub drop_capabilities: Vec<String>,
    /// The user it runs as.
    pub user: Option<String>,
    /// Limits of its processes, such as `nofile`.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Its share of the task's CPU units; 0 is none in particular.
    pub cpu: i32,
    /// MiB of memory at which it is killed.
    pub memory: Option<i32>,
    /// MiB of memory kept for it.
    pub memory_reservation: Option<i32>,
    /// What is mounted, by the path in the container.
    pub mounts: BTreeMap<String, Mount>,
    /// Directories in memory, with their MiB.
    pub tmpfs: BTreeMap<String, i32>,
    /// The containers it waits for, and until what: `START`, `COMPLETE`, `SUCCESS`, `HEALTHY`.
    pub depends_on: BTreeMap<String, String>,
    /// Docker's labels.
    pub labels: BTreeMap<String, String>,
}

/// A port that a container listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its number.
    pub container: i32,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// A name for it.
    pub name: Option<String>,
}

/// The log driver `awslogs` and its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// The log group.
    pub group: Out<LogGroupName>,
    /// What the names of its streams begin with.
    pub prefix: String,
    /// Output is dropped rather than that the container stops when logs cannot be written.
    pub non_blocking: bool,
    /// How much is kept until it is written: `25m`.
    pub max_buffer: String,
}

/// How Docker tells that a container works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `["CMD-SHELL", "curl -f http://localhost/ || exit 1"]`.
    pub command: Vec<String>,
    /// Between two checks.
    pub interval: Seconds,
    /// For one check.
    pub timeout: Seconds,
    /// So many in a row that fail.
    pub retries: i32,
    /// How long failures do not count at first.
    pub start_period: Seconds,
}

/// A limit of a container's processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The limit at first.
    pub soft: i32,
    /// The limit up to which a process may raise it.
    pub hard: i32,
}

/// A volume in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The volume's name.
    pub volume: String,
    /// It cannot be written to.
    pub read_only: bool,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            image: Text::known(""),
            essential: true,
            command: Vec::new(),
            entry_point: Vec::new(),
            working_directory: None,
            ports: Vec::new(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            logs: None,
            health: None,
            stop_timeout: None,
            read_only_root: false,
            init_process: false,
            privileged: false,
            drop_capabilities: Vec::new(),
            user: None,
            ulimits: BTreeMap::new(),
            cpu: 0,
            memory: None,
            memory_reservation: None,
            mounts: BTreeMap::new(),
            tmpfs: BTreeMap::new(),
            depends_on: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }
}

fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    Some(items).filter(|items| !items.is_empty())
}

impl Container {
    pub(super) fn to_sdk(&self, name: &str, version: &str, region: &str) -> Result<ContainerDefinition, CallError> {
        let mut env = Vec::new();
        for (name, value) in &self.env {
            env.push(KeyValuePair::builder().name(name).value(value.get()?).build());
        }
        let secret = |(name, arn): (&String, &Text)| {
            Secret::builder().name(name).value_from(arn.get()?).build().map_err(CallError::ours)
        };
        let secrets = self.secrets.iter().map(secret).collect::<Result<Vec<_>, CallError>>()?;
        let ulimit = |(name, limit): (&String, &Ulimit)| {
            let sdk = SdkUlimit::builder().name(UlimitName::from(name.as_str()));
            sdk.soft_limit(limit.soft).hard_limit(limit.hard).build().map_err(CallError::ours)
        };
        let depends = |(name, until): (&String, &String)| {
            let condition = ContainerCondition::from(until.as_str());
            ContainerDependency::builder().container_name(name).condition(condition).build().map_err(CallError::ours)
        };
        let mount = |(path, mount): (&String, &Mount)| {
            let sdk = MountPoint::builder().container_path(path).source_volume(&mount.volume);
            sdk.read_only(mount.read_only).build()
        };
        let labels: HashMap<_, _> = self.labels.clone().into_iter().collect();
        Ok(ContainerDefinition::builder()
            .name(name)
            .image(format!("{}{version}", self.image.get()?))
            .essential(self.essential)
            .set_command(some(self.command.clone()))
            .set_entry_point(some(self.entry_point.clone()))
            .set_working_directory(self.working_directory.clone())
            .set_port_mappings(Some(self.ports.iter().map(Port::to_sdk).collect()))
            .set_environment(Some(env))
            .set_secrets(some(secrets))
            .set_log_configuration(self.logs.as_ref().map(|logs| logs.to_sdk(region)).transpose()?)
            .set_health_check(self.health.as_ref().map(HealthCheck::to_sdk).transpose()?)
            .set_stop_timeout(self.stop_timeout.map(|seconds| seconds.0))
            .readonly_root_filesystem(self.read_only_root)
            .privileged(self.privileged)
            .linux_parameters(self.linux_parameters()?)
            .set_user(self.user.clone())
            .set_ulimits(some(self.ulimits.iter().map(ulimit).collect::<Result<_, _>>()?))
            .cpu(self.cpu)
            .set_memory(self.memory)
            .set_memory_reservation(self.memory_reservation)
            .set_mount_points(Some(self.mounts.iter().map(mount).collect()))
            .set_depends_on(some(self.depends_on.iter().map(depends).collect::<Result<_, _>>()?))
            .set_docker_labels(Some(labels).filter(|labels| !labels.is_empty()))
            .build())
    }

    fn linux_parameters(&self) -> Result<LinuxParameters, CallError> {
        let tmpfs = |(path, size): (&String, &i32)| {
            Tmpfs::builder().container_path(path).size(*size).build().map_err(CallError::ours)
        };
        let tmpfs = self.tmpfs.iter().map(tmpfs).collect::<Result<Vec<_>, _>>()?;
        let mut parameters = LinuxParameters::builder().init_process_enabled(self.init_process).set_tmpfs(some(tmpfs));
        if !self.drop_capabilities.is_empty() {
            let without = KernelCapabilities::builder().set_drop(Some(self.drop_capabilities.clone())).build();
            parameters = parameters.capabilities(without);
        }
        Ok(parameters.build())
    }

    pub(super) fn from_sdk(sdk: &ContainerDefinition, region: &str) -> Self {
        let linux = sdk.linux_parameters();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let mount = |mount: &MountPoint| {
            let inner = Mount { volume: text(mount.source_volume()), read_only: mount.read_only() == Some(true) };
            (text(mount.container_path()), inner)
        };
        let env = |pair: &KeyValuePair| (text(pair.name()), Text::known(text(pair.value())));
        let limit = |limit: &SdkUlimit| {
            let inner = Ulimit { soft: limit.soft_limit(), hard: limit.hard_limit() };
            (limit.name().as_str().to_owned(), inner)
        };
        let depends =
            |one: &ContainerDependency| (one.container_name().to_owned(), one.condition().as_str().to_owned());
        Self {
            image: Text::known(text(sdk.image())),
            essential: sdk.essential() != Some(false),
            command: sdk.command().to_vec(),
            entry_point: sdk.entry_point().to_vec(),
            working_directory: sdk.working_directory().map(str::to_owned),
            ports: sdk.port_mappings().iter().map(Port::from_sdk).collect(),
            env: sdk.environment().iter().map(env).collect(),
            secrets: sdk.secrets().iter().map(|one| (one.name().to_owned(), Text::known(one.value_from()))).collect(),
            logs: sdk.log_configuration().and_then(|logs| Logs::from_sdk(logs, region)),
            health: sdk.health_check().map(HealthCheck::from_sdk),
            stop_timeout: sdk.stop_timeout().map(Seconds),
            read_only_root: sdk.readonly_root_filesystem() == Some(true),
            init_process: linux.and_then(|linux| linux.init_process_enabled()) == Some(true),
            privileged: sdk.privileged() == Some(true),
            drop_capabilities: linux
                .and_then(|linux| linux.capabilities())
                .map(|without| without.drop().to_vec())
                .unwrap_or_default(),
            user: sdk.user().map(str::to_owned),
            ulimits: sdk.ulimits().iter().map(limit).collect(),
            cpu: sdk.cpu(),
            memory: sdk.memory(),
            memory_reservation: sdk.memory_reservation(),
            mounts: sdk.mount_points().iter().map(mount).collect(),
            tmpfs: linux
                .map(|linux| linux.tmpfs().iter().map(|one| (one.container_path().to_owned(), one.size())).collect())
                .unwrap_or_default(),
            depends_on: sdk.depends_on().iter().map(depends).collect(),
            labels: sdk.docker_labels().cloned().unwrap_or_default().into_iter().collect(),
        }
    }
}

impl Port {
    /// In the mode `awsvpc` the port of the host is the same.
    fn to_sdk(&self) -> PortMapping {
        let port = PortMapping::builder().container_port(self.container).host_port(self.container);
        port.protocol(TransportProtocol::from(self.protocol.as_str())).set_name(self.name.clone()).build()
    }

    fn from_sdk(sdk: &PortMapping) -> Self {
        Self {
            container: sdk.container_port().unwrap_or_default(),
            protocol: sdk.protocol().map_or("tcp", TransportProtocol::as_str).to_owned(),
            name: sdk.name().map(str::to_owned),
        }
    }
}

impl Logs {
    fn to_sdk(&self, region: &str) -> Result<LogConfiguration, CallError> {
        let mode = if self.non_blocking { "non-blocking" } else { "blocking" };
        let mut options = HashMap::from([
            ("awslogs-group".to_owned(), self.group.get()?.to_owned()),
            ("awslogs-region".to_owned(), region.to_owned()),
            ("awslogs-stream-prefix".to_owned(), self.prefix.clone()),
            ("mode".to_owned(), mode.to_owned()),
        ]);
        if self.non_blocking {
            options.insert("max-buffer-size".to_owned(), self.max_buffer.clone());
        }
        let logs = LogConfiguration::builder().log_driver(LogDriver::Awslogs).set_options(Some(options));
        logs.build().map_err(CallError::ours)
    }

    /// None for what is no such configuration, so that it differs from any.
    fn from_sdk(sdk: &LogConfiguration, region: &str) -> Option<Self> {
        let options = sdk.options()?;
        let option = |name: &str| options.get(name).map(String::as_str).unwrap_or_default();
        if sdk.log_driver() != &LogDriver::Awslogs || option("awslogs-region") != region {
            return None;
        }
        Some(Self {
            group: Out::known(option("awslogs-group")),
            prefix: option("awslogs-stream-prefix").to_owned(),
            non_blocking: option("mode") == "non-blocking",
            max_buffer: option("max-buffer-size").to_owned(),
        })
    }
}

impl HealthCheck {
    fn to_sdk(&self) -> Result<SdkHealth, CallError> {
        let check = SdkHealth::builder().set_command(Some(self.command.clone())).interval(self.interval.0);
        let check = check.timeout(self.timeout.0).retries(self.retries).start_period(self.start_period.0);
        check.build().map_err(CallError::ours)
    }

    fn from_sdk(sdk: &SdkHealth) -> Self {
        Self {
            command: sdk.command().to_vec(),
            interval: Seconds(sdk.interval().unwrap_or(30)),
            timeout: Seconds(sdk.timeout().unwrap_or(5)),
            retries: sdk.retries().unwrap_or(3),
            start_period: Seconds(sdk.start_period().unwrap_or_default()),
        }
    }
}

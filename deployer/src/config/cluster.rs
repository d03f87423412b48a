//! `[cluster]`: the ECS cluster, and the group of EC2 instances that the tasks run on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instance_type::{Spec, architecture, spec};

/// The ECS cluster with its instances. Without this section nothing runs: services have their repositories and
/// variables alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// The type of the instances, such as `m7g.large`. It says which processors the images have to be built for.
    #[schemars(extend("format" = "ec2-instance-type"))]
    pub instance_type: String,
    /// The processors, if they are to be checked: `arm64` or `x86_64`. Otherwise what the instance type has.
    pub architecture: Option<Architecture>,
    /// How many instances there are at least, spread over the zones.
    #[schemars(range(min = 1, max = 500))]
    pub min: u16,
    /// How many instances there are at most. Between the two, ECS starts and stops them as the tasks need.
    #[schemars(range(min = 1, max = 500))]
    pub max: u16,
    /// How full the group is kept, in percent: below 100 there is always room for the next task.
    #[schemars(range(min = 1, max = 100))]
    pub target_percent: u8,
    /// Each instance's disk (gp3, encrypted), in GiB: images, containers and their logs until they are shipped.
    #[schemars(range(min = 30, max = 16384))]
    pub volume_gib: u16,
    /// Whether the account setting `awsvpcTrunking` is on, which lets an instance carry several times as many tasks.
    /// Wharf does not switch it: it is the account's, and shared by all that the account has.
    pub trunking: bool,
    /// How much of Container Insights to have: `enhanced` (by task and container), `enabled` or `disabled`.
    pub insights: ContainerInsights,
    /// How many days to keep the record of what was typed into `wharf exec`: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180,
    /// 365, 400, 545, 731 or more.
    #[schemars(extend("enum" = super::LOG_DAYS))]
    pub exec_log_days: u16,
}

/// Processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Architecture {
    /// AWS's Graviton.
    #[serde(rename = "arm64")]
    Arm64,
    /// Intel's and AMD's.
    #[serde(rename = "x86_64")]
    X86,
}

impl Architecture {
    /// As images and AMIs name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }
}

/// How much of Container Insights to have.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ContainerInsights.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerInsights {
    /// By cluster, service, task and container.
    Enhanced,
    /// By cluster and service.
    Enabled,
    /// None.
    Disabled,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            instance_type: "m7g.large".to_owned(),
            architecture: None,
            min: 2,
            max: 4,
            target_percent: 100,
            volume_gib: 30,
            trunking: false,
            insights: ContainerInsights::Enhanced,
            exec_log_days: 90,
        }
    }
}

impl Cluster {
    /// The processors of the instances.
    #[must_use]
    pub fn processors(&self) -> Architecture {
        self.architecture.unwrap_or_else(|| architecture(&self.instance_type))
    }

    /// What one instance has, when its type is one that Wharf knows.
    #[must_use]
    pub fn instance(&self) -> Option<Spec> {
        spec(&self.instance_type)
    }

    /// How many tasks one instance has network interfaces for: each task takes one, the instance one for itself.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/eni-trunking-supported-instance-types.html>
    #[must_use]
    pub fn interfaces_for_tasks(&self) -> Option<u32> {
        let spec = self.instance()?;
        match spec.trunked_tasks.filter(|_| self.trunking) {
            Some(tasks) => Some(tasks),
            None => Some(spec.interfaces - 1),
        }
    }
}

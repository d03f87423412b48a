//! What the commands about running services have in common: the services of the stack's cluster, and their tasks.

use aws_sdk_ecs::types::{Service, Task};
use wharf_engine::Class;

use crate::aws::{Aws, CallError, Grant};

/// Why something about a service's tasks did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It cannot be.
    #[error("{0}")]
    Refused(Refusal),
}

/// Why something cannot be: in one sentence, with what AWS says, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What happened.
    pub what: String,
    /// AWS's own words.
    pub because: Vec<String>,
    /// What the user can do.
    pub hint: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", [std::slice::from_ref(&self.what), &self.because].concat().join(": "))
    }
}

impl Refusal {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), because: Vec::new(), hint: None }
    }

    pub(super) fn because(mut self, text: impl Into<String>) -> Self {
        self.because.push(text.into());
        self
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<Refusal> for TaskError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The reads that these commands have in common.
pub(super) fn grants() -> Vec<Grant> {
    const SERVICES: &[&str] = &["arn:{partition}:ecs:{region}:{account}:service/{stack}/*"];
    vec![
        Grant::read(&["ec2:DescribeAvailabilityZones", "sts:GetCallerIdentity"]),
        Grant { resources: SERVICES, ..Grant::read(&["ecs:DescribeServices"]) },
        Grant { resources: TASKS, ..Grant::read(&["ecs:DescribeTasks"]) },
    ]
}

/// The tasks of the stack's cluster.
pub(super) const TASKS: &[&str] = &["arn:{partition}:ecs:{region}:{account}:task/{stack}/*"];

/// The service of this name, which runs in the stack's cluster.
pub(super) async fn service(aws: &Aws, name: &str) -> Result<Service, TaskError> {
    let cluster = &aws.scope.stack;
    let send = || aws.ecs.describe_services().cluster(cluster).services(name).send();
    let services = match aws.call("ecs:DescribeServices", name, send).await {
        Err(error) if error.class == Class::Missing => Vec::new(),
        answer => answer?.services.unwrap_or_default(),
    };
    let service = services.into_iter().find(|service| service.status() == Some("ACTIVE"));
    let missing = || Refusal::new(format!("`{name}` does not run in the cluster `{cluster}`"));
    Ok(service.ok_or_else(|| missing().hint("`wharf status` shows what there is, `wharf apply` makes what is not"))?)
}

/// These tasks of the stack's cluster, as far as ECS knows them.
pub(super) async fn described(aws: &Aws, arns: &[String]) -> Result<Vec<Task>, CallError> {
    let cluster = &aws.scope.stack;
    let mut all = Vec::new();
    // As many as AWS takes.
    for some in arns.chunks(100) {
        let send = || aws.ecs.describe_tasks().cluster(cluster).set_tasks(Some(some.to_vec())).send();
        let answer = aws.call("ecs:DescribeTasks", some.first().map_or("", |arn| id(arn)), send).await?;
        all.extend(answer.tasks.unwrap_or_default());
    }
    Ok(all)
}

/// A task's id, from its ARN.
pub(super) fn id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// As much of a task's id as tells it from others.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

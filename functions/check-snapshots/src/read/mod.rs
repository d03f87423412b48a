//! Reads what there is. All of it at once; each list page by page, keeping of each object only what controls look at.

mod clusters;
mod instances;
mod keys;
mod policies;
mod rds;
mod volumes;

use std::collections::BTreeSet;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use jiff::Timestamp;

use crate::demands::{Demands, Tag};
use crate::inventory::{Database, Inventory, Unknown};

/// The tag that says which stack something belongs to.
const STACK_TAG: &str = "wharf:stack";

/// So many calls about single objects are under way at once: AWS's rates are the limit, not ours.
const AT_ONCE: usize = 8;

/// The clients of the services that are read.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Databases.
    pub rds: aws_sdk_rds::Client,
    /// Volumes.
    pub ec2: aws_sdk_ec2::Client,
    /// Lifecycle policies.
    pub dlm: aws_sdk_dlm::Client,
    /// Their roles.
    pub iam: aws_sdk_iam::Client,
    /// Keys.
    pub kms: aws_sdk_kms::Client,
}

impl Clients {
    /// The clients of a configuration, whose retries are the SDK's.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            rds: aws_sdk_rds::Client::new(config),
            ec2: aws_sdk_ec2::Client::new(config),
            dlm: aws_sdk_dlm::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            kms: aws_sdk_kms::Client::new(config),
        }
    }
}

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Scope {
    stack: String,
    all_databases: bool,
    volume_tag: Option<Tag>,
}

impl Scope {
    /// What the demands of a stack are about.
    #[must_use]
    pub fn of(stack: &str, demands: &Demands) -> Self {
        let Demands { all_databases, volume_tag, .. } = demands;
        Self { stack: stack.to_owned(), all_databases: *all_databases, volume_tag: volume_tag.clone() }
    }

    /// Whether a database with these tags is looked at.
    fn has_database(&self, mut tags: impl Iterator<Item = (Option<String>, Option<String>)>) -> bool {
        let ours = |(key, value): (Option<String>, Option<String>)| {
            key.as_deref() == Some(STACK_TAG) && value.as_deref() == Some(self.stack.as_str())
        };
        self.all_databases || tags.any(ours)
    }
}

/// Reads what there is. What cannot be read is in it as such.
pub async fn inventory(clients: &Clients, scope: &Scope, at: Timestamp) -> Inventory {
    // Boxed: the SDK's calls are deeply nested types, and four of them side by side more than the compiler looks into.
    let (instances, clusters, volumes, policies) = tokio::join!(
        Box::pin(instances::read(&clients.rds, scope)),
        Box::pin(clusters::read(&clients.rds, scope)),
        Box::pin(volumes::read(&clients.ec2, scope)),
        Box::pin(policies::read(clients, scope)),
    );
    let mut inventory = Inventory { at, instances, clusters, volumes, policies, keys: [].into() };
    sort(&mut inventory);
    inventory.keys = keys::read(&clients.kms, used_keys(&inventory)).await;
    inventory
}

/// AWS lists in any order; the same world is always the same inventory.
fn sort(inventory: &mut Inventory) {
    let databases = [&mut inventory.instances, &mut inventory.clusters].into_iter().flatten();
    for all in databases {
        all.sort_by(|a: &Database, b| a.id.cmp(&b.id));
        for snapshots in all.iter_mut().filter_map(|one| one.snapshots.as_mut().ok()) {
            snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        }
    }
    for all in inventory.volumes.iter_mut() {
        all.sort_by(|a, b| a.id.cmp(&b.id));
        for snapshots in all.iter_mut().filter_map(|one| one.snapshots.as_mut().ok()) {
            snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        }
    }
    for all in inventory.policies.iter_mut() {
        all.sort_by(|a, b| a.id.cmp(&b.id));
    }
}

fn used_keys(inventory: &Inventory) -> BTreeSet<String> {
    let databases = inventory.instances.iter().chain(&inventory.clusters).flatten();
    let databases = databases.map(|one| (&one.key, &one.snapshots));
    let volumes = inventory.volumes.iter().flatten().map(|one| (&one.key, &one.snapshots));
    let both = databases.chain(volumes);
    let keys = both.flat_map(|(key, all)| all.iter().flatten().map(|one| &one.key).chain([key]));
    keys.flatten().cloned().collect()
}

/// How AWS says that the caller may not do something.
const DENIED: [&str; 4] = ["AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"];

/// A call that was not answered, whatever the reason: nothing is known then.
fn unknown<E, R>(action: &'static str) -> impl Fn(SdkError<E, R>) -> Unknown
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    move |error| {
        let why = match error.code() {
            Some(code) if DENIED.contains(&code) => "access denied".to_owned(),
            Some(code) => format!("{code}: {}", error.message().unwrap_or("no message")),
            None => wharf_shell::chain(&error),
        };
        Unknown { action, why }
    }
}

fn timestamp(at: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

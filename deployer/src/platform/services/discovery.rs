//! How services find each other: private names in the VPC, which one-off tasks resolve too.

use super::{Ground, One};
use crate::aws::Handle;
use crate::aws::ecs::service::Registry;
use crate::aws::servicediscovery::namespace::Namespace;
use crate::aws::servicediscovery::service::DiscoveryService;
use crate::aws::units::Seconds;
use crate::platform::{BuildError, Builder};

/// The private zone, when a service is to be found in it.
pub(super) fn namespace(b: &mut Builder, ground: &Ground<'_>) -> Result<Option<Handle<Namespace>>, BuildError> {
    let config = ground.config;
    if !config.services.keys().any(|name| config.is_discovered(name)) {
        return Ok(None);
    }
    let namespace = Namespace {
        name: format!("{}.internal", config.stack.name),
        vpc: ground.network.vpc.id(),
        description: format!("where the services of {} find each other", config.stack.name),
        ttl: Seconds(60),
        tags: b.tags(),
    };
    b.add("cluster.namespace", namespace).map(Some)
}

impl One<'_> {
    /// The service's name in it, which each healthy task has.
    pub(super) fn discovery(&self, b: &mut Builder, namespace: &Handle<Namespace>) -> Result<Registry, BuildError> {
        let service = DiscoveryService {
            name: self.name.to_owned(),
            namespace: namespace.id(),
            description: format!("the tasks of {}", self.name),
            record: "A".to_owned(),
            ttl: Seconds(10),
            tags: b.tags(),
        };
        let service = b.add(&self.id("discovery"), service)?;
        Ok(Registry { service: service.arn(), container: None, container_port: None, port: None })
    }
}

//! What the deployer tells the function by its environment.

use std::time::Duration;

use serde::Deserialize;
use wharf_shell::{Environment, Fault, variable};

use crate::machine::Goal;

/// The name of the cluster.
pub const CLUSTER: &str = "WHARF_CLUSTER";
/// The services, as JSON.
pub const SERVICES: &str = "WHARF_SERVICES";

/// So long the command before a rollout may take, unless the stack's file says otherwise.
const TIMEOUT: u64 = 900;

/// What the function is set up with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The stack's name.
    pub stack: String,
    /// Its table.
    pub table: String,
    /// The ARN of the topic for notices.
    pub signals: String,
    /// The ECS cluster's name.
    pub cluster: String,
    /// The registry that counts.
    pub registry: Registry,
    /// The services that images are rolled out to.
    pub services: Vec<Service>,
}

/// The registry of an account in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// The account's twelve digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// Its host name.
    pub host: String,
}

/// What the stack's file says of a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Service {
    /// Its name, in the stack's file and in ECS.
    pub service: String,
    /// Its repository, without the stack's name.
    pub repository: String,
    /// Which tags count as releases.
    pub tags: String,
    /// How many tasks it has at least.
    pub least: i32,
    /// The command that is run once before each rollout; empty for none.
    #[serde(default)]
    pub before_deploy: Vec<String>,
    /// So many seconds that may take.
    pub timeout: Option<u64>,
    /// It is a periodic task: its schedule starts the newest revision each time, and there is no service in ECS.
    #[serde(default)]
    pub periodic: bool,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// One is missing, or means nothing.
    pub fn read(environment: &Environment) -> Result<Self, Fault> {
        let signals = environment.required(variable::SIGNALS)?.to_owned();
        let registry = Registry::beside(&signals)
            .ok_or_else(|| Fault::new("Settings", format!("{} is {signals:?}, which is no ARN", variable::SIGNALS)))?;
        let services = environment.json(SERVICES)?;
        let services =
            services.ok_or_else(|| wharf_shell::SettingError::Missing(SERVICES.to_owned())).map_err(Fault::from)?;
        Ok(Self {
            stack: environment.required(variable::STACK)?.to_owned(),
            table: environment.required(variable::TABLE)?.to_owned(),
            signals,
            cluster: environment.required(CLUSTER)?.to_owned(),
            registry,
            services,
        })
    }

    /// The name of a service's repository in the registry.
    #[must_use]
    pub fn repository(&self, service: &Service) -> String {
        format!("{}/{}", self.stack, service.repository)
    }

    /// What rollouts need to know of a service.
    #[must_use]
    pub fn goal(&self, service: &Service) -> Goal {
        Goal {
            service: service.service.clone(),
            repository: format!("{}/{}", self.registry.host, self.repository(service)),
            least: if service.periodic { 0 } else { service.least },
            periodic: service.periodic,
            prepares: !service.before_deploy.is_empty(),
            timeout: Duration::from_secs(service.timeout.unwrap_or(TIMEOUT)),
        }
    }
}

impl Registry {
    /// The registry of the account and region that an ARN names.
    fn beside(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, _, region, account, ..] = parts[..] else { return None };
        let domain = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let host = format!("{account}.dkr.ecr.{region}.{domain}");
        Some(Self { account: account.to_owned(), region: region.to_owned(), host })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALS: &str = "arn:aws:sns:us-east-1:123456789012:shop-signals";

    fn environment(services: &str) -> Environment {
        let variables = [
            (variable::STACK, "shop"),
            (variable::TABLE, "wharf-shop"),
            (variable::SIGNALS, SIGNALS),
            (CLUSTER, "shop"),
            (SERVICES, services),
        ];
        Environment::of(variables)
    }

    #[test]
    fn services_are_read_with_what_they_do_not_say() {
        let services = r#"[
            {"service": "web", "repository": "web", "tags": "v*", "least": 2, "before_deploy": ["migrate"], "timeout": 60},
            {"service": "mail", "repository": "mailhog", "tags": "*", "least": 1}
        ]"#;
        let settings = Settings::read(&environment(services)).unwrap();
        let goals: Vec<Goal> = settings.services.iter().map(|service| settings.goal(service)).collect();
        assert_eq!(goals[0].repository, "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web");
        assert_eq!((goals[0].prepares, goals[0].timeout), (true, Duration::from_secs(60)));
        assert_eq!((goals[1].prepares, goals[1].timeout), (false, Duration::from_secs(900)));
    }

    #[test]
    fn what_is_missing_or_means_nothing_is_named() {
        for (services, said) in [("", "WHARF_SERVICES is not set"), ("{}", "WHARF_SERVICES cannot be read")] {
            let fault = Settings::read(&environment(services)).unwrap_err();
            assert!(fault.message.starts_with(said), "{fault}");
        }
        let none = Environment::of([(variable::SIGNALS, "shop-signals")]);
        assert!(Settings::read(&none).unwrap_err().message.contains("no ARN"));
    }

    #[test]
    fn the_registry_of_another_partition_has_its_domain() {
        let registry = Registry::beside("arn:aws-cn:sns:cn-north-1:123456789012:t").unwrap();
        assert_eq!(registry.host, "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn");
    }
}

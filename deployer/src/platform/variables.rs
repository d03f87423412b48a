//! The application's variables in SSM Parameter Store: what each service's tasks are given, filled in from the stack.

use std::collections::BTreeMap;

use super::database::Running;
use super::{BuildError, Builder};
use crate::aws::kms::key::Key;
use crate::aws::rds::instance::Instance;
use crate::aws::ssm::parameter::Parameter;
use crate::aws::ssm::secret::SecretParameter;
use crate::aws::{Handle, Text};
use crate::config::{Config, Part, Service, Template, Variable};

/// The parameters that hold what the services are given.
pub(super) struct Variables {
    env: BTreeMap<(String, String), Handle<Parameter>>,
    secrets: BTreeMap<String, Handle<SecretParameter>>,
    password: Option<Handle<SecretParameter>>,
}

/// A variable as a task is given it.
pub(super) struct Given {
    /// The parameter's ARN.
    pub(super) arn: Text,
    /// The version of its value: a task that runs keeps the value that it began with.
    pub(super) version: Text,
    /// Whether only the stack's key opens it.
    pub(super) encrypted: bool,
}

impl Variables {
    /// All that a service is given, by the variables' names.
    pub(super) fn of(&self, name: &str, service: &Service) -> BTreeMap<String, Given> {
        let plain = service.env.keys().filter_map(|variable| {
            let parameter = self.env.get(&(name.to_owned(), variable.clone()))?;
            let given = Given { arn: parameter.arn().text(), version: parameter.version(), encrypted: false };
            Some((variable.clone(), given))
        });
        let secret = service.secrets.iter().filter_map(|(variable, template)| {
            let secret = match template.sole_variable()? {
                Variable::DatabasePassword => self.password.as_ref()?,
                Variable::Secret(name) => self.secrets.get(name)?,
                _ => return None,
            };
            let given = Given { arn: secret.arn().text(), version: secret.version().text(), encrypted: true };
            Some((variable.clone(), given))
        });
        plain.chain(secret).collect()
    }
}

/// The generated secrets, and a parameter for each variable of each service. A variable that is a secret has no
/// parameter of its own: the task definition points at the secret's.
pub(super) fn variables(
    b: &mut Builder,
    config: &Config,
    database: Option<&Running>,
    key: &Handle<Key>,
) -> Result<Variables, BuildError> {
    let stack = config.stack.name.as_str();
    let password = database.map(|database| database.password.clone());
    let database = database.map(|database| &database.instance);
    let (mut env, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for name in config.generated_secrets() {
        let secret = SecretParameter {
            name: format!("/{stack}/secrets/{name}"),
            description: format!("generated for {stack}"),
            key: Some(key.arn()),
            length: 50,
            rotation: 1,
            tags: b.tags(),
        };
        secrets.insert(name.to_owned(), b.add(&secret_id(name), secret)?);
    }
    for (service, wanted) in &config.services {
        for (name, template) in &wanted.env {
            let parameter = Parameter {
                name: format!("/{stack}/{service}/{name}"),
                value: fill(config, database, template),
                description: format!("{name} of {service}"),
                tier: "Standard".to_owned(),
                tags: b.tags(),
            };
            env.insert((service.clone(), name.clone()), b.add(&variable_id(service, name), parameter)?);
        }
    }
    Ok(Variables { env, secrets, password })
}

/// The logical id of a generated secret.
pub(crate) fn secret_id(name: &str) -> String {
    format!("secrets.{}", logical(name))
}

/// The logical id of a service's variable.
pub(crate) fn variable_id(service: &str, name: &str) -> String {
    format!("services.{service}.env.{}", logical(name))
}

/// A variable's name as a word of a logical id.
fn logical(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.', '/'], "-")
}

fn fill(config: &Config, database: Option<&Handle<Instance>>, template: &Template) -> Text {
    let parts = template.parts().iter().map(|part| match part {
        Part::Text(text) => text.as_str().into(),
        Part::Variable(variable) => value(config, database, variable),
    });
    match parts.collect::<Vec<_>>().as_slice() {
        [one] => one.clone(),
        parts => Text::join(parts.iter().cloned()),
    }
}

/// The stack file was checked: a variable that cannot be had here is not in it.
fn value(config: &Config, database: Option<&Handle<Instance>>, variable: &Variable) -> Text {
    let of = |output: fn(&Handle<Instance>) -> Text| database.map_or_else(|| "".into(), output);
    match variable {
        Variable::DatabaseHost => of(Handle::<Instance>::host),
        Variable::DatabasePort => of(Handle::<Instance>::port),
        Variable::DatabaseName => of(Handle::<Instance>::database),
        Variable::DatabaseUsername => of(Handle::<Instance>::username),
        Variable::ServiceHost(service) => config.service_host(service).into(),
        Variable::ServicePort(service) => {
            let port = config.services.get(service).and_then(|service| service.port);
            port.map(|port| port.to_string()).unwrap_or_default().into()
        }
        Variable::DatabasePassword | Variable::Secret(_) | Variable::Unknown(_) => "".into(),
    }
}

//! The application's variables in SSM Parameter Store: what each service's tasks are given, filled in from the stack.

use super::{BuildError, Builder};
use crate::aws::kms::key::Key;
use crate::aws::rds::instance::Instance;
use crate::aws::ssm::parameter::Parameter;
use crate::aws::ssm::secret::SecretParameter;
use crate::aws::{Handle, Text};
use crate::config::{Config, Part, Template, Variable};

/// The generated secrets, and a parameter for each variable of each service. A variable that is a secret has no
/// parameter of its own: the task definition points at the secret's.
pub(super) fn variables(
    b: &mut Builder,
    config: &Config,
    database: Option<&Handle<Instance>>,
    key: &Handle<Key>,
) -> Result<(), BuildError> {
    let stack = config.stack.name.as_str();
    for name in config.generated_secrets() {
        let secret = SecretParameter {
            name: format!("/{stack}/secrets/{name}"),
            description: format!("generated for {stack}"),
            key: Some(key.arn()),
            length: 50,
            rotation: 1,
            tags: b.tags(),
        };
        b.add(&secret_id(name), secret)?;
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
            b.add(&variable_id(service, name), parameter)?;
        }
    }
    Ok(())
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

//! The rules of `[services]`: names, ports, who may reach them, and what their variables ask for.

use std::collections::BTreeMap;

use super::Config;
use super::format::label;
use super::places::Places;
use super::problem::Problem;
use super::services::{Images, Service};
use super::suggest::nearest;
use super::template::Variable;

/// What is wrong with the services.
pub(super) fn check(config: &Config, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, service) in &config.services {
        problems.extend(service_name(name, places));
        problems.extend(ports(name, service, places));
        problems.extend(allow(name, service, places));
        problems.extend(variable_names(name, service, places));
        problems.extend(variables(config, name, service, places));
        problems.extend(plain_secrets(name, service, places));
    }
    problems.extend(open_to_the_world(config, places));
    problems.extend(repositories(config, places));
    problems
}

/// A service's name is part of AWS names (target groups: 32 characters) and its host name.
fn service_name(name: &str, places: &Places) -> Option<Problem> {
    let fault = label(name, 20, "use at most 20 lower-case letters, digits and single dashes, such as `web`").err()?;
    let place = places.key_at(&format!("services.{name}"));
    Some(Problem::error(format!("the service name `{name}` {}", fault.wrong), place, "here").help(fault.instead))
}

fn ports(name: &str, service: &Service, places: &Places) -> Vec<Problem> {
    let mut taken: Vec<u16> = service.port.into_iter().collect();
    let mut problems = Vec::new();
    for (number, port) in service.internal_ports.iter().enumerate() {
        if taken.contains(port) {
            let place = places.value_at(&format!("services.{name}.internal_ports.{number}"));
            let message = format!("the service `{name}` has port {port} twice");
            problems.push(Problem::error(message, place, "taken already").help("leave it out, or write another port"));
        }
        taken.push(*port);
    }
    problems
}

/// One service may be open to the world, the first in the file; each other that the load balancer reaches says who
/// may.
fn open_to_the_world(config: &Config, places: &Places) -> Vec<Problem> {
    let key = |name: &str| places.key_at(&format!("services.{name}"));
    let public = config.services.iter().filter(|(_, service)| service.is_public()).map(|(name, _)| name);
    let mut public: Vec<&String> = public.collect();
    public.sort_by_key(|name| key(name).start);
    let Some((first, others)) = public.split_first() else { return Vec::new() };
    let restricted = others.iter().map(|name| {
        let message = format!("both `{first}` and `{name}` would be open to the world");
        let help = format!(
            "add `allow = [\"203.0.113.0/24\"]` with the ranges that may reach `{name}`, or leave `port` out if it \
             serves nothing outside"
        );
        Problem::error(message, key(name), "`allow` is missing").help(help)
    });
    restricted.collect()
}

/// `allow` that allows nobody, or allows the way to nothing.
fn allow(name: &str, service: &Service, places: &Places) -> Option<Problem> {
    let ranges = service.allow.as_ref()?;
    let path = format!("services.{name}.allow");
    if ranges.is_empty() {
        let problem = Problem::error(format!("`{path}` lets nobody in"), places.value_at(&path), "empty");
        return Some(problem.help("name at least one range, or leave `port` out"));
    }
    if service.port.is_none() {
        let message = format!("`{path}` lets somebody in, but `{name}` has no `port`");
        let problem = Problem::error(message, places.key_at(&path), "to what?");
        return Some(problem.help("give the service a `port`, or leave `allow` out"));
    }
    None
}

/// Two services may share a repository when they mean the same by it.
fn repositories(config: &Config, places: &Places) -> Vec<Problem> {
    let mut seen: BTreeMap<&str, (&str, &Images)> = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, service) in &config.services {
        let repository = service.repository_or(name);
        match seen.get(repository) {
            Some((other, images)) if *images != &service.images => {
                let place = places.key_at(&format!("services.{name}.images"));
                let message =
                    format!("`{other}` and `{name}` share the repository `{repository}` but not its `images`");
                let problem = Problem::error(message, place, format!("differs from `services.{other}.images`"));
                problems.push(problem.help("write the same `images` in both, or give each its own `repository`"));
            }
            Some(_) => {}
            None => {
                seen.insert(repository, (name, &service.images));
            }
        }
    }
    problems
}

/// The names of environment variables, once each.
fn variable_names(name: &str, service: &Service, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (section, keys) in [("env", &service.env), ("secrets", &service.secrets)] {
        for key in keys.keys() {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            let place = places.key_at(&format!("services.{name}.{section}.{key}"));
            if key.is_empty() || !key.bytes().all(plain) || key.starts_with(|c: char| c.is_ascii_digit()) {
                let problem =
                    Problem::error(format!("`{key}` is not the name of an environment variable"), place, "here");
                problems.push(problem.help("use letters, digits and underscores, such as `DB_HOST`"));
            } else if section == "secrets" && service.env.contains_key(key) {
                let problem =
                    Problem::error(format!("`{key}` is in both `env` and `secrets` of `{name}`"), place, "here too");
                problems.push(problem.help("leave one out"));
            }
        }
    }
    problems
}

/// What the templates ask for must exist, and secrets must stay among the secrets.
fn variables(config: &Config, name: &str, service: &Service, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    let env = service.env.iter().map(|(key, template)| ("env", key, template));
    let secrets = service.secrets.iter().map(|(key, template)| ("secrets", key, template));
    for (section, key, template) in env.chain(secrets) {
        let place = places.value_at(&format!("services.{name}.{section}.{key}"));
        let unknown: Vec<_> = template.variables().filter(|variable| !exists(config, variable)).collect();
        for variable in &unknown {
            let problem = Problem::error(format!("`{variable}` does not exist"), place.clone(), "asked for here");
            problems.push(problem.help(what_exists(config, variable)));
        }
        if !unknown.is_empty() {
            continue;
        }
        let secret = template.variables().find(|variable| variable.is_secret());
        let message = format!("`services.{name}.{section}.{key}`");
        match (section, secret) {
            ("env", Some(secret)) => {
                let problem =
                    Problem::error(format!("{message} would show the secret `{secret}`"), place, "not in `env`");
                problems.push(problem.help(format!("move it: `secrets = {{ {key} = \"{secret}\" }}`")));
            }
            ("secrets", _) if !template.sole_variable().is_some_and(Variable::is_secret) => {
                let problem = Problem::error(format!("{message} is not a secret that Wharf keeps"), place, "here");
                let help = "write `${database.password}`, or `${secret.NAME}` for one that is generated and kept in \
                            SSM, with nothing around it; what is no secret belongs in `env`";
                problems.push(problem.help(help));
            }
            _ => {}
        }
    }
    problems
}

fn exists(config: &Config, variable: &Variable) -> bool {
    match variable {
        Variable::DatabaseHost
        | Variable::DatabasePort
        | Variable::DatabaseName
        | Variable::DatabaseUsername
        | Variable::DatabasePassword => config.database.is_some(),
        Variable::ServiceHost(service) => config.services.contains_key(service),
        Variable::ServicePort(service) => config.services.get(service).is_some_and(|service| service.port.is_some()),
        Variable::Secret(name) => label(name, 40, "").is_ok(),
        Variable::Unknown(_) => false,
    }
}

fn what_exists(config: &Config, unknown: &Variable) -> String {
    let mut all: Vec<Variable> = Vec::new();
    if config.database.is_some() {
        all.extend([Variable::DatabaseHost, Variable::DatabasePort, Variable::DatabaseName]);
        all.extend([Variable::DatabaseUsername, Variable::DatabasePassword]);
    }
    for (name, service) in &config.services {
        all.push(Variable::ServiceHost(name.clone()));
        all.extend(service.port.map(|_| Variable::ServicePort(name.clone())));
    }
    let mut names: Vec<String> = all.iter().map(ToString::to_string).collect();
    let near =
        nearest(&unknown.to_string(), names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`? "));
    names.push("${secret.NAME}, NAME in lower-case letters, digits and dashes".to_owned());
    format!("{}what exists: {}", near.unwrap_or_default(), names.join(", "))
}

/// A plain value under a name that sounds secret.
fn plain_secrets(name: &str, service: &Service, places: &Places) -> Vec<Problem> {
    const SOUNDS: [&str; 7] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "PRIVATE_KEY", "CREDENTIALS"];
    let secret = |key: &str| SOUNDS.iter().any(|sound| key.to_ascii_uppercase().contains(sound));
    let plain = service.env.iter().filter(|(key, template)| secret(key) && !template.parts.is_empty());
    plain
        .filter(|(_, template)| template.variables().next().is_none())
        .map(|(key, _)| {
            let place = places.value_at(&format!("services.{name}.env.{key}"));
            let problem = Problem::error(
                format!("`{key}` looks like a secret and stands in plain text"),
                place,
                "readable by everyone who reads this file",
            );
            problem.warning().help(format!(
                "let it be generated: `secrets = {{ {key} = \"${{secret.{}}}\" }}`",
                key.to_ascii_lowercase().replace('_', "-")
            ))
        })
        .collect()
}

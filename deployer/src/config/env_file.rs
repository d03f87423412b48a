//! `env_file`: the `.env.example` that the application's developers keep, held against what the service is given.

use super::Config;
use super::places::Places;
use super::problem::Problem;
use super::services::Service;

/// Each `env_file` that cannot be read, or has keys that its service is not given.
pub(super) fn check(config: &Config, places: &Places, read: &dyn Fn(&str) -> std::io::Result<String>) -> Vec<Problem> {
    let named = config.services.iter().filter_map(|(name, service)| Some((name, service, service.env_file.as_ref()?)));
    named.filter_map(|(name, service, file)| one(name, service, file, places, read)).collect()
}

fn one(
    name: &str,
    service: &Service,
    file: &str,
    places: &Places,
    read: &dyn Fn(&str) -> std::io::Result<String>,
) -> Option<Problem> {
    let place = places.value_at(&format!("services.{name}.env_file"));
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => {
            let problem = Problem::error(format!("cannot read `{file}`"), place, error.to_string());
            return Some(problem.help("write its path relative to this file"));
        }
    };
    let missing: Vec<&str> =
        keys(&text).filter(|key| !service.env.contains_key(*key) && !service.secrets.contains_key(*key)).collect();
    if missing.is_empty() {
        return None;
    }
    let message = format!("the service `{name}` is not given everything that `{file}` lists");
    let problem = Problem::error(message, place, format!("missing: {}", missing.join(", ")));
    Some(problem.help(format!("add each to `services.{name}.env`, or to `services.{name}.secrets` if it is one")))
}

/// The keys of an `.env` file: `KEY=value` or `export KEY=value`, `#` begins a comment line.
fn keys(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let key = line.split_once('=').map_or(line, |(key, _)| key).trim();
        (!key.is_empty()).then_some(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_has_its_keys_in_many_notations() {
        let text = "# Django\nSECRET_KEY=change-me\n\nexport DEBUG = 0\nEMPTY=\nBARE\n";
        assert_eq!(keys(text).collect::<Vec<_>>(), ["SECRET_KEY", "DEBUG", "EMPTY", "BARE"]);
    }
}

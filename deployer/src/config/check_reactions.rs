//! The rules of what the functions do: what is asked of one needs it.

use super::places::Places;
use super::problem::Problem;
use super::{Config, Function};

/// What is asked of functions that are not there.
pub(super) fn check(config: &Config, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(slack(config, places));
    problems.extend(before_deploy(config, places));
    problems.extend(exceptions(config, places));
    problems.extend(nothing_to_react_to(config, places));
    problems
}

fn slack(config: &Config, places: &Places) -> Option<Problem> {
    config.alerts.as_ref()?.slack.as_ref()?;
    if config.has_function(Function::OnAlarm) {
        return None;
    }
    let message = "nobody would write to Slack: `reactions.enabled` is false";
    let problem = Problem::error(message, places.key_at("alerts.slack"), "a function does that");
    Some(problem.help("leave `enabled` out of `[reactions]`, or `slack` out of `[alerts]`"))
}

fn before_deploy(config: &Config, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, service) in &config.services {
        let (path, minutes) =
            (format!("services.{name}.before_deploy"), format!("services.{name}.before_deploy_minutes"));
        if service.before_deploy.is_empty() {
            if places.has(&minutes) {
                let problem =
                    Problem::error(format!("`{minutes}` limits nothing"), places.key_at(&minutes), "of what?");
                problems.push(problem.help("add `before_deploy`, or leave it out"));
            }
            continue;
        }
        if !config.reactions.enabled && !service.is_periodic() {
            let message = format!("nobody would run `{path}`: `reactions.enabled` is false");
            let problem = Problem::error(message, places.key_at(&path), "a function does that");
            problems.push(problem.help("leave `enabled` out of `[reactions]`, or leave `before_deploy` out"));
        }
    }
    problems
}

fn exceptions(config: &Config, places: &Places) -> Option<Problem> {
    if config.backups.exceptions.is_empty() || config.has_function(Function::CheckSnapshots) {
        return None;
    }
    let lacks = match (&config.alerts, config.reactions.enabled) {
        (_, false) => "`reactions.enabled` is false",
        (None, true) => "there is no `[alerts]` to tell anybody",
        (Some(_), true) => "there is neither `[database]` nor `backups.volumes`",
    };
    let message = format!("nothing checks the snapshots: {lacks}");
    let problem = Problem::error(message, places.key_at("backups.exceptions"), "exceptions from what?");
    Some(problem.help("leave `exceptions` out"))
}

/// Settings of functions in a stack without any.
fn nothing_to_react_to(config: &Config, places: &Places) -> Option<Problem> {
    if !places.has("reactions") || !config.reactions.enabled || !config.functions().is_empty() {
        return None;
    }
    let message = "`[reactions]` has nothing to react to";
    let problem = Problem::error(message, places.key_at("reactions"), "no service runs, and nobody is told");
    Some(problem.warning().help("add `[cluster]` or `[alerts]`, or leave `[reactions]` out"))
}

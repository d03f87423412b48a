//! What a task definition must be, and what AWS adds to one.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::client;
use crate::error::ApiError;

/// The whole task, as far as its containers depend on it.
pub(super) struct Task<'a> {
    pub(super) network_mode: &'a str,
    pub(super) has_memory: bool,
    pub(super) has_execution_role: bool,
}

/// Judges the containers and adds the defaults that AWS gives back.
pub(super) fn containers(task: &Task<'_>, given: &[Value]) -> Result<Vec<Value>, ApiError> {
    if given.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    let mut names = BTreeSet::new();
    let mut containers = Vec::new();
    for container in given {
        let name = container["name"].as_str().unwrap_or_default();
        if name.is_empty() || container["image"].as_str().unwrap_or_default().is_empty() {
            return Err(client("Container.image and Container.name should not be null or empty."));
        }
        if !names.insert(name.to_owned()) {
            return Err(client(format!("Container.name contains duplicate values: {name}")));
        }
        judge(task, name, container)?;
        containers.push(with_defaults(task, container));
    }
    if !containers.iter().any(|container| container["essential"] == true) {
        return Err(client("Invalid setting for container. At least one container must be essential."));
    }
    dependencies(&containers, &names)?;
    Ok(containers)
}

fn judge(task: &Task<'_>, name: &str, container: &Value) -> Result<(), ApiError> {
    let number = |field: &str| container[field].as_i64();
    if !task.has_memory && number("memory").is_none() && number("memoryReservation").is_none() {
        return Err(client(format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified."
        )));
    }
    if let (Some(hard), Some(soft)) = (number("memory"), number("memoryReservation"))
        && soft > hard
    {
        return Err(client("Invalid setting for container: memoryReservation cannot be larger than memory."));
    }
    let secrets = container["secrets"].as_array().is_some_and(|secrets| !secrets.is_empty());
    if secrets && !task.has_execution_role {
        return Err(client(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        ));
    }
    for port in container["portMappings"].as_array().into_iter().flatten() {
        let inside = port["containerPort"].as_i64().unwrap_or(0);
        let outside = port["hostPort"].as_i64();
        if task.network_mode == "awsvpc" && outside.is_some_and(|outside| outside != inside && outside != 0) {
            return Err(client(
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
            ));
        }
    }
    let check = &container["healthCheck"];
    for (field, least, most) in [("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)]
    {
        if check[field].as_i64().is_some_and(|value| !(least..=most).contains(&value)) {
            return Err(client(format!("Health check {field} must be between {least} and {most}.")));
        }
    }
    if check.is_object() && !matches!(check["command"][0].as_str(), Some("CMD" | "CMD-SHELL" | "NONE")) {
        return Err(client("Health check command must begin with CMD, CMD-SHELL or NONE."));
    }
    let mut variables = BTreeSet::new();
    let of = |list: &str| container[list].as_array().cloned().unwrap_or_default();
    for variable in of("environment").iter().chain(&of("secrets")) {
        let variable = variable["name"].as_str().unwrap_or_default().to_owned();
        if !variables.insert(variable.clone()) {
            return Err(client(format!(
                "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '{variable}'."
            )));
        }
    }
    Ok(())
}

fn dependencies(containers: &[Value], names: &BTreeSet<String>) -> Result<(), ApiError> {
    for container in containers {
        for needed in container["dependsOn"].as_array().into_iter().flatten() {
            if !needed["containerName"].as_str().is_some_and(|name| names.contains(name)) {
                return Err(client("Container dependency is not found among the containers of the task definition."));
            }
        }
    }
    Ok(())
}

fn with_defaults(task: &Task<'_>, container: &Value) -> Value {
    let mut whole = container.clone();
    let defaults = [
        ("cpu", json!(0)),
        ("essential", json!(true)),
        ("portMappings", json!([])),
        ("environment", json!([])),
        ("mountPoints", json!([])),
        ("volumesFrom", json!([])),
        ("systemControls", json!([])),
        ("versionConsistency", json!("enabled")),
    ];
    for (name, value) in defaults {
        if whole[name].is_null() {
            whole[name] = value;
        }
    }
    for port in whole["portMappings"].as_array_mut().into_iter().flatten() {
        if port["protocol"].is_null() {
            port["protocol"] = "tcp".into();
        }
        if task.network_mode == "awsvpc" {
            port["hostPort"] = port["containerPort"].clone();
        }
    }
    if whole["healthCheck"].is_object() {
        for (name, value) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
            if whole["healthCheck"][name].is_null() {
                whole["healthCheck"][name] = value.into();
            }
        }
    }
    sorted(&mut whole, "environment");
    whole
}

/// AWS keeps variables as a set: it gives them back in its own order.
fn sorted(container: &mut Value, list: &str) {
    if let Some(items) = container[list].as_array_mut() {
        items.sort_by_key(|item| std::cmp::Reverse(item["name"].as_str().unwrap_or_default().to_owned()));
    }
}

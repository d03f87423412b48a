//! What a service is told about itself, judged and completed as AWS does.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_definition_parameters.html>

use serde_json::{Value, json};

use super::{cluster, invalid, name_in, neighbours};
use crate::account::Ctx;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::services::iam;
use crate::store::Resource;

/// Reads everything that `CreateService` and `UpdateService` share into a service; what is not given stays.
pub(super) fn apply(
    ctx: &mut Ctx<'_>,
    service: &mut Resource,
    input: &Input,
    definition: &Resource,
) -> Result<(), ApiError> {
    deployment(service, input)?;
    load_balancers(ctx, service, input, definition)?;
    registries(service, input, definition)?;
    network(ctx, service, input, definition)?;
    placement(service, input)?;
    if let Some(grace) = input.opt_int("healthCheckGracePeriodSeconds")? {
        if service.items("loadBalancers").is_empty() && grace > 0 {
            return Err(invalid(
                "Health check grace period is only valid for services configured to use load balancers",
            ));
        }
        service.set("healthCheckGracePeriodSeconds", grace);
    }
    for name in ["enableECSManagedTags", "enableExecuteCommand"] {
        if let Some(on) = input.opt_bool(name)? {
            service.set(name, on);
        }
    }
    if let Some(propagate) = input.opt_str("propagateTags") {
        service.set("propagateTags", propagate);
    }
    if let Some(rebalancing) = input.opt_str("availabilityZoneRebalancing") {
        let percent = service.attrs["deploymentConfiguration"]["maximumPercent"].as_i64().unwrap_or(200);
        if rebalancing == "ENABLED" && percent <= 100 {
            return Err(invalid("availabilityZoneRebalancing cannot be ENABLED when maximumPercent is 100 or less."));
        }
        service.set("availabilityZoneRebalancing", rebalancing);
    }
    Ok(())
}

/// Which instances a service's tasks may take: a strategy, the cluster's default one, or any.
pub(super) fn capacity(service: &mut Resource, input: &Input, home: &Resource) -> Result<(), ApiError> {
    let attached: Vec<String> =
        home.items("capacityProviders").iter().filter_map(|p| p.as_str().map(str::to_owned)).collect();
    let strategy = cluster::strategy(input, "capacityProviderStrategy", &attached)?;
    let launch = input.opt_str("launchType").map(str::to_owned);
    let given = strategy.as_array().is_some_and(|items| !items.is_empty());
    if given && launch.is_some() {
        return Err(invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ));
    }
    if given {
        service.set("capacityProviderStrategy", strategy);
    } else if let Some(launch) = launch {
        if launch != "EC2" {
            return Err(ApiError::not_simulated("launch types other than EC2"));
        }
        service.set("launchType", launch);
    } else if !home.items("defaultCapacityProviderStrategy").is_empty() {
        service.set("capacityProviderStrategy", home.attrs["defaultCapacityProviderStrategy"].clone());
    } else {
        service.set("launchType", "EC2");
    }
    Ok(())
}

fn deployment(service: &mut Resource, input: &Input) -> Result<(), ApiError> {
    let daemon = service.text("schedulingStrategy") == "DAEMON";
    let mut settings = service.attrs.get("deploymentConfiguration").cloned().unwrap_or_else(|| {
        json!({
            "deploymentCircuitBreaker": {"enable": false, "rollback": false},
            "maximumPercent": if daemon { 100 } else { 200 },
            "minimumHealthyPercent": if daemon { 0 } else { 100 },
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        })
    });
    if let Some(given) = input.object("deploymentConfiguration") {
        if given.has("lifecycleHooks") && !given.objects("lifecycleHooks").is_empty() {
            return Err(ApiError::not_simulated("lifecycle hooks of deployments"));
        }
        let whole = given.raw();
        // The steps of another strategy go with it.
        if whole["strategy"].is_string() && whole["strategy"] != settings["strategy"] {
            for steps in ["canaryConfiguration", "linearConfiguration"] {
                settings[steps] = Value::Null;
            }
        }
        for (name, value) in whole.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            settings[name] = value.clone();
        }
    }
    let percent = |name: &str| settings[name].as_i64().unwrap_or(0);
    let (least, most) = (percent("minimumHealthyPercent"), percent("maximumPercent"));
    if least >= most || !(0..=100).contains(&least) || most > 200 {
        return Err(invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    judge_strategy(&settings)?;
    if let Some(settings) = settings.as_object_mut() {
        settings.retain(|_, value| !value.is_null());
    }
    service.set("deploymentConfiguration", settings);
    Ok(())
}

fn judge_strategy(settings: &Value) -> Result<(), ApiError> {
    let strategy = settings["strategy"].as_str().unwrap_or("ROLLING");
    let has = |name: &str| !settings[name].is_null();
    match strategy {
        "ROLLING" if has("canaryConfiguration") || has("linearConfiguration") => {
            Err(invalid("canaryConfiguration and linearConfiguration are not supported with the ROLLING strategy."))
        }
        "CANARY" if !has("canaryConfiguration") => {
            Err(invalid("canaryConfiguration is required with the CANARY strategy."))
        }
        "LINEAR" if !has("linearConfiguration") => {
            Err(invalid("linearConfiguration is required with the LINEAR strategy."))
        }
        "ROLLING" | "BLUE_GREEN" | "CANARY" | "LINEAR" => Ok(()),
        other => Err(invalid(format!("Invalid deployment strategy: {other}"))),
    }
}

/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/alb-resources-for-blue-green.html>
fn load_balancers(
    ctx: &mut Ctx<'_>,
    service: &mut Resource,
    input: &Input,
    definition: &Resource,
) -> Result<(), ApiError> {
    if input.has("loadBalancers") {
        let mut all = Vec::new();
        for given in input.objects("loadBalancers") {
            let group = given.string("targetGroupArn")?;
            let (container, port) = (given.string("containerName")?, given.int("containerPort")?);
            listens(definition, &container, port)?;
            usable(ctx, &group)?;
            let mut one = json!({"targetGroupArn": group, "containerName": container, "containerPort": port});
            if let Some(advanced) = given.object("advancedConfiguration") {
                let other = advanced.string("alternateTargetGroupArn")?;
                let (rule, role) = (advanced.string("productionListenerRule")?, advanced.string("roleArn")?);
                usable(ctx, &other)?;
                iam::authorise_pass(ctx, &role, "ecs.amazonaws.com")?;
                one["advancedConfiguration"] =
                    json!({"alternateTargetGroupArn": other, "productionListenerRule": rule, "roleArn": role});
                if let Some(test) = advanced.opt_str("testListenerRule") {
                    one["advancedConfiguration"]["testListenerRule"] = test.into();
                }
            }
            all.push(one);
        }
        service.set("loadBalancers", all);
    }
    let shifting = service.attrs["deploymentConfiguration"]["strategy"] != "ROLLING";
    let without = service.items("loadBalancers").iter().any(|lb| lb["advancedConfiguration"].is_null());
    if shifting && without {
        return Err(invalid(
            "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy.",
        ));
    }
    Ok(())
}

fn usable(ctx: &Ctx<'_>, group: &str) -> Result<(), ApiError> {
    if ctx.get("elasticloadbalancing.target-group", group).is_none() {
        return Err(invalid(format!("The specified target group does not exist. {group}")));
    }
    if !neighbours::is_attached(ctx, group) {
        return Err(invalid(format!(
            "The target group with targetGroupArn {group} does not have an associated load balancer."
        )));
    }
    Ok(())
}

fn listens(definition: &Resource, container: &str, port: i64) -> Result<(), ApiError> {
    let found = definition.items("containerDefinitions").iter().find(|c| c["name"] == container);
    let found =
        found.ok_or_else(|| invalid(format!("The container {container} does not exist in the task definition.")))?;
    let open = found["portMappings"].as_array().is_some_and(|ports| ports.iter().any(|p| p["containerPort"] == port));
    if open {
        Ok(())
    } else {
        Err(invalid(format!("The container {container} did not have a container port {port} defined.")))
    }
}

fn registries(service: &mut Resource, input: &Input, definition: &Resource) -> Result<(), ApiError> {
    if !input.has("serviceRegistries") {
        return Ok(());
    }
    let mut all = Vec::new();
    for given in input.objects("serviceRegistries") {
        let mut one = json!({"registryArn": given.string("registryArn")?});
        for name in ["port", "containerPort"] {
            if let Some(port) = given.opt_int(name)? {
                one[name] = port.into();
            }
        }
        if let Some(container) = given.opt_str("containerName") {
            if !definition.items("containerDefinitions").iter().any(|c| c["name"] == container) {
                return Err(invalid(format!("The container {container} does not exist in the task definition.")));
            }
            one["containerName"] = container.into();
        }
        all.push(one);
    }
    service.set("serviceRegistries", all);
    Ok(())
}

fn network(ctx: &Ctx<'_>, service: &mut Resource, input: &Input, definition: &Resource) -> Result<(), ApiError> {
    if let Some(given) = input.object("networkConfiguration") {
        let vpc = given.object("awsvpcConfiguration").ok_or_else(|| given.missing("awsvpcConfiguration"))?;
        let (subnets, groups) = (vpc.strings("subnets"), vpc.strings("securityGroups"));
        for (kind, id) in
            subnets.iter().map(|s| ("ec2.subnet", s)).chain(groups.iter().map(|g| ("ec2.security-group", g)))
        {
            if ctx.usable(kind, id).is_none() {
                return Err(invalid(format!(
                    "Error retrieving {} information for [{id}]",
                    if kind == "ec2.subnet" { "subnet" } else { "security group" }
                )));
            }
        }
        let public = vpc.opt_str("assignPublicIp").unwrap_or("DISABLED");
        if public == "ENABLED" {
            return Err(invalid("Assign public IP is not supported for this launch type."));
        }
        service.set(
            "networkConfiguration",
            json!({
                "awsvpcConfiguration": {"subnets": subnets, "securityGroups": groups, "assignPublicIp": public},
            }),
        );
    }
    if definition.text("networkMode") == "awsvpc" && !service.attrs.contains_key("networkConfiguration") {
        return Err(invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."));
    }
    Ok(())
}

fn placement(service: &mut Resource, input: &Input) -> Result<(), ApiError> {
    for name in ["placementConstraints", "placementStrategy"] {
        if input.has(name) {
            service.set(name, placed(input, name)?);
        }
    }
    Ok(())
}

/// `placementConstraints` or `placementStrategy`, as they are shown.
pub(super) fn placed(input: &Input, name: &str) -> Result<Vec<Value>, ApiError> {
    let mut all = Vec::new();
    for item in input.objects(name) {
        let kind = item.string("type")?;
        if name == "placementConstraints" && kind != "distinctInstance" {
            return Err(ApiError::not_simulated("placement constraints other than distinctInstance"));
        }
        let mut one = json!({"type": kind});
        if let Some(field) = item.opt_str("field") {
            one["field"] = field.into();
        }
        all.push(one);
    }
    Ok(all)
}

/// What has to stay the same for a second creation to be the first one again.
pub(super) fn same(there: &Resource, new: &Resource) -> bool {
    let names = [
        "taskDefinition",
        "desiredCount",
        "loadBalancers",
        "serviceRegistries",
        "launchType",
        "capacityProviderStrategy",
        "networkConfiguration",
        "deploymentConfiguration",
        "schedulingStrategy",
        "placementStrategy",
    ];
    names.iter().all(|name| there.attrs.get(*name) == new.attrs.get(*name))
}

/// What ECS says of a second service of one name.
pub(super) fn not_idempotent() -> ApiError {
    invalid("Creation of service was not idempotent.")
}

/// What ECS says of a service that is not there.
pub(super) fn no_service() -> ApiError {
    refuse("ServiceNotFoundException", "Service not found.")
}

/// The key of a service: its cluster and name.
pub(super) fn key(cluster: &str, text: &str) -> String {
    format!("{cluster}/{}", name_in(text))
}

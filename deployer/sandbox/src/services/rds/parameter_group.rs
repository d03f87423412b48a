//! Parameter groups and the parameters in them.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithParamGroups.html>

use serde_json::{Map, Value, json};

use super::{Noun, answer, combination, engine, filters, invalid, paged, parameter, tags};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::shown;
use crate::store::Resource;

pub(super) static GROUP: Noun = Noun {
    kind: "rds.parameter-group",
    resource_type: "pg",
    not_found: "DBParameterGroupNotFound",
    words: ("DBParameterGroup not found: ", ""),
};

fn named(input: &Input) -> Result<String, ApiError> {
    Ok(input.str("DBParameterGroupName")?.to_ascii_lowercase())
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = super::identifier(input, "DBParameterGroupName", 255)?;
    let tags = tags::requested(input)?;
    GROUP.authorise_create(ctx, "CreateDBParameterGroup", &name, &tags)?;
    let family = input.string("DBParameterGroupFamily")?;
    if !engine::families().contains(&family) {
        return Err(invalid(format!("ParameterGroupFamily {family} is not a valid parameter group family")));
    }
    let description = input.string("Description")?;
    if ctx.get(GROUP.kind, &name).is_some() {
        return Err(refuse("DBParameterGroupAlreadyExists", format!("Parameter group {name} already exists")));
    }
    let mut group = object(ctx, &name, &family, &description);
    group.tags = tags;
    let shown = shown(&group);
    ctx.insert(group);
    answer("DBParameterGroup", shown)
}

fn object(ctx: &Ctx<'_>, name: &str, family: &str, description: &str) -> Resource {
    ctx.resource(
        GROUP.kind,
        name,
        json!({
            "DBParameterGroupName": name,
            "DBParameterGroupFamily": family,
            "Description": description,
            "DBParameterGroupArn": GROUP.arn(ctx, name),
            "_parameters": {},
        }),
    )
}

/// The group of a family that AWS makes when an instance first needs it.
pub(super) fn default_of(ctx: &mut Ctx<'_>, family: &str) -> String {
    let name = format!("default.{family}");
    if ctx.get(GROUP.kind, &name).is_none() {
        let mut group = object(ctx, &name, family, &format!("Default parameter group for {family}"));
        group.aws_made = true;
        group.set("_initial", true);
        ctx.insert(group);
    }
    name
}

fn own(name: &str) -> Result<(), ApiError> {
    if name.starts_with("default.") {
        return Err(invalid(format!(
            "The parameter DBParameterGroupName is not a valid identifier: {name} is a default group"
        )));
    }
    Ok(())
}

pub(super) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = named(input)?;
    let group = GROUP.permitted(ctx, "ModifyDBParameterGroup", &name)?;
    own(&name)?;
    let wanted = input.objects("Parameters");
    // <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html>
    if !(1..=20).contains(&wanted.len()) {
        return Err(invalid("A maximum of 20 parameters can be modified in a single request, and at least one"));
    }
    let mut parameters = kept(&group);
    let mut methods = Vec::new();
    for entry in &wanted {
        let known = found(entry)?;
        let (value, method) = (entry.string("ParameterValue")?, method(entry)?);
        known.check(&value)?;
        known.method(&method)?;
        methods.push(method.clone());
        parameters.insert(known.name.to_owned(), json!({"value": value, "method": method}));
    }
    change(ctx, &name, parameters, &methods);
    Ok(json!({"DBParameterGroupName": name}))
}

pub(super) fn reset(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = named(input)?;
    let group = GROUP.permitted(ctx, "ResetDBParameterGroup", &name)?;
    own(&name)?;
    let wanted = input.objects("Parameters");
    let all = input.bool_or("ResetAllParameters", wanted.is_empty())?;
    if all != wanted.is_empty() {
        return Err(combination("Either ResetAllParameters or Parameters must be given, not both"));
    }
    let mut parameters = kept(&group);
    let mut methods = Vec::new();
    for entry in &wanted {
        let (known, method) = (found(entry)?, method(entry)?);
        known.method(&method)?;
        methods.push(method);
        parameters.remove(known.name);
    }
    if all {
        parameters.clear();
        methods.push("pending-reboot".to_owned());
    }
    change(ctx, &name, parameters, &methods);
    Ok(json!({"DBParameterGroupName": name}))
}

fn found(entry: &Input) -> Result<&'static parameter::Parameter, ApiError> {
    let name = entry.str("ParameterName")?;
    parameter::find(name).ok_or_else(|| invalid(format!("Could not find parameter with name: {name}")))
}

fn method(entry: &Input) -> Result<String, ApiError> {
    let method = entry.string("ApplyMethod")?;
    match method.as_str() {
        "immediate" | "pending-reboot" => Ok(method),
        _ => Err(invalid(format!("Invalid value {method} for ApplyMethod"))),
    }
}

fn kept(group: &Resource) -> Map<String, Value> {
    group.attrs.get("_parameters").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Keeps the parameters and tells the instances that use them, which show it in their parameter group's status.
fn change(ctx: &mut Ctx<'_>, name: &str, parameters: Map<String, Value>, methods: &[String]) {
    ctx.update(GROUP.kind, name, |group| group.set("_parameters", parameters));
    let waiting = methods.iter().any(|method| method == "pending-reboot");
    let status = if waiting { "pending-reboot" } else { "applying" };
    super::change::parameters_changed(ctx, name, status);
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = named(input)?;
    GROUP.permitted(ctx, "DeleteDBParameterGroup", &name)?;
    own(&name)?;
    let uses = |instance: &Resource| {
        instance.items("DBParameterGroups").iter().any(|group| group["DBParameterGroupName"] == name.as_str())
    };
    if !ctx.those("rds.instance", uses).is_empty() {
        return Err(refuse(
            "InvalidDBParameterGroupState",
            format!(
                "One or more database instances are still members of this parameter group {name}, so the group cannot be deleted"
            ),
        ));
    }
    ctx.remove(GROUP.kind, &name);
    Ok(nothing())
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    filters(input, &[])?;
    let name = input.opt_str("DBParameterGroupName").map(str::to_ascii_lowercase);
    let found = GROUP.asked(ctx, "DescribeDBParameterGroups", name.as_deref())?;
    paged(input, "DBParameterGroups", found.iter().map(|group| Value::Object(shown(group))).collect())
}

/// `Source=user` shows what was set, `engine-default` the rest; `system` what RDS itself sets.
pub(super) fn describe_parameters(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    filters(input, &[])?;
    let name = named(input)?;
    let groups = GROUP.asked(ctx, "DescribeDBParameters", Some(&name))?;
    let set = groups.first().map(|group| kept(group)).unwrap_or_default();
    let wanted = input.opt_str("Source");
    if wanted.is_some_and(|source| !matches!(source, "user" | "system" | "engine-default")) {
        return Err(invalid(format!("Invalid value {} for Source", wanted.unwrap_or_default())));
    }
    let shown = parameter::KNOWN
        .iter()
        .map(|known| known.shown(set.get(known.name)))
        .filter(|parameter| wanted.is_none_or(|source| parameter["Source"] == source))
        .collect();
    paged(input, "Parameters", shown)
}

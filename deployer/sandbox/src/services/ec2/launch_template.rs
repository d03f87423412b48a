//! Launch templates and their versions.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-launch-templates.html>

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Noun, describe, tags, template_data};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;
use crate::wire::iso_millis;

pub(crate) static TEMPLATE: Noun = Noun {
    kind: "ec2.launch-template",
    resource_type: "launch-template",
    prefix: "lt",
    set: "launchTemplates",
    ids: "LaunchTemplateId",
    id_attr: "launchTemplateId",
    not_found: "InvalidLaunchTemplateId.NotFound",
    malformed: "InvalidLaunchTemplateId.Malformed",
    label: "specified launch template, with template ID",
    filters: &[("create-time", "createTime"), ("launch-template-name", "launchTemplateName")],
};

const VERSION_FILTERS: &[(&str, &str)] = &[
    ("create-time", "createTime"),
    ("is-default-version", "defaultVersion"),
    ("image-id", "launchTemplateData.imageId"),
    ("instance-type", "launchTemplateData.instanceType"),
    ("iam-instance-profile", "launchTemplateData.iamInstanceProfile.arn"),
];

fn no_such_name() -> ApiError {
    let message = "At least one of the launch templates specified in the request does not exist.";
    refuse("InvalidLaunchTemplateName.NotFoundException", message)
}

fn no_such_version(template: &Resource, version: &str) -> ApiError {
    let id = &template.id;
    let message = format!("Could not find the specified version {version} for the launch template with ID {id}.");
    refuse("InvalidLaunchTemplateId.VersionNotFound", message)
}

/// The template that a request names by id or by name.
fn asked(ctx: &Ctx<'_>, input: &Input) -> Result<Arc<Resource>, ApiError> {
    match (input.opt_str("LaunchTemplateId"), input.opt_str("LaunchTemplateName")) {
        (Some(id), None) => TEMPLATE.used(ctx, id),
        (None, Some(name)) => {
            let found = ctx.those(TEMPLATE.kind, |t| t.text("launchTemplateName") == name).into_iter().next();
            found.and_then(|t| ctx.usable(TEMPLATE.kind, &t.id)).ok_or_else(no_such_name)
        }
        (None, None) => Err(input.missing("LaunchTemplateId")),
        _ => Err(refuse("InvalidParameterCombination", "Specify either the ID or the name of the launch template")),
    }
}

/// The number that `$Latest`, `$Default` or a number means of a template; none when there is no such version.
fn number(template: &Resource, version: &str) -> Option<i64> {
    let number = match version {
        "$Latest" => template.number("latestVersionNumber"),
        "$Default" => template.number("defaultVersionNumber"),
        other => other.parse().ok()?,
    };
    template.items("_versions").iter().any(|v| v["versionNumber"] == number).then_some(number)
}

/// One version of a template, as what launches instances needs it.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) template: Arc<Resource>,
    pub(crate) number: i64,
    pub(crate) data: Map<String, Value>,
}

/// The version of a template that `$Latest`, `$Default` or a number means.
pub(crate) fn version_of(ctx: &Ctx<'_>, id: &str, version: &str) -> Result<Version, ApiError> {
    let template = TEMPLATE.used(ctx, id)?;
    let number = number(&template, version).ok_or_else(|| no_such_version(&template, version))?;
    let found = template.items("_versions").iter().find(|v| v["versionNumber"] == number);
    let data = found.and_then(|v| v["launchTemplateData"].as_object()).cloned().unwrap_or_default();
    Ok(Version { template, number, data })
}

/// The id of the template of a name.
pub(crate) fn named(ctx: &Ctx<'_>, name: &str) -> Option<String> {
    ctx.those(TEMPLATE.kind, |t| t.text("launchTemplateName") == name).first().map(|t| t.id.clone())
}

fn shown(template: &Resource) -> Value {
    describe::shown(&TEMPLATE, template)
}

fn version_shown(template: &Resource, version: &Value) -> Value {
    let mut value = version.clone();
    value["launchTemplateId"] = template.id.clone().into();
    value["launchTemplateName"] = template.text("launchTemplateName").into();
    value["defaultVersion"] = (version["versionNumber"] == template.number("defaultVersionNumber")).into();
    value
}

fn version(ctx: &Ctx<'_>, input: &Input, number: i64, data: Map<String, Value>) -> Value {
    json!({
        "versionNumber": number,
        "versionDescription": input.opt_str("VersionDescription"),
        "createTime": iso_millis(ctx.now),
        "createdBy": ctx.caller(),
        "launchTemplateData": data,
    })
}

fn data(input: &Input) -> Result<Map<String, Value>, ApiError> {
    let data = input.object("LaunchTemplateData").ok_or_else(|| input.missing("LaunchTemplateData"))?;
    template_data::kept(&data)
}

pub(crate) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let tags = tags::requested(input, &TEMPLATE)?;
    tags::authorise_create(ctx, "CreateLaunchTemplate", &TEMPLATE, &tags)?;
    let token = input.opt_str("ClientToken");
    let known = ctx.token("CreateLaunchTemplate", token, input)?.and_then(|id| ctx.get(TEMPLATE.kind, &id));
    if let Some(known) = known {
        return Ok(json!({"launchTemplate": shown(&known)}));
    }
    let name = input.string("LaunchTemplateName")?;
    let fine = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if !(3..=128).contains(&name.len()) || !name.chars().all(fine) {
        let message = "Launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _";
        return Err(refuse("InvalidLaunchTemplateName.MalformedException", message));
    }
    let data = data(input)?;
    if named(ctx, &name).is_some() {
        return Err(refuse("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use."));
    }
    let id = ctx.new_id("lt");
    let mut template = ctx.resource(
        TEMPLATE.kind,
        &id,
        json!({
            "launchTemplateName": name,
            "createTime": iso_millis(ctx.now),
            "createdBy": ctx.caller(),
            "defaultVersionNumber": 1,
            "latestVersionNumber": 1,
            "operator": {"managed": false},
            "_versions": [version(ctx, input, 1, data)],
        }),
    );
    template.tags = tags;
    ctx.remember("CreateLaunchTemplate", token, input, &id);
    let answer = shown(&template);
    ctx.insert(template);
    Ok(json!({"launchTemplate": answer}))
}

pub(crate) fn create_version(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let template = asked(ctx, input)?;
    tags::authorise_on(ctx, "CreateLaunchTemplateVersion", &TEMPLATE, &template)?;
    let token = input.opt_str("ClientToken");
    if let Some(known) = ctx.token("CreateLaunchTemplateVersion", token, input)? {
        let made = template.items("_versions").iter().find(|v| v["versionNumber"].as_i64() == known.parse().ok());
        return Ok(json!({"launchTemplateVersion": made.map(|made| version_shown(&template, made))}));
    }
    let mut all = match input.opt_str("SourceVersion") {
        Some(source) => version_of(ctx, &template.id, source)?.data,
        None => Map::new(),
    };
    all.extend(data(input)?);
    let number = template.number("latestVersionNumber") + 1;
    let made = version(ctx, input, number, all);
    ctx.remember("CreateLaunchTemplateVersion", token, input, &number.to_string());
    let kept = made.clone();
    ctx.update(TEMPLATE.kind, &template.id, |t| {
        t.list_mut("_versions").push(kept);
        t.set("latestVersionNumber", number);
    });
    Ok(json!({"launchTemplateVersion": version_shown(&template, &made)}))
}

pub(crate) fn modify(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["ClientToken"]);
    let template = asked(ctx, input)?;
    tags::authorise_on(ctx, "ModifyLaunchTemplate", &TEMPLATE, &template)?;
    let wanted = input.str("SetDefaultVersion")?;
    let number = number(&template, wanted).ok_or_else(|| no_such_version(&template, wanted))?;
    ctx.update(TEMPLATE.kind, &template.id, |t| t.set("defaultVersionNumber", number));
    Ok(json!({"launchTemplate": ctx.get(TEMPLATE.kind, &template.id).map(|t| shown(&t))}))
}

/// Deletes it, whoever launches by it: instances that run stay.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplate.html>
pub(crate) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let template = asked(ctx, input)?;
    tags::authorise_on(ctx, "DeleteLaunchTemplate", &TEMPLATE, &template)?;
    ctx.remove(TEMPLATE.kind, &template.id);
    Ok(json!({"launchTemplate": shown(&template)}))
}

/// The default version stays: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplateVersions.html>
pub(crate) fn delete_versions(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let template = asked(ctx, input)?;
    tags::authorise_on(ctx, "DeleteLaunchTemplateVersions", &TEMPLATE, &template)?;
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for wanted in input.strings("LaunchTemplateVersion") {
        let item = json!({
            "launchTemplateId": template.id, "launchTemplateName": template.text("launchTemplateName"),
            "versionNumber": wanted,
        });
        let meant = number(&template, &wanted);
        let why = match meant {
            None => Some(("launchTemplateVersionDoesNotExist", format!("Version {wanted} does not exist."))),
            Some(n) if n == template.number("defaultVersionNumber") => {
                Some(("unexpectedError", "The default version cannot be deleted.".to_owned()))
            }
            Some(_) => None,
        };
        match why {
            Some((code, message)) => {
                let mut item = item;
                item["responseError"] = json!({"code": code, "message": message});
                kept.push(item);
            }
            None => {
                ctx.update(TEMPLATE.kind, &template.id, |t| {
                    t.list_mut("_versions").retain(|v| v["versionNumber"].as_i64() != meant);
                });
                gone.push(item);
            }
        }
    }
    Ok(json!({
        "successfullyDeletedLaunchTemplateVersionSet": gone,
        "unsuccessfullyDeletedLaunchTemplateVersionSet": kept,
    }))
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeManagedResources"]);
    let names = input.strings("LaunchTemplateName");
    let seen = ctx.visible(TEMPLATE.kind);
    if names.iter().any(|name| !seen.iter().any(|t| t.text("launchTemplateName") == name)) {
        return Err(no_such_name());
    }
    let mut answer = describe::describe(ctx, input, &TEMPLATE)?;
    if let Some(all) = answer["launchTemplates"].as_array_mut().filter(|_| !names.is_empty()) {
        all.retain(|t| names.iter().any(|name| t["launchTemplateName"] == *name));
    }
    Ok(answer)
}

/// Of one template, or the latest or default versions of all.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html>
pub(crate) fn describe_versions(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeManagedResources", "ResolveAlias"]);
    let wanted = input.strings("LaunchTemplateVersion");
    let (id, name) = (input.opt_str("LaunchTemplateId"), input.opt_str("LaunchTemplateName"));
    let seen = ctx.visible(TEMPLATE.kind);
    let one = |t: &&Arc<Resource>| {
        id.is_none_or(|id| t.id == id) && name.is_none_or(|name| t.text("launchTemplateName") == name)
    };
    let templates: Vec<&Arc<Resource>> = seen.iter().filter(one).collect();
    let all = id.is_none() && name.is_none();
    if all && (wanted.is_empty() || wanted.iter().any(|version| !version.starts_with('$'))) {
        return Err(refuse("MissingParameter", "The request must contain the parameter LaunchTemplateId"));
    }
    if templates.is_empty() && !all {
        return Err(id.map_or_else(no_such_name, |id| TEMPLATE.not_found(id)));
    }
    let bound = |name: &str| input.opt_str(name).map(str::to_owned);
    let (least, most) = (bound("MinVersion"), bound("MaxVersion"));
    let filters = describe::filters(input)?;
    let mut found = Vec::new();
    for template in templates {
        let mut chosen = Vec::new();
        for version in &wanted {
            chosen.push(number(template, version).ok_or_else(|| no_such_version(template, version))?);
        }
        let limit = |bound: &Option<String>| bound.as_ref().and_then(|bound| number(template, bound));
        let (least, most) = (limit(&least).unwrap_or(0), limit(&most).unwrap_or(i64::MAX));
        // The newest first.
        for version in template.items("_versions").iter().rev() {
            let number = version["versionNumber"].as_i64().unwrap_or(0);
            let fits = (wanted.is_empty() || chosen.contains(&number)) && (least..=most).contains(&number);
            let value = version_shown(template, version);
            if fits && describe::all_match(&filters, VERSION_FILTERS, &value, template)? {
                found.push(value);
            }
        }
    }
    describe::page(input, "launchTemplateVersionSet", found)
}

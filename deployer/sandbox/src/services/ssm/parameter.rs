//! Parameters, put and deleted.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{arn, authorise, find, invalid, tags, value};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::seconds;
use crate::store::{Resource, Tags};

/// How many versions AWS keeps.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html>
const VERSIONS: usize = 100;

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.string("Name")?;
    let tags = tags::requested(input)?;
    let overwrite = input.bool_or("Overwrite", false)?;
    demand(ctx, &name, overwrite, &tags)?;
    well_formed(&name)?;
    if overwrite && !tags.is_empty() {
        return Err(invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let existing = ctx.get("ssm.parameter", &name);
    if existing.is_some() && !overwrite {
        return Err(refuse(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    let kind = kind(input, existing.as_deref())?;
    let text = input.opt_str("Value").ok_or_else(|| input.missing("Value"))?.to_owned();
    let tier = value::tier(input.opt_str("Tier"), existing.as_deref().map(|old| old.text("Tier")), &text)?;
    for unknown in ["AllowedPattern", "Policies"] {
        if input.opt_str(unknown).is_some_and(|given| !given.is_empty()) {
            return Err(ApiError::not_simulated(format!("{unknown} of parameters")));
        }
    }
    if input.opt_str("DataType").is_some_and(|given| given != "text") {
        return Err(ApiError::not_simulated("parameters of another data type than text"));
    }
    let mut parameter = match &existing {
        Some(old) => Resource::clone(old),
        None => object(ctx, &name),
    };
    parameter.set("Type", kind.clone());
    parameter.set("Tier", tier.clone());
    encrypt(ctx, input, &mut parameter, &kind, &tier, &text)?;
    parameter.set("_value", text);
    if let Some(description) = input.opt_str("Description") {
        parameter.set("Description", description);
    }
    let version = parameter.number("Version") + 1;
    parameter.set("Version", version);
    parameter.set("LastModifiedDate", seconds(ctx.now));
    parameter.set("LastModifiedUser", ctx.caller());
    parameter.tags.extend(tags);
    remember(&mut parameter);
    match existing {
        Some(_) => ctx.update("ssm.parameter", &name, |known| *known = parameter),
        None => ctx.insert(parameter),
    }
    Ok(json!({"Version": version, "Tier": tier}))
}

fn object(ctx: &Ctx<'_>, name: &str) -> Resource {
    let attrs = json!({"Name": name, "ARN": arn(ctx, name), "Version": 0, "Policies": [], "DataType": "text"});
    ctx.resource("ssm.parameter", name, attrs)
}

fn demand(ctx: &mut Ctx<'_>, name: &str, overwrite: bool, tags: &Tags) -> Result<(), ApiError> {
    let known = ctx.get("ssm.parameter", name).map(|parameter| parameter.tags.clone()).unwrap_or_default();
    let grant = Grant::new("ssm:PutParameter", arn(ctx, name)).resource_tags(&known).request_tags(tags);
    ctx.authorise(grant.key("ssm:Overwrite", overwrite.to_string()))?;
    if tags.is_empty() {
        return Ok(());
    }
    let grant = Grant::new("ssm:AddTagsToResource", arn(ctx, name)).request_tags(tags);
    ctx.authorise(grant)
}

/// A type is said once and then stays.
fn kind(input: &Input, existing: Option<&Resource>) -> Result<String, ApiError> {
    match (input.opt_str("Type"), existing) {
        (Some(kind), _) if !["String", "StringList", "SecureString"].contains(&kind) => {
            Err(refuse("UnsupportedParameterType", format!("{kind} is not a type of parameters")))
        }
        (Some(kind), Some(old)) if kind != old.text("Type") => Err(refuse(
            "HierarchyTypeMismatchException",
            "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.",
        )),
        (Some(kind), _) => Ok(kind.to_owned()),
        (None, Some(old)) => Ok(old.text("Type").to_owned()),
        (None, None) => Err(invalid("A parameter type is required when you create a parameter.")),
    }
}

fn encrypt(
    ctx: &mut Ctx<'_>,
    input: &Input,
    parameter: &mut Resource,
    kind: &str,
    tier: &str,
    text: &str,
) -> Result<(), ApiError> {
    let asked = input.opt_str("KeyId");
    if kind != "SecureString" {
        return match asked {
            Some(_) => Err(invalid("KeyId is required for SecureString type parameter only.")),
            None => Ok(()),
        };
    }
    let known = Some(parameter.text("KeyId").to_owned()).filter(|id| !id.is_empty());
    let id = asked.map(str::to_owned).or(known).unwrap_or_else(|| "alias/aws/ssm".to_owned());
    // <https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html>
    let action = if tier == "Standard" { "Encrypt" } else { "GenerateDataKey" };
    let key = value::key(ctx, &id, action, parameter.text("ARN"))?;
    parameter.set("KeyId", id);
    parameter.set("_key", key.id.clone());
    let ciphertext = value::ciphertext(ctx, text);
    parameter.set("_cipher", ciphertext);
    Ok(())
}

fn remember(parameter: &mut Resource) {
    let mut version = parameter.attrs.clone();
    version.remove("_history");
    version.remove("ARN");
    let history = parameter.list_mut("_history");
    history.push(Value::Object(version));
    if history.len() > VERSIONS {
        history.remove(0);
    }
}

/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-parameter-name-constraints.html>
fn well_formed(name: &str) -> Result<(), ApiError> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_.-/".contains(letter);
    let path = name.trim_start_matches('/');
    let first = path.to_lowercase();
    if first == "aws" || first.starts_with("aws/") {
        return Err(refuse("AccessDeniedException", format!("No access to reserved parameter name: {name}.")));
    }
    let reserved = first.starts_with("ssm") || first.starts_with("aws");
    if reserved || !name.chars().all(allowed) || path.is_empty() || name.ends_with('/') || name.contains("//") {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_",
        ));
    }
    if path.contains('/') && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name: it must begin with /"));
    }
    if path.split('/').count() > 15 {
        return Err(refuse("HierarchyLevelLimitExceededException", "A parameter name can have at most 15 levels"));
    }
    if name.len() > 1011 {
        return Err(invalid("A parameter name can have at most 1011 characters"));
    }
    Ok(())
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.str("Name")?;
    authorise(ctx, "DeleteParameter", name)?;
    let parameter: Arc<Resource> = find(ctx, name)?;
    ctx.remove("ssm.parameter", &parameter.id);
    Ok(nothing())
}

pub(super) fn delete_many(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let names = input.strings("Names");
    let (mut gone, mut unknown) = (Vec::new(), Vec::new());
    if names.is_empty() || names.len() > 10 {
        return Err(invalid(
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have between 1 and 10 items",
        ));
    }
    for name in names {
        authorise(ctx, "DeleteParameters", &name)?;
        match ctx.usable("ssm.parameter", &name) {
            Some(_) => {
                ctx.remove("ssm.parameter", &name);
                gone.push(name);
            }
            None => unknown.push(name),
        }
    }
    Ok(json!({"DeletedParameters": gone, "InvalidParameters": unknown}))
}

//! Reading values.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>

use serde_json::{Map, Value, json};

use super::{authorise, find, invalid, value};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::rng::rank;
use crate::services::shared::page;
use crate::store::Resource;

/// The part of a parameter that comes with its value.
const SHOWN: &[&str] = &["Name", "Type", "Version", "LastModifiedDate", "DataType"];

/// A parameter, or one version of it, with its value; without decryption a SecureString shows its ciphertext.
pub(super) fn shown(
    ctx: &mut Ctx<'_>,
    parameter: &Resource,
    version: &Map<String, Value>,
    decrypt: bool,
) -> Result<Map<String, Value>, ApiError> {
    let mut map: Map<String, Value> =
        SHOWN.iter().filter_map(|name| Some(((*name).to_owned(), version.get(*name)?.clone()))).collect();
    let secret = parameter.text("Type") == "SecureString";
    if secret && decrypt {
        let key = version.get("_key").and_then(Value::as_str).unwrap_or_default().to_owned();
        value::key(ctx, &key, "Decrypt", parameter.text("ARN"))?;
    }
    let kept = if secret && !decrypt { "_cipher" } else { "_value" };
    map.insert("Value".to_owned(), version.get(kept).cloned().unwrap_or_default());
    Ok(map)
}

/// Name and selector of `name`, `name:version`, or the ARN of either.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html>
fn split(ctx: &Ctx<'_>, asked: &str) -> (String, Option<String>) {
    let bare = asked.strip_prefix(&ctx.arn("ssm", "parameter"));
    let (name, selector) = match bare.unwrap_or(asked).split_once(':') {
        Some((name, selector)) => (name, Some(selector.to_owned())),
        None => (bare.unwrap_or(asked), None),
    };
    // An ARN shows a name without a path and a path of one level alike.
    let flat = name.trim_start_matches('/');
    let is_flat = bare.is_some() && ctx.get("ssm.parameter", name).is_none();
    (if is_flat && !flat.contains('/') { flat } else { name }.to_owned(), selector)
}

fn asked_for(ctx: &mut Ctx<'_>, asked: &str, action: &str, decrypt: bool) -> Result<Value, ApiError> {
    let (name, selector) = split(ctx, asked);
    authorise(ctx, action, &name)?;
    let parameter = find(ctx, &name)?;
    let version = match &selector {
        None => parameter.attrs.clone(),
        Some(selector) => {
            let wanted: Option<i64> = selector.parse().ok();
            let versions = parameter.items("_history").iter();
            let version = versions.filter(|v| v["Version"].as_i64() == wanted).find_map(Value::as_object);
            version.cloned().ok_or_else(|| {
                refuse(
                    "ParameterVersionNotFound",
                    format!(
                        "Systems Manager could not find version {selector} of {name}. Verify the version and try again."
                    ),
                )
            })?
        }
    };
    let mut map = shown(ctx, &parameter, &version, decrypt)?;
    map.insert("ARN".to_owned(), parameter.text("ARN").into());
    if let Some(selector) = selector {
        map.insert("Selector".to_owned(), format!(":{selector}").into());
    }
    Ok(Value::Object(map))
}

pub(super) fn one(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let decrypt = input.bool_or("WithDecryption", false)?;
    Ok(json!({"Parameter": asked_for(ctx, input.str("Name")?, "GetParameter", decrypt)?}))
}

/// Names that nothing has are answered as such, in no order.
pub(super) fn many(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let decrypt = input.bool_or("WithDecryption", false)?;
    let mut names = input.strings("Names");
    if names.is_empty() || names.len() > 10 {
        return Err(invalid(
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have between 1 and 10 items",
        ));
    }
    names.sort_by_cached_key(|name| rank(ctx.account.seed, name));
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match asked_for(ctx, &name, "GetParameters", decrypt) {
            Ok(parameter) => found.push(parameter),
            Err(error) if error.code.starts_with("Parameter") => unknown.push(name),
            Err(error) => return Err(error),
        }
    }
    Ok(json!({"Parameters": found, "InvalidParameters": unknown}))
}

/// Oldest first: <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameterHistory.html>
pub(super) fn history(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = input.str("Name")?;
    authorise(ctx, "GetParameterHistory", name)?;
    let parameter = find(ctx, name)?;
    let decrypt = input.bool_or("WithDecryption", false)?;
    let mut versions = Vec::new();
    for version in parameter.items("_history").iter().filter_map(Value::as_object) {
        let mut map: Map<String, Value> =
            version.iter().filter(|(name, _)| !name.starts_with('_')).map(|(k, v)| (k.clone(), v.clone())).collect();
        map.append(&mut shown(ctx, &parameter, version, decrypt)?);
        map.insert("Labels".to_owned(), json!([]));
        versions.push(Value::Object(map));
    }
    paged(input, versions, 50)
}

/// A page of a list, as `MaxResults` and `NextToken` ask.
pub(super) fn paged(input: &Input, items: Vec<Value>, most: i64) -> Outcome {
    let size = input.opt_int("MaxResults")?.unwrap_or(most);
    if !(1..=most).contains(&size) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to {most}"
        )));
    }
    let page = page(items, input.opt_str("NextToken"), usize::try_from(size).unwrap_or(10))
        .ok_or_else(|| refuse("InvalidNextToken", "The specified token isn't valid."))?;
    let mut answer = json!({"Parameters": page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

//! How asynchronous invocations of a function are tried again, and who hears of them.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html>

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::name::{self, LATEST};
use super::{FUNCTION, authorise, destination, function_arn, ill_formed, invalid, not_found, paged, within};
use crate::account::Ctx;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::iam;
use crate::services::shared::seconds;
use crate::store::Resource;

const CONFIG: &str = "_invoke_config";
const PATTERN: &str = "satisfy regular expression pattern: $|kafka://([^.]([a-zA-Z0-9\\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)";

/// The function that a call names, once the caller may do this to it, and its ARN with the version.
fn permitted(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<(Option<Arc<Resource>>, String), ApiError> {
    let named = name::asked(ctx, input)?;
    let found = named.find(ctx);
    let arn = function_arn(ctx, &named.name);
    authorise(ctx, action, &arn, found.as_deref())?;
    Ok((found, format!("{arn}:{}", named.qualifier.as_deref().unwrap_or(LATEST))))
}

fn no_function() -> ApiError {
    not_found("The function doesn't exist.")
}

fn no_config(arn: &str) -> ApiError {
    not_found(format!("The function {arn} doesn't have an EventInvokeConfig"))
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (found, arn) = permitted(ctx, input, "PutFunctionEventInvokeConfig")?;
    let function = found.ok_or_else(no_function)?;
    keep(ctx, input, &function, &arn, Map::new())
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionEventInvokeConfig.html>
pub(super) fn update(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (found, arn) = permitted(ctx, input, "UpdateFunctionEventInvokeConfig")?;
    let function = found.ok_or_else(no_function)?;
    let known = function.attrs.get(CONFIG).and_then(Value::as_object).cloned().ok_or_else(|| no_config(&arn))?;
    keep(ctx, input, &function, &arn, known)
}

fn keep(ctx: &mut Ctx<'_>, input: &Input, function: &Resource, arn: &str, mut config: Map<String, Value>) -> Outcome {
    let mut said = false;
    for (name, place, least, most) in [
        ("MaximumRetryAttempts", "maximumRetryAttempts", 0, 2),
        ("MaximumEventAgeInSeconds", "maximumEventAgeInSeconds", 60, 21_600),
    ] {
        if let Some(value) = within(input, name, place, least, most)? {
            config.insert(name.to_owned(), value.into());
            said = true;
        }
    }
    if let Some(given) = input.object("DestinationConfig") {
        let known = config.get("DestinationConfig").cloned().unwrap_or_default();
        config.insert("DestinationConfig".to_owned(), destinations(ctx, &given, function, known)?);
        said = true;
    }
    if !said {
        return Err(invalid("You must specify at least one of error handling or destination setting."));
    }
    config.entry("DestinationConfig").or_insert_with(|| json!({"OnSuccess": {}, "OnFailure": {}}));
    config.insert("LastModified".to_owned(), seconds(ctx.now));
    config.insert("FunctionArn".to_owned(), arn.into());
    ctx.update(FUNCTION, &function.id, |function| function.set(CONFIG, config.clone()));
    Ok(config.into())
}

fn destinations(ctx: &Ctx<'_>, given: &Input, function: &Resource, known: Value) -> Outcome {
    let mut all = json!({"OnSuccess": {}, "OnFailure": {}});
    for of in ["OnSuccess", "OnFailure"] {
        let Some(one) = given.object(of) else {
            if known[of].is_object() {
                all[of] = known[of].clone();
            }
            continue;
        };
        let Some(arn) = one.opt_str("Destination").filter(|arn| !arn.is_empty()) else { continue };
        let place =
            format!("destinationConfig.{}.destination", if of == "OnSuccess" { "onSuccess" } else { "onFailure" });
        let word = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        if arn.split(':').count() < 6 || !arn.starts_with("arn:aws") || !word(destination::service(arn)) {
            return Err(ill_formed(arn, &place, PATTERN));
        }
        if arn == function.text("FunctionArn") {
            return Err(invalid("You can't specify the function as a destination for itself."));
        }
        destination::there(ctx, arn)?;
        let role = iam::role_by_arn(ctx, function.text("Role"));
        let role = role.ok_or_else(|| invalid("The role defined for the function cannot be assumed by Lambda."))?;
        destination::permitted(&role, arn)?;
        all[of] = json!({"Destination": arn});
    }
    Ok(all)
}

fn config_of(function: Option<&Resource>, arn: &str) -> Outcome {
    let latest = arn.ends_with(LATEST);
    let known = function.filter(|_| latest).and_then(|function| function.attrs.get(CONFIG).cloned());
    known.ok_or_else(|| no_config(arn))
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (found, arn) = permitted(ctx, input, "GetFunctionEventInvokeConfig")?;
    config_of(found.as_deref(), &arn)
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionEventInvokeConfigs.html>
pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (found, _) = permitted(ctx, input, "ListFunctionEventInvokeConfigs")?;
    let function = found.ok_or_else(no_function)?;
    paged(input, "FunctionEventInvokeConfigs", function.attrs.get(CONFIG).cloned().into_iter().collect(), 50)
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (found, arn) = permitted(ctx, input, "DeleteFunctionEventInvokeConfig")?;
    config_of(found.as_deref(), &arn)?;
    if let Some(function) = found {
        ctx.update(FUNCTION, &function.id, |function| drop(function.attrs.remove(CONFIG)));
    }
    Ok(nothing())
}

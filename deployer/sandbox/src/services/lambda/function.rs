//! Functions.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::name::{self, LATEST, Named};
use super::{FUNCTION, authorise, code, conflict, function_arn, ill_formed, invalid, life, paged, settings, tags};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::iam;
use crate::services::shared;
use crate::store::Resource;

const SERVICE: &str = "lambda.amazonaws.com";

/// How a function's configuration is shown: lists leave its states out.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Alone,
    InList,
}

fn shown(function: &Resource, how: Shown) -> Map<String, Value> {
    let mut map = shared::shown(function);
    if how == Shown::InList {
        map.retain(|name, _| {
            !name.starts_with("State") && !name.starts_with("LastUpdate") && name != "RuntimeVersionConfig"
        });
    }
    map
}

/// The configuration as an operation on the function itself answers it.
pub(super) fn configuration(function: &Resource) -> Value {
    Value::Object(shown(function, Shown::Alone))
}

/// The configuration under the name that a call has for it.
fn as_named(named: &Named, function: &Resource) -> Value {
    let mut answer = configuration(function);
    if let Some(qualifier) = &named.qualifier {
        answer["FunctionArn"] = format!("{}:{qualifier}", function.text("FunctionArn")).into();
    }
    answer
}

pub(super) fn create(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let name = name::read(ctx, input.str("FunctionName")?)?.name;
    if name.len() > 64 {
        return Err(ill_formed(&name, "functionName", "have length less than or equal to 64"));
    }
    let arn = function_arn(ctx, &name);
    let tags = tags::requested(input)?;
    ctx.authorise(Grant::new("lambda:CreateFunction", &arn).request_tags(&tags))?;
    if !tags.is_empty() {
        // <https://docs.aws.amazon.com/lambda/latest/dg/attribute-based-access-control.html>
        ctx.authorise(Grant::new("lambda:TagResource", &arn).request_tags(&tags))?;
    }
    let role = role(ctx, input)?.ok_or_else(|| input.missing("Role"))?;
    match input.opt_str("PackageType") {
        None | Some("Zip") => {}
        Some(other) => return Err(ApiError::not_simulated(format!("PackageType {other}"))),
    }
    if input.bool_or("Publish", false)? {
        return Err(ApiError::not_simulated("versions of a function"));
    }
    for needed in ["Runtime", "Handler"] {
        if !input.has(needed) {
            return Err(invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        }
    }
    let mut function = ctx.resource(FUNCTION, &name, settings::defaults(&name));
    for (member, value) in
        [("FunctionName", &*name), ("FunctionArn", &*arn), ("Version", LATEST), ("PackageType", "Zip")]
    {
        function.set(member, value);
    }
    function.set("Role", role.text("Arn"));
    function.set("Architectures", settings::architectures(input)?.unwrap_or_else(|| vec!["x86_64".to_owned()]));
    settings::apply(ctx, input, &mut function)?;
    let source = input.object("Code").ok_or_else(|| input.missing("Code"))?;
    keep(&mut function, &code::read(&source)?);
    if ctx.get(FUNCTION, &name).is_some() {
        return Err(conflict(format!("Function already exist: {name}")));
    }
    assumable(&role)?;
    settings::demands(ctx, &function, &role)?;
    function.tags = tags;
    Ok(configuration(&life::begin(ctx, function)))
}

/// What is kept of a function's code.
pub(super) fn keep(function: &mut Resource, code: &code::Code) {
    function.set("CodeSha256", code.sha256.clone());
    function.set("CodeSize", code.size);
    function.set("_bootstrap", code.bootstrap);
}

/// The role that a call gives a function, once the caller may do that.
pub(super) fn role(ctx: &mut Ctx<'_>, input: &Input) -> Result<Option<Arc<Resource>>, ApiError> {
    let Some(arn) = input.opt_str("Role") else { return Ok(None) };
    let account = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
    if !account.is_some_and(|(account, name)| account.len() == 12 && !name.is_empty()) {
        let pattern = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
        return Err(ill_formed(arn, "role", &format!("satisfy regular expression pattern: {pattern}")));
    }
    iam::authorise_pass(ctx, arn, SERVICE)?;
    let found = iam::role_by_arn(ctx, arn);
    found.ok_or_else(cannot_be_assumed).map(Some)
}

fn cannot_be_assumed() -> ApiError {
    invalid("The role defined for the function cannot be assumed by Lambda.")
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html>
pub(super) fn assumable(role: &Resource) -> Result<(), ApiError> {
    if iam::trusts(role, SERVICE) { Ok(()) } else { Err(cannot_be_assumed()) }
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (named, function) = name::permitted(ctx, input, "GetFunction")?;
    let bucket = format!("prod-04-2014-tasks.s3.{}.amazonaws.com", ctx.account.region);
    let location = format!("https://{bucket}/snapshots/{}/{}", ctx.account.id, function.id);
    let mut answer = json!({
        "Configuration": as_named(&named, &function),
        "Code": {"RepositoryType": "S3", "Location": location},
    });
    if !function.tags.is_empty() {
        answer["Tags"] = json!(function.tags);
    }
    if let Some(reserved) = function.attrs.get("_reserved") {
        answer["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
    }
    Ok(answer)
}

pub(super) fn get_configuration(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (named, function) = name::permitted(ctx, input, "GetFunctionConfiguration")?;
    Ok(as_named(&named, &function))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    if input.has("MasterRegion") {
        return Err(ApiError::not_simulated("MasterRegion"));
    }
    let all = match input.opt_str("FunctionVersion") {
        None => false,
        Some("ALL") => true,
        Some(other) => return Err(ill_formed(other, "functionVersion", "satisfy enum value set: [ALL]")),
    };
    let functions = ctx.visible(FUNCTION);
    let functions = functions.iter().map(|function| {
        let mut shown = shown(function, Shown::InList);
        if all {
            shown.insert("FunctionArn".to_owned(), format!("{}:{LATEST}", function.text("FunctionArn")).into());
        }
        Value::Object(shown)
    });
    paged(input, "Functions", functions.collect(), 50)
}

/// No version was ever published here.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html>
pub(super) fn versions(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (_, function) = name::permitted(ctx, input, "ListVersionsByFunction")?;
    let mut latest = shown(&function, Shown::InList);
    latest.insert("FunctionArn".to_owned(), format!("{}:{LATEST}", function.text("FunctionArn")).into());
    paged(input, "Versions", vec![Value::Object(latest)], 50)
}

/// Nobody signs code here.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionCodeSigningConfig.html>
pub(super) fn code_signing(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (_, function) = name::permitted(ctx, input, "GetFunctionCodeSigningConfig")?;
    Ok(json!({"FunctionName": function.id}))
}

/// The function goes at once, its mappings and its log group stay behind.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html>
pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let named = name::asked(ctx, input)?;
    let (found, arn) = (named.find(ctx), named.arn(ctx));
    authorise(ctx, "DeleteFunction", &arn, found.as_deref())?;
    if named.qualifier.as_deref() == Some(LATEST) {
        return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
    }
    let function = found.ok_or_else(|| super::no_such_function(&arn))?;
    ctx.remove(FUNCTION, &function.id);
    Ok(nothing())
}

//! How many invocations of a function may run at once.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>

use serde_json::{Value, json};

use super::name::LATEST;
use super::{FUNCTION, authorise, code, function_arn, invalid, name, no_such_function, work};
use crate::account::{Ctx, Quota};
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::store::Resource;

/// So much has to be left for functions without a reservation, where there is as much.
const UNRESERVED: i64 = 100;
const STORAGE: i64 = 80_530_636_800;

fn most(ctx: &Ctx<'_>) -> i64 {
    ctx.quota(Quota::ConcurrentExecutions)
}

fn reserved(ctx: &Ctx<'_>, except: &str) -> i64 {
    ctx.all(FUNCTION).iter().filter(|function| function.id != except).map(|function| function.number("_reserved")).sum()
}

/// Whether one more invocation of a function may run now.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html>
pub(super) fn room(ctx: &Ctx<'_>, function: &Resource) -> bool {
    let most = match function.attrs.get("_reserved").and_then(Value::as_i64) {
        Some(reserved) => reserved,
        None => most(ctx) - reserved(ctx, ""),
    };
    work::open(ctx, &function.id) < usize::try_from(most).unwrap_or(0)
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let named = name::asked(ctx, input)?;
    let found = ctx.get(FUNCTION, &named.name);
    let arn = function_arn(ctx, &named.name);
    authorise(ctx, "PutFunctionConcurrency", &arn, found.as_deref())?;
    if named.qualifier.is_some() {
        return Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.",
        ));
    }
    let function = found.ok_or_else(|| no_such_function(&format!("{arn}:{LATEST}")))?;
    let wanted =
        super::within(input, "ReservedConcurrentExecutions", "reservedConcurrentExecutions", 0, i64::from(i32::MAX))?;
    let wanted = wanted.ok_or_else(|| input.missing("ReservedConcurrentExecutions"))?;
    let unreserved = UNRESERVED.min(most(ctx));
    if most(ctx) - reserved(ctx, &function.id) - wanted < unreserved {
        let message = format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{unreserved}]."
        );
        return Err(crate::error::refuse("InvalidParameterValueException", message));
    }
    ctx.update(FUNCTION, &function.id, |function| function.set("_reserved", wanted));
    Ok(json!({"ReservedConcurrentExecutions": wanted}))
}

fn permitted(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<std::sync::Arc<Resource>, ApiError> {
    name::permitted(ctx, input, action).map(|(_, function)| function)
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let function = permitted(ctx, input, "GetFunctionConcurrency")?;
    Ok(match function.attrs.get("_reserved") {
        Some(reserved) => json!({"ReservedConcurrentExecutions": reserved}),
        None => nothing(),
    })
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let function = permitted(ctx, input, "DeleteFunctionConcurrency")?;
    ctx.update(FUNCTION, &function.id, |function| drop(function.attrs.remove("_reserved")));
    Ok(nothing())
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html>
pub(super) fn account_settings(ctx: &mut Ctx<'_>, _: &Input) -> Outcome {
    let functions = ctx.all(FUNCTION);
    let size: i64 = functions.iter().map(|function| function.number("CodeSize")).sum();
    Ok(json!({
        "AccountLimit": {
            "TotalCodeSize": STORAGE, "CodeSizeUnzipped": code::UNZIPPED, "CodeSizeZipped": code::ZIPPED,
            "ConcurrentExecutions": most(ctx), "UnreservedConcurrentExecutions": most(ctx) - reserved(ctx, ""),
        },
        "AccountUsage": {"TotalCodeSize": size, "FunctionCount": functions.len()},
    }))
}

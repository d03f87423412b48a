//! Changes of a function: one at a time.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html>

use super::{code, function, invalid, life, name, precondition, settings};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::iam;
use crate::store::Resource;

/// <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html>
pub(super) fn code(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (_, known) = name::permitted(ctx, input, "UpdateFunctionCode")?;
    if input.bool_or("Publish", false)? {
        return Err(ApiError::not_simulated("versions of a function"));
    }
    let code = code::read(input)?;
    precondition(input, &known)?;
    life::idle(&known)?;
    let mut changed = Resource::clone(&known);
    function::keep(&mut changed, &code);
    if let Some(architectures) = settings::architectures(input)? {
        changed.set("Architectures", architectures);
    }
    if input.bool_or("DryRun", false)? {
        return Ok(function::configuration(&changed));
    }
    Ok(function::configuration(&life::begin(ctx, changed)))
}

pub(super) fn configuration(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let (_, known) = name::permitted(ctx, input, "UpdateFunctionConfiguration")?;
    let given = function::role(ctx, input)?;
    let mut changed = Resource::clone(&known);
    settings::apply(ctx, input, &mut changed)?;
    precondition(input, &known)?;
    life::idle(&known)?;
    if let Some(role) = &given {
        function::assumable(role)?;
        changed.set("Role", role.text("Arn"));
    }
    let role = given.or_else(|| iam::role_by_arn(ctx, changed.text("Role")));
    let role = role.ok_or_else(|| invalid("The role defined for the function cannot be assumed by Lambda."))?;
    settings::demands(ctx, &changed, &role)?;
    Ok(function::configuration(&life::begin(ctx, changed)))
}

//! Lists of parameters, with values (by path) and without (described).
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html>

use serde_json::Value;

use super::{arn, filter, invalid, read};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::Outcome;
use crate::input::Input;
use crate::services::shared;

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html>
pub(super) fn by_path(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let path = input.string("Path")?;
    let grant = Grant::new("ssm:GetParametersByPath", arn(ctx, &path));
    ctx.authorise(grant.key("ssm:Recursive", input.bool_or("Recursive", false)?.to_string()))?;
    if !path.starts_with('/') {
        return Err(invalid(
            "The parameter path must begin with a slash /. It can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_",
        ));
    }
    let recursive = input.bool_or("Recursive", false)?;
    let decrypt = input.bool_or("WithDecryption", false)?;
    let filters = filter::read(input, filter::BY_PATH)?;
    let mut found = Vec::new();
    for parameter in ctx.visible("ssm.parameter") {
        if filter::under(&parameter.id, &path, recursive) && filters.iter().all(|f| f.fits(&parameter)) {
            let mut map = read::shown(ctx, &parameter, &parameter.attrs, decrypt)?;
            map.insert("ARN".to_owned(), parameter.text("ARN").into());
            found.push(Value::Object(map));
        }
    }
    read::paged(input, found, 10)
}

pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let everything = ctx.arn("ssm", "*");
    ctx.authorise(Grant::new("ssm:DescribeParameters", everything))?;
    if input.bool_or("Shared", false)? {
        return read::paged(input, Vec::new(), 50);
    }
    let filters = filter::read(input, filter::DESCRIBED)?;
    let parameters = ctx.visible("ssm.parameter");
    let parameters = parameters
        .iter()
        .filter(|parameter| filters.iter().all(|filter| filter.fits(parameter)))
        .map(|parameter| Value::Object(shared::shown(parameter)))
        .collect();
    read::paged(input, parameters, 50)
}

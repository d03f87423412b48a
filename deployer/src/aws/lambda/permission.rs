//! Who may invoke a function without a role of its own: the statements of the function's policy.
//! <https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use wharf_engine::Class;

use crate::aws::call::{Aws, CallError};
use crate::aws::out::{Out, Text};

/// A service that may invoke a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// The service, such as `sns.amazonaws.com`.
    pub principal: String,
    /// The ARN of what it may invoke the function for.
    pub source: Option<Text>,
    /// The account that this is in.
    pub account: Option<String>,
}

/// What a permission allows.
const INVOKE: &str = "lambda:InvokeFunction";

/// The function's permissions by statement id.
pub(super) async fn list(aws: &Aws, function: &str) -> Result<BTreeMap<String, Permission>, CallError> {
    let send = || aws.lambda.get_policy().function_name(function).send();
    let policy = match aws.call("lambda:GetPolicy", function, send).await {
        Err(error) if error.class == Class::Missing => return Ok(BTreeMap::new()),
        answer => answer?.policy.unwrap_or_default(),
    };
    let policy: Json = serde_json::from_str(&policy)
        .map_err(|error| CallError::ours(format!("the policy of {function} is not JSON: {error}")))?;
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let one = |statement: &Json| Some((statement["Sid"].as_str()?.to_owned(), observed(statement)));
    Ok(statements.filter_map(one).collect())
}

/// What a statement allows. One of another make than [`allow`]'s becomes a permission that nobody wants.
fn observed(statement: &Json) -> Permission {
    let principal = &statement["Principal"];
    let plain = statement["Effect"] == "Allow" && statement["Action"] == INVOKE;
    let principal = match principal["Service"].as_str().filter(|_| plain) {
        Some(service) => service.to_owned(),
        None => format!("{} {} to {principal}", statement["Effect"], statement["Action"]),
    };
    // Lambda writes these keys with capitals of its own.
    let condition = |key: &str| {
        let conditions = statement["Condition"].as_object().into_iter().flat_map(|of| of.values());
        let mut keys = conditions.filter_map(Json::as_object).flatten();
        keys.find(|(name, _)| name.eq_ignore_ascii_case(key)).and_then(|(_, value)| value.as_str())
    };
    Permission {
        principal,
        source: condition("aws:SourceArn").map(Text::known),
        account: condition("aws:SourceAccount").map(str::to_owned),
    }
}

/// Brings a function's permissions from `now` to `to`: new and changed ones first.
pub(super) async fn change(
    aws: &Aws,
    function: &str,
    now: &BTreeMap<String, Permission>,
    to: &BTreeMap<String, Permission>,
) -> Result<(), CallError> {
    for (id, permission) in to.iter().filter(|(id, permission)| now.get(*id) != Some(*permission)) {
        if now.contains_key(id) {
            forbid(aws, function, id).await?;
        }
        allow(aws, function, id, permission).await?;
    }
    for id in now.keys().filter(|id| !to.contains_key(*id)) {
        forbid(aws, function, id).await?;
    }
    Ok(())
}

async fn allow(aws: &Aws, function: &str, id: &str, permission: &Permission) -> Result<(), CallError> {
    let source = permission.source.as_ref().map(Out::get).transpose()?.map(str::to_owned);
    let add = aws.lambda.add_permission().function_name(function).statement_id(id).action(INVOKE);
    let add = add.principal(&permission.principal).set_source_arn(source);
    let add = add.set_source_account(permission.account.clone());
    aws.call("lambda:AddPermission", function, || add.clone().send()).await.map(drop)
}

/// What is to be taken off and is not there is taken off.
async fn forbid(aws: &Aws, function: &str, id: &str) -> Result<(), CallError> {
    let send = || aws.lambda.remove_permission().function_name(function).statement_id(id).send();
    match aws.call("lambda:RemovePermission", function, send).await {
        Err(error) if error.class == Class::Missing => Ok(()),
        answer => answer.map(drop),
    }
}

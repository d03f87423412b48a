//! Who else may invoke a function: its resource policy, statement by statement.
//! <https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html>

use serde_json::{Map, Value, json};

use super::name::{self, LATEST};
use super::{FUNCTION, authorise, conflict, ill_formed, invalid, no_such_function, not_found, precondition};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::dispatch::nothing;
use crate::error::{ApiError, Outcome};
use crate::input::Input;
use crate::services::document;
use crate::store::Resource;

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>
const LONGEST: usize = 20_480;

fn whole(function: &Resource) -> Value {
    json!({"Version": "2012-10-17", "Id": "default", "Statement": function.items("_policy")})
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html>
pub(super) fn add(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let named = name::asked(ctx, input)?;
    let (found, arn) = (named.find(ctx), named.arn(ctx));
    let (id, action) = (input.string("StatementId")?, input.string("Action")?);
    let principal = input.string("Principal")?;
    let mut grant = Grant::new("lambda:AddPermission", &arn).key("lambda:Principal", principal.clone());
    if let Some(function) = &found {
        grant = grant.resource_tags(&function.tags);
    }
    ctx.authorise(grant)?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if id.len() > 100 || !id.chars().all(plain) {
        return Err(ill_formed(&id, "statementId", "satisfy regular expression pattern: ([a-zA-Z0-9-_]+)"));
    }
    let named_action =
        action.strip_prefix("lambda:").is_some_and(|rest| rest == "*" || rest.chars().all(char::is_alphanumeric));
    if action != "*" && !named_action {
        let pattern = "satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])";
        return Err(ill_formed(&action, "action", pattern));
    }
    if named.qualifier.as_deref() == Some(LATEST) {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    let function = found.ok_or_else(|| no_such_function(&arn))?;
    precondition(input, &function)?;
    let mut statement = json!({
        "Sid": id, "Effect": "Allow", "Principal": whom(ctx, &principal)?, "Action": action, "Resource": arn,
    });
    let conditions = conditions(input);
    if !conditions.is_empty() {
        statement["Condition"] = conditions.into();
    }
    if function.items("_policy").iter().any(|known| known["Sid"] == *id) {
        return Err(conflict(format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
        )));
    }
    if whole(&function).to_string().len() + statement.to_string().len() > LONGEST {
        let message = format!("The final policy size is bigger than the limit ({LONGEST}).");
        return Err(ApiError::with_status(400, "PolicyLengthExceededException", message).member("Type", "User"));
    }
    let (answer, revision) = (statement.to_string(), ctx.account.rng.uuid());
    ctx.update(FUNCTION, &function.id, |function| {
        function.list_mut("_policy").push(statement);
        function.set("RevisionId", revision);
    });
    Ok(json!({"Statement": answer}))
}

fn whom(ctx: &Ctx<'_>, principal: &str) -> Outcome {
    let account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let unknown = || invalid("The provided principal was invalid. Please check the principal and try again.");
    match principal {
        "*" => Ok("*".into()),
        id if account(id) => Ok(json!({"AWS": format!("arn:aws:iam::{id}:root")})),
        arn if arn.starts_with("arn:") => {
            document::principal_id(ctx, "AWS", arn).ok_or_else(unknown)?;
            Ok(json!({"AWS": arn}))
        }
        service => {
            document::principal_id(ctx, "Service", service).ok_or_else(unknown)?;
            Ok(json!({"Service": service}))
        }
    }
}

fn conditions(input: &Input) -> Map<String, Value> {
    let mut all = Map::new();
    let mut equal = Map::new();
    for (member, key) in [
        ("SourceAccount", "AWS:SourceAccount"),
        ("EventSourceToken", "lambda:EventSourceToken"),
        ("PrincipalOrgID", "aws:PrincipalOrgID"),
    ] {
        if let Some(value) = input.opt_str(member) {
            equal.insert(key.to_owned(), value.into());
        }
    }
    if !equal.is_empty() {
        all.insert("StringEquals".to_owned(), equal.into());
    }
    if let Some(source) = input.opt_str("SourceArn") {
        all.insert("ArnLike".to_owned(), json!({"AWS:SourceArn": source}));
    }
    all
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html>
pub(super) fn remove(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let named = name::asked(ctx, input)?;
    let (found, arn) = (named.find(ctx), named.arn(ctx));
    authorise(ctx, "RemovePermission", &arn, found.as_deref())?;
    let id = input.string("StatementId")?;
    let function = found.ok_or_else(|| not_found(format!("No policy found for: {arn}")))?;
    if function.items("_policy").is_empty() {
        return Err(not_found("No policy is associated with the given resource."));
    }
    precondition(input, &function)?;
    if !function.items("_policy").iter().any(|known| known["Sid"] == *id) {
        return Err(not_found(format!("Statement {id} is not found in resource policy.")));
    }
    let revision = ctx.account.rng.uuid();
    ctx.update(FUNCTION, &function.id, |function| {
        function.list_mut("_policy").retain(|known| known["Sid"] != *id);
        if function.items("_policy").is_empty() {
            function.attrs.remove("_policy");
        }
        function.set("RevisionId", revision);
    });
    Ok(nothing())
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html>
pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let named = name::asked(ctx, input)?;
    let (found, arn) = (named.find(ctx), named.arn(ctx));
    authorise(ctx, "GetPolicy", &arn, found.as_deref())?;
    let function = found.filter(|function| !function.items("_policy").is_empty());
    let function = function.ok_or_else(|| not_found("The resource you requested does not exist."))?;
    Ok(json!({"Policy": whole(&function).to_string(), "RevisionId": function.text("RevisionId")}))
}

/// Whether a service may invoke the function for the resource that it names as its source.
pub(super) fn allows(ctx: &Ctx<'_>, function: &Resource, service: &str, source: &str) -> Result<bool, ApiError> {
    let account = source.split(':').nth(4).filter(|account| !account.is_empty()).unwrap_or(&ctx.account.id);
    let grant = Grant::new("lambda:InvokeFunction", function.text("FunctionArn"))
        .key("aws:SourceArn", source)
        .key("aws:SourceAccount", account);
    let about = |kind: &str, name: &str| name == "*" || (kind == "Service" && name == service);
    Ok(document::judge(&whole(function), about, &grant)? == Some(true))
}

//! What expires, and who else may pull and push.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>

use serde_json::Value;

use super::repository::about;
use super::{invalid, named};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::shared::seconds;
use crate::store::Resource;

const LIFECYCLE: &str = "_lifecycle";
const EVALUATED: &str = "_evaluated";
const POLICY: &str = "_policy";

pub(super) fn put_lifecycle(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "PutLifecyclePolicy")?;
    let text = input.string("lifecyclePolicyText")?;
    check(&text)?;
    let mut answer = about(&repository);
    answer["lifecyclePolicyText"] = text.clone().into();
    let now = seconds(ctx.now);
    ctx.update("ecr.repository", &repository.id, |repository| {
        repository.set(LIFECYCLE, text);
        repository.set(EVALUATED, now);
    });
    Ok(answer)
}

/// Priorities are unique, and a rule for tagged images says which.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>
fn check(text: &str) -> Result<(), ApiError> {
    let unfit = |why: &str| {
        invalid(format!(
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: {why}'"
        ))
    };
    let policy: Value = serde_json::from_str(text).map_err(|error| unfit(&error.to_string()))?;
    let rules = policy["rules"].as_array().filter(|rules| !rules.is_empty());
    let rules = rules.ok_or_else(|| unfit("object has missing required properties ([\"rules\"])"))?;
    let mut priorities = Vec::new();
    for rule in rules {
        let priority = rule["rulePriority"].as_i64().ok_or_else(|| unfit("a rule without rulePriority"))?;
        if priorities.contains(&priority) {
            return Err(unfit(&format!("rules have the same priority {priority}")));
        }
        priorities.push(priority);
        let selection = &rule["selection"];
        let lists = ["tagPrefixList", "tagPatternList"].iter().any(|list| selection[list].is_array());
        match selection["tagStatus"].as_str() {
            Some("tagged") if lists => {}
            Some("untagged" | "any") if !lists => {}
            _ => return Err(unfit("tagStatus and the lists of tags do not go together")),
        }
        match (selection["countType"].as_str(), selection["countUnit"].as_str()) {
            (Some("sinceImagePushed"), Some("days")) | (Some("imageCountMoreThan"), None) => {}
            _ => return Err(unfit("countType and countUnit do not go together")),
        }
        if selection["countNumber"].as_i64().is_none_or(|number| number < 1) {
            return Err(unfit("countNumber must be 1 or more"));
        }
        if rule["action"]["type"] != "expire" {
            return Err(unfit("the action of a rule must be expire"));
        }
    }
    Ok(())
}

fn no_lifecycle(repository: &Resource) -> ApiError {
    let message = format!(
        "Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'",
        repository.id,
        repository.text("registryId")
    );
    refuse("LifecyclePolicyNotFoundException", message)
}

fn lifecycle(repository: &Resource) -> Result<Value, ApiError> {
    let text = repository.attrs.get(LIFECYCLE).ok_or_else(|| no_lifecycle(repository))?;
    let mut answer = about(repository);
    answer["lifecyclePolicyText"] = text.clone();
    answer["lastEvaluatedAt"] = repository.attrs.get(EVALUATED).cloned().unwrap_or_default();
    Ok(answer)
}

pub(super) fn get_lifecycle(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "GetLifecyclePolicy")?;
    lifecycle(&repository)
}

pub(super) fn delete_lifecycle(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "DeleteLifecyclePolicy")?;
    let answer = lifecycle(&repository)?;
    ctx.update("ecr.repository", &repository.id, |repository| drop(repository.attrs.remove(LIFECYCLE)));
    Ok(answer)
}

pub(super) fn set(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "SetRepositoryPolicy")?;
    input.ignore(&["force"]);
    let text = input.string("policyText")?;
    let policy: Value = serde_json::from_str(&text).map_err(|error| invalid(format!("Invalid policy: {error}")))?;
    if !policy["Statement"].is_array() && !policy["Statement"].is_object() {
        return Err(invalid("Invalid policy: no Statement"));
    }
    // AWS gives the document back laid out anew.
    let kept = serde_json::to_string_pretty(&policy).unwrap_or(text);
    let mut answer = about(&repository);
    answer["policyText"] = kept.clone().into();
    ctx.update("ecr.repository", &repository.id, |repository| repository.set(POLICY, kept));
    Ok(answer)
}

fn policy(repository: &Resource) -> Result<Value, ApiError> {
    let text = repository.attrs.get(POLICY).ok_or_else(|| {
        let message = format!(
            "Repository policy does not exist for the repository with name '{}' in the registry with id '{}'",
            repository.id,
            repository.text("registryId")
        );
        refuse("RepositoryPolicyNotFoundException", message)
    })?;
    let mut answer = about(repository);
    answer["policyText"] = text.clone();
    Ok(answer)
}

pub(super) fn get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "GetRepositoryPolicy")?;
    policy(&repository)
}

pub(super) fn delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "DeleteRepositoryPolicy")?;
    let answer = policy(&repository)?;
    ctx.update("ecr.repository", &repository.id, |repository| drop(repository.attrs.remove(POLICY)));
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_rule_for_tagged_images_says_which() {
        let rule = |selection: &str| {
            format!(r#"{{"rules":[{{"rulePriority":1,"selection":{selection},"action":{{"type":"expire"}}}}]}}"#)
        };
        let count = r#""countType":"imageCountMoreThan","countNumber":3"#;
        assert!(check(&rule(&format!(r#"{{"tagStatus":"tagged",{count}}}"#))).is_err());
        assert!(check(&rule(&format!(r#"{{"tagStatus":"tagged","tagPatternList":["v*"],{count}}}"#))).is_ok());
        assert!(check(&rule(&format!(r#"{{"tagStatus":"untagged",{count}}}"#))).is_ok());
    }
}

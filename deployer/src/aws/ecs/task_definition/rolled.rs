//! What a rollout makes of a task definition: a revision that differs from the one that runs in one image alone.

use aws_sdk_ecs::types::{TaskDefinition as Sdk, TaskDefinitionField, TaskDefinitionStatus};
use wharf_engine::Class;
use wharf_on_image_push::revision::Revision;

use super::revisions::number;
use crate::aws::call::{Aws, CallError};
use crate::aws::ecs::running;

/// A revision by its ARN, whether in use or not.
///
/// # Errors
/// The call's.
pub async fn revision(aws: &Aws, arn: &str) -> Result<Option<Revision>, CallError> {
    let send = || aws.ecs.describe_task_definition().task_definition(arn).include(TaskDefinitionField::Tags).send();
    match aws.call("ecs:DescribeTaskDefinition", arn, send).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => {
            let answer = answer?;
            let tags = answer.tags().to_vec();
            Ok(answer.task_definition.map(|sdk| Revision { sdk, tags }))
        }
    }
}

/// Registers a revision like this one, with another image; answers its ARN.
///
/// # Errors
/// The call's.
pub async fn register(aws: &Aws, like: &Revision, image: &str) -> Result<String, CallError> {
    const ACTION: &str = "ecs:RegisterTaskDefinition";
    let family = like.sdk.family().unwrap_or_default();
    let request = like.with_image(image).registration(&aws.ecs);
    for _ in 0..3 {
        match aws.call(ACTION, family, || request.clone().send()).await {
            // One revision too many does nothing.
            Err(error) if error.class == Class::Ambiguous => {}
            answer => return arn(answer?.task_definition),
        }
    }
    arn(aws.call(ACTION, family, || request.clone().send()).await?.task_definition)
}

fn arn(made: Option<Sdk>) -> Result<String, CallError> {
    let arn = made.and_then(|made| made.task_definition_arn);
    arn.ok_or_else(|| CallError::lacks("ecs:RegisterTaskDefinition", "taskDefinitionArn"))
}

/// The revisions of the same family before this one that are in use, newest first.
///
/// # Errors
/// The call's.
pub async fn earlier(aws: &Aws, than: &str) -> Result<Vec<String>, CallError> {
    let family = running::family(than);
    let list = |token| aws.ecs.list_task_definitions().family_prefix(family).set_next_token(token);
    let send = |token| list(token).status(TaskDefinitionStatus::Active).send();
    let page = |page: aws_sdk_ecs::operation::list_task_definitions::ListTaskDefinitionsOutput| {
        (page.task_definition_arns.unwrap_or_default(), page.next_token)
    };
    let mut all = aws.pages("ecs:ListTaskDefinitions", family, send, page).await?;
    all.retain(|arn| running::family(arn) == family && number(arn) < number(than));
    all.sort_by_key(|arn| std::cmp::Reverse(number(arn)));
    Ok(all)
}

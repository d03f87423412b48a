//! Cloud Map's tags, by ARN.

use aws_sdk_servicediscovery::types::Tag;
use wharf_engine::Class;

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, TAGGED_WITH_THIS_STACK};
use crate::aws::tags::{self, STACK, Tags};

/// What a namespace or service needs to be tagged. Cloud Map knows no resources here
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudmap.html>).
pub(super) const GRANTS: [Grant; 3] = [
    Grant::read(&["servicediscovery:ListTagsForResource"]),
    Grant::write(&["servicediscovery:TagResource"], &["*"]).when(TAGGED_WITH_THIS_STACK),
    Grant::write(&["servicediscovery:UntagResource"], &["*"]),
];

/// On what is created: the stack's tag goes along.
pub(super) const CREATED: &[(&str, &str, &str)] = TAGGED_WITH_THIS_STACK;

/// Tags in the SDK's form.
pub(super) fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().map_err(CallError::ours);
    tags.iter().map(tag).collect()
}

/// The tags of a namespace or service; none when it is gone since.
pub(super) async fn list(aws: &Aws, arn: &str) -> Result<Option<Tags>, CallError> {
    let send = || aws.servicediscovery.list_tags_for_resource().resource_arn(arn).send();
    match aws.call("servicediscovery:ListTagsForResource", arn, send).await {
        Ok(answer) => {
            let tag = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
            Ok(Some(answer.tags().iter().map(tag).collect()))
        }
        Err(error) if error.class == Class::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes these tags, and the stack's along with them: without it the call is not permitted.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let mut tags = tags.clone();
    tags.insert(STACK.to_owned(), aws.scope.stack.clone());
    let tags = to_sdk(&tags)?;
    let send = || aws.servicediscovery.tag_resource().resource_arn(arn).set_tags(Some(tags.clone())).send();
    aws.call("servicediscovery:TagResource", arn, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`.
pub(super) async fn change(aws: &Aws, arn: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, arn, &set).await?;
    }
    if !gone.is_empty() {
        let untag = || aws.servicediscovery.untag_resource().resource_arn(arn).set_tag_keys(Some(gone.clone()));
        aws.call("servicediscovery:UntagResource", arn, || untag().send()).await?;
    }
    Ok(())
}

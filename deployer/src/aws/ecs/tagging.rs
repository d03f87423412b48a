//! ECS's tags: every describe gives them when asked, and one call writes them by ARN.

use aws_sdk_ecs::types::Tag;

use crate::aws::call::{Aws, CallError};
use crate::aws::tags::{self, Tags};

/// Tags in the SDK's form.
pub(super) fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as AWS answers them.
pub(super) fn from_sdk(tags: &[Tag]) -> Tags {
    let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.iter().filter_map(tag).collect()
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let send = || aws.ecs.tag_resource().resource_arn(arn).set_tags(Some(to_sdk(tags))).send();
    aws.call("ecs:TagResource", arn, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`.
pub(super) async fn change(aws: &Aws, arn: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, arn, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.ecs.untag_resource().resource_arn(arn).set_tag_keys(Some(gone.clone())).send();
        aws.call("ecs:UntagResource", arn, send).await?;
    }
    Ok(())
}

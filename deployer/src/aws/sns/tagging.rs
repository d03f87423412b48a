//! Tags of topics. <https://docs.aws.amazon.com/sns/latest/dg/sns-tags.html>

use aws_sdk_sns::types::Tag;
use wharf_engine::Class;

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Kind, Query};
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};

/// Tags in the SDK's form.
pub(super) fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().map_err(CallError::ours);
    tags.iter().map(tag).collect()
}

/// The tags of a topic; none when it is gone since.
pub(super) async fn list<K: Kind>(
    aws: &Aws,
    query: &Query<K>,
    arn: &str,
    user: impl Fn(&K) -> &Tags,
) -> Result<Option<Tags>, CallError> {
    match tag_index::look(aws, query, arn, user).await {
        Some(known) => Ok(Some(known)),
        None => ask(aws, arn).await,
    }
}

/// The same, from the topic itself.
pub(super) async fn ask(aws: &Aws, arn: &str) -> Result<Option<Tags>, CallError> {
    let send = || aws.sns.list_tags_for_resource().resource_arn(arn).send();
    match aws.call("sns:ListTagsForResource", arn, send).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => {
            let tag = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
            Ok(Some(answer?.tags().iter().map(tag).collect()))
        }
    }
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let tags = to_sdk(tags)?;
    let send = || aws.sns.tag_resource().resource_arn(arn).set_tags(Some(tags.clone())).send();
    aws.call("sns:TagResource", arn, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`; identity tags are not in either.
pub(super) async fn change(aws: &Aws, arn: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, arn, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.sns.untag_resource().resource_arn(arn).set_tag_keys(Some(gone.clone())).send();
        aws.call("sns:UntagResource", arn, send).await?;
    }
    Ok(())
}

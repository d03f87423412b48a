//! Tags of alarms and dashboards. The calls that write an alarm take tags only when it is new.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_TagResource.html>

use aws_sdk_cloudwatch::types::Tag;
use wharf_engine::Class;

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, Kind, Query};
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};

/// What finding tags needs.
pub(super) const READS: [Grant; 2] = [Grant::read(&["cloudwatch:ListTagsForResource"]), tag_index::GRANT];

/// Tags in the SDK's form.
pub(super) fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The tags of an alarm or dashboard; none when it is gone since.
pub(super) async fn list<K: Kind>(
    aws: &Aws,
    query: &Query<K>,
    arn: &str,
    user: impl Fn(&K) -> &Tags,
) -> Result<Option<Tags>, CallError> {
    if let Some(known) = tag_index::look(aws, query, arn, user).await {
        return Ok(Some(known));
    }
    let send = || aws.cloudwatch.list_tags_for_resource().resource_arn(arn).send();
    match aws.call("cloudwatch:ListTagsForResource", arn, send).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => {
            let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
            Ok(Some(answer?.tags().iter().filter_map(tag).collect()))
        }
    }
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let send = || aws.cloudwatch.tag_resource().resource_arn(arn).set_tags(Some(to_sdk(tags))).send();
    aws.call("cloudwatch:TagResource", arn, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`; identity tags are not in either.
pub(super) async fn change(aws: &Aws, arn: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, arn, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.cloudwatch.untag_resource().resource_arn(arn).set_tag_keys(Some(gone.clone())).send();
        aws.call("cloudwatch:UntagResource", arn, send).await?;
    }
    Ok(())
}

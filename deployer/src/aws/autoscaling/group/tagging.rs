//! Tags of groups. New instances get the user's, and none of the group's own identity.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html>

use aws_sdk_autoscaling::types::{Tag, TagDescription};

use crate::aws::call::{Aws, CallError};
use crate::aws::tags::{self, Tags};

const GROUP: &str = "auto-scaling-group";

/// Tags as the SDK takes them.
pub(super) fn to_sdk(group: &str, tags: &Tags, propagate: bool) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| {
        let tag = Tag::builder().resource_id(group).resource_type(GROUP).key(key).value(value);
        tag.propagate_at_launch(propagate).build()
    };
    tags.iter().map(tag).collect()
}

/// Tags as an answer has them.
pub(in crate::aws::autoscaling) fn read(tags: &[TagDescription]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))).collect()
}

/// Writes these tags.
pub(in crate::aws::autoscaling) async fn write(
    aws: &Aws,
    group: &str,
    tags: &Tags,
    propagate: bool,
) -> Result<(), CallError> {
    let tags = to_sdk(group, tags, propagate);
    let send = || aws.autoscaling.create_or_update_tags().set_tags(Some(tags.clone())).send();
    aws.call("autoscaling:CreateOrUpdateTags", group, send).await.map(drop)
}

/// Changes a group's user tags from `now` to `to`.
pub(super) async fn change(aws: &Aws, group: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, group, &set, true).await?;
    }
    if gone.is_empty() {
        return Ok(());
    }
    let tag = |key: &String| Tag::builder().resource_id(group).resource_type(GROUP).key(key).build();
    let gone: Vec<Tag> = gone.iter().map(tag).collect();
    let send = || aws.autoscaling.delete_tags().set_tags(Some(gone.clone())).send();
    aws.call("autoscaling:DeleteTags", group, send).await.map(drop)
}

//! RDS's tags: one set of calls for every kind of RDS, by ARN.

use aws_sdk_rds::types::Tag;

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, OF_THIS_STACK, TAGGED_WITH_THIS_STACK};
use crate::aws::tags::Tags;

/// What every kind of RDS needs to be tagged: to become the stack's, and to change once it is.
pub(super) const GRANTS: [Grant; 2] = [
    Grant::write(&["rds:AddTagsToResource"], ANY).when(TAGGED_WITH_THIS_STACK),
    Grant::write(&["rds:AddTagsToResource", "rds:RemoveTagsFromResource"], ANY).when(OF_THIS_STACK),
];
const ANY: &[&str] = &[
    "arn:{partition}:rds:{region}:{account}:db:*",
    "arn:{partition}:rds:{region}:{account}:pg:*",
    "arn:{partition}:rds:{region}:{account}:subgrp:*",
];

/// The ARN of a resource: `what` is `db`, `pg` or `subgrp`.
pub(super) fn arn(aws: &Aws, what: &str, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:rds:{}:{}:{what}:{name}", scope.partition, scope.region, scope.account)
}

/// Tags in the SDK's form.
pub(super) fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as an answer has them.
pub(super) fn read(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))).collect()
}

/// The tags of a group, whose describe call does not tell them; none when the group is gone since.
pub(super) async fn list(aws: &Aws, arn: &str) -> Result<Tags, CallError> {
    let send = || aws.rds.list_tags_for_resource().resource_name(arn).send();
    match aws.call("rds:ListTagsForResource", arn, send).await {
        Ok(answer) => Ok(read(answer.tag_list())),
        Err(error) if error.class == wharf_engine::Class::Missing => Ok(Tags::new()),
        Err(error) => Err(error),
    }
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let send = || aws.rds.add_tags_to_resource().resource_name(arn).set_tags(Some(to_sdk(tags))).send();
    aws.call("rds:AddTagsToResource", arn, send).await.map(drop)
}

/// Takes the tags with these keys off.
pub(super) async fn take_off(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<(), CallError> {
    let send = || aws.rds.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys.clone())).send();
    aws.call("rds:RemoveTagsFromResource", arn, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`; identity tags are not in either.
pub(super) async fn change(aws: &Aws, arn: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let set: Tags = to.iter().filter(|(k, v)| now.get(*k) != Some(*v)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let gone: Vec<String> = now.keys().filter(|key| !to.contains_key(*key)).cloned().collect();
    if !set.is_empty() {
        write(aws, arn, &set).await?;
    }
    if !gone.is_empty() {
        take_off(aws, arn, gone).await?;
    }
    Ok(())
}

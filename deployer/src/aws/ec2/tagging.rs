//! EC2's tags: one pair of calls for every kind of EC2.

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};

use wharf_engine::{Identity, LogicalId};

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, New, OF_THIS_STACK, TAGGED_WITH_THIS_STACK};
use crate::aws::tags::{self, Tags};

/// What every kind of EC2 needs to be tagged: to become the stack's, and to change once it is.
pub(super) const GRANTS: [Grant; 2] = [
    Grant::write(&["ec2:CreateTags"], ANY).when(TAGGED_WITH_THIS_STACK),
    Grant::write(&["ec2:CreateTags", "ec2:DeleteTags"], ANY).when(OF_THIS_STACK),
];
const ANY: &[&str] = &["arn:{partition}:ec2:{region}:{account}:*/*"];

/// The tags of a create call.
pub(super) fn specification(new: &New<'_>, kind: ResourceType, user: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(to_sdk(&new.tags(user)))).build()
}

/// Tags as an answer has them.
pub(super) fn read(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))).collect()
}

/// What a resource's tags say: its logical id, whose it is, and the user's tags; none when it is not the stack's.
pub(super) fn identify(aws: &Aws, sdk: &[Tag]) -> Option<(LogicalId, Identity, Tags)> {
    let all = read(sdk);
    let (id, identity) = tags::read(&aws.scope.stack, &all)?;
    Some((id, identity, tags::user(&all)))
}

/// Tags as the SDK takes them.
pub(super) fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, physical: &str, tags: &Tags) -> Result<(), CallError> {
    let send = || aws.ec2.create_tags().resources(physical).set_tags(Some(to_sdk(tags))).send();
    aws.call("ec2:CreateTags", physical, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`; identity tags are not in either.
pub(super) async fn change(aws: &Aws, physical: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let set: Tags = to.iter().filter(|(k, v)| now.get(*k) != Some(*v)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let gone: Vec<Tag> = now.keys().filter(|k| !to.contains_key(*k)).map(|k| Tag::builder().key(k).build()).collect();
    if !set.is_empty() {
        write(aws, physical, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.ec2.delete_tags().resources(physical).set_tags(Some(gone.clone())).send();
        aws.call("ec2:DeleteTags", physical, send).await?;
    }
    Ok(())
}

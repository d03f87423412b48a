//! ECR's tags, by ARN.

use aws_sdk_ecr::types::Tag;
use wharf_engine::Class;

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, OF_THIS_STACK, TAGGED_WITH_THIS_STACK};
use crate::aws::tags::Tags;

/// What a repository needs to be tagged: to become the stack's, and to change once it is.
pub(super) const GRANTS: [Grant; 2] = [
    Grant::write(&["ecr:TagResource"], ANY).when(TAGGED_WITH_THIS_STACK),
    Grant::write(&["ecr:TagResource", "ecr:UntagResource"], ANY).when(OF_THIS_STACK),
];
const ANY: &[&str] = &["arn:{partition}:ecr:{region}:{account}:repository/*"];

/// The ARN of a repository.
pub(super) fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:ecr:{}:{}:repository/{name}", scope.partition, scope.region, scope.account)
}

/// Tags in the SDK's form.
pub(super) fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().map_err(CallError::ours);
    tags.iter().map(tag).collect()
}

/// A repository's tags; none when it is gone since.
pub(super) async fn list(aws: &Aws, arn: &str) -> Result<Option<Tags>, CallError> {
    let send = || aws.ecr.list_tags_for_resource().resource_arn(arn).send();
    match aws.call("ecr:ListTagsForResource", arn, send).await {
        Ok(answer) => {
            let tag = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
            Ok(Some(answer.tags().iter().map(tag).collect()))
        }
        Err(error) if error.class == Class::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let tags = to_sdk(tags)?;
    let send = || aws.ecr.tag_resource().resource_arn(arn).set_tags(Some(tags.clone())).send();
    aws.call("ecr:TagResource", arn, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`; identity tags are not in either.
pub(super) async fn change(aws: &Aws, arn: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let set: Tags = to.iter().filter(|(k, v)| now.get(*k) != Some(*v)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let gone: Vec<String> = now.keys().filter(|key| !to.contains_key(*key)).cloned().collect();
    if !set.is_empty() {
        write(aws, arn, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.ecr.untag_resource().resource_arn(arn).set_tag_keys(Some(gone.clone())).send();
        aws.call("ecr:UntagResource", arn, send).await?;
    }
    Ok(())
}

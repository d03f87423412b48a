//! Tags of parameters. They go along only when a parameter is created: `PutParameter` refuses tags with `Overwrite`.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>

use aws_sdk_ssm::types::{ResourceTypeForTagging, Tag};

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, OF_THIS_STACK};
use crate::aws::tags::{self, Tags};

/// The ARNs of parameters.
pub(super) const ARN: &[&str] = &["arn:{partition}:ssm:{region}:{account}:parameter/*"];

/// What every kind of parameter needs to be tagged.
pub(super) const GRANTS: &[Grant] = &[
    // On create, and on adopting a parameter that has no tags yet.
    Grant::write(&["ssm:AddTagsToResource"], ARN),
    Grant::write(&["ssm:RemoveTagsFromResource"], ARN).when(OF_THIS_STACK),
];

/// Tags as the SDK takes them.
pub(super) fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let build = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(build).collect::<Result<_, _>>().map_err(CallError::ours)
}

/// A parameter's tags.
pub(super) async fn list(aws: &Aws, name: &str) -> Result<Tags, CallError> {
    let list = || aws.ssm.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
    let answer = aws.call("ssm:ListTagsForResource", name, || list().send()).await?;
    Ok(answer.tag_list().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, name: &str, tags: &Tags) -> Result<(), CallError> {
    let tags = to_sdk(tags)?;
    let add = || aws.ssm.add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
    aws.call("ssm:AddTagsToResource", name, || add().set_tags(Some(tags.clone())).send()).await.map(drop)
}

/// Changes the user's tags from `now` to `to`.
pub(super) async fn change(aws: &Aws, name: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, name, &set).await?;
    }
    if !gone.is_empty() {
        let remove =
            || aws.ssm.remove_tags_from_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
        let send = || remove().set_tag_keys(Some(gone.clone())).send();
        aws.call("ssm:RemoveTagsFromResource", name, send).await?;
    }
    Ok(())
}

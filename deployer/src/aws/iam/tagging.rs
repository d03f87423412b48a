//! Tags of roles. <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html>

use aws_sdk_iam::types::Tag;

use crate::aws::call::{Aws, CallError};
use crate::aws::tags::{self, Tags};

/// Tags as the SDK takes them.
pub(super) fn to_sdk(tags: &Tags) -> Result<Vec<Tag>, CallError> {
    let build = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(build).collect::<Result<_, _>>().map_err(CallError::ours)
}

/// The tag that names the stack's region. Roles are the whole account's: without it, a stack would take the roles of
/// one of the same name in another region for its own, and destroy them.
const REGION: &str = "wharf:region";

/// The tag of this stack's region.
pub(super) fn region(aws: &Aws) -> Tags {
    Tags::from([(REGION.to_owned(), aws.scope.region.clone())])
}

/// False for the role of a stack in another region.
pub(super) fn of_this_region(aws: &Aws, tags: &Tags) -> bool {
    tags.get(REGION).is_none_or(|region| *region == aws.scope.region)
}

/// Tags as an answer has them.
pub(super) fn read(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// Writes these tags to a role.
pub(super) async fn write(aws: &Aws, role: &str, tags: &Tags) -> Result<(), CallError> {
    let tags = to_sdk(tags)?;
    let send = || aws.iam.tag_role().role_name(role).set_tags(Some(tags.clone())).send();
    aws.call("iam:TagRole", role, send).await.map(drop)
}

/// Changes a role's user tags from `now` to `to`.
pub(super) async fn change(aws: &Aws, role: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, role, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.iam.untag_role().role_name(role).set_tag_keys(Some(gone.clone())).send();
        aws.call("iam:UntagRole", role, send).await?;
    }
    Ok(())
}

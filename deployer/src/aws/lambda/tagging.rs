//! Tags of functions and of event source mappings. <https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html>

use wharf_engine::Class;

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Kind, Query};
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};

/// The tags of a resource; none when it is gone since.
pub(super) async fn list<K: Kind>(
    aws: &Aws,
    query: &Query<K>,
    arn: &str,
    user: impl Fn(&K) -> &Tags,
) -> Result<Option<Tags>, CallError> {
    if let Some(known) = tag_index::look(aws, query, arn, user).await {
        return Ok(Some(known));
    }
    match aws.call("lambda:ListTags", arn, || aws.lambda.list_tags().resource(arn).send()).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => Ok(Some(answer?.tags.unwrap_or_default().into_iter().collect())),
    }
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let send = || aws.lambda.tag_resource().resource(arn).set_tags(Some(tags.clone().into_iter().collect())).send();
    aws.call("lambda:TagResource", arn, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`; identity tags are not in either.
pub(super) async fn change(aws: &Aws, arn: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, arn, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.lambda.untag_resource().resource(arn).set_tag_keys(Some(gone.clone())).send();
        aws.call("lambda:UntagResource", arn, send).await?;
    }
    Ok(())
}

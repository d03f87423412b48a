//! The tags of all that a load balancer consists of, by ARN, read for twenty at a time.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{Tag, TagDescription};
use futures::future::try_join_all;
use wharf_engine::Class;

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, OF_THIS_STACK, TAGGED_WITH_THIS_STACK};
use crate::aws::tags::{self, Tags};

/// What every kind of load balancing needs to be tagged: to become the stack's, and to change once it is.
pub(super) const GRANTS: [Grant; 3] = [
    Grant::read(&["elasticloadbalancing:DescribeTags"]),
    Grant::write(&["elasticloadbalancing:AddTags"], ANY).when(TAGGED_WITH_THIS_STACK),
    Grant::write(&["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"], ANY).when(OF_THIS_STACK),
];
const ANY: &[&str] = &[
    "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/app/*",
    "arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/*",
    "arn:{partition}:elasticloadbalancing:{region}:{account}:listener/app/*",
    "arn:{partition}:elasticloadbalancing:{region}:{account}:listener-rule/app/*",
];

/// As many as one call takes.
const AT_ONCE: usize = 20;

/// Tags in the SDK's form.
pub(super) fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The tags of these; what is gone since has none.
pub(super) async fn of(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>, CallError> {
    let chunks = try_join_all(arns.chunks(AT_ONCE).map(|arns| chunk(aws, arns))).await?;
    Ok(chunks.into_iter().flatten().collect())
}

async fn chunk(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>, CallError> {
    match describe(aws, arns).await {
        // One that is not there fails the call for all.
        Err(error) if error.class == Class::Missing => {
            let each = try_join_all(arns.iter().map(|arn| async move {
                match describe(aws, std::slice::from_ref(arn)).await {
                    Err(error) if error.class == Class::Missing => Ok(BTreeMap::new()),
                    answer => answer,
                }
            }));
            Ok(each.await?.into_iter().flatten().collect())
        }
        answer => answer,
    }
}

async fn describe(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Tags>, CallError> {
    let send = || aws.elb.describe_tags().set_resource_arns(Some(arns.to_vec())).send();
    let answer = aws.call("elasticloadbalancing:DescribeTags", "", send).await?;
    let read = |one: &TagDescription| {
        let tags = one.tags().iter();
        let tags = tags.filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect();
        Some((one.resource_arn.clone()?, tags))
    };
    Ok(answer.tag_descriptions().iter().filter_map(read).collect())
}

/// Writes these tags.
pub(super) async fn write(aws: &Aws, arn: &str, tags: &Tags) -> Result<(), CallError> {
    let send = || aws.elb.add_tags().resource_arns(arn).set_tags(Some(to_sdk(tags))).send();
    aws.call("elasticloadbalancing:AddTags", arn, send).await.map(drop)
}

/// Changes the user's tags from `now` to `to`; identity tags are not in either.
pub(super) async fn change(aws: &Aws, arn: &str, now: &Tags, to: &Tags) -> Result<(), CallError> {
    let (set, gone) = tags::difference(now, to);
    if !set.is_empty() {
        write(aws, arn, &set).await?;
    }
    if !gone.is_empty() {
        let send = || aws.elb.remove_tags().resource_arns(arn).set_tag_keys(Some(gone.clone())).send();
        aws.call("elasticloadbalancing:RemoveTags", arn, send).await?;
    }
    Ok(())
}

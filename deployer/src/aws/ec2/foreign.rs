//! Resources of EC2 that are not the stack's yet, for `wharf import`. EC2 gives them no name that a stack could want,
//! so they are known by their id alone.

use super::filters;
use crate::aws::call::{Aws, CallError};
use crate::aws::tags::Tags;

/// How ids of each kind begin.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>
const PREFIXES: [(&str, &str); 10] = [
    ("ec2.vpc", "vpc-"),
    ("ec2.subnet", "subnet-"),
    ("ec2.internet-gateway", "igw-"),
    ("ec2.nat-gateway", "nat-"),
    ("ec2.elastic-ip", "eipalloc-"),
    ("ec2.route-table", "rtb-"),
    ("ec2.security-group", "sg-"),
    ("ec2.vpc-endpoint", "vpce-"),
    ("ec2.flow-log", "fl-"),
    ("ec2.launch-template", "lt-"),
];

/// True when this id can be one of a resource of this kind.
#[must_use]
pub fn can_be(kind: &str, id: &str) -> bool {
    PREFIXES.iter().any(|(name, prefix)| *name == kind && id.starts_with(prefix))
}

/// The tags that a resource has, whoever's it is.
///
/// # Errors
/// The call's.
pub async fn tags(aws: &Aws, id: &str) -> Result<Tags, CallError> {
    let only = filters::filter("resource-id", id);
    let send = |token| aws.ec2.describe_tags().filters(only.clone()).set_next_token(token).send();
    let all =
        aws.pages("ec2:DescribeTags", id, send, |answer| (answer.tags.unwrap_or_default(), answer.next_token)).await?;
    Ok(all.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect())
}

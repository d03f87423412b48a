//! The images of a repository.

use aws_sdk_ecr::types::ImageIdentifier;
use wharf_engine::Class;
use wharf_on_image_push::ecr::described;

use crate::aws::call::{Aws, CallError};
use crate::rollout::choice::Image;

/// The image with this tag, or this digest (`sha256:…`); none when there is no such image.
///
/// # Errors
/// The call's.
pub async fn one(aws: &Aws, repository: &str, name: &str) -> Result<Option<Image>, CallError> {
    let id = ImageIdentifier::builder();
    let id = if name.starts_with("sha256:") { id.image_digest(name) } else { id.image_tag(name) }.build();
    let send = || aws.ecr.describe_images().repository_name(repository).image_ids(id.clone()).send();
    match aws.call("ecr:DescribeImages", repository, send).await {
        Ok(answer) => Ok(answer.image_details().first().and_then(described)),
        Err(error) if error.code.as_deref() == Some("ImageNotFoundException") => Ok(None),
        Err(error) if error.class == Class::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every image that has a tag.
///
/// # Errors
/// The call's.
pub async fn tagged(aws: &Aws, repository: &str) -> Result<Vec<Image>, CallError> {
    use aws_sdk_ecr::types::{DescribeImagesFilter, TagStatus};
    let filter = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
    let send = |token| {
        let describe = aws.ecr.describe_images().repository_name(repository).filter(filter.clone());
        describe.set_next_token(token).send()
    };
    let page = |page: aws_sdk_ecr::operation::describe_images::DescribeImagesOutput| {
        (page.image_details.unwrap_or_default(), page.next_token)
    };
    let all = aws.pages("ecr:DescribeImages", repository, send, page).await?;
    Ok(all.iter().filter_map(described).collect())
}

/// The name of a repository of this account's registry, by the address that images have; none of another registry's.
#[must_use]
pub fn repository<'a>(aws: &Aws, address: &'a str) -> Option<&'a str> {
    let registry = format!("{}.dkr.ecr.{}.", aws.scope.account, aws.scope.region);
    address.split_once('/').filter(|(host, _)| host.starts_with(&registry)).map(|(_, name)| name)
}

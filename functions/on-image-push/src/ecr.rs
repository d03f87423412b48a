//! The images of a repository, as far as a push needs them.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageIdentifier, TagStatus};

use crate::aws::CallError;
use crate::choice::{self, Image};
use crate::record::{Moment, Push};

const MANIFEST: &str = "ecr:BatchGetImage";
const IMAGES: &str = "ecr:DescribeImages";

/// So many of the newest images are looked at for one that runs: caches and the like can have a release's tag, too.
const LOOKED_AT: usize = 5;

/// A repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repository<'a> {
    pub(crate) ecr: &'a Client,
    pub(crate) name: &'a str,
}

impl Repository<'_> {
    /// Why what has this digest is no image to deploy, if it is none.
    pub(crate) async fn no_image(&self, digest: &str) -> Result<Option<String>, CallError> {
        let id = ImageIdentifier::builder().image_digest(digest).build();
        let get = self.ecr.batch_get_image().repository_name(self.name).image_ids(id);
        let answer = match get.send().await.map_err(|error| CallError::of(MANIFEST, &error)) {
            Err(error) if error.refused => return Ok(Some(error.to_string())),
            answer => answer?,
        };
        let Some(image) = answer.images().first() else { return Ok(Some("its image is gone".to_owned())) };
        let verdict = choice::runnable(image.image_manifest().unwrap_or_default());
        Ok(verdict.err().map(|why| why.to_string()))
    }

    /// The tag that counts as a release, of what was pushed without one.
    pub(crate) async fn release(&self, digest: &str, pattern: &str) -> Result<Option<String>, CallError> {
        let id = ImageIdentifier::builder().image_digest(digest).build();
        let describe = self.ecr.describe_images().repository_name(self.name).image_ids(id);
        match describe.send().await.map_err(|error| CallError::of(IMAGES, &error)) {
            Ok(answer) => {
                let tags = answer.image_details().iter().flat_map(ImageDetail::image_tags);
                Ok(tags.into_iter().find(|tag| choice::is_release(pattern, tag)).cloned())
            }
            Err(error) if error.refused => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest image with a release's tag, as if its push had been heard of. What is `known` need not be looked at.
    pub(crate) async fn newest(&self, pattern: &str, known: impl Fn(&str) -> bool) -> Result<Option<Push>, CallError> {
        let mut images = self.tagged().await?;
        for _ in 0..LOOKED_AT {
            let Some(image) = choice::newest(&images, pattern).cloned() else { return Ok(None) };
            if known(&image.digest) || self.no_image(&image.digest).await?.is_none() {
                let at = jiff::Timestamp::from_second(image.pushed_at).unwrap_or_default();
                let moment = Moment { at, id: image.digest.clone() };
                let tag = image.release(pattern).map(str::to_owned);
                return Ok(Some(Push { digest: image.digest, tag, moment }));
            }
            images.retain(|other| other.digest != image.digest);
        }
        Ok(None)
    }

    async fn tagged(&self) -> Result<Vec<Image>, CallError> {
        let filter = DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build();
        let mut images = Vec::new();
        let mut token = None;
        loop {
            let describe = self.ecr.describe_images().repository_name(self.name).filter(filter.clone());
            let page = describe.set_next_token(token).send().await;
            let page = page.map_err(|error| CallError::of(IMAGES, &error))?;
            images.extend(page.image_details().iter().filter_map(described));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(images);
            }
        }
    }
}

/// An image as ECR describes it.
#[must_use]
pub fn described(detail: &ImageDetail) -> Option<Image> {
    Some(Image {
        digest: detail.image_digest()?.to_owned(),
        tags: detail.image_tags().to_vec(),
        pushed_at: detail.image_pushed_at().map_or(0, aws_smithy_types::DateTime::secs),
        artifact: detail.artifact_media_type().map(str::to_owned),
    })
}

//! The first rollout of a service: of the image that is in its repository when the service is made.

use aws_sdk_ecs::types::Service as Sdk;
use aws_smithy_types::date_time::Format;

use crate::aws::call::{Aws, CallError};
use crate::aws::ecr;
use wharf_on_image_push::revision::Revision;

use crate::aws::ecs::task_definition::rolled;
use crate::ledger::{Claim, ClaimError};
use crate::rollout::choice::Image;
use crate::rollout::record::{Done, Rollout, Status};

/// The image that a revision pins by its digest, if it does.
pub(crate) async fn image(aws: &Aws, revision: &str) -> Result<Option<Image>, CallError> {
    let revision = rolled::revision(aws, revision).await?;
    let Some((address, version)) = revision.as_ref().and_then(Revision::image) else { return Ok(None) };
    match (ecr::images::repository(aws, address), version.strip_prefix('@')) {
        (Some(repository), Some(digest)) => ecr::images::one(aws, repository, digest).await,
        _ => Ok(None),
    }
}

/// Writes down that the service was made with this image. Whoever took the record over meanwhile has written another.
pub(super) async fn note(aws: &Aws, claim: Claim, image: Image, made: &Sdk) -> Result<(), CallError> {
    let run = aws.run().to_owned();
    let primary = made.deployments().iter().find(|one| one.status() == Some("PRIMARY"));
    let at = made.created_at().and_then(|at| at.fmt(Format::DateTime).ok());
    let rollout = Rollout {
        tag: image.tags.into_iter().next(),
        digest: image.digest,
        who: format!("run {run}"),
        run,
        command: "apply".to_owned(),
        at: at.unwrap_or_default(),
        deployment: primary.and_then(|one| one.id()).map(str::to_owned),
        status: Status::Deploying,
        why: None,
        done: Done { count: Some(made.desired_count()), ..Done::default() },
    };
    match claim.release(|record| record.begin(rollout, None)).await {
        Err(ClaimError::Call(error)) => Err(error),
        _ => Ok(()),
    }
}

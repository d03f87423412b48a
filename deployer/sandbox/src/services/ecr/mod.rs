//! ECR: private repositories and what is kept about them.

mod image;
mod policies;
mod repository;
mod tags;
#[cfg(test)]
mod tests_over_the_wire;

use std::sync::Arc;

use super::shared::{access_denied_exception, throttling_exception};
use super::{Service, no_timers, read, read_one, write};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::store::Resource;
use crate::weather::Bucket;

pub(crate) use image::pulled;

pub(crate) static SERVICE: Service = Service {
    name: "ecr",
    namespace: "",
    global: false,
    operations: &[
        write("CreateRepository", repository::create),
        read_one("DescribeRepositories", repository::describe),
        write("DeleteRepository", repository::delete),
        write("PutImageTagMutability", repository::put_mutability),
        write("PutImageScanningConfiguration", repository::put_scanning),
        write("PutLifecyclePolicy", policies::put_lifecycle),
        read_one("GetLifecyclePolicy", policies::get_lifecycle),
        write("DeleteLifecyclePolicy", policies::delete_lifecycle),
        write("SetRepositoryPolicy", policies::set),
        read_one("GetRepositoryPolicy", policies::get),
        write("DeleteRepositoryPolicy", policies::delete),
        write("TagResource", tags::tag),
        write("UntagResource", tags::untag),
        read_one("ListTagsForResource", tags::list),
        read("GetAuthorizationToken", repository::authorization),
        write("PutImage", image::put),
        read_one("ListImages", image::list),
        read_one("DescribeImages", image::describe),
        read_one("BatchGetImage", image::batch_get),
        write("BatchDeleteImage", image::batch_delete),
    ],
    on_timer: no_timers,
    // <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
    bucket: |operation, _| Bucket { name: operation.name, burst: 20.0, rate: 10.0 },
    throttled: throttling_exception,
    denied: access_denied_exception,
};

fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterException", message)
}

fn arn(ctx: &Ctx<'_>, name: &str) -> String {
    ctx.arn("ecr", format!("repository/{name}"))
}

fn absent(ctx: &Ctx<'_>, name: &str) -> ApiError {
    let registry = &ctx.account.id;
    let message = format!("The repository with name '{name}' does not exist in the registry with id '{registry}'");
    refuse("RepositoryNotFoundException", message)
}

/// The repository that a request names, once its caller may do the action on it.
fn named(ctx: &mut Ctx<'_>, input: &Input, action: &str) -> Result<Arc<Resource>, ApiError> {
    own_registry(ctx, input)?;
    let name = input.string("repositoryName")?;
    let found = ctx.get("ecr.repository", &name);
    let grant = Grant::new(format!("ecr:{action}"), arn(ctx, &name));
    ctx.authorise(match &found {
        Some(repository) => grant.resource_tags(&repository.tags),
        None => grant,
    })?;
    found.ok_or_else(|| absent(ctx, &name))
}

fn own_registry(ctx: &Ctx<'_>, input: &Input) -> Result<(), ApiError> {
    match input.opt_str("registryId") {
        Some(other) if other != ctx.account.id => Err(ApiError::not_simulated("registries of other accounts")),
        _ => Ok(()),
    }
}

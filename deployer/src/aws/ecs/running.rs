//! The services that run in the stack's cluster.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{Service, ServiceField};
use futures::future::try_join_all;
use wharf_engine::Class;
pub(super) use wharf_on_image_push::revision::family;

use crate::aws::call::{Aws, CallError};
use crate::aws::shared_reads::once;

/// As many services as AWS describes in one call.
const AT_ONCE: usize = 10;

/// Every service of the stack's cluster that runs, with its tags.
pub(super) async fn services(aws: &Aws) -> Result<Vec<Service>, CallError> {
    Ok(once(aws, "services", listed(aws)).await?.unwrap_or_default())
}

/// The same, and what has one of these names but is not listed any more: a service that was deleted keeps its name as
/// long as its tasks drain.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html>
pub(super) async fn services_and(aws: &Aws, names: &[&str]) -> Result<Vec<Service>, CallError> {
    let Some(mut all) = once(aws, "services", listed(aws)).await? else { return Ok(Vec::new()) };
    let unlisted = |name: &&&str| !all.iter().any(|service| service.service_name() == Some(**name));
    let others: Vec<String> = names.iter().filter(unlisted).map(|name| (*name).to_owned()).collect();
    all.extend(each_described(aws, &others).await?);
    Ok(all)
}

/// What the cluster lists; none where there is no cluster.
async fn listed(aws: &Aws) -> Result<Option<Vec<Service>>, CallError> {
    let cluster = &aws.scope.stack;
    let send = |token| aws.ecs.list_services().cluster(cluster).max_results(100).set_next_token(token).send();
    let page = |page: aws_sdk_ecs::operation::list_services::ListServicesOutput| {
        (page.service_arns.unwrap_or_default(), page.next_token)
    };
    match aws.pages("ecs:ListServices", cluster, send, page).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        arns => each_described(aws, &arns?).await.map(Some),
    }
}

async fn each_described(aws: &Aws, names: &[String]) -> Result<Vec<Service>, CallError> {
    let all = try_join_all(names.chunks(AT_ONCE).map(|names| described(aws, names.to_vec()))).await?;
    Ok(all.into_iter().flatten().collect())
}

/// These services of the stack's cluster, by name or ARN, as far as they are there.
pub(super) async fn described(aws: &Aws, names: Vec<String>) -> Result<Vec<Service>, CallError> {
    let cluster = &aws.scope.stack;
    let describe = || aws.ecs.describe_services().cluster(cluster).include(ServiceField::Tags);
    let send = || describe().set_services(Some(names.clone())).send();
    let services = match aws.call("ecs:DescribeServices", cluster, send).await {
        Err(error) if error.class == Class::Missing => Vec::new(),
        answer => answer?.services.unwrap_or_default(),
    };
    // A deleted service is shown for a while.
    Ok(services.into_iter().filter(|service| service.status() != Some("INACTIVE")).collect())
}

/// The ARNs of the task definitions that services run, by family.
pub(super) async fn definitions(aws: &Aws) -> Result<BTreeMap<String, Vec<String>>, CallError> {
    let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for service in services(aws).await? {
        if let (Some("ACTIVE"), Some(arn)) = (service.status(), service.task_definition()) {
            let all = used.entry(family(arn).to_owned()).or_default();
            if !all.iter().any(|known| known == arn) {
                all.push(arn.to_owned());
            }
        }
    }
    Ok(used)
}

//! The way from the account to a stack's listeners: AWS lists listeners by their load balancer only.

use aws_sdk_elasticloadbalancingv2::types::{Listener, LoadBalancer};
use futures::future::try_join_all;

use super::{or_none, start_of_names, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::shared_reads::once;
use crate::aws::tags;

/// The load balancers of the account, or the one of this ARN.
pub(super) async fn all(aws: &Aws, arn: Option<&str>) -> Result<Vec<LoadBalancer>, CallError> {
    match arn {
        Some(_) => described(aws, arn).await,
        None => once(aws, "load balancers", described(aws, None)).await,
    }
}

async fn described(aws: &Aws, arn: Option<&str>) -> Result<Vec<LoadBalancer>, CallError> {
    let arns = arn.map(|arn| vec![arn.to_owned()]);
    let send =
        |marker| aws.elb.describe_load_balancers().set_load_balancer_arns(arns.clone()).set_marker(marker).send();
    let page =
        |page: aws_sdk_elasticloadbalancingv2::operation::describe_load_balancers::DescribeLoadBalancersOutput| {
            (page.load_balancers.unwrap_or_default(), page.next_marker)
        };
    or_none(aws.pages("elasticloadbalancing:DescribeLoadBalancers", arn.unwrap_or_default(), send, page).await)
}

/// The listeners that may be the stack's: those of the load balancers that have its names. Only where there are
/// none, because the load balancer was adopted, are tags asked for who else is the stack's.
pub(super) async fn listeners(aws: &Aws) -> Result<Vec<Listener>, CallError> {
    once(aws, "listeners", listed(aws)).await
}

async fn listed(aws: &Aws) -> Result<Vec<Listener>, CallError> {
    let start = start_of_names(&aws.scope.stack);
    let all: Vec<(String, String)> = all(aws, None)
        .await?
        .into_iter()
        .filter_map(|balancer| Some((balancer.load_balancer_arn?, balancer.load_balancer_name?)))
        .collect();
    let named = |(arn, name): &(String, String)| name.starts_with(&start).then(|| arn.clone());
    let mut arns: Vec<String> = all.iter().filter_map(named).collect();
    if arns.is_empty() && !all.is_empty() {
        let candidates: Vec<String> = all.into_iter().map(|(arn, _)| arn).collect();
        let tags = tagging::of(aws, &candidates).await?;
        arns = tags
            .into_iter()
            .filter(|(_, tags)| tags::read(&aws.scope.stack, tags).is_some())
            .map(|(arn, _)| arn)
            .collect();
    }
    let lists = try_join_all(arns.iter().map(|arn| of(aws, arn))).await?;
    Ok(lists.into_iter().flatten().collect())
}

async fn of(aws: &Aws, balancer: &str) -> Result<Vec<Listener>, CallError> {
    let send = |marker| aws.elb.describe_listeners().load_balancer_arn(balancer).set_marker(marker).send();
    let page = |page: aws_sdk_elasticloadbalancingv2::operation::describe_listeners::DescribeListenersOutput| {
        (page.listeners.unwrap_or_default(), page.next_marker)
    };
    or_none(aws.pages("elasticloadbalancing:DescribeListeners", balancer, send, page).await)
}

//! Finding parameters: the stack's by their tag, and foreign ones by the names that the stack wants.

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{ParameterMetadata, ParameterStringFilter, ParameterType};
use futures::future::try_join_all;
use wharf_engine::{Class, Identity, LogicalId, Outputs, Value};

use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, Kind, Query};
use crate::aws::shared_reads::once;
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};

/// What [`sweep`] needs.
pub(super) const GRANT: Grant = Grant::read(&["ssm:DescribeParameters", "ssm:ListTagsForResource", "tag:GetResources"]);

/// A parameter that is the stack's, or that has a name which the stack wants.
pub(super) struct Seen {
    pub(super) id: LogicalId,
    pub(super) identity: Identity,
    pub(super) name: String,
    pub(super) about: ParameterMetadata,
    pub(super) tags: Tags,
}

/// Everything of one type that the query asks for. `name` tells the name in a kind's inputs.
pub(super) async fn sweep<K: Kind>(
    aws: &Aws,
    query: &Query<K>,
    of: ParameterType,
    name: impl Fn(&K) -> &str,
    user: impl Fn(&K) -> &Tags,
) -> Result<Vec<Seen>, CallError> {
    let wanted = query.by_name(name);
    let mut names: Vec<String> = wanted.keys().map(|name| (*name).to_owned()).collect();
    names.extend(query.only_physical().map(str::to_owned));
    // A poll for one whose name is known needs no look around.
    let around = query.only.is_none() || names.is_empty();
    let by_tag = async { if around { once(aws, "parameters", by_tag(aws)).await } else { Ok(Vec::new()) } };
    let by_name = try_join_all(
        names.chunks(50).map(|names| async { describe(aws, vec![filter("Name", Some("Equals"), names)?]).await }),
    );
    let (by_tag, by_name) = futures::try_join!(by_tag, by_name)?;
    let all = by_tag.into_iter().chain(by_name.into_iter().flatten());
    let all: BTreeMap<String, ParameterMetadata> = all.filter_map(|one| Some((one.name.clone()?, one))).collect();
    let seen = all.into_iter().map(|(name, about)| identify(aws, query, &user, &wanted, &of, name, about));
    Ok(try_join_all(seen).await?.into_iter().flatten().collect())
}

/// The stack's parameters, of every type.
async fn by_tag(aws: &Aws) -> Result<Vec<ParameterMetadata>, CallError> {
    let ours = filter(&format!("tag:{}", tags::STACK), None, std::slice::from_ref(&aws.scope.stack))?;
    describe(aws, vec![ours]).await
}

fn filter(key: &str, option: Option<&str>, values: &[String]) -> Result<ParameterStringFilter, CallError> {
    let filter = ParameterStringFilter::builder().key(key).set_option(option.map(str::to_owned));
    filter.set_values(Some(values.to_vec())).build().map_err(CallError::ours)
}

async fn describe(aws: &Aws, filters: Vec<ParameterStringFilter>) -> Result<Vec<ParameterMetadata>, CallError> {
    let describe = || aws.ssm.describe_parameters().set_parameter_filters(Some(filters.clone())).max_results(50);
    let send = |token| describe().set_next_token(token).send();
    let page = |page: aws_sdk_ssm::operation::describe_parameters::DescribeParametersOutput| {
        (page.parameters.unwrap_or_default(), page.next_token)
    };
    aws.pages("ssm:DescribeParameters", "", send, page).await
}

/// Tells whose it is. One of another type is of interest only when it is foreign and has a wanted name: ours is
/// found by the kind of its type.
async fn identify<K: Kind>(
    aws: &Aws,
    query: &Query<K>,
    user: &impl Fn(&K) -> &Tags,
    wanted: &BTreeMap<&str, &LogicalId>,
    of: &ParameterType,
    name: String,
    about: ParameterMetadata,
) -> Result<Option<Seen>, CallError> {
    if about.r#type.as_ref() != Some(of) && !wanted.contains_key(name.as_str()) {
        return Ok(None);
    }
    let tags = match tag_index::look(aws, query, &arn(aws, &name), user).await {
        Some(known) => known,
        None => match tagging::list(aws, &name).await {
            Err(error) if error.class == Class::Missing => return Ok(None),
            answer => answer?,
        },
    };
    let (id, identity) = match tags::read(&aws.scope.stack, &tags) {
        Some(ours) if about.r#type.as_ref() == Some(of) => ours,
        Some(_) => return Ok(None),
        None => match wanted.get(name.as_str()) {
            Some(id) => ((*id).clone(), Identity::Foreign),
            None => return Ok(None),
        },
    };
    Ok(Some(Seen { id, identity, name, about, tags }))
}

/// A parameter's ARN. A name without a leading slash gets one.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html>
pub(super) fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("arn:{}:ssm:{}:{}:parameter{slash}{name}", scope.partition, scope.region, scope.account)
}

/// A parameter's outputs.
pub(super) fn outputs(aws: &Aws, name: &str, version: i64) -> Outputs {
    Outputs::from([
        ("name".to_owned(), Value::text(name)),
        ("arn".to_owned(), Value::text(arn(aws, name))),
        ("version".to_owned(), Value::text(version.to_string())),
    ])
}

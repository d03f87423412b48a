//! What the tagging API knows of the stack's tags, asked once for a whole sweep, to spare a call for each object of
//! the kinds whose lists tell no tags. <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>
//!
//! It hears of changes some seconds late, and some emulators know only a part. So it is believed only where it says
//! what the stack wants; whatever it does not know, or knows otherwise, is asked of the object's own service.

use std::collections::BTreeMap;

use aws_sdk_resourcegroupstagging::types::TagFilter;
use tokio::sync::OnceCell;

use super::call::{Aws, CallError};
use super::kind::{Grant, Kind, Query};
use super::tags::{self, Tags};

/// What a kind that uses the index needs besides.
pub(super) const GRANT: Grant = Grant::read(&["tag:GetResources"]);

/// The types of the kinds that use it: one page holds them all.
const TYPES: &[&str] = &[
    "cloudwatch:alarm",
    "cloudwatch:dashboard",
    "ecr:repository",
    "events:rule",
    "lambda:event-source-mapping",
    "logs:log-group",
    "rds:pg",
    "rds:subgrp",
    "sns",
    "sqs",
    "ssm:parameter",
];

/// Tags by ARN, once they were asked for.
#[derive(Debug, Default)]
pub(super) struct TagIndex(OnceCell<BTreeMap<String, Tags>>);

impl TagIndex {
    /// Asks, unless somebody did. An index that cannot be had is an empty one: nothing depends on it.
    pub(super) async fn known(&self, aws: &Aws) -> &BTreeMap<String, Tags> {
        self.0.get_or_init(|| async { load(aws).await.unwrap_or_default() }).await
    }
}

async fn load(aws: &Aws) -> Result<BTreeMap<String, Tags>, CallError> {
    let ours = TagFilter::builder().key(tags::STACK).values(&aws.scope.stack).build();
    let types: Vec<String> = TYPES.iter().map(|name| (*name).to_owned()).collect();
    let get = || aws.tagging.get_resources().tag_filters(ours.clone()).set_resource_type_filters(Some(types.clone()));
    let send = |token| get().resources_per_page(100).set_pagination_token(token).send();
    let page = |page: aws_sdk_resourcegroupstagging::operation::get_resources::GetResourcesOutput| {
        (page.resource_tag_mapping_list.unwrap_or_default(), page.pagination_token)
    };
    let all = aws.pages("tag:GetResources", "", send, page).await?;
    let tags = |one: &aws_sdk_resourcegroupstagging::types::ResourceTagMapping| {
        let tags = one.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        Some((one.resource_arn()?.to_owned(), tags))
    };
    Ok(all.iter().filter_map(tags).collect())
}

/// The tags of an object, if the index says of them what the stack wants; `user` tells the user's tags in a kind's
/// inputs. None: its own service has to be asked. A look at one object always asks that.
pub(super) async fn look<K: Kind>(aws: &Aws, query: &Query<K>, arn: &str, user: impl Fn(&K) -> &Tags) -> Option<Tags> {
    let index = aws.tag_index().filter(|_| query.only.is_none())?;
    let known = index.known(aws).await.get(arn)?;
    let (id, _) = tags::read(&aws.scope.stack, known)?;
    let as_wanted = |wanted: &K| user(wanted).iter().all(|(key, value)| known.get(key) == Some(value));
    query.wanted.get(&id).is_none_or(as_wanted).then(|| known.clone())
}

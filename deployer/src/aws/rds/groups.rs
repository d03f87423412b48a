//! What the named groups of a database have in common: a name that ends in the generation, tags that their describe
//! calls do not tell, and that they are usable as soon as they are there.

use futures::future::try_join_all;
use wharf_engine::{Health, Identity, LogicalId, Outputs, Value};

use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Found, Kind, Made, New, Query};
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};

/// A list that is empty when AWS says that what was asked for by name is not there.
pub(super) fn or_none<T>(answer: Result<Vec<T>, CallError>) -> Result<Vec<T>, CallError> {
    match answer {
        Err(error) if error.class == wharf_engine::Class::Missing => Ok(Vec::new()),
        answer => answer,
    }
}

/// The name of a new group, in lower case, as RDS keeps it: old and new stand side by side while one replaces the other.
pub(super) fn name(new: &New<'_>) -> String {
    format!("{}-{}", new.name(), new.generation).to_lowercase()
}

/// A group that was made.
pub(super) fn made(name: String) -> Made {
    Made { outputs: Some(outputs(&name)), physical: name }
}

/// Those of the groups that are the stack's. `name` tells a group's name, `user` the user's tags in a kind's inputs,
/// and `inputs` makes the inputs of a group, its logical id and its tags.
pub(super) async fn ours<K: Kind, S>(
    aws: &Aws,
    query: &Query<K>,
    (what, groups): (&str, &[S]),
    name: fn(&S) -> Option<&str>,
    user: fn(&K) -> &Tags,
    inputs: impl AsyncFn(&S, &LogicalId, Tags) -> Result<K, CallError>,
) -> Result<Vec<Found<K>>, CallError> {
    let one = async |group: &S| {
        let Some(name) = name(group) else { return Ok(None) };
        let Some((id, identity, all)) = whose(aws, query, &tagging::arn(aws, what, name), user).await? else {
            return Ok(None);
        };
        let inputs = inputs(group, &id, tags::user(&all)).await?;
        Ok::<_, CallError>(Some(Found {
            id,
            physical: name.to_owned(),
            identity,
            health: Health::Ready,
            inputs,
            outputs: outputs(name),
            blockers: Default::default(),
        }))
    };
    Ok(try_join_all(groups.iter().map(one)).await?.into_iter().flatten().collect())
}

async fn whose<K: Kind>(
    aws: &Aws,
    query: &Query<K>,
    arn: &str,
    user: fn(&K) -> &Tags,
) -> Result<Option<(LogicalId, Identity, Tags)>, CallError> {
    let all = match tag_index::look(aws, query, arn, user).await {
        Some(known) => known,
        None => tagging::list(aws, arn).await?,
    };
    Ok(tags::read(&aws.scope.stack, &all).map(|(id, identity)| (id, identity, all)))
}

fn outputs(name: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(name))])
}

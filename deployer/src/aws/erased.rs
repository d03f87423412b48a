//! Kinds behind one interface, in the engine's terms.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use serde_json::Value as Json;
use wharf_engine::{self as engine, Generation, LogicalId, Outputs, Rules, Value};

use super::call::{Aws, CallError};
use super::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Obstacle, Query};
use super::tags::Tags;

/// Inputs by field name, as the engine has them.
pub type Fields = BTreeMap<String, Value>;
/// What the stack wants of one kind.
pub type Wanted = BTreeMap<LogicalId, Fields>;
/// One resource: its logical id, and its physical id when that is known.
pub type Only = Option<(LogicalId, Option<String>)>;

/// A [`Kind`] whose type is forgotten: what the driver calls.
pub trait AnyKind {
    /// The kind's rules.
    fn rules(&self) -> &'static Rules;
    /// The IAM permissions that it needs.
    fn grants(&self) -> Vec<Grant>;
    /// See [`Kind::find`].
    fn find<'a>(
        &'a self,
        aws: &'a Aws,
        wanted: Wanted,
        only: Only,
    ) -> LocalBoxFuture<'a, Result<Vec<engine::Found>, CallError>>;
    /// See [`Kind::obstacles`].
    fn obstacles<'a>(&'a self, aws: &'a Aws, new: Wanted) -> LocalBoxFuture<'a, Result<Vec<Obstacle>, CallError>>;
    /// See [`Kind::create`].
    fn create<'a>(
        &'a self,
        aws: &'a Aws,
        id: LogicalId,
        generation: Generation,
        inputs: Fields,
    ) -> LocalBoxFuture<'a, Result<Made, CallError>>;
    /// See [`Kind::update`].
    fn update<'a>(
        &'a self,
        aws: &'a Aws,
        now: engine::Found,
        inputs: Fields,
        changed: Changed,
    ) -> LocalBoxFuture<'a, Result<Option<Outputs>, CallError>>;
    /// See [`Kind::delete`].
    fn delete<'a>(&'a self, aws: &'a Aws, now: engine::Found) -> LocalBoxFuture<'a, Result<Gone, CallError>>;
    /// See [`Kind::adopt`].
    fn adopt<'a>(
        &'a self,
        aws: &'a Aws,
        now: engine::Found,
        identity: Tags,
    ) -> LocalBoxFuture<'a, Result<(), CallError>>;
}

/// The erasure of the kind `K`.
pub struct Erased<K>(PhantomData<fn() -> K>);

impl<K> Default for Erased<K> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// The engine's form of typed inputs.
///
/// # Errors
/// When the type serialises to something that is no map of [`Value`]s: a fault of ours.
pub fn to_fields<K: Kind>(inputs: &K) -> Result<Fields, CallError> {
    let json = serde_json::to_value(inputs).map_err(CallError::ours)?;
    match Value::from_json(&json).map_err(CallError::ours)? {
        Value::Map(fields) => Ok(fields),
        other => Err(CallError::ours(format!("inputs of {} are {other:?}", K::RULES.kind))),
    }
}

pub(crate) fn from_fields<K: Kind>(fields: &Fields) -> Result<K, CallError> {
    let map = fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
    serde_json::from_value(Json::Object(map)).map_err(CallError::ours)
}

fn all_from_fields<K: Kind>(wanted: &Wanted) -> Result<BTreeMap<LogicalId, K>, CallError> {
    wanted.iter().map(|(id, fields)| Ok((id.clone(), from_fields(fields)?))).collect()
}

pub(crate) fn typed<K: Kind>(now: engine::Found) -> Result<Found<K>, CallError> {
    let inputs = from_fields(&now.inputs)?;
    let engine::Found { id, physical, identity, health, outputs, blockers, .. } = now;
    Ok(Found { id, physical, identity, health, inputs, outputs, blockers })
}

pub(crate) fn untyped<K: Kind>(found: Found<K>) -> Result<engine::Found, CallError> {
    let inputs = to_fields(&found.inputs)?;
    let Found { id, physical, identity, health, outputs, blockers, .. } = found;
    Ok(engine::Found { id, rules: K::RULES, physical, identity, health, inputs, outputs, blockers })
}

impl<K: Kind> AnyKind for Erased<K> {
    fn rules(&self) -> &'static Rules {
        K::RULES
    }

    fn grants(&self) -> Vec<Grant> {
        K::grants()
    }

    fn find<'a>(
        &'a self,
        aws: &'a Aws,
        wanted: Wanted,
        only: Only,
    ) -> LocalBoxFuture<'a, Result<Vec<engine::Found>, CallError>> {
        async move {
            let query = Query::<K> { wanted: all_from_fields(&wanted)?, only };
            let found = K::find(aws, &query).await?;
            found.into_iter().filter(|found| query.asks_for(&found.id)).map(untyped).collect()
        }
        .boxed_local()
    }

    fn obstacles<'a>(&'a self, aws: &'a Aws, new: Wanted) -> LocalBoxFuture<'a, Result<Vec<Obstacle>, CallError>> {
        async move { K::obstacles(aws, &all_from_fields(&new)?).await }.boxed_local()
    }

    fn create<'a>(
        &'a self,
        aws: &'a Aws,
        id: LogicalId,
        generation: Generation,
        inputs: Fields,
    ) -> LocalBoxFuture<'a, Result<Made, CallError>> {
        async move {
            let token = aws.client_token(&id, &generation);
            let new = New { id: &id, generation: &generation, stack: &aws.scope.stack, token: &token };
            from_fields::<K>(&inputs)?.create(aws, &new).await
        }
        .boxed_local()
    }

    fn update<'a>(
        &'a self,
        aws: &'a Aws,
        now: engine::Found,
        inputs: Fields,
        changed: Changed,
    ) -> LocalBoxFuture<'a, Result<Option<Outputs>, CallError>> {
        async move { from_fields::<K>(&inputs)?.update(aws, &typed(now)?, &changed).await }.boxed_local()
    }

    fn delete<'a>(&'a self, aws: &'a Aws, now: engine::Found) -> LocalBoxFuture<'a, Result<Gone, CallError>> {
        async move { K::delete(aws, &typed(now)?).await }.boxed_local()
    }

    fn adopt<'a>(
        &'a self,
        aws: &'a Aws,
        now: engine::Found,
        identity: Tags,
    ) -> LocalBoxFuture<'a, Result<(), CallError>> {
        async move { K::adopt(aws, &typed(now)?, &identity).await }.boxed_local()
    }
}

//! What a role may do: its inline policies and the managed ones that are attached to it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use serde_json::Value;

use super::{inline, managed};
use crate::authorise::{Grant, Policy};
use crate::error::ApiError;
use crate::store::Resource;

/// Whether a role's policies, as they stand in the object that is given, allow something: one allows it and none
/// denies it.
pub(crate) fn role_allows(role: &Resource, grant: &Grant) -> Result<bool, ApiError> {
    let mut grant = grant.clone().key("aws:PrincipalArn", role.text("Arn"));
    for (key, value) in &role.tags {
        grant = grant.key(&format!("aws:PrincipalTag/{key}"), value);
    }
    let mut allowed = false;
    for document in documents(role)? {
        let policy = Policy::parse(&document).map_err(|error| ApiError::not_simulated(error.to_string()))?;
        match policy.verdict(&grant) {
            Some(false) => return Ok(false),
            Some(true) => allowed = true,
            None => {}
        }
    }
    Ok(allowed)
}

fn documents(role: &Resource) -> Result<Vec<Value>, ApiError> {
    let inline = inline::of(role);
    let read = |text: &Value| serde_json::from_str(text.as_str().unwrap_or_default()).unwrap_or_default();
    let mut all: Vec<Value> = inline.values().map(read).collect();
    for arn in role.items("_attached").iter().filter_map(Value::as_str) {
        all.push(managed::document(arn)?);
    }
    Ok(all)
}

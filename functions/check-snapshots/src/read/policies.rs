//! Lifecycle policies, and the roles that they act as.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dlm::types::{LifecyclePolicy, ResourceTypeValues, Schedule};
use aws_sdk_iam::types::Role as SdkRole;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use super::{AT_ONCE, Clients, STACK_TAG, Scope, unknown};
use crate::inventory::{Known, Policy, Role, Unknown};

/// Who assumes the roles.
const SERVICE: &str = "dlm.amazonaws.com";

/// The policies that are the stack's own, or choose the volumes that are to be backed up.
pub(super) async fn read(clients: &Clients, scope: &Scope) -> Known<Vec<Policy>> {
    let Some(tag) = &scope.volume_tag else { return Ok(Vec::new()) };
    // There are at most a hundred in a region, and the list has no pages.
    // <https://docs.aws.amazon.com/dlm/latest/APIReference/API_GetLifecyclePolicies.html>
    let answer = clients.dlm.get_lifecycle_policies().send().await;
    let summaries = answer.map_err(unknown("dlm:GetLifecyclePolicies"))?.policies.unwrap_or_default();
    let ids = stream::iter(summaries.into_iter().filter_map(|one| one.policy_id));
    let read = ids.map(|id| one(clients, id)).buffer_unordered(AT_ONCE);
    let all: Vec<Option<LifecyclePolicy>> = read.try_collect().await?;
    let mut policies = Vec::new();
    for one in all.into_iter().flatten() {
        let own = one.tags.as_ref().and_then(|tags| tags.get(STACK_TAG)) == Some(&scope.stack);
        let role = one.execution_role_arn.clone().unwrap_or_default();
        let policy = policy(one);
        let chooses =
            policy.takes_all || policy.targets.iter().any(|(key, value)| *key == tag.key && *value == tag.value);
        if own || chooses {
            policies.push((role, policy));
        }
    }
    let roles = roles(clients, policies.iter().map(|(role, _)| role.clone()).collect()).await;
    let with_role = |(arn, mut policy): (String, Policy)| {
        if let Some(role) = roles.get(&arn) {
            policy.role = role.clone();
        }
        policy
    };
    Ok(policies.into_iter().map(with_role).collect())
}

/// None for one that was deleted since it was listed.
async fn one(clients: &Clients, id: String) -> Known<Option<LifecyclePolicy>> {
    match clients.dlm.get_lifecycle_policy().policy_id(id).send().await {
        Ok(answer) => Ok(answer.policy),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => Ok(None),
        Err(error) => Err(unknown("dlm:GetLifecyclePolicy")(error)),
    }
}

fn policy(one: LifecyclePolicy) -> Policy {
    let details = one.policy_details;
    let details = details.as_ref();
    let takes_all = one.default_policy == Some(true);
    let types = details.map_or(&[][..], |details| details.resource_types());
    let of_default = details.and_then(|details| details.resource_type.as_ref()) == Some(&ResourceTypeValues::Volume);
    let targets = details.map_or(&[][..], |details| details.target_tags());
    let schedules = details.map_or(&[][..], |details| details.schedules());
    Policy {
        id: one.policy_id.unwrap_or_default(),
        state: one.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        message: one.status_message.unwrap_or_default(),
        targets: targets.iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect(),
        takes_all,
        of_volumes: types.contains(&ResourceTypeValues::Volume) || takes_all && of_default,
        keeps: keeps(schedules),
        scheduled: takes_all || !schedules.is_empty(),
        role: Err(Unknown { action: "iam:GetRole", why: "it was not asked for".to_owned() }),
    }
}

/// What every schedule keeps at least; none when one of them keeps for a time, or there is none.
fn keeps(schedules: &[Schedule]) -> Option<u32> {
    let count = |schedule: &Schedule| schedule.retain_rule()?.count().and_then(|count| u32::try_from(count).ok());
    let counts: Option<Vec<u32>> = schedules.iter().map(count).collect();
    counts?.into_iter().min()
}

async fn roles(clients: &Clients, arns: BTreeSet<String>) -> BTreeMap<String, Known<Role>> {
    let asked = stream::iter(arns).map(|arn| async move {
        let role = role(clients, &arn).await;
        (arn, role)
    });
    asked.buffer_unordered(AT_ONCE).collect().await
}

async fn role(clients: &Clients, arn: &str) -> Known<Role> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    match clients.iam.get_role().role_name(name).send().await {
        Ok(answer) if answer.role().is_some_and(trusts) => Ok(Role::Trusting(name.to_owned())),
        Ok(_) => Ok(Role::NotTrusting(name.to_owned())),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_entity_exception()) => {
            Ok(Role::Missing(name.to_owned()))
        }
        Err(error) => Err(unknown("iam:GetRole")(error)),
    }
}

/// Whether the trust policy, which IAM gives back encoded as in an address, lets DLM assume the role.
fn trusts(role: &SdkRole) -> bool {
    let document = role.assume_role_policy_document().map(decoded).unwrap_or_default();
    let document: Value = serde_json::from_str(&document).unwrap_or_default();
    let statements = match &document["Statement"] {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    statements.iter().any(|statement| {
        let says = |value: &Value, wanted: &str| match value {
            Value::Array(all) => all.iter().any(|one| one == wanted),
            one => one == wanted,
        };
        let services = &statement["Principal"]["Service"];
        statement["Effect"] == "Allow" && says(&statement["Action"], "sts:AssumeRole") && says(services, SERVICE)
    })
}

/// `%7B` is `{`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(trust: &str) -> SdkRole {
        let at = aws_smithy_types::DateTime::from_secs(0);
        let role = SdkRole::builder().path("/").role_name("r").role_id("AROA").arn("arn:r").create_date(at);
        role.assume_role_policy_document(trust).build().unwrap()
    }

    #[test]
    fn a_role_trusts_dlm_however_its_document_is_written() {
        let plain = r#"{"Statement":{"Effect":"Allow","Action":["sts:AssumeRole"],"Principal":{"Service":["a","dlm.amazonaws.com"]}}}"#;
        assert!(trusts(&role(plain)));
        assert!(trusts(&role(&plain.replace('{', "%7B").replace('"', "%22"))));
        assert!(!trusts(&role(&plain.replace("Allow", "Deny"))));
        assert!(!trusts(&role(&plain.replace("dlm.", "ec2."))));
        assert!(!trusts(&role("no document %")));
    }

    #[test]
    fn a_policy_keeps_what_its_stingiest_schedule_keeps() {
        let schedule = |count: Option<i32>| {
            let rule =
                aws_sdk_dlm::types::RetainRule::builder().set_count(count).set_interval(count.is_none().then_some(1));
            Schedule::builder().retain_rule(rule.build()).build()
        };
        assert_eq!(keeps(&[schedule(Some(14)), schedule(Some(3))]), Some(3));
        assert_eq!(keeps(&[schedule(Some(14)), schedule(None)]), None);
        assert_eq!(keeps(&[]), None);
    }
}

//! Settings inside of others: what the stack wants off, which AWS does not show then, and what somebody can leave out.

use serde_json::{Value, json};
use wharf_sandbox::Resource;

use super::leaves::{At, Change, Step};

/// What somebody gives: kind, place and value.
fn given() -> Vec<(&'static str, &'static str, Value)> {
    let queue = "arn:aws:sqs:us-east-1:123456789012:somebodys";
    let copies = json!([{ "TargetRegion": "us-west-2", "Encrypted": true, "CopyTags": false }]);
    let shares = json!([{ "TargetAccounts": ["210987654321"] }]);
    vec![
        ("dlm.policy", "PolicyDetails.Schedules.0.CrossRegionCopyRules", copies),
        ("dlm.policy", "PolicyDetails.Schedules.0.FastRestoreRule", json!({ "Count": 1, "AvailabilityZones": [] })),
        ("dlm.policy", "PolicyDetails.Schedules.0.ShareRules", shares),
        ("dlm.policy", "PolicyDetails.Schedules.0.TagsToAdd", json!([{ "Key": "by", "Value": "hand" }])),
        // A window has a length.
        ("scheduler.schedule", "FlexibleTimeWindow", json!({ "Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15 })),
        ("scheduler.schedule", "Target.DeadLetterConfig", json!({ "Arn": queue })),
    ]
}

/// What somebody leaves out: kind and place.
const LEFT_OUT: &[(&str, &str)] = &[
    ("scheduler.schedule", "Target.EcsParameters.PropagateTags"),
    ("sns.topic", "KmsMasterKeyId"),
    ("sqs.queue", "Policy"),
    ("sqs.queue", "RedrivePolicy"),
];

/// Each of these changes of a resource.
pub(super) fn of(resource: &Resource) -> Vec<Change> {
    let attributes = Value::Object(resource.attrs.clone());
    let there = |path: &str| attributes.pointer(&format!("/{}", path.replace('.', "/"))).is_some();
    let change = |path: &str, to| {
        let at = At::Attribute(path.split('.').map(step).collect());
        Change { kind: resource.kind, id: resource.id.clone(), at, to }
    };
    let given = given().into_iter().filter(|(kind, path, _)| {
        *kind == resource.kind && path.rsplit_once('.').is_none_or(|(around, _)| there(around))
    });
    let left_out = LEFT_OUT.iter().filter(|(kind, path)| *kind == resource.kind && there(path));
    let given = given.map(|(_, path, value)| change(path, Some(value)));
    given.chain(left_out.map(|(_, path)| change(path, None))).collect()
}

fn step(text: &str) -> Step {
    text.parse().map_or_else(|_| Step::Key(text.to_owned()), Step::Index)
}

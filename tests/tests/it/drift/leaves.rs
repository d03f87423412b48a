//! Everything in an account that somebody could have changed: each attribute's leaves, each list, each tag; and for
//! each another value that is still well-formed.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wharf_sandbox::{Resource, Sandbox};

use super::deeper;
use super::fixed::{can_gain, can_lose, comes_and_goes, is_bookkeeping, is_said_twice, is_setting, says_what_it_is};
use super::values::{Texts, is_id, numbers, others, stem};

/// One change behind Wharf's back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// The sandbox's name for what is changed.
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) at: At,
    /// The new value; none takes it away.
    pub(super) to: Option<Value>,
}

/// What is changed of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    Attribute(Vec<Step>),
    Tag(String),
}

impl At {
    /// The attribute that it is of, or the tag.
    pub(super) fn first(&self) -> &str {
        match self {
            Self::Attribute(steps) => match steps.first() {
                Some(Step::Key(key)) => key,
                _ => "",
            },
            Self::Tag(key) => key,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Change {
    /// Where it is.
    pub(super) fn path(&self) -> String {
        match &self.at {
            At::Tag(key) => format!("tag {key}"),
            At::Attribute(steps) => shown(steps),
        }
    }

    /// Makes it.
    pub(super) fn make(&self, sandbox: &Sandbox) {
        let edited = sandbox.edit(self.kind, &self.id, |attributes, tags| match (&self.at, &self.to) {
            (At::Tag(key), Some(Value::String(value))) => drop(tags.insert(key.clone(), value.clone())),
            (At::Tag(key), _) => drop(tags.remove(key)),
            (At::Attribute(steps), to) => set(attributes, steps, to.clone()),
        });
        edited.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        self.follow(sandbox);
    }

    /// What AWS shows twice changes twice.
    fn follow(&self, sandbox: &Sandbox) {
        if (self.kind, self.path().as_str()) == ("kms.key", "Enabled") {
            let state = if self.to == Some(Value::Bool(true)) { "Enabled" } else { "Disabled" };
            let edited = sandbox.edit(self.kind, &self.id, |attributes, _| {
                attributes.insert("KeyState".to_owned(), state.into());
            });
            edited.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        }
        if (self.kind, self.path().as_str()) == ("lambda.event-source-mapping", "State") {
            let edited = sandbox.edit(self.kind, &self.id, |attributes, _| {
                attributes.insert("_enabled".to_owned(), false.into());
            });
            edited.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        }
        if (self.kind, self.path().as_str()) == ("rds.instance", "Endpoint.Port") {
            let edited = sandbox.edit(self.kind, &self.id, |attributes, _| {
                attributes.insert("_port".to_owned(), self.to.clone().unwrap_or_default());
            });
            edited.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        }
        if (self.kind, self.path().as_str()) == ("elasticloadbalancing.listener", "Protocol") {
            let edited = sandbox.edit(self.kind, &self.id, |attributes, _| {
                attributes
                    .retain(|name, _| !matches!(name.as_str(), "Certificates" | "SslPolicy" | "MutualAuthentication"));
            });
            edited.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        }
        if (self.kind, self.path().as_str()) == ("ecs.service", "capacityProviderStrategy") {
            let edited = sandbox.edit(self.kind, &self.id, |attributes, _| {
                attributes.insert("launchType".to_owned(), "EC2".into());
            });
            edited.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        }
        // AWS keeps logs nowhere else than in a bucket.
        if let Some(logs) = self.path().strip_suffix(".s3.enabled").and_then(|path| path.strip_prefix("_attributes.")) {
            let edited = sandbox.edit(self.kind, &self.id, |attributes, _| {
                attributes["_attributes"][format!("{logs}.s3.bucket")] = "somebodys-logs".into();
            });
            edited.unwrap_or_else(|error| panic!("{self:?}: {error}"));
        }
        if self.kind == "ec2.vpc-endpoint" && self.path().starts_with("routeTableIdSet") {
            let tables =
                sandbox.resource(self.kind, &self.id).map(|endpoint| endpoint.items("routeTableIdSet").to_vec());
            for table in sandbox.resources().iter().filter(|table| table.kind == "ec2.route-table") {
                let stays = tables.iter().flatten().any(|id| id == table.id.as_str());
                let edited = sandbox.edit(table.kind, &table.id, |attributes, _| {
                    if let Some(Value::Array(routes)) = attributes.get_mut("routeSet") {
                        routes.retain(|route| stays || route["gatewayId"] != self.id.as_str());
                    }
                });
                edited.unwrap_or_else(|error| panic!("{self:?}: {error}"));
            }
        }
    }

    /// What stands there now.
    pub(super) fn now(&self, sandbox: &Sandbox) -> Option<Value> {
        let resource = sandbox.resource(self.kind, &self.id)?;
        match &self.at {
            At::Tag(key) => resource.tags.get(key).map(|value| Value::String(value.clone())),
            At::Attribute(steps) => steps.iter().try_fold(Value::Object(resource.attrs), |value, step| match step {
                Step::Key(key) => value.get(key).cloned(),
                Step::Index(at) => value.get(*at).cloned(),
            }),
        }
    }
}

/// A path without the places in lists: `routeSet[].gatewayId`.
pub(super) fn shown(path: &[Step]) -> String {
    path.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) if path.is_empty() => key.clone(),
        Step::Key(key) => format!("{path}.{key}"),
        Step::Index(_) => format!("{path}[]"),
    })
}

fn set(attributes: &mut Map<String, Value>, steps: &[Step], to: Option<Value>) {
    let Some((Step::Key(first), rest)) = steps.split_first() else { return };
    let Some((last, between)) = rest.split_last() else {
        match to {
            Some(value) => drop(attributes.insert(first.clone(), value)),
            None => drop(attributes.remove(first)),
        }
        return;
    };
    // A change made together with this one can have taken it away.
    let Some(mut slot) = attributes.get_mut(first) else { return };
    for step in between {
        slot = match step {
            Step::Key(key) => &mut slot[key.as_str()],
            Step::Index(at) => &mut slot[*at],
        };
    }
    match last {
        Step::Key(key) => slot[key.as_str()] = to.unwrap_or_default(),
        Step::Index(at) => slot[*at] = to.unwrap_or_default(),
    }
}

/// Every change that is tried. Of resources that are alike, one stands for all: the same attribute of another
/// parameter is read by the same code. `seen` is what was tried before.
pub(super) fn all(
    sandbox: &Sandbox,
    kind_of: &dyn Fn(&Resource) -> Option<&'static str>,
    seen: &mut BTreeSet<String>,
) -> Vec<Change> {
    let resources = sandbox.inventory();
    let texts = Texts::of(&resources);
    let mut changes: Vec<Change> = Vec::new();
    for resource in resources.iter().filter(|resource| !comes_and_goes(resource)) {
        let like = format!(
            "{} {:?} {} {}",
            resource.kind,
            kind_of(resource),
            resource.aws_made,
            sort_of(resource, &resources)
        );
        let mut here = BTreeSet::new();
        for change in of(resource, &texts) {
            let sort = match change.now(sandbox) {
                Some(Value::String(id)) if is_id(&id) => stem(&id),
                Some(Value::Array(_)) => "list".to_owned(),
                _ => String::new(),
            };
            let key = format!("{like} {} {sort}", change.path());
            // A leaf can have several other values, all of which are tried on the same resource.
            if seen.insert(key.clone()) || here.contains(&format!("{:?}", change.at)) {
                here.insert(format!("{:?}", change.at));
                changes.push(change);
            }
        }
    }
    changes
}

/// What resources of one kind differ in that are read differently: rules of a group that is the stack's or is not,
/// records of each type, schedules that run a task or do not, subscriptions of each protocol.
fn sort_of(resource: &Resource, all: &[Resource]) -> String {
    match resource.kind {
        "ec2.security-group-rule" => {
            let group = all.iter().find(|group| group.id == resource.text("groupId"));
            let ours = group.is_some_and(|group| group.tags.contains_key("wharf:id"));
            format!("{ours} {} {}", resource.flag("isEgress"), resource.attrs.contains_key("referencedGroupInfo"))
        }
        "route53.record-set" => resource.text("Type").to_owned(),
        "scheduler.schedule" => resource
            .attrs
            .get("Target")
            .map(|target| !target["EcsParameters"].is_null())
            .unwrap_or_default()
            .to_string(),
        "sns.subscription" => resource.text("Protocol").to_owned(),
        _ => String::new(),
    }
}

fn of(resource: &Resource, texts: &Texts) -> Vec<Change> {
    let change = |at, to| Change { kind: resource.kind, id: resource.id.clone(), at, to };
    let mut changes = Vec::new();
    for (name, value) in &resource.attrs {
        walk(resource, texts, &mut vec![Step::Key(name.clone())], value, &mut changes);
    }
    let attribute = |name: &str| At::Attribute(vec![Step::Key(name.to_owned())]);
    for (_, name, value) in instead().into_iter().filter(|(kind, ..)| *kind == resource.kind) {
        changes.push(change(attribute(name), Some(value)));
    }
    let none = |value: Option<&Value>| value.is_none_or(|value| value.as_array().is_some_and(Vec::is_empty));
    for (_, name, value) in not_there().into_iter().filter(|(kind, ..)| *kind == resource.kind) {
        if none(resource.attrs.get(name)) {
            changes.push(change(attribute(name), Some(value)));
        }
    }
    for (_, name, entry) in further().into_iter().filter(|(kind, ..)| *kind == resource.kind) {
        if let Some(Value::Array(entries)) = resource.attrs.get(name) {
            let more = entries.iter().cloned().chain([entry]).collect();
            changes.push(change(attribute(name), Some(Value::Array(more))));
        }
    }
    changes.extend(deeper::of(resource));
    // The reference of a zone says whose it is, too: it stays the stack's.
    if resource.kind == "route53.hosted-zone" && resource.tags.contains_key("wharf:stack") {
        changes.push(change(At::Tag("wharf:stack".to_owned()), None));
    }
    // Whose it is, three tags say: with another value it is somebody else's.
    if resource.tags.contains_key("wharf:id") {
        changes.push(change(At::Tag("owner".to_owned()), Some("somebody".into())));
    }
    for (key, value) in
        resource.tags.iter().filter(|(key, _)| !matches!(key.as_str(), "wharf:id" | "wharf:stack" | "wharf:region"))
    {
        let at = || At::Tag(key.clone());
        if !key.starts_with("wharf:") {
            changes.push(change(at(), None));
        }
        if !key.starts_with("wharf:") && resource.tags.contains_key("wharf:id") && key != "Name" && key != "team" {
            continue;
        }
        changes.extend(others(key, value, texts).into_iter().map(|other| change(at(), Some(other.into()))));
    }
    changes
}

/// Settings that the stack wants off, which AWS does not show then.
fn not_there() -> Vec<(&'static str, &'static str, Value)> {
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:ListImages"}]}"#;
    let key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000";
    let certificate = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000";
    let topic = "arn:aws:sns:us-east-1:123456789012:somebodys";
    let everyone = json!({ "Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction" });
    let excluded = json!([{ "filterType": "WILDCARD", "filter": "dev-*" }]);
    vec![
        ("autoscaling.group", "MaxInstanceLifetime", json!(604_800)),
        ("monitoring.alarm", "InsufficientDataActions", json!([topic])),
        ("monitoring.composite-alarm", "InsufficientDataActions", json!([topic])),
        ("lambda.function", "_policy", json!([everyone])),
        ("scheduler.schedule", "EndDate", json!(1_893_456_000.5)),
        ("scheduler.schedule", "KmsKeyArn", key.into()),
        ("dynamodb.table", "SSEDescription", json!({ "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key })),
        ("ecr.repository", "_policy", open.into()),
        ("ecr.repository", "imageTagMutabilityExclusionFilters", excluded),
        ("ecs.task-definition", "volumes", json!([{ "name": "data", "host": { "sourcePath": "/data" } }])),
        ("elasticloadbalancing.listener", "_more", json!([certificate])),
    ]
}

/// Another sort of what the stack has.
fn instead() -> Vec<(&'static str, &'static str, Value)> {
    let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/somebodys/0123456789abcdef";
    let groups = json!({ "TargetGroups": [{ "TargetGroupArn": group, "Weight": 1 }] });
    vec![("elasticloadbalancing.listener", "DefaultActions", json!([{ "Type": "forward", "ForwardConfig": groups }]))]
}

/// Entries of lists of which the stack has none of this sort.
fn further() -> Vec<(&'static str, &'static str, Value)> {
    let paths =
        json!({ "Field": "path-pattern", "PathPatternConfig": { "Values": ["/admin/*"] }, "Values": ["/admin/*"] });
    let methods = json!({ "Field": "http-request-method", "HttpRequestMethodConfig": { "Values": ["GET"] } });
    [paths, methods].map(|condition| ("elasticloadbalancing.rule", "Conditions", condition)).into()
}

fn walk(resource: &Resource, texts: &Texts, path: &mut Vec<Step>, value: &Value, changes: &mut Vec<Change>) {
    let Some(Step::Key(name)) = path.iter().rev().find(|step| matches!(step, Step::Key(_))) else { return };
    let name = name.clone();
    let nobodys = is_bookkeeping(&name) && !is_setting(resource, path);
    if nobodys || is_said_twice(resource, path) || says_what_it_is(resource, &name, value) {
        return;
    }
    let mut to = |path: &[Step], value: Value| {
        let at = At::Attribute(path.to_vec());
        changes.push(Change { kind: resource.kind, id: resource.id.clone(), at, to: Some(value) });
    };
    match value {
        Value::Null => {}
        Value::Bool(on) => to(path, (!on).into()),
        Value::Number(number) => match number.as_i64() {
            Some(number) => numbers(&name, number).into_iter().for_each(|other| to(path, other.into())),
            // What may have a fraction keeps its form on the wire.
            None => to(path, (number.as_f64().unwrap_or_default() + 1.0).into()),
        },
        Value::String(text) => others(&name, text, texts).into_iter().for_each(|other| to(path, other.into())),
        Value::Array(items) => {
            if let Some((last, fewer)) = items.split_last().filter(|_| can_lose(resource, &name)) {
                let all_or_none = name == "EnabledMetrics";
                to(path, Value::Array(if all_or_none { Vec::new() } else { fewer.to_vec() }));
                let another =
                    different(&name, last, texts).filter(|another| !items.iter().any(|item| same(item, another)));
                let another = another.filter(|_| can_gain(resource, &name));
                if let Some(another) = another {
                    to(path, Value::Array(items.iter().cloned().chain([another]).collect()));
                }
            }
            for (at, item) in items.iter().enumerate() {
                path.push(Step::Index(at));
                let before = changes.len();
                walk(resource, texts, path, item, changes);
                // AWS has nothing in a list twice.
                let of_item = changes.split_off(before);
                let twice = |change: &Change| change.to.as_ref().is_some_and(|to| items.contains(to));
                changes.extend(of_item.into_iter().filter(|change| !twice(change)));
                path.pop();
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                path.push(Step::Key(key.clone()));
                walk(resource, texts, path, entry, changes);
                path.pop();
            }
        }
    }
}

/// Another element for a list of such elements.
fn different(name: &str, value: &Value, texts: &Texts) -> Option<Value> {
    match value {
        Value::String(text) => others(name, text, texts).into_iter().next().map(Value::String),
        Value::Object(entries) => {
            let mut entries = entries.clone();
            for (key, entry) in &mut entries {
                if let Value::String(text) = entry
                    && (names_it(key) || key.ends_with("CidrBlock"))
                    && let Some(other) = others(key, text, texts).into_iter().next()
                {
                    *entry = other.into();
                }
            }
            Some(Value::Object(entries))
        }
        _ => None,
    }
}

/// True when two elements of a list name the same resource, which AWS has in a list once.
fn same(one: &Value, other: &Value) -> bool {
    let name = one.as_object().and_then(|entries| entries.keys().find(|key| names_it(key)));
    one == other || name.is_some_and(|name| one[name] == other[name])
}

/// True for what an element of a list has its name in.
fn names_it(key: &str) -> bool {
    ["Id", "Identifier", "Arn", "Name", "name", "Key", "key", "capacityProvider", "Metric"]
        .iter()
        .any(|end| key.ends_with(end))
}

//! Everything in an account that somebody could have changed: each attribute's leaves, each list, each tag; and for
//! each another value that is still well-formed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use wharf_sandbox::{Resource, Sandbox};

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Change {
    /// Where it is, without the places in lists: `routeSet[].gatewayId`.
    pub(super) fn path(&self) -> String {
        match &self.at {
            At::Tag(key) => format!("tag {key}"),
            At::Attribute(steps) => steps.iter().fold(String::new(), |path, step| match step {
                Step::Key(key) if path.is_empty() => key.clone(),
                Step::Key(key) => format!("{path}.{key}"),
                Step::Index(_) => format!("{path}[]"),
            }),
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
        if (self.kind, self.path().as_str()) == ("rds.instance", "Endpoint.Port") {
            let edited = sandbox.edit(self.kind, &self.id, |attributes, _| {
                attributes.insert("_port".to_owned(), self.to.clone().unwrap_or_default());
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

fn set(attributes: &mut Map<String, Value>, steps: &[Step], to: Option<Value>) {
    let Some((Step::Key(first), rest)) = steps.split_first() else { return };
    let Some((last, between)) = rest.split_last() else {
        match to {
            Some(value) => drop(attributes.insert(first.clone(), value)),
            None => drop(attributes.remove(first)),
        }
        return;
    };
    let mut slot = attributes.get_mut(first).expect("the path was walked");
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
    // The stack's own records are no resources.
    for resource in resources.iter().filter(|resource| resource.kind != "dynamodb.item") {
        let like = format!(
            "{} {:?} {} {}",
            resource.kind,
            kind_of(resource),
            resource.aws_made,
            rule_of(resource, &resources)
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

/// Rules of a group that is not the stack's differ from those of one that is.
fn rule_of(resource: &Resource, all: &[Resource]) -> String {
    if resource.kind != "ec2.security-group-rule" {
        return String::new();
    }
    let group = all.iter().find(|group| group.id == resource.text("groupId"));
    let ours = group.is_some_and(|group| group.tags.contains_key("wharf:id"));
    format!("{ours} {} {}", resource.flag("isEgress"), resource.attrs.contains_key("referencedGroupInfo"))
}

/// Texts of the account: another resource's id is a well-formed value where one stands.
struct Texts(BTreeMap<String, Vec<String>>);

impl Texts {
    fn of(resources: &[Resource]) -> Self {
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for resource in resources {
            let arns = resource.attrs.values().filter_map(Value::as_str).filter(|text| text.starts_with("arn:"));
            for text in std::iter::once(resource.id.as_str()).chain(arns) {
                texts.entry(stem(text)).or_default().push(text.to_owned());
            }
        }
        Self(texts)
    }

    fn other(&self, text: &str) -> Option<String> {
        self.0.get(&stem(text))?.iter().find(|other| *other != text).cloned()
    }
}

/// What ids of one sort have in common.
fn stem(text: &str) -> String {
    match text.strip_prefix("arn:") {
        Some(arn) => format!("arn:{}", arn.split(['/']).next().unwrap_or_default()),
        None => text.split('-').next().unwrap_or_default().to_owned(),
    }
}

fn of(resource: &Resource, texts: &Texts) -> Vec<Change> {
    let change = |at, to| Change { kind: resource.kind, id: resource.id.clone(), at, to };
    let mut changes = Vec::new();
    for (name, value) in &resource.attrs {
        walk(resource, texts, &mut vec![Step::Key(name.clone())], value, &mut changes);
    }
    for (kind, name, value) in not_there(resource) {
        if kind == resource.kind && !resource.attrs.contains_key(name) {
            changes.push(change(At::Attribute(vec![Step::Key(name.to_owned())]), Some(value)));
        }
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
fn not_there(resource: &Resource) -> Vec<(&'static str, &'static str, Value)> {
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:ListImages"}]}"#;
    let key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000";
    let _ = resource;
    vec![
        ("ecr.repository", "_policy", open.into()),
        (
            "ecr.repository",
            "imageTagMutabilityExclusionFilters",
            json!([{ "filterType": "WILDCARD", "filter": "dev-*" }]),
        ),
        ("dynamodb.table", "SSEDescription", json!({ "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key })),
    ]
}

fn walk(resource: &Resource, texts: &Texts, path: &mut Vec<Step>, value: &Value, changes: &mut Vec<Change>) {
    let Some(Step::Key(name)) = path.iter().rev().find(|step| matches!(step, Step::Key(_))) else { return };
    let name = name.clone();
    if is_bookkeeping(&name) || says_what_it_is(resource, &name, value) {
        return;
    }
    let mut to = |path: &[Step], value: Value| {
        let at = At::Attribute(path.to_vec());
        changes.push(Change { kind: resource.kind, id: resource.id.clone(), at, to: Some(value) });
    };
    match value {
        Value::Null => {}
        Value::Bool(on) => to(path, (!on).into()),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if number.fract() == 0.0 {
                #[expect(clippy::cast_possible_truncation, reason = "a whole number of an account")]
                let number = number as i64;
                numbers(&name, number).into_iter().for_each(|other| to(path, other.into()));
            }
        }
        Value::String(text) => others(&name, text, texts).into_iter().for_each(|other| to(path, other.into())),
        Value::Array(items) => {
            if let Some((last, fewer)) = items.split_last() {
                to(path, Value::Array(fewer.to_vec()));
                let another =
                    different(&name, last, texts).filter(|another| !items.iter().any(|item| same(item, another)));
                to(path, Value::Array(items.iter().cloned().chain(another).collect()));
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
                    && (key.ends_with("Id") || key.ends_with("Identifier") || key.ends_with("CidrBlock"))
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
    let names = |key: &&String| key.ends_with("Id") || key.ends_with("Identifier");
    let name = one.as_object().and_then(|entries| entries.keys().find(names));
    one == other || name.is_some_and(|name| one[name] == other[name])
}

/// How AWS gets on, and what the sandbox keeps for itself: nothing that anybody sets.
fn is_bookkeeping(name: &str) -> bool {
    let low = name.to_ascii_lowercase();
    [
        "state",
        "status",
        "statuses",
        "_pending",
        "modifiedvalues",
        "_history",
        "_cipher",
        "_for",
        "_gone",
        "_windowed",
        "lastmodifieduser",
        "_key",
    ]
    .iter()
    .any(|end| low.ends_with(end))
}

/// A name or an id is what a resource is found by, and some things AWS never changes: with another value it is
/// another resource, or none that there could be.
fn says_what_it_is(resource: &Resource, name: &str, value: &Value) -> bool {
    const NEVER_CHANGES: &[(&str, &str)] = &[
        ("dynamodb.table", "AttributeDefinitions"),
        ("dynamodb.table", "KeySchema"),
        ("ec2.security-group", "groupName"),
        ("ec2.security-group-rule", "isEgress"),
        ("iam.role", "Path"),
        ("kms.alias", "AliasArn"),
        ("kms.key", "KeySpec"),
        ("kms.key", "EncryptionAlgorithms"),
        // Where a database listens follows from its name and its port.
        ("rds.instance", "Address"),
        ("rds.instance", "Engine"),
        // A subnet's zone.
        ("rds.subnet-group", "Name"),
        ("ssm.parameter", "ARN"),
        ("ssm.parameter", "Type"),
        ("ssm.parameter", "Version"),
    ];
    // A gateway is attached to this VPC or to none: there is no other.
    // The group that a rule is in; the one that it refers to stands deeper, and is a setting.
    if resource.kind == "ec2.security-group-rule" && name == "groupId" && value == resource.text("groupId") {
        return true;
    }
    let attached = (resource.kind, name) == ("ec2.internet-gateway", "vpcId");
    if attached || NEVER_CHANGES.contains(&(resource.kind, name)) {
        return true;
    }
    let Value::String(text) = value else { return false };
    let (id, arn) = (&resource.id, text.split_once(":*").map_or(text.as_str(), |(arn, _)| arn));
    // The route inside a VPC is AWS's.
    text == "local" || text == id || arn.ends_with(&format!("/{id}")) || arn.ends_with(&format!(":{id}"))
}

fn numbers(name: &str, number: i64) -> Vec<i64> {
    match (name, number) {
        // Numbers of which AWS takes only some.
        ("retentionInDays", _) => vec![7],
        ("MonitoringInterval", _) => vec![30],
        ("PerformanceInsightsRetentionPeriod", _) => vec![31],
        ("maxAggregationInterval", _) => vec![60],
        // Storage grows by a tenth at least.
        ("AllocatedStorage", _) => vec![number + 10, number - 10],
        // A range of ports stays one.
        ("fromPort", _) => vec![number - 1],
        ("toPort", _) => vec![number + 1],
        _ => vec![number + 1, number - 1],
    }
}

/// Texts of which AWS takes only some, and what somebody may have chosen instead.
const CHOICES: &[(&str, &str)] = &[
    ("ALL", "REJECT"),
    ("Gateway", "Interface"),
    ("IMMUTABLE", "MUTABLE"),
    ("STANDARD", "INFREQUENT_ACCESS"),
    ("Standard", "Advanced"),
    ("standard", "advanced"),
    ("KMS", "AES256"),
    ("gp3", "gp2"),
    ("db.t4g.medium", "db.m7g.large"),
    ("rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1"),
    ("open-source-rds-extended-support-disabled", "open-source-rds-extended-support"),
    ("postgres17", "postgres16"),
    ("us-east-1a", "us-east-1b"),
    ("us-east-1b", "us-east-1a"),
    ("03:00-04:00", "05:00-06:00"),
    ("sun:04:30-sun:05:30", "mon:07:00-mon:08:00"),
    ("postgresql", "iam-db-auth-error"),
    ("upgrade", "iam-db-auth-error"),
    ("tcp", "udp"),
    ("0.0.0.0/0", "198.51.100.0/24"),
];

fn others(name: &str, text: &str, texts: &Texts) -> Vec<String> {
    if name == "wharf:password" {
        return vec![text.replace("/database/", "/old/"), text.replace(":1", ":0")];
    }
    if let Some((_, other)) = CHOICES.iter().find(|(one, _)| *one == text) {
        return vec![(*other).to_owned()];
    }
    if matches!((name, text), ("ipProtocol", "-1") | ("vpcEndpointType", _)) && text != "Gateway" {
        return Vec::new();
    }
    if text.len() >= 19 && text.ends_with('Z') && text.contains('T') {
        return vec![text.replacen("20", "19", 1)];
    }
    if name == "EngineVersion" {
        return vec!["17.99".to_owned(), "16.9".to_owned()];
    }
    if let Ok(number) = text.parse::<i64>() {
        return vec![(number + 1).to_string(), (number - 1).to_string()];
    }
    if let Ok(document @ Value::Object(_)) = serde_json::from_str(text) {
        return vec![changed_inside(&document).to_string()];
    }
    if let Some((range, length)) =
        text.rsplit_once('/').filter(|(range, _)| range.parse::<std::net::Ipv4Addr>().is_ok())
    {
        let rest = range.splitn(3, '.').nth(2).unwrap_or_default();
        return vec![format!("10.77.{rest}/{length}")];
    }
    let another = texts.other(text).filter(|_| text.starts_with("arn:") || is_id(text));
    let last = |text: &str| {
        let (rest, end) = text.split_at(text.len() - 1);
        format!("{rest}{}", if end == "0" { "1" } else { "0" })
    };
    match another {
        Some(other) => vec![other],
        None if is_id(text) => vec![last(text)],
        None if text.is_empty() => vec!["changed".to_owned()],
        None => vec![format!("{text}-changed")],
    }
}

fn is_id(text: &str) -> bool {
    let end = text.rsplit('-').next().unwrap_or_default();
    end.len() >= 12 && end.chars().all(|c| c.is_ascii_hexdigit())
}

/// A document that says something else: its last text is another one.
fn changed_inside(document: &Value) -> Value {
    let mut changed = document.clone();
    fn last(value: &mut Value) -> Option<&mut String> {
        match value {
            Value::String(text) => Some(text),
            Value::Array(items) => items.iter_mut().rev().find_map(last),
            Value::Object(entries) => entries
                .iter_mut()
                .filter(|(key, _)| !matches!(key.as_str(), "Version" | "type" | "tagStatus" | "tagPatternList"))
                .map(|(_, entry)| entry)
                .filter_map(last)
                .last(),
            _ => None,
        }
    }
    if let Some(text) = last(&mut changed) {
        text.push_str("-changed");
    }
    changed
}

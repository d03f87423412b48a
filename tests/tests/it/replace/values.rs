//! Other values for fields that replace: of most any other text will do, of some only what AWS takes.

use std::collections::{BTreeMap, BTreeSet};

use wharf_engine::{Change, Field, Inputs, LogicalId, Owner, Resource, Stack, Value};

/// A stack of which one field says something else than before.
#[derive(Debug)]
pub(super) struct Case {
    /// The resource.
    pub(super) id: LogicalId,
    /// The field.
    pub(super) field: &'static str,
    /// The stack as it should be now.
    pub(super) stack: Stack,
    /// Nothing else says something else.
    pub(super) alone: bool,
    /// Kinds of the resources that it did not have before.
    pub(super) added: Vec<&'static str>,
}

/// Values of which AWS takes only some: kind, field, from, to.
const CHOICES: &[(&str, &str, &str, &str)] = &[
    ("acm.certificate", "domain", "", "store.example.com"),
    ("ec2.flow-log", "traffic", "all", "rejected"),
    ("ec2.flow-log", "format", "", "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${action}"),
    ("ec2.flow-log", "interval", "ten_minutes", "one_minute"),
    // Of the eight blocks of the network, the one for a fourth zone.
    ("ec2.subnet", "cidr", "", "10.0.96.0/19"),
    ("ec2.subnet", "zone", "", "us-east-1d"),
    ("ec2.vpc", "cidr", "", "10.77.0.0/16"),
    ("ec2.vpc-endpoint", "service", "com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"),
    ("ec2.vpc-endpoint", "service", "", "com.amazonaws.us-east-1.monitoring"),
    ("ec2.vpc-endpoint", "way", "gateway", "interface"),
    ("ec2.vpc-endpoint", "way", "interface", "gateway"),
    ("elbv2.target-group", "protocol", "HTTP", "HTTPS"),
    ("elbv2.target-group", "version", "HTTP1", "HTTP2"),
    ("logs.log-group", "class", "STANDARD", "INFREQUENT_ACCESS"),
    ("rds.instance", "database", "", "other"),
    ("rds.instance", "username", "", "other"),
    ("rds.parameter-group", "family", "", "postgres18"),
    ("route53.record", "name", "", "other.example.com"),
    ("route53.zone", "name", "", "example.org"),
    ("servicediscovery.namespace", "name", "", "shop.other"),
];

/// Something that has to change along: kind and field of the case; kind, field and value of all that changes with it.
type Along = ((&'static str, &'static str), (&'static str, &'static str, &'static str));

const ALONG: &[Along] = &[
    (("rds.parameter-group", "family"), ("rds.instance", "engine_version", "\"18\"")),
    (("ec2.vpc-endpoint", "way"), ("", "route_tables", "[]")),
];

/// Names that others have in texts of their own: policies name queues and topics, and hosts lie in the domain.
const NAMED_BY_OTHERS: &[(&str, &str)] = &[
    ("acm.certificate", "domain"),
    ("events.rule", "name"),
    ("route53.zone", "name"),
    ("sns.topic", "name"),
    ("sqs.queue", "name"),
];

/// References that whatever else refers to the same resource has to follow: a group's instances are the provider's.
const ALL_REFER: &[(&str, &str)] = &[("ecs.capacity-provider", "group")];

/// Fields that no change reaches, and why.
pub(super) const UNREACHED: &[(&str, &str, &str)] = &[
    ("application-autoscaling.policy", "target", "a service has one target"),
    ("application-autoscaling.target", "cluster", "a stack has one cluster"),
    ("application-autoscaling.target", "service", "another service has tasks and deployments of its own"),
    ("dynamodb.table", "partition_key", "the lock is in the table, and Wharf reads it by this name"),
    ("dynamodb.table", "sort_key", "the lock is in the table, and Wharf reads it by this name"),
    ("ecs.cluster-capacity-providers", "cluster", "a stack has one cluster"),
    ("ecs.service", "cluster", "a stack has one cluster"),
    ("ecs.service", "scheduling", "a daemon has no number of tasks, which every service of a stack has"),
    ("ecs.task-definition", "architecture", "the instances of the group are of one"),
    ("ecs.task-definition", "compatibilities", "the instances of the group are all there is"),
    ("ecs.task-definition", "network_mode", "services, target groups and names need an interface for each task"),
    ("ecs.task-definition", "volumes", "no service has any"),
    ("elbv2.load-balancer", "vpc", "its subnets are of that VPC"),
    ("route53.record", "kind", "a name has the records of both kinds already"),
    ("scheduler.schedule", "group", "a stack has one group, of its own name"),
    ("servicediscovery.service", "record", "ECS registers IPv4 addresses"),
    ("sns.subscription", "endpoint", "it is what it is found by: with another one, the old one is no longer wanted"),
    ("sns.subscription", "protocol", "it is what it is found by: with another one, the old one is no longer wanted"),
];

/// What AWS makes along with a VPC.
const WITH_A_VPC: [&str; 4] = ["ec2.network-acl", "ec2.route-table", "ec2.security-group", "ec2.security-group-rule"];

fn is_unreached(resource: &Resource, field: &Field) -> bool {
    UNREACHED.iter().any(|(kind, name, _)| (*kind, *name) == (resource.rules.kind, field.name))
}

/// Cases that a field is left out of, and why.
const NOT_ALONE: &[(&str, &str, &str, &str)] =
    &[("ec2.vpc-endpoint", "way", "interface", "of all services, S3 and DynamoDB alone have gateways")];

/// A case for each field that replaces and refers to nothing, of each resource that is used otherwise than those
/// before it; on a platform, of the first resource of each kind that the smaller stacks have none of. `seen` is what
/// there was a case for before.
pub(super) fn plain(stack: &Stack, seen: &mut BTreeSet<String>) -> Vec<Case> {
    let mut cases = Vec::new();
    let platform = stack.resources.values().any(|resource| resource.rules.kind == "ecs.cluster");
    for resource in stack.resources.values() {
        for (field, value) in replacing(resource) {
            if !value.references().is_empty() || *value == Value::Null {
                continue;
            }
            let field_of_kind = format!("{} {}", resource.rules.kind, field.name);
            let like = format!("{field_of_kind} {:?}", users(stack, &resource.id));
            let Some(to) = another(resource, field, value) else { continue };
            // One that is named is replaced with all that name it.
            let named = NAMED_BY_OTHERS.contains(&(resource.rules.kind, field.name));
            let known = platform && !named && seen.contains(&field_of_kind);
            if known || not_alone(resource, field, value) || !seen.insert(like) {
                continue;
            }
            seen.insert(field_of_kind);
            let mut case = changed(stack, resource, field, to);
            if is_held(stack, resource) {
                // AWS lets a subnet go after what has interfaces in it; that moves along with the network alone.
                case.stack.resources.values_mut().flat_map(|one| one.inputs.values_mut()).for_each(renumber);
                case.alone = false;
            }
            cases.push(case);
        }
    }
    cases
}

/// A case for each field that replaces, is a reference, and has been no reason yet: it refers to a twin of what it
/// referred to.
pub(super) fn references(stack: &Stack, reached: &BTreeSet<super::Field>) -> Vec<Case> {
    let mut cases: BTreeMap<super::Field, Case> = BTreeMap::new();
    for resource in stack.resources.values() {
        for (field, value) in replacing(resource) {
            let key = (resource.rules.kind.to_owned(), field.name.to_owned());
            let Some(reference) = value.references().first().copied() else { continue };
            if reached.contains(&key) || cases.contains_key(&key) {
                continue;
            }
            let (twin, target) = twin(stack, &reference.id);
            let mut case = changed(stack, resource, field, moved(value, &reference.id, &twin.id));
            if ALL_REFER.contains(&(resource.rules.kind, field.name)) {
                case.stack.resources.remove(&reference.id);
                let inputs = case.stack.resources.values_mut().flat_map(|other| other.inputs.values_mut());
                inputs.for_each(|input| *input = moved(input, &reference.id, &twin.id));
            } else {
                case.added.push(target);
            }
            if target == "ec2.vpc" {
                case.added.extend(WITH_A_VPC);
            }
            case.stack.resources.insert(twin.id.clone(), twin);
            cases.insert(key, case);
        }
    }
    cases.into_values().collect()
}

/// The fields of a resource that replace, with their values.
fn replacing(resource: &Resource) -> impl Iterator<Item = (&'static Field, &Value)> {
    let fields = resource.rules.fields.iter();
    let fields = fields.filter(|field| field.change == Change::Replace && field.owner == Owner::Stack);
    let fields = fields.filter(|field| !is_unreached(resource, field));
    fields.filter_map(|field| Some((field, resource.inputs.get(field.name)?)))
}

/// The kinds of those that refer to a resource.
fn users(stack: &Stack, id: &LogicalId) -> BTreeSet<&'static str> {
    let users = stack.resources.values().filter(|resource| resource.needs().contains(id));
    users.map(|resource| resource.rules.kind).collect()
}

/// True for a subnet that something has interfaces in which does not let go of it before it has another.
fn is_held(stack: &Stack, resource: &Resource) -> bool {
    let lets_go = ["ec2.nat-gateway", "ec2.route-table"];
    resource.rules.kind == "ec2.subnet" && users(stack, &resource.id).iter().any(|kind| !lets_go.contains(kind))
}

fn not_alone(resource: &Resource, field: &Field, value: &Value) -> bool {
    let text = value.as_text().unwrap_or_default();
    NOT_ALONE.iter().any(|(kind, name, from, _)| (*kind, *name, *from) == (resource.rules.kind, field.name, &text))
}

/// Another value; none is known for what has parts of its own, or names what is not the stack's, unless the table has
/// one.
fn another(resource: &Resource, field: &Field, value: &Value) -> Option<Value> {
    let text = value.as_text().unwrap_or_default();
    let mut choices = CHOICES.iter().filter(|(kind, name, ..)| (*kind, *name) == (resource.rules.kind, field.name));
    if let Some((.., to)) = choices.find(|(_, _, from, _)| from.is_empty() || *from == text) {
        let json = serde_json::from_str(to).ok().filter(|_| matches!(value, Value::List(_) | Value::Map(_)));
        return Some(
            json.map_or_else(|| Value::text(*to), |json| Value::from_json(&json).expect("the table holds values")),
        );
    }
    match value {
        Value::Bool(on) => Some(Value::Bool(!on)),
        Value::Int(number) => Some(Value::Int(number + 1)),
        Value::Text(text) => Some(Value::text(format!("{text}-b"))),
        _ => None,
    }
}

fn changed(stack: &Stack, resource: &Resource, field: &'static Field, to: Value) -> Case {
    let mut stack = stack.clone();
    let kind = resource.rules.kind;
    for other in stack.resources.values_mut() {
        let along = ALONG.iter().filter(|(case, _)| *case == (kind, field.name));
        for (_, (of, name, value)) in along {
            if *of == other.rules.kind || of.is_empty() && other.id == resource.id {
                let value = serde_json::from_str(value).expect("the table holds JSON");
                other.inputs.insert((*name).to_owned(), Value::from_json(&value).expect("the table holds values"));
            }
        }
    }
    let named = NAMED_BY_OTHERS.contains(&(kind, field.name));
    // Another range of the network is another range of each of its parts.
    if (kind, field.name) == ("ec2.vpc", "cidr") {
        stack.resources.values_mut().flat_map(|resource| resource.inputs.values_mut()).for_each(renumber);
    } else if let (true, Some(from), Some(to)) = (named, resource.inputs[field.name].as_text(), to.as_text()) {
        stack.resources.values_mut().for_each(|other| other.inputs = renamed(&other.inputs, &from, &to));
    } else if let Some(changed) = stack.resources.get_mut(&resource.id) {
        changed.inputs.insert(field.name.to_owned(), to);
    }
    Case { id: resource.id.clone(), field: field.name, stack, alone: !named, added: Vec::new() }
}

/// The same inputs with another name wherever this one stands; a longer one is another.
fn renamed(inputs: &Inputs, from: &str, to: &str) -> Inputs {
    let text = serde_json::to_string(inputs).expect("inputs can be written");
    let mut parts = text.split(from);
    let mut renamed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let longer = part.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-');
        renamed.extend([if longer { from } else { to }, part]);
    }
    serde_json::from_str(&renamed).expect("they are inputs still")
}

fn renumber(value: &mut Value) {
    match value {
        Value::Text(text) if text.starts_with("10.0.") && text.contains('/') => {
            *text = text.replacen("10.0.", "10.77.", 1)
        }
        Value::List(items) => items.iter_mut().for_each(renumber),
        Value::Map(entries) => entries.values_mut().for_each(renumber),
        _ => {}
    }
}

/// A resource like this one, under another id, with other values where only one can have them.
fn twin(stack: &Stack, id: &LogicalId) -> (Resource, &'static str) {
    let original = &stack.resources[id];
    let id = LogicalId::new(format!("{id}-twin")).expect("it is one with a word more");
    let mut twin = Resource { id, ..original.clone() };
    for (field, value) in replacing(original).filter(|(_, value)| value.references().is_empty()) {
        twin.inputs.extend(another(original, field, value).map(|value| (field.name.to_owned(), value)));
    }
    (twin, original.rules.kind)
}

/// A value that refers to `to` where it referred to `from`.
fn moved(value: &Value, from: &LogicalId, to: &LogicalId) -> Value {
    match value {
        Value::Ref(reference) if reference.id == *from => {
            Value::Ref(wharf_engine::Reference { id: to.clone(), ..reference.clone() })
        }
        Value::List(items) => Value::List(items.iter().map(|item| moved(item, from, to)).collect()),
        Value::Join(items) => Value::Join(items.iter().map(|item| moved(item, from, to)).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(key, value)| (key.clone(), moved(value, from, to))).collect()),
        other => other.clone(),
    }
}

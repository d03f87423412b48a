//! The events that the sandbox sends, held against events that AWS is known to send: our own samples always; the recorded
//! ones and the schemas of EventBridge's registry where they are at hand. Names and types alone count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Map, Value, json};
use wharf::operations::Wanted;
use wharf_sandbox::{Behaviour, Sandbox, SimClock, Weather};
use wharf_tests::root;
use wharf_tests::service::Stage;
use wharf_tests::stack::{World, in_virtual_time, whole_config, with_zone};

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:heard";

/// What is in every event. <https://docs.aws.amazon.com/eventbridge/latest/ref/overview-event-structure.html>
const ENVELOPE: [&str; 9] =
    ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"];

/// Source and detail type.
type Kind = (String, String);

/// A queue that hears all that AWS tells.
async fn listen(stage: &Stage) {
    let aws = stage.session("listener").await.aws;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage",
        "Principal": {"Service": "events.amazonaws.com"}, "Resource": QUEUE}]});
    let queue = aws.sqs.create_queue().queue_name("heard").attributes(QueueAttributeName::Policy, policy.to_string());
    queue.attributes(QueueAttributeName::MessageRetentionPeriod, "1209600").send().await.expect("a queue");
    let pattern = json!({"source": [{"prefix": "aws."}]}).to_string();
    aws.events.put_rule().name("heard").event_pattern(pattern).send().await.expect("a rule");
    let target = aws_sdk_eventbridge::types::Target::builder().id("heard").arn(QUEUE).build().expect("a target");
    aws.events.put_targets().rule("heard").targets(target).send().await.expect("a target");
}

/// A platform's first hours, in which everything happens of which AWS tells. They begin shortly before snapshots are
/// made, by a policy whose role is gone by then.
async fn life() -> Vec<Value> {
    let config = whole_config();
    let clock = SimClock::new("2026-01-05T00:30:00Z".parse().expect("a moment"));
    let sandbox = Sandbox::builder().seed(6).weather(Weather::calm()).clock(clock);
    let stage = Stage::of(World::in_account(with_zone(sandbox, &config).build(), config));
    listen(&stage).await;
    stage.apply().await;
    stage.push("v1").await;
    stage.deploy("first", Wanted::Tag("v1")).await.expect("it is deployed");
    let second = stage.push("v2").await;
    stage.world.sandbox.image_behaviour(&second, &Behaviour { exits: Some((1, 2)), ..Behaviour::default() });
    stage.deploy("second", Wanted::Tag("v2")).await.expect("it is deployed, and taken back");
    let aws = stage.session("somebody").await.aws;
    let ring = aws.cloudwatch.set_alarm_state().alarm_name("shop-database-storage").state_value("ALARM".into());
    ring.state_reason("a test").send().await.expect("it rings");
    let volume = stage.of_kind("ec2.volume").remove(0).id;
    aws.ec2.create_snapshot().volume_id(volume).send().await.expect("a snapshot");
    let role = stage.of_kind("dlm.policy").remove(0).text("ExecutionRoleArn").rsplit('/').next().map(str::to_owned);
    stage.world.sandbox.remove("iam.role", &role.expect("a role")).expect("it is there");
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    stage.world.sandbox.next_event();
    let messages = stage.of_kind("sqs.message").into_iter().filter(|message| message.text("_queue") == "heard");
    messages.map(|message| serde_json::from_str(message.text("Body")).expect("an event is JSON")).collect()
}

fn kind(event: &Value) -> Kind {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("source"), text("detail-type"))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The types of all members, by their paths; members of lists count as one.
fn types(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = format!("{path}/{name}");
                found.entry(path.clone()).or_default().insert(type_of(field));
                types(field, &path, found);
            }
        }
        Value::Array(members) => members.iter().for_each(|member| types(member, &format!("{path}/*"), found)),
        _ => {}
    }
}

fn types_of<'a>(events: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut found = BTreeMap::new();
    events.into_iter().for_each(|event| types(event, "", &mut found));
    found
}

/// The events in JSON files under a directory, in files that hold one, or batches of them.
fn recorded(directory: &Path) -> Vec<Value> {
    let (mut events, mut open) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(next) = open.pop() {
        for path in std::fs::read_dir(&next).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else if let Some(event) = read(&path).filter(|event| event["detail"].is_object()) {
                events.push(event);
            }
        }
    }
    events.retain(|event| !kind(event).0.is_empty() && event.get("id").is_some());
    events
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

/// Where recorded payloads are, if they are at hand.
fn cases() -> Option<PathBuf> {
    root().ancestors().map(|above| above.join("shared/cases")).find(|cases| cases.is_dir())
}

/// Free texts by whatever name: what is in them is not of the event's form.
const FREE: [&str; 2] = ["/detail/Tags/", "/dimensions/"];

/// What does not fit between two groups of events of one kind: a member of two types, where neither is null.
fn misfits(ours: &[&Value], theirs: &[&Value]) -> Vec<String> {
    let (ours, theirs) = (types_of(ours.iter().copied()), types_of(theirs.iter().copied()));
    let mut wrong = Vec::new();
    for (path, types) in &ours {
        let Some(known) = theirs.get(path) else { continue };
        let fits = types.iter().all(|one| *one == "null" || known.contains(one) || known.contains("null"));
        if !fits {
            wrong.push(format!("{path} is {types:?}, and {known:?} at AWS"));
        }
    }
    wrong
}

/// What does not fit a schema of the registry: `{"properties": {name: {"required", "type"}}}`.
fn against(schema: &Value, value: &Value, path: &str, wrong: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        let empty = Map::new();
        let fields = value.as_object().unwrap_or_else(|| {
            wrong.push(format!("{path} is no object"));
            &empty
        });
        for (name, property) in properties {
            match fields.get(name) {
                Some(field) if !field.is_null() => against(&property["type"], field, &format!("{path}/{name}"), wrong),
                _ if property["required"] == true => wrong.push(format!("{path}/{name} is missing")),
                _ => {}
            }
        }
        return;
    }
    match schema["type"].as_str().unwrap_or_default() {
        "array" => match value.as_array() {
            Some(members) => {
                members.iter().for_each(|member| against(&schema["element"], member, &format!("{path}/*"), wrong))
            }
            None => wrong.push(format!("{path} is no list")),
        },
        "map" | "json" if !value.is_object() => wrong.push(format!("{path} is no map")),
        wanted @ ("string" | "number" | "boolean") if type_of(value) != wanted => {
            wrong.push(format!("{path} is {}, not {wanted}", type_of(value)));
        }
        _ => {}
    }
}

/// The names that a schema has.
fn names(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        found.insert(path.clone());
        let of = &property["type"];
        let (of, path) = if of["type"] == "array" { (&of["element"], format!("{path}/*")) } else { (of, path) };
        names(of, &path, found);
    }
}

/// What the registry's schemas, which are made from some events of each kind, do not say, though AWS's pages do.
const KNOWN_BETTER: [&str; 12] = [
    // An expression has no metric, and who sets a state by hand gives no data.
    // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html>
    "/detail/configuration/metrics/*/metricStat is missing",
    "/detail/previousState/reasonData is missing",
    "/detail/state/reasonData is missing",
    // <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-cloud-watch-events.html#create-snapshot-complete>
    "/detail/EndTime is missing",
    "/detail/StartTime is missing",
    // A list of pairs. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html>
    "/detail/attachments/*/details is no object",
    // The event has the members of a task as it is described.
    // <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html>
    "/detail/capacityProviderName is in no event",
    "/detail/containers/*/managedAgents is in no event",
    "/detail/containers/*/managedAgents/*/lastStatus is in no event",
    "/detail/containers/*/managedAgents/*/name is in no event",
    "/detail/enableExecuteCommand is in no event",
    "/detail/overrides/inferenceAcceleratorOverrides is in no event",
];

#[test]
fn what_the_sandbox_tells_has_the_form_in_which_aws_tells_it() {
    let heard = in_virtual_time(Box::pin(life()));
    let mut by_kind: BTreeMap<Kind, Vec<&Value>> = BTreeMap::new();
    for event in &heard {
        for name in ENVELOPE {
            assert!(event.get(name).is_some(), "{name} is missing: {event}");
        }
        assert_eq!((&event["version"], &event["account"]), (&json!("0"), &json!("123456789012")));
        assert!(event["time"].as_str().is_some_and(|time| time.len() == 20 && time.ends_with('Z')), "{event}");
        by_kind.entry(kind(event)).or_default().push(event);
    }
    for (source, wanted) in [
        ("aws.cloudwatch", "CloudWatch Alarm State Change"),
        ("aws.dlm", "DLM Policy State Change"),
        ("aws.ec2", "EBS Snapshot Notification"),
        ("aws.ecr", "ECR Image Action"),
        ("aws.ecs", "ECS Deployment State Change"),
        ("aws.ecs", "ECS Task State Change"),
        ("aws.rds", "RDS DB Instance Event"),
    ] {
        let kind = (source.to_owned(), wanted.to_owned());
        assert!(by_kind.contains_key(&kind), "nothing was told of {kind:?}: {:?}", by_kind.keys());
    }
    let mut wrong = Vec::new();
    let samples = recorded(&root().join("events/samples"));
    let others = cases().map(|cases| recorded(&cases)).unwrap_or_default();
    for (kind, ours) in &by_kind {
        let theirs: Vec<&Value> = samples.iter().chain(&others).filter(|event| self::kind(event) == *kind).collect();
        wrong.extend(misfits(ours, &theirs).into_iter().map(|what| format!("{kind:?}: {what}")));
        let Some(schema) = cases().and_then(|cases| schema(&cases, kind)) else { continue };
        for event in ours {
            let mut of_event = Vec::new();
            against(&schema["detail"], &event["detail"], "/detail", &mut of_event);
            wrong.extend(of_event.into_iter().map(|what| format!("{kind:?}: {what}")));
        }
        let mut known = BTreeSet::new();
        names(&schema["detail"], "/detail", &mut known);
        known.extend(types_of(theirs).into_keys());
        let invented = types_of(ours.iter().copied()).into_keys().filter(|path| path.starts_with("/detail/"));
        let invented = invented.filter(|path| !known.contains(path) && !FREE.iter().any(|free| path.contains(free)));
        wrong.extend(invented.map(|path| format!("{kind:?}: {path} is in no event of AWS's")));
    }
    wrong.sort();
    wrong.dedup();
    wrong.retain(|what| !KNOWN_BETTER.iter().any(|known| what.contains(known)));
    assert_eq!(wrong, [""; 0]);
}

/// The registry's schema of a kind of event.
fn schema(cases: &Path, (source, kind): &Kind) -> Option<Value> {
    let kind: String = kind.split_whitespace().collect();
    read(&cases.join("eventbridge-schemas").join(format!("{source}@{kind}.schema.json")))
}

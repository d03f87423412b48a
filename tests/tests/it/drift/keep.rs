//! What nothing is told of is not the stack's: an update of something else of the same resource keeps it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use wharf_engine::{Change as Takes, Owner, Rules, Value};
use wharf_tests::parallel::each;
use wharf_tests::stack::{World, in_virtual_time};

use super::leaves::{At, Change};
use super::{KEPT, Standing, still};

/// What is updated besides tags and descriptions, so that each way of changing a resource is taken.
const UPDATES: &[(&str, &str, i64)] = &[
    ("application-autoscaling.policy", "value", 61),
    ("application-autoscaling.target", "max", 5),
    ("autoscaling.group", "cooldown", 400),
    ("autoscaling.size", "max", 6),
    ("ecs.capacity-provider", "target_capacity", 90),
    ("ecs.service", "grace_period", 70),
    ("elbv2.load-balancer", "idle_timeout", 70),
    ("elbv2.target-group", "draining", 40),
    ("logs.log-group", "retention", 60),
    ("rds.instance", "backup_days", 21),
    ("servicediscovery.namespace", "ttl", 70),
    ("servicediscovery.service", "ttl", 20),
];

/// What an update of something else gives another value, and why.
const NOT_KEPT: &[(&str, &str, &str)] = &[
    ("autoscaling.group", "_propagate.team", "a tag is written together with whether instances get it"),
    ("rds.instance", "_masterUserPassword", "the password's parameter is described anew, which makes a new version"),
];

/// What Wharf sees of each resource, by kind and AWS's name for it.
type Seen = BTreeMap<(&'static str, String), BTreeMap<String, Value>>;

/// Updates each resource of an account with these changes, after which they are still there. Answers the fields in
/// which Wharf saw them.
pub(super) fn all(standing: &Standing, changes: &[Change], problems: &mut Vec<String>) -> BTreeSet<(String, String)> {
    let before = in_virtual_time(async { seen(&standing.changed(&[])).await });
    let (waited, plain): (Vec<_>, Vec<_>) = changes.iter().cloned().partition(is_waited_for);
    let groups = |changes: &[Change]| KEPT.groups(changes, &|change: &Change| change.kind.to_owned());
    let groups = [groups(&plain), groups(&waited)].concat();
    let kept = each(&groups, |group| keep(standing, group, &before));
    let mut fields = BTreeSet::new();
    for kept in kept {
        match kept {
            Ok(field) => drop(fields.insert(field)),
            Err(problem) => problems.push(problem),
        }
    }
    fields
}

async fn seen(world: &World) -> Seen {
    let session = world.session("look").await.expect("the account can be reached");
    let (found, ..) = session.look(&world.stack(&session)).await.expect("the account can be looked at");
    found.found.into_iter().map(|found| ((found.rules.kind, found.physical), found.inputs)).collect()
}

fn keep(standing: &Standing, changes: &[Change], before: &Seen) -> Vec<Result<(String, String), String>> {
    in_virtual_time(async {
        let world = standing.changed(changes);
        let mut all: Vec<_> = different(before, &seen(&world).await).into_iter().map(Ok).collect();
        let session = world.session("update").await.expect("the account can be reached");
        let mut stack = world.stack(&session);
        let updates = if changes.iter().any(is_waited_for) { &[] } else { UPDATES };
        stack.resources.values_mut().for_each(|resource| update(resource.rules, updates, &mut resource.inputs));
        let applied = world.apply_stack(&session, &stack).await;
        match applied {
            Ok(applied) if applied.complete() => {
                all.extend(changes.iter().filter_map(|change| lost(change, &world)).map(Err));
            }
            Ok(applied) => {
                let failed = applied.runs.last().map(|(_, outcome)| &outcome.failed);
                all.extend(apart(standing, changes, before, format!("an update fails: {failed:?}")));
            }
            Err(error) => all.extend(apart(standing, changes, before, format!("an update fails: {error:?}"))),
        }
        all
    })
}

/// Which of several changes it was.
fn apart(
    standing: &Standing,
    changes: &[Change],
    before: &Seen,
    problem: String,
) -> Vec<Result<(String, String), String>> {
    let halves = changes.split_at(changes.len() / 2);
    match changes {
        [] => vec![Err(problem)],
        [one] => vec![Err(format!("{} {} {:?}: {problem}", one.kind, one.path(), one.to))],
        _ => std::thread::scope(|scope| {
            // Each has its own time.
            let thread = scope.spawn(|| [keep(standing, halves.0, before), keep(standing, halves.1, before)].concat());
            thread.join().expect("the thread ends")
        }),
    }
}

/// The fields that are seen otherwise than before.
fn different(before: &Seen, now: &Seen) -> BTreeSet<(String, String)> {
    let both = now.iter().filter_map(|(key, inputs)| Some((key.0, inputs, before.get(key)?)));
    both.flat_map(|(kind, now, before)| {
        let fields = now.iter().filter(|(name, value)| before.get(*name) != Some(*value));
        fields.map(|(name, _)| (kind.to_owned(), name.clone())).collect::<Vec<_>>()
    })
    .collect()
}

/// True for what an update of other fields waits for, and would wait for in vain: services without an image have no
/// tasks, however many they are to have.
fn is_waited_for(change: &Change) -> bool {
    (change.kind, change.path().as_str()) == ("ecs.service", "desiredCount")
}

/// Another value for what a resource is described and tagged with, and for what `updates` name.
fn update(rules: &Rules, updates: &[(&str, &str, i64)], inputs: &mut BTreeMap<String, Value>) {
    for field in rules.fields.iter().filter(|field| field.change == Takes::InPlace) {
        let Some(value) = inputs.get_mut(field.name) else { continue };
        match (field.name, &mut *value) {
            ("description", Value::Text(text)) if field.owner == Owner::Stack => text.push_str(" updated"),
            ("tags", Value::Map(tags)) => drop(tags.insert("team".to_owned(), Value::text("dev"))),
            (name, Value::Int(number)) => {
                let of = updates.iter().find(|(kind, field, _)| (*kind, *field) == (rules.kind, name));
                *number = of.map_or(*number, |(.., to)| *to);
            }
            _ => {}
        }
    }
}

/// What became of a change that should still be there.
fn lost(change: &Change, world: &World) -> Option<String> {
    let (mut now, mut to) = (change.now(&world.sandbox).unwrap_or_default(), change.to.clone().unwrap_or_default());
    still(&mut now);
    still(&mut to);
    let tag_of_ours = matches!(&change.at, At::Tag(key) if key == "team");
    let excused = NOT_KEPT.iter().any(|(kind, path, _)| (*kind, *path) == (change.kind, change.path().as_str()));
    (now != to && !tag_of_ours && !excused).then(|| {
        let was = |value: &Json| value.to_string();
        format!("{} {} {} is lost in an update: {}", change.kind, change.path(), was(&to), was(&now))
    })
}

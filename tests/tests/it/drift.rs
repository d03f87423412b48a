//! What somebody changed behind Wharf's back: whatever the stack owns is told and mended, whatever it does not own is
//! left as it is. The changes are found by walking the account, so the next kind is covered the day it is written.

mod leaves;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leaves::Change;
use serde_json::Value as Json;
use wharf::config::Config;
use wharf_engine::{Drift, Drifted, FieldChange, Owner};
use wharf_sandbox::{Resource, Sandbox};
use wharf_tests::stack::{World, config, in_virtual_time, users_config};

/// Fields that no attribute reaches, and why.
const UNREACHED: &[(&str, &str, &str)] = &[
    ("dynamodb.table", "partition_key", "AWS never changes it; the stack's own records could not be read"),
    ("dynamodb.table", "sort_key", "AWS never changes it; the stack's own records could not be read"),
    ("ec2.default-security-group", "egress", "it has no rules; the kind's own tests add one"),
    ("ec2.default-security-group", "ingress", "it has no rules; the kind's own tests add one"),
    ("ecr.repository", "name", "a name is what it is found by"),
    ("iam.role", "boundary", "the sandbox has no permissions boundaries"),
    ("iam.role", "name", "a name is what it is found by"),
    ("logs.log-group", "name", "a name is what it is found by"),
    ("rds.instance", "apply_immediately", "says how Wharf changes, AWS does not keep it"),
    ("rds.instance", "iops", "the stack leaves it to AWS"),
    ("rds.instance", "throughput_mibs", "the stack leaves it to AWS"),
    ("ssm.parameter", "name", "a name is what it is found by"),
    ("ssm.secret", "name", "a name is what it is found by"),
];

/// Fields that AWS does not let go back at once, and why.
const NOT_MENDED: &[(&str, &str, &str)] = &[
    ("dynamodb.table", "expires", "AWS takes one change an hour"),
    ("ssm.parameter", "tier", "AWS has no way back from Advanced"),
];

/// A stack that stands, and what was seen of it then.
struct Standing {
    world: World,
    settings: Settings,
    kinds: BTreeMap<String, &'static str>,
}

/// What is set in an account: attributes and tags by kind and id.
type Settings = BTreeMap<(String, String), (Json, BTreeMap<String, String>)>;

/// What is told of a change; of several at once, one for each.
type Told = Vec<(Change, Result<Drift, String>)>;

/// Stacks whose resources have between them every kind, and every field that can have a value.
fn stacks() -> Vec<Config> {
    let small = |egress: &str| config(&format!("[network]\negress = \"{egress}\"\n[services.web]\nport = 8000\n"));
    let with_tag = |mut config: Config| {
        config.stack.tags.insert("team".to_owned(), "ops".to_owned());
        config
    };
    [small("endpoints"), users_config(), small("nat-zonal")].into_iter().map(with_tag).collect()
}

fn standing(config: Config) -> Standing {
    in_virtual_time(async {
        let world = World::calm(5, config);
        let applied = world.apply().await.expect("the stack can be applied");
        assert!(applied.complete(), "{:?}", applied.runs.last().map(|(_, outcome)| outcome));
        // The first backup is made meanwhile.
        tokio::time::sleep(Duration::from_secs(7200)).await;
        let session = world.session("kinds").await.expect("the account can be reached");
        let of = world.stack(&session).resources;
        let kinds = of.into_iter().map(|(id, resource)| (id.to_string(), resource.rules.kind)).collect();
        let world = world.fork_at(world.sandbox.now());
        let settings = settings(&world.sandbox);
        Standing { world, settings, kinds }
    })
}

/// What is set, without what a run changes by itself: moments, states, versions, ids of what is made anew.
fn settings(sandbox: &Sandbox) -> Settings {
    let of = |resource: Resource| {
        let (mut attributes, mut tags) = (Json::Object(resource.attrs), resource.tags);
        still(&mut attributes);
        // A secret's next version is the database's next password, the same value or another.
        tags.remove("wharf:password");
        // A rule is what it allows.
        let id = if resource.kind == "ec2.security-group-rule" { attributes.to_string() } else { resource.id };
        ((resource.kind.to_owned(), id), (attributes, tags.into_iter().collect()))
    };
    let made_anew = |resource: &Resource| matches!(resource.kind, "dynamodb.item" | "ec2.network-interface");
    sandbox.inventory().into_iter().filter(|resource| !made_anew(resource)).map(of).collect()
}

fn still(value: &mut Json) {
    const ENDS: &[&str] = &["Date", "Time", "At", "Since", "imestamp", "ssociationId", "RuleArn", "Status", "State"];
    const NAMES: &[&str] = &[
        "Version",
        "_history",
        "_cipher",
        "_evaluated",
        "_nextRotation",
        "_made",
        "_backups",
        "_windowed",
        "ValidTill",
        "_key",
        "_value",
        "_masterUserPassword",
        "CurrentKeyMaterialId",
        "networkInterfaceIdSet",
        "_backedUpSince",
    ];
    match value {
        Json::Object(entries) => {
            let changes = |name: &str| NAMES.contains(&name) || ENDS.iter().any(|end| name.ends_with(end));
            entries.retain(|name, value| {
                !changes(name) || (name == "_value" && value.as_str().is_some_and(|v| v.len() < 30))
            });
            entries.values_mut().for_each(still);
        }
        Json::Array(items) => {
            items.iter_mut().for_each(still);
            items.sort_by_key(Json::to_string);
        }
        _ => {}
    }
}

impl Standing {
    fn changes(&self, seen: &mut BTreeSet<String>) -> Vec<Change> {
        leaves::all(&self.world.sandbox, &|resource| self.kinds.get(resource.tags.get("wharf:id")?).copied(), seen)
    }

    /// A copy of the account with these changes made in it.
    fn changed(&self, changes: &[Change]) -> World {
        let world = self.world.fork_at(self.world.sandbox.now());
        changes.iter().for_each(|change| change.make(&world.sandbox));
        world
    }

    /// What is told of these changes, each of another resource. Those of which nothing is told are in no list; when it
    /// is not clear which of them something is told of, they are tried apart.
    fn told(&self, changes: &[Change]) -> Told {
        let drift = in_virtual_time(async {
            let world = self.changed(changes);
            let session = world.session("drift").await.expect("the account can be reached");
            session.drift(&world.stack(&session), &world.options).await
        });
        match (drift, changes) {
            (Ok(drift), _) if drift.is_empty() => Vec::new(),
            (Ok(drift), several)
                if several.len() > 1 && drift.iter().all(|told| self.cause(several, told).is_some()) =>
            {
                drift.into_iter().filter_map(|told| Some((self.cause(several, &told)?, Ok(told)))).collect()
            }
            (drift, [one]) => vec![(one.clone(), one_field(drift.map_err(|error| format!("{error}: {error:?}"))))],
            (_, several) => {
                let (first, second) = several.split_at(several.len() / 2);
                self.told(first).into_iter().chain(self.told(second)).collect()
            }
        }
    }

    /// The change of the resource that something is told of.
    fn cause(&self, changes: &[Change], told: &Drift) -> Option<Change> {
        let field = field(told).filter(|field| !field.from.same(&field.to))?;
        let mut of_it = changes.iter().filter(|change| Some(&self.whose(change)) == told.physical.as_ref());
        of_it.next().filter(|_| of_it.next().is_none() && !field.field.is_empty()).cloned()
    }

    /// The resource that a change is about: a rule is part of its group.
    fn whose(&self, change: &Change) -> String {
        let rule = self.world.sandbox.resource(change.kind, &change.id).filter(|r| r.kind == "ec2.security-group-rule");
        rule.map_or_else(|| change.id.clone(), |rule| rule.text("groupId").to_owned())
    }

    /// Applies to an account with these changes, after which everything is as it was before them.
    fn mend(&self, changes: &[Change]) -> Vec<String> {
        let problem = in_virtual_time(async {
            let world = self.changed(changes);
            let applied = world.apply().await.map_err(|error| format!("{error}: {error:?}"))?;
            if !applied.complete() {
                return Err(format!("{:?}", applied.runs.last().map(|(_, outcome)| &outcome.failed)));
            }
            let planned = world.plan().await.map_err(|error| format!("{error}: {error:?}"))?;
            match self.difference(&world) {
                _ if !planned.plan.steps.is_empty() => Err(format!("there is more to do: {:?}", planned.plan.steps)),
                difference if difference.is_empty() => Ok(()),
                difference => Err(difference),
            }
        });
        match (problem, changes) {
            (Ok(()), _) => Vec::new(),
            (Err(problem), [one]) => vec![format!("{} {} {:?}: {problem}", one.kind, one.path(), one.to)],
            (Err(_), several) => {
                let (first, second) = several.split_at(several.len() / 2);
                self.mend(first).into_iter().chain(self.mend(second)).collect()
            }
        }
    }

    fn difference(&self, world: &World) -> String {
        let now = settings(&world.sandbox);
        let keys: BTreeSet<_> = now.keys().chain(self.settings.keys()).collect();
        let differ = keys.into_iter().filter(|key| now.get(*key) != self.settings.get(*key));
        differ.map(|key| format!("{key:?}\n  was {:?}\n  is  {:?}\n", self.settings.get(key), now.get(key))).collect()
    }
}

/// What is told has to be one field, with two values.
fn one_field(drift: Result<Vec<Drift>, String>) -> Result<Drift, String> {
    let drift = drift?;
    match &drift[..] {
        [one] => match field(one) {
            Some(field) if field.from.same(&field.to) => Err(format!("both values are the same: {field:?}")),
            Some(_) => Ok(one.clone()),
            None => Err(format!("told as {one:?}")),
        },
        several => Err(format!("several are told: {several:?}")),
    }
}

/// The only field that is told.
fn field(drift: &Drift) -> Option<&FieldChange> {
    match &drift.what {
        Drifted::Changed(fields) if fields.len() == 1 => fields.first(),
        _ => None,
    }
}

/// Changes that can be made together: none in the place of another, and at most `most`.
fn together(changes: &[Change], most: usize, apart: &dyn Fn(&Change) -> String) -> Vec<Vec<Change>> {
    let mut groups: Vec<(BTreeSet<String>, Vec<Change>)> = Vec::new();
    for change in changes {
        let place = apart(change);
        let group = groups.iter_mut().find(|(places, group)| group.len() < most && !places.contains(&place));
        match group {
            Some((places, group)) => {
                places.insert(place);
                group.push(change.clone());
            }
            None => groups.push((BTreeSet::from([place]), vec![change.clone()])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Works on two threads.
fn in_parallel<T: Sync, U: Send>(items: &[T], work: impl Fn(&T) -> Vec<U> + Sync) -> Vec<U> {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut all = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::SeqCst)) {
            all.extend(work(item));
        }
        all
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the thread ends")).collect()
    })
}

/// Told with one field, and those changes mended where they can be in place.
fn look_and_mend(standing: &Standing, changes: &[Change], problems: &mut Vec<String>) -> Told {
    let apart = |change: &Change| standing.whose(change);
    let groups = together(changes, 40, &apart);
    let told = in_parallel(&groups, |group| standing.told(group));
    for (change, told) in &told {
        if let Err(problem) = told {
            problems.push(format!("{} {} {:?}: {problem}", change.kind, change.path(), change.to));
        }
    }
    let in_place = told.iter().filter_map(|(change, told)| {
        let (told, excused) = (told.as_ref().ok()?, |kind: &str, name: &str| excused(NOT_MENDED, kind, name));
        field(told)
            .filter(|field| !field.forces_replacement && !excused(&told.kind, &field.field))
            .map(|_| change.clone())
    });
    let in_place: Vec<_> = in_place.collect();
    let groups = together(&in_place, 12, &apart);
    problems.extend(in_parallel(&groups, |group| standing.mend(group)));
    told
}

fn excused(list: &[(&str, &str, &str)], kind: &str, field: &str) -> bool {
    list.iter().any(|(k, f, _)| (*k, *f) == (kind, field))
}

#[test]
#[ignore = "not seen green as a whole yet: it finds its own cases and some of their reasons are still to be written"]
fn every_field_that_the_stack_owns_is_told_when_it_changes_and_mended_and_nothing_else_is_told() {
    let (mut seen, mut problems, mut reached) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for config in stacks() {
        let standing = standing(config);
        let changes = standing.changes(&mut seen);
        let told = look_and_mend(&standing, &changes, &mut problems);
        let fields = told.iter().filter_map(|(_, told)| told.as_ref().ok());
        reached.extend(fields.filter_map(|told| Some((told.kind.clone(), field(told)?.field.clone()))));
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    let owned = wharf::aws::kinds().into_iter().flat_map(|kind| {
        let ours = kind.rules().fields.iter().filter(|field| matches!(field.owner, Owner::Stack | Owner::Shared));
        ours.map(move |field| (kind.rules().kind.to_owned(), field.name.to_owned())).collect::<Vec<_>>()
    });
    let unreached: Vec<_> = owned
        .filter(|(kind, name)| !reached.contains(&(kind.clone(), name.clone())) && !excused(UNREACHED, kind, name))
        .collect();
    assert!(unreached.is_empty(), "no attribute reaches {unreached:?}");
}

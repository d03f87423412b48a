//! What somebody changed behind Wharf's back: whatever the stack owns is told and mended, whatever it does not own is
//! left as it is. The changes are found by walking the account, so the next kind is covered the day it is written.

mod keep;
mod leaves;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leaves::Change;
use serde_json::Value as Json;
use wharf::config::Config;
use wharf::operations::Error;
use wharf_engine::{Drift, Drifted, FieldChange, Owner, drift};
use wharf_sandbox::{Resource, Sandbox};
use wharf_tests::parallel::each;
use wharf_tests::stack::{World, foundations, in_virtual_time};

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

/// Fields that are not the stack's and that no attribute reaches, and why.
const UNREACHED_OF_OTHERS: &[(&str, &str, &str)] = &[("rds.instance", "identifier", "a name is what it is found by")];

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
        let told = in_virtual_time(async {
            let world = self.changed(changes);
            let session = world.session("drift").await.expect("the account can be reached");
            let stack = world.stack(&session);
            let (found, last, _) = session.look(&stack).await?;
            Ok::<_, Error>(drift(&stack, &found, last.as_ref(), &world.options)?)
        });
        match (told, changes) {
            (Ok(told), _) if told.is_empty() => Vec::new(),
            (Ok(told), several) if several.len() > 1 && told.iter().all(|told| self.cause(several, told).is_some()) => {
                let told: Told =
                    told.into_iter().filter_map(|told| Some((self.cause(several, &told)?, Ok(told)))).collect();
                told.iter().cloned().chain(self.behind(several, &told)).collect()
            }
            (told, [one]) => vec![(one.clone(), one_field(told.map_err(|error| format!("{error}: {error:?}"))))],
            (_, several) => {
                let (first, second) = several.split_at(several.len() / 2);
                self.told(first).into_iter().chain(self.told(second)).collect()
            }
        }
    }

    /// What is told once those are away that replace something: what refers to a new resource is no drift.
    fn behind(&self, changes: &[Change], told: &Told) -> Told {
        let replaces = |told: &Drift| field(told).is_some_and(|field| field.forces_replacement);
        if !told.iter().any(|(_, told)| told.as_ref().is_ok_and(replaces)) {
            return Vec::new();
        }
        let rest: Vec<_> =
            changes.iter().filter(|change| !told.iter().any(|(one, _)| one == *change)).cloned().collect();
        if rest.is_empty() { Vec::new() } else { self.told(&rest) }
    }

    /// The change of the resource that something is told of.
    fn cause(&self, changes: &[Change], told: &Drift) -> Option<Change> {
        let field = field(told).filter(|field| !field.from.same(&field.to))?;
        let about = |change: &&Change| {
            let whose = self.whose(change);
            whose == told.id.as_str() || Some(&whose) == told.physical.as_ref()
        };
        let mut of_it = changes.iter().filter(about);
        of_it.next().filter(|_| of_it.next().is_none() && !field.field.is_empty()).cloned()
    }

    /// The resource that a change is about, by its logical id where it has one: a rule is part of its group.
    fn whose(&self, change: &Change) -> String {
        let sandbox = &self.world.sandbox;
        let changed = sandbox.resource(change.kind, &change.id);
        let rule = changed.as_ref().filter(|resource| resource.kind == "ec2.security-group-rule");
        let owner = match rule {
            Some(rule) => sandbox.resource("ec2.security-group", rule.text("groupId")),
            None => changed,
        };
        let id = owner.as_ref().map_or(&change.id, |owner| &owner.id);
        owner.as_ref().and_then(|owner| owner.tags.get("wharf:id")).unwrap_or(id).clone()
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

/// Told with one field, and those changes mended where they can be in place.
fn look_and_mend(standing: &Standing, changes: &[Change], problems: &mut Vec<String>) -> Told {
    let apart = |change: &Change| standing.whose(change);
    let groups = together(changes, 40, &apart);
    let told = each(&groups, |group| standing.told(group));
    for (change, told) in &told {
        if let Err(problem) = told {
            problems.push(format!("{} {} {:?}: {problem}", change.kind, change.path(), change.to));
        }
    }
    let in_place = told.iter().filter_map(|(change, told)| {
        field(told.as_ref().ok()?).filter(|field| !field.forces_replacement).map(|_| change.clone())
    });
    let in_place: Vec<_> = in_place.collect();
    let groups = together(&in_place, 12, &apart);
    problems.extend(each(&groups, |group| standing.mend(group)));
    told
}

fn excused(list: &[(&str, &str, &str)], kind: &str, field: &str) -> bool {
    list.iter().any(|(k, f, _)| (*k, *f) == (kind, field))
}

/// The fields of these owners that are in neither list.
fn missed(
    held: &BTreeSet<&str>,
    owned: impl Fn(Owner) -> bool,
    reached: &BTreeSet<(String, String)>,
    excuses: &[(&str, &str, &str)],
) -> Vec<(String, String)> {
    // A kind that no stack here holds has nothing that could change.
    let kinds = wharf::aws::kinds().into_iter().filter(|kind| held.contains(kind.rules().kind));
    let all = kinds.flat_map(|kind| {
        let fields = kind.rules().fields.iter().filter(|field| owned(field.owner));
        fields.map(|field| (kind.rules().kind.to_owned(), field.name.to_owned())).collect::<Vec<_>>()
    });
    all.filter(|(kind, name)| !reached.contains(&(kind.clone(), name.clone())) && !excused(excuses, kind, name))
        .collect()
}

#[test]
fn every_field_that_the_stack_owns_is_told_when_it_changes_and_mended_and_what_others_own_is_kept() {
    let (mut seen, mut problems) = (BTreeSet::new(), Vec::new());
    let (mut ours, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut held = BTreeSet::new();
    for config in foundations() {
        let standing = standing(config);
        held.extend(standing.kinds.values().copied());
        let changes = standing.changes(&mut seen);
        let told = look_and_mend(&standing, &changes, &mut problems);
        let fields = told.iter().filter_map(|(_, told)| told.as_ref().ok());
        ours.extend(fields.filter_map(|told| Some((told.kind.clone(), field(told)?.field.clone()))));
        let is_told = |change: &&Change| told.iter().any(|(told, _)| told == *change);
        let silent: Vec<_> = changes.iter().filter(|change| !is_told(change)).cloned().collect();
        others.extend(keep::all(&standing, &silent, &mut problems));
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    let is_ours = |owner| matches!(owner, Owner::Stack | Owner::Shared);
    assert_eq!(missed(&held, is_ours, &ours, UNREACHED), [], "no attribute reaches these");
    assert_eq!(missed(&held, |owner| !is_ours(owner), &others, UNREACHED_OF_OTHERS), [], "no attribute reaches these");
}

//! What somebody changed behind Wharf's back: whatever the stack owns is told and mended, whatever it does not own is
//! left as it is. The changes are found by walking the account, so the next kind is covered the day it is written.

mod deeper;
mod fixed;
mod keep;
mod leaves;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leaves::Change;
use serde_json::Value as Json;
use wharf::config::Config;
use wharf::operations::Error;
use wharf_engine::{Drift, Drifted, FieldChange, Owner, drift};
use wharf_sandbox::{Resource, Sandbox};
use wharf_tests::parallel::each;
use wharf_tests::stack::{World, every_kind_is_among, everything, in_virtual_time};

/// Fields that no attribute reaches, and why.
const UNREACHED: &[(&str, &str, &str)] = &[
    ("acm.certificate", "domain", "AWS never changes it"),
    ("acm.issued-certificate", "certificate", "it is a part of the certificate"),
    ("application-autoscaling.policy", "target", "what it scales is what it is found by"),
    ("application-autoscaling.target", "cluster", "what it scales is what it is found by"),
    ("application-autoscaling.target", "service", "what it scales is what it is found by"),
    ("autoscaling.group", "refresh", "says how Wharf changes, AWS does not keep it"),
    ("autoscaling.size", "group", "it is a part of the group"),
    ("cloudwatch.alarm", "name", "a name is what it is found by"),
    ("cloudwatch.composite-alarm", "name", "a name is what it is found by"),
    ("cloudwatch.dashboard", "name", "a name is what it is found by"),
    ("dynamodb.table", "partition_key", "AWS never changes it; the stack's own records could not be read"),
    ("dynamodb.table", "sort_key", "AWS never changes it; the stack's own records could not be read"),
    ("ec2.default-security-group", "egress", "it has no rules; the kind's own tests add one"),
    ("ec2.default-security-group", "ingress", "it has no rules; the kind's own tests add one"),
    ("ecr.repository", "name", "a name is what it is found by"),
    ("ecs.cluster-capacity-providers", "cluster", "it is a part of the cluster"),
    ("ecs.service", "name", "a name is what it is found by"),
    ("elbv2.listener", "load_balancer", "AWS never changes it"),
    ("elbv2.listener-rule", "listener", "AWS never changes it"),
    ("elbv2.target-group", "protocol", "AWS never changes it"),
    ("events.rule", "name", "a name is what it is found by"),
    ("iam.instance-profile", "name", "a name is what it is found by"),
    ("iam.role", "boundary", "the sandbox has no permissions boundaries"),
    ("iam.role", "name", "a name is what it is found by"),
    ("lambda.function", "name", "a name is what it is found by"),
    ("logs.log-group", "name", "a name is what it is found by"),
    ("rds.instance", "apply_immediately", "says how Wharf changes, AWS does not keep it"),
    ("rds.instance", "iops", "the stack leaves it to AWS"),
    ("rds.instance", "throughput_mibs", "the stack leaves it to AWS"),
    ("route53.record", "kind", "it is what it is found by"),
    ("route53.record", "name", "a name is what it is found by"),
    ("route53.record", "zone", "it is what it is found by"),
    ("route53.zone", "name", "a name is what it is found by"),
    ("scheduler.schedule", "group", "a schedule stays in its group"),
    ("scheduler.schedule", "launch_type", "AWS takes none beside a strategy, which the stack has"),
    ("servicediscovery.service", "namespace", "AWS never changes it"),
    ("sns.subscription", "endpoint", "it is what it is found by"),
    ("sns.subscription", "protocol", "it is what it is found by"),
    ("sns.subscription", "topic", "it is what it is found by"),
    ("sns.topic", "name", "a name is what it is found by"),
    ("sqs.queue", "name", "a name is what it is found by"),
    ("ssm.parameter", "name", "a name is what it is found by"),
    ("ssm.secret", "name", "a name is what it is found by"),
];

/// Fields that are not the stack's and that no attribute reaches, and why.
const UNREACHED_OF_OTHERS: &[(&str, &str, &str)] = &[
    ("acm.issued-certificate", "records", "a certificate does not tell where its records stand"),
    ("acm.issued-certificate", "zone", "a certificate does not tell where its records stand"),
    ("elbv2.listener", "weights", "no stack forwards what no rule takes"),
    ("rds.instance", "identifier", "a name is what it is found by"),
];

/// A stack that stands, and what was seen of it then.
struct Standing {
    world: World,
    settings: Settings,
    kinds: BTreeMap<String, &'static str>,
    /// AWS's name of each resource, by its logical id.
    physical: BTreeMap<String, String>,
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
        let stack = world.stack(&session);
        let (found, ..) = session.look(&stack).await.expect("the account can be looked at");
        let physical = found.found.into_iter().map(|found| (found.id.to_string(), found.physical)).collect();
        let kinds = stack.resources.into_iter().map(|(id, resource)| (id.to_string(), resource.rules.kind)).collect();
        let world = world.fork_at(world.sandbox.now());
        let settings = settings(&world.sandbox);
        Standing { world, settings, kinds, physical }
    })
}

/// What is set, without what a run changes by itself: moments, states, versions, ids of what is made anew.
fn settings(sandbox: &Sandbox) -> Settings {
    let of = |resource: Resource| {
        let (mut attributes, mut tags) = (Json::Object(resource.attrs), resource.tags);
        in_force(resource.kind, &mut attributes);
        still(&mut attributes);
        // A secret's next version is the database's next password, the same value or another.
        tags.remove("wharf:password");
        // A rule is what it allows.
        let id = if resource.kind == "ec2.security-group-rule" { attributes.to_string() } else { resource.id };
        ((resource.kind.to_owned(), id), (attributes, tags.into_iter().collect()))
    };
    sandbox.inventory().into_iter().filter(|resource| !fixed::comes_and_goes(resource)).map(of).collect()
}

/// Leaves of a launch template the version that is in force: AWS keeps each that there was.
fn in_force(kind: &str, attributes: &mut Json) {
    if kind != "ec2.launch-template" {
        return;
    }
    let version = attributes["defaultVersionNumber"].clone();
    if let Some(versions) = attributes["_versions"].as_array_mut() {
        versions.retain(|one| one["versionNumber"] == version);
    }
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
        "$epoch",
        "DateModified",
        "LastModified",
        "RevisionId",
        "Alarms",
        // Rollouts leave them as they are at their end.
        "Weight",
        // A scaler's, which counts what a run starts.
        "DesiredCapacity",
        // Each change of a template is another version of it; what the one in force says is compared.
        "defaultVersionNumber",
        "latestVersionNumber",
        "versionNumber",
    ];
    match value {
        Json::Object(entries) => {
            let changes = |name: &str| {
                NAMES.contains(&name) || ENDS.iter().any(|end| name.ends_with(end)) || fixed::is_bookkeeping(name)
            };
            // A list that is not there is an empty one.
            entries.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
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
        let kind_of = |resource: &Resource| self.kinds.get(resource.tags.get("wharf:id")?).copied();
        leaves::all(&self.world.sandbox, &kind_of, seen)
    }

    /// A copy of the account with these changes made in it.
    fn changed(&self, changes: &[Change]) -> World {
        let world = self.world.fork_at(self.world.sandbox.now());
        changes.iter().for_each(|change| change.make(&world.sandbox));
        world
    }

    /// What is told of these changes, each of another resource. Those of which nothing is told are in no list. What is
    /// told as it should be is taken; the rest is tried again without it, for what refers to a new resource is no drift,
    /// and those of which something else is told are tried apart.
    fn told(&self, changes: &[Change]) -> Told {
        let looked = in_virtual_time(async {
            let world = self.changed(changes);
            let session = world.session("drift").await.expect("the account can be reached");
            let stack = world.stack(&session);
            let (found, last, _) = session.look(&stack).await?;
            Ok::<_, Error>(drift(&stack, &found, last.as_ref(), &world.options)?)
        });
        let drifts = match (looked, changes) {
            (Ok(drifts), [one]) if !drifts.is_empty() => return vec![(one.clone(), one_drift(one, drifts))],
            (Err(error), [one]) => return vec![(one.clone(), Err(format!("{error}: {error:?}")))],
            (Err(_), several) => return self.told_apart(several),
            (Ok(drifts), _) => drifts,
        };
        let (mut good, mut bad, mut unclear) = (Told::new(), Vec::new(), false);
        for told in drifts {
            match self.cause(changes, &told) {
                Some(change) => match as_it_should_be(&change, &told) {
                    Ok(()) => good.push((change, Ok(told))),
                    Err(_) => bad.push(change),
                },
                None => unclear = true,
            }
        }
        let replaces = |told: &Drift| fields(told).iter().any(|field| field.forces_replacement);
        let again = unclear || good.iter().any(|(_, told)| told.as_ref().is_ok_and(replaces));
        let is_good = |change: &Change| good.iter().any(|(one, _)| one == change);
        let rest: Vec<_> = changes.iter().filter(|change| !is_good(change) && !bad.contains(change)).cloned().collect();
        let rest = match again {
            false => Vec::new(),
            true if rest.len() == changes.len() => self.told_apart(&rest),
            true if rest.is_empty() => Vec::new(),
            true => self.told(&rest),
        };
        let bad: Vec<_> = bad.iter().flat_map(|change| self.told(std::slice::from_ref(change))).collect();
        good.into_iter().chain(bad).chain(rest).collect()
    }

    fn told_apart(&self, changes: &[Change]) -> Told {
        let (first, second) = changes.split_at(changes.len() / 2);
        self.told(first).into_iter().chain(self.told(second)).collect()
    }

    /// The change of the resource that something is told of.
    fn cause(&self, changes: &[Change], told: &Drift) -> Option<Change> {
        let physical = told.physical.as_ref().or_else(|| self.physical.get(told.id.as_str()));
        let parts = |name: &str| name.split(['|', '/', '.']).map(str::to_owned).collect::<BTreeSet<_>>();
        let named = physical.map(|name| parts(name));
        // The name of what stands inside something else has the other's in it.
        let ways: [&dyn Fn(&Change) -> bool; 3] =
            [&|change| self.whose(change) == told.id.as_str(), &|change| Some(&change.id) == physical, &|change| {
                named.as_ref().is_some_and(|named| named.is_subset(&parts(&change.id)))
            }];
        let found = ways.iter().map(|way| changes.iter().filter(|change| way(change)).collect::<Vec<_>>());
        match found.into_iter().find(|found| !found.is_empty())?[..] {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    /// The resource that a record is: the set beside it says so, in the form of a text, and the change may be of that one.
    fn owner_of_record(&self, change: &Change) -> Option<String> {
        let of = |id: &str| self.world.sandbox.resource(change.kind, id);
        let (name, kind) = change.id.rsplit_once('|').filter(|_| change.kind == "route53.record-set")?;
        let said = of(&format!("{name}._wharf-{}|TXT", kind.to_lowercase())).or_else(|| of(&change.id))?;
        let said = said.attrs.get("ResourceRecords")?.to_string();
        Some(said.split("id=").nth(1)?.split(' ').next()?.to_owned())
    }

    /// The resource that a change is about, by its logical id where it has one: a rule is part of its group.
    fn whose(&self, change: &Change) -> String {
        if let Some(id) = self.owner_of_record(change) {
            return id;
        }
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
            // A database is still at work on what it says it has.
            tokio::time::sleep(Duration::from_secs(600)).await;
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
        let mut lines = Vec::new();
        for key in keys {
            match (self.settings.get(key), now.get(key)) {
                (Some(was), Some(is)) => {
                    unlike(&format!("{} {}", key.0, key.1), &was.0, &is.0, &mut lines);
                    if was.1 != is.1 {
                        lines.push(format!("{key:?} had the tags {:?}, has {:?}", was.1, is.1));
                    }
                }
                (Some(_), None) => lines.push(format!("{key:?} is gone")),
                (None, is) => lines.push(format!("{key:?} is new: {is:?}")),
            }
        }
        lines.join("\n")
    }
}

/// Where two documents are not alike.
fn unlike(path: &str, was: &Json, is: &Json, lines: &mut Vec<String>) {
    match (was, is) {
        (Json::Object(before), Json::Object(now)) => {
            for key in before.keys().chain(now.keys().filter(|key| !before.contains_key(*key))) {
                let of = |entries: &serde_json::Map<String, Json>| entries.get(key).cloned().unwrap_or_default();
                unlike(&format!("{path}.{key}"), &of(before), &of(now), lines);
            }
        }
        _ if was != is => lines.push(format!("{path} was {was}, is {is}")),
        _ => {}
    }
}

/// Of one change, one resource is told.
fn one_drift(change: &Change, mut drifts: Vec<Drift>) -> Result<Drift, String> {
    match drifts.pop() {
        Some(told) if drifts.is_empty() => as_it_should_be(change, &told).map(|()| told),
        last => Err(format!("several are told: {drifts:?} and {last:?}")),
    }
}

/// What is told has to be one field, with two values. Two exceptions: with a whole list, everything goes that the list
/// said; and with another value of what a resource is found by, it is missing.
fn as_it_should_be(change: &Change, told: &Drift) -> Result<(), String> {
    let list = matches!(change.to, Some(Json::Array(_)));
    match fields(told) {
        [] if told.what == Drifted::Missing => Ok(()),
        fields if fields.iter().any(|field| field.from.same(&field.to)) => {
            Err(format!("both values are the same: {fields:?}"))
        }
        [_] => Ok(()),
        [_, _, ..] if list => Ok(()),
        _ => Err(format!("told as {told:?}")),
    }
}

/// The fields that are told.
fn fields(drift: &Drift) -> &[FieldChange] {
    match &drift.what {
        Drifted::Changed(fields) => fields,
        _ => &[],
    }
}

/// Which changes can be made together.
#[derive(Clone, Copy)]
struct Together {
    /// At most so many.
    most: usize,
    /// At most so many in one place, each of another attribute.
    in_one_place: usize,
}

/// The attributes that change in each place.
type Places = BTreeMap<String, BTreeSet<String>>;

impl Together {
    fn groups(self, changes: &[Change], place: &dyn Fn(&Change) -> String) -> Vec<Vec<Change>> {
        let mut groups: Vec<(Places, Vec<Change>)> = Vec::new();
        for change in changes {
            let (place, attribute) = (place(change), format!("{} {}", change.id, change.at.first()));
            let fits = |places: &Places| {
                places.get(&place).is_none_or(|there| there.len() < self.in_one_place && !there.contains(&attribute))
            };
            let group = groups.iter().position(|(places, group)| group.len() < self.most && fits(places));
            let at = group.unwrap_or(groups.len());
            if at == groups.len() {
                groups.push(Default::default());
            }
            groups[at].0.entry(place).or_default().insert(attribute);
            groups[at].1.push(change.clone());
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

/// One change of each resource, so that it is clear which one something is told of.
const TOLD: Together = Together { most: 40, in_one_place: 1 };

/// Few of each resource, for an update of one field can mend another's.
const MENDED: Together = Together { most: 40, in_one_place: 3 };

/// Whatever is not told of: it is to stay, each attribute for itself.
const KEPT: Together = Together { most: 80, in_one_place: usize::MAX };

/// Told with one field, and those changes mended where they can be in place.
fn look_and_mend(standing: &Standing, changes: &[Change], problems: &mut Vec<String>) -> Told {
    let apart = |change: &Change| standing.whose(change);
    let groups = TOLD.groups(changes, &apart);
    let told = each(&groups, |group| standing.told(group));
    for (change, told) in &told {
        if let Err(problem) = told {
            problems.push(format!("{} {} {:?}: {problem}", change.kind, change.path(), change.to));
        }
    }
    let in_place = told.iter().filter_map(|(change, told)| {
        let fields = fields(told.as_ref().ok()?);
        (!fields.is_empty() && fields.iter().all(|field| !field.forces_replacement)).then(|| change.clone())
    });
    let in_place: Vec<_> = in_place.collect();
    let groups = MENDED.groups(&in_place, &apart);
    problems.extend(each(&groups, |group| standing.mend(group)));
    told
}

fn excused(list: &[(&str, &str, &str)], kind: &str, field: &str) -> bool {
    list.iter().any(|(k, f, _)| (*k, *f) == (kind, field))
}

/// The fields of these owners that are in neither list, and the excuses for what is reached after all.
fn missed(
    owned: impl Fn(Owner) -> bool,
    reached: &BTreeSet<(String, String)>,
    excuses: &[(&str, &str, &str)],
) -> Vec<String> {
    let all = wharf::aws::kinds().into_iter().flat_map(|kind| {
        let fields = kind.rules().fields.iter().filter(|field| owned(field.owner));
        fields.map(|field| (kind.rules().kind.to_owned(), field.name.to_owned())).collect::<Vec<_>>()
    });
    let missed =
        all.filter(|(kind, name)| !reached.contains(&(kind.clone(), name.clone())) && !excused(excuses, kind, name));
    let needless = excuses.iter().filter(|(kind, name, _)| reached.contains(&((*kind).to_owned(), (*name).to_owned())));
    let missed = missed.map(|(kind, name)| format!("no attribute reaches {kind} {name}"));
    missed.chain(needless.map(|(kind, name, _)| format!("{kind} {name} needs no excuse"))).collect()
}

#[test]
fn every_field_that_the_stack_owns_is_told_when_it_changes_and_mended_and_what_others_own_is_kept() {
    let (mut seen, mut problems) = (BTreeSet::new(), Vec::new());
    let (mut ours, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut held = BTreeSet::new();
    for config in everything() {
        let standing = standing(config);
        held.extend(standing.kinds.values().copied());
        let changes = standing.changes(&mut seen);
        let told = look_and_mend(&standing, &changes, &mut problems);
        for told in told.iter().filter_map(|(_, told)| told.as_ref().ok()) {
            ours.extend(fields(told).iter().map(|field| (told.kind.clone(), field.field.clone())));
        }
        let is_told = |change: &&Change| told.iter().any(|(told, _)| told == *change);
        let silent: Vec<_> = changes.iter().filter(|change| !is_told(change)).cloned().collect();
        others.extend(keep::all(&standing, &silent, &mut problems));
    }
    every_kind_is_among(held);
    let is_ours = |owner| matches!(owner, Owner::Stack | Owner::Shared);
    problems.extend(missed(is_ours, &ours, UNREACHED));
    problems.extend(missed(|owner| !is_ours(owner), &others, UNREACHED_OF_OTHERS));
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

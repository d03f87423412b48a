//! What plans look like: each a small stack, a world, and the steps between them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use insta::assert_snapshot;
use wharf_engine::{
    Action, AllowDestroy, Drifted, Estimate, Field, Found, Generation, Health, Identity, LastApplied, LogicalId,
    Options, Order, Outputs, Owner, Plan, PlanError, Reference, Resource, Rules, Stack, Until, Value, World, drift,
    generations, plan,
};

const fn kind(kind: &'static str, fields: &'static [Field], order: Order, protected: bool) -> Rules {
    let (visible_within, estimate) = (Duration::from_secs(10), Estimate::seconds(10, 5, 7));
    Rules { kind, fields, order, protected, visible_within, estimate }
}

const TAGS: Field = Field::new("tags").owned_by(Owner::Shared);
static NET: Rules = kind("test.net", &[Field::new("range").replaces(), TAGS], Order::CreateFirst, false);
static SUBNET: Rules =
    kind("test.subnet", &[Field::new("net").replaces(), Field::new("range").replaces()], Order::DeleteFirst, false);
static GROUP: Rules =
    kind("test.group", &[Field::new("net").replaces(), Field::new("rules")], Order::CreateFirst, false);
static DATABASE: Rules = kind(
    "test.database",
    &[Field::new("subnet"), Field::new("group"), Field::new("size"), Field::new("engine").replaces()],
    Order::CreateFirst,
    true,
);

fn id(text: &str) -> LogicalId {
    LogicalId::new(text).unwrap()
}

fn to(target: &str) -> Value {
    Value::Ref(Reference { id: id(target), output: "id".to_owned() })
}

fn add(stack: &mut Stack, name: &str, rules: &'static Rules, inputs: &[(&str, Value)]) {
    let inputs = inputs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    stack.resources.insert(id(name), Resource { id: id(name), rules, inputs, after: BTreeSet::new() });
}

fn platform() -> Stack {
    let mut stack = Stack::default();
    let tags = Value::Map(BTreeMap::from([("team".to_owned(), Value::text("shop"))]));
    add(&mut stack, "net", &NET, &[("range", Value::text("10.0.0.0/16")), ("tags", tags)]);
    add(&mut stack, "subnet", &SUBNET, &[("net", to("net")), ("range", Value::text("10.0.0.0/24"))]);
    add(&mut stack, "group", &GROUP, &[("net", to("net")), ("rules", Value::text("5432"))]);
    let inputs =
        [("subnet", to("subnet")), ("group", to("group")), ("size", Value::Int(50)), ("engine", Value::text("pg"))];
    add(&mut stack, "database", &DATABASE, &inputs);
    stack
}

fn set(stack: &mut Stack, name: &str, field: &str, value: Value) {
    stack.resources.get_mut(&id(name)).unwrap().inputs.insert(field.to_owned(), value);
}

/// The world in which a stack has been applied; each resource is called after its id.
fn applied(stack: &Stack) -> World {
    let generations = generations(stack).unwrap();
    let found = |resource: &Resource| Found {
        id: resource.id.clone(),
        rules: resource.rules,
        physical: format!("{}-1", resource.id),
        identity: Identity::Ours(Some(generations[&resource.id].clone())),
        health: Health::Ready,
        inputs: resource
            .inputs
            .iter()
            .map(|(name, value)| (name.clone(), value.resolve(&|r| Some(Value::text(format!("{}-1", r.id))))))
            .collect(),
        outputs: Outputs::from([("id".to_owned(), Value::text(format!("{}-1", resource.id)))]),
        blockers: BTreeSet::new(),
    };
    World { found: stack.resources.values().map(found).collect() }
}

fn of<'w>(world: &'w mut World, name: &str) -> &'w mut Found {
    world.found.iter_mut().find(|found| found.id == id(name)).unwrap()
}

fn allow(ids: &[&str]) -> Options {
    Options { allow_destroy: AllowDestroy::These(ids.iter().map(|text| id(text)).collect()), ..Options::default() }
}

/// One line a step: number, action, id, details, reasons, needs.
fn show(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for step in &plan.steps {
        let (action, changes) = match &step.action {
            Action::Create { replaces: None, .. } => ("create".to_owned(), &[][..]),
            Action::Create { replaces: Some(r), .. } => {
                (format!("create for {} {:?}", r.physical, r.order), &r.changes[..])
            }
            Action::Update { physical, changes, .. } => (format!("update {physical}"), &changes[..]),
            Action::Adopt { physical, .. } => (format!("adopt {physical}"), &[][..]),
            Action::Delete { physical, because } => (format!("delete {physical} {because:?}"), &[][..]),
            Action::Wait { physical, until } => (format!("wait {physical} {until:?}"), &[][..]),
        };
        let needs: Vec<String> = step.needs.iter().map(ToString::to_string).collect();
        lines.push(format!("{} {} [{action}] needs [{}]", step.number, step.id, needs.join(" ")));
        for change in changes {
            let mark = if change.forces_replacement { "!" } else { "" };
            lines.push(format!(
                "    {}{mark}: {} -> {} {:?}",
                change.field,
                change.from.to_json(),
                change.to.to_json(),
                change.because
            ));
        }
    }
    lines.push(format!("{} unchanged, {} kept", plan.unchanged, plan.kept.len()));
    lines.join("\n")
}

fn planned(stack: &Stack, world: &World, last: Option<&LastApplied>, options: &Options) -> String {
    match plan(stack, world, last, options) {
        Ok(plan) => {
            assert_sound(&plan);
            show(&plan)
        }
        Err(error) => error.to_string(),
    }
}

/// Every step comes after all that it needs, and the plan can be saved and read back.
fn assert_sound(plan: &Plan) {
    for (place, step) in plan.steps.iter().enumerate() {
        assert_eq!(step.number.0, place + 1);
        assert!(step.needs.iter().all(|need| *need < step.number));
    }
    let saved = serde_json::to_string(plan).unwrap();
    assert_eq!(*plan, serde_json::from_str::<Plan>(&saved).unwrap());
}

#[test]
fn a_first_apply_creates_in_the_order_of_references() {
    assert_snapshot!(planned(&platform(), &World::default(), None, &Options::default()), @r#"
    1 net [create] needs []
    2 group [create] needs [1]
    3 subnet [create] needs [1]
    4 database [create] needs [2 3]
    0 unchanged, 0 kept
    "#);
}

#[test]
fn an_applied_stack_has_nothing_to_do() {
    let stack = platform();
    assert_snapshot!(planned(&stack, &applied(&stack), Some(&LastApplied::of(&stack)), &Options::default()), @"4 unchanged, 0 kept");
}

#[test]
fn a_changed_config_and_drift_have_different_reasons() {
    let old = platform();
    let mut world = applied(&old);
    of(&mut world, "group").inputs.insert("rules".to_owned(), Value::text("*"));
    let mut new = old.clone();
    set(&mut new, "database", "size", Value::Int(80));
    assert_snapshot!(planned(&new, &world, Some(&LastApplied::of(&old)), &Options::default()), @r#"
    1 group [update group-1] needs []
        rules: "*" -> "5432" Drifted { was: Text("5432") }
    2 database [update database-1] needs [1]
        size: 50 -> 80 ConfigChanged
    2 unchanged, 0 kept
    "#);
    assert_snapshot!(planned(&new, &world, None, &Options::default()), @r#"
    1 group [update group-1] needs []
        rules: "*" -> "5432" Differs
    2 database [update database-1] needs [1]
        size: 50 -> 80 Differs
    2 unchanged, 0 kept
    "#);
}

static DOORS: Rules = kind("test.doors", &[Field::new("ports").overlaps(&["for"])], Order::CreateFirst, false);
static HOUSE: Rules = kind("test.house", &[Field::new("doors"), Field::new("port")], Order::CreateFirst, false);

/// A house that is entered at a port, and the doors that let somebody in, each for somebody.
fn house(port: i64, doors: &[(i64, &str)]) -> Stack {
    let door = |(port, whom): &(i64, &str)| {
        Value::Map(BTreeMap::from([("port".to_owned(), Value::Int(*port)), ("for".to_owned(), Value::text(*whom))]))
    };
    let mut stack = Stack::default();
    add(&mut stack, "doors", &DOORS, &[("ports", Value::List(doors.iter().map(door).collect()))]);
    add(&mut stack, "house", &HOUSE, &[("doors", to("doors")), ("port", Value::Int(port))]);
    stack
}

#[test]
fn a_door_in_whose_place_another_comes_closes_when_nobody_goes_through_it_any_more() {
    let old = house(1, &[(1, "guests"), (7, "cats")]);
    let mut world = applied(&old);
    let new = house(2, &[(2, "guests")]);
    let last = LastApplied::of(&old);
    let moves = plan(&new, &world, Some(&last), &Options::default()).unwrap();
    assert_snapshot!(planned(&new, &world, Some(&last), &Options::default()), @r#"
    1 doors [update doors-1] needs []
        ports: [{"for":"guests","port":1},{"for":"cats","port":7}] -> [{"for":"guests","port":2},{"for":"guests","port":1}] ConfigChanged
    2 house [update house-1] needs [1]
        port: 1 -> 2 ConfigChanged
    3 doors [update doors-1] needs [1 2]
        ports: [{"for":"guests","port":2},{"for":"guests","port":1}] -> [{"for":"guests","port":2}] ConfigChanged
    0 unchanged, 0 kept
    "#);
    assert_eq!(moves.still_holds(&new, &world, Some(&last), &Options::default()), Ok(()));

    // The house did not follow: the old door is still gone through, the next plan holds it until then.
    let between = house(1, &[(2, "guests"), (1, "guests")]);
    of(&mut world, "doors").inputs.clone_from(&between.resources[&id("doors")].inputs);
    assert_snapshot!(planned(&new, &world, Some(&last), &Options::default()), @r#"
    1 house [update house-1] needs []
        port: 1 -> 2 ConfigChanged
    2 doors [update doors-1] needs [1]
        ports: [{"for":"guests","port":2},{"for":"guests","port":1}] -> [{"for":"guests","port":2}] ConfigChanged
    0 unchanged, 0 kept
    "#);
    assert!(moves.still_holds(&new, &world, Some(&last), &Options::default()).is_err());

    // What nobody goes through closes at once, and so does what somebody opened by hand.
    of(&mut world, "house").inputs.insert("port".to_owned(), Value::Int(2));
    assert_snapshot!(planned(&new, &world, None, &Options::default()), @r#"
    1 doors [update doors-1] needs []
        ports: [{"for":"guests","port":2},{"for":"guests","port":1}] -> [{"for":"guests","port":2}] Differs
    1 unchanged, 0 kept
    "#);
}

static LANES: Rules = kind("test.lanes", &[Field::new("names").overlaps(&[])], Order::CreateFirst, false);

#[test]
fn a_name_in_whose_place_another_comes_goes_when_nobody_uses_it_any_more() {
    let road = |lane: &str, port| {
        let mut stack = Stack::default();
        add(&mut stack, "lanes", &LANES, &[("names", Value::List(vec![Value::text(lane)]))]);
        add(&mut stack, "house", &HOUSE, &[("doors", to("lanes")), ("port", Value::Int(port))]);
        stack
    };
    let old = road("left", 1);
    assert_snapshot!(planned(&road("right", 2), &applied(&old), Some(&LastApplied::of(&old)), &Options::default()), @r#"
    1 lanes [update lanes-1] needs []
        names: ["left"] -> ["right","left"] ConfigChanged
    2 house [update house-1] needs [1]
        port: 1 -> 2 ConfigChanged
    3 lanes [update lanes-1] needs [1 2]
        names: ["right","left"] -> ["right"] ConfigChanged
    0 unchanged, 0 kept
    "#);
}

#[test]
fn dependants_follow_a_replaced_target_in_place_or_by_replacement() {
    let old = platform();
    let mut new = old.clone();
    set(&mut new, "net", "range", Value::text("10.1.0.0/16"));
    assert_snapshot!(planned(&new, &applied(&old), Some(&LastApplied::of(&old)), &Options::default()), @r#"
    1 net [create for net-1 CreateFirst] needs []
        range!: "10.0.0.0/16" -> "10.1.0.0/16" ConfigChanged
    2 group [create for group-1 CreateFirst] needs [1]
        net!: {"$known":"net-1"} -> {"$ref":"net","output":"id"} Follows(LogicalId("net"))
    3 subnet [delete subnet-1 Replaced] needs []
    4 subnet [create for subnet-1 DeleteFirst] needs [1 3]
        net!: {"$known":"net-1"} -> {"$ref":"net","output":"id"} Follows(LogicalId("net"))
    5 database [update database-1] needs [2 4]
        subnet: {"$known":"subnet-1"} -> {"$ref":"subnet","output":"id"} Follows(LogicalId("subnet"))
        group: {"$known":"group-1"} -> {"$ref":"group","output":"id"} Follows(LogicalId("group"))
    6 group [delete group-1 Replaced] needs [2 5]
    7 net [delete net-1 Replaced] needs [1 3 6]
    0 unchanged, 0 kept
    "#);
}

static SETTING: Rules = kind("test.setting", &[Field::new("value").renews(&["id"])], Order::CreateFirst, false);
/// A setting of this value, and what takes it up.
fn a_setting_of(value: &str, id: &str, rules: &'static Rules) -> Stack {
    let mut stack = Stack::default();
    add(&mut stack, "setting", &SETTING, &[("value", Value::text(value))]);
    add(&mut stack, id, rules, &[("settings", to("setting"))]);
    stack
}

static JOB: Rules = kind("test.job", &[Field::new("settings").replaces()], Order::CreateFirst, false);

#[test]
fn what_cannot_change_in_place_is_replaced_when_a_target_that_can_gives_its_output_another_value() {
    let with = |value| a_setting_of(value, "job", &JOB);
    let (old, new) = (with("hello"), with("welcome"));
    let mut world = applied(&old);
    assert_snapshot!(planned(&new, &world, Some(&LastApplied::of(&old)), &Options::default()), @r#"
    1 setting [update setting-1] needs []
        value: "hello" -> "welcome" ConfigChanged
    2 job [delete job-1 Replaced] needs []
    3 job [create for job-1 DeleteFirst] needs [1 2]
        settings!: {"$known":"setting-1"} -> {"$ref":"setting","output":"id"} Follows(LogicalId("setting"))
    0 unchanged, 0 kept
    "#);

    // An output that only is not there yet may be what it was.
    let setting = of(&mut world, "setting");
    setting.health = Health::Settling("creating".to_owned());
    setting.outputs.clear();
    assert_snapshot!(planned(&old, &world, Some(&LastApplied::of(&old)), &Options::default()), @r"
    1 setting [wait setting-1 Ready] needs []
    1 unchanged, 0 kept
    ");
}

static REVISION: Rules = kind("test.revision", &[Field::new("settings").replaces()], Order::Numbered, false);

#[test]
fn a_revision_that_follows_a_value_comes_before_its_predecessor_goes_though_both_are_of_one_generation() {
    let with = |value| a_setting_of(value, "revision", &REVISION);
    let (old, new) = (with("hello"), with("welcome"));
    let world = applied(&old);
    assert_snapshot!(planned(&new, &world, Some(&LastApplied::of(&old)), &Options::default()), @r#"
    1 setting [update setting-1] needs []
        value: "hello" -> "welcome" ConfigChanged
    2 revision [create for revision-1 CreateFirst] needs [1]
        settings!: {"$known":"setting-1"} -> {"$ref":"setting","output":"id"} Follows(LogicalId("setting"))
    3 revision [delete revision-1 Replaced] needs [2]
    0 unchanged, 0 kept
    "#);
}

#[test]
fn a_protected_resource_is_not_deleted_or_replaced_without_leave() {
    let old = platform();
    let mut world = applied(&old);
    of(&mut world, "group").blockers.insert("a lease holds it: end the lease".to_owned());
    assert_snapshot!(planned(&Stack::default(), &world, None, &Options::default()), @r#"
    `database`: test.database `database-1` is protected and would be deleted (the stack does not name it any more): pass `--allow-destroy database` if that is meant
    `group`: AWS would not delete test.group `group-1`: a lease holds it: end the lease
    "#);
    let mut new = old.clone();
    set(&mut new, "database", "engine", Value::text("mysql"));
    assert_snapshot!(planned(&new, &applied(&old), None, &Options::default()), @"`database`: test.database `database-1` is protected and would be deleted (only a new one can be as the stack says): pass `--allow-destroy database` if that is meant");
    assert_snapshot!(planned(&new, &applied(&old), None, &allow(&["database"])), @r#"
    1 database [create for database-1 CreateFirst] needs []
        engine!: "pg" -> "mysql" Differs
    2 database [delete database-1 Replaced] needs [1]
    3 unchanged, 0 kept
    "#);
}

#[test]
fn destroying_goes_from_users_to_what_they_use() {
    assert_snapshot!(planned(&Stack::default(), &applied(&platform()), None, &allow(&["database"])), @r#"
    1 database [delete database-1 NoLongerInStack] needs []
    2 group [delete group-1 NoLongerInStack] needs [1]
    3 subnet [delete subnet-1 NoLongerInStack] needs [1]
    4 net [delete net-1 NoLongerInStack] needs [2 3]
    0 unchanged, 0 kept
    "#);
}

#[test]
fn what_is_protected_can_be_kept_with_all_that_it_uses() {
    let options = Options { keep_protected: true, ..Options::default() };
    let mut stack = platform();
    add(&mut stack, "other", &NET, &[("range", Value::text("10.9.0.0/16"))]);
    assert_snapshot!(planned(&Stack::default(), &applied(&stack), None, &options), @r#"
    1 other [delete other-1 NoLongerInStack] needs []
    0 unchanged, 4 kept
    "#);
}

#[test]
fn a_foreign_resource_is_named_and_can_be_adopted() {
    let stack = platform();
    let mut world = applied(&stack);
    of(&mut world, "group").identity = Identity::Foreign;
    of(&mut world, "group").inputs.insert("rules".to_owned(), Value::text("80"));
    assert_snapshot!(planned(&stack, &world, None, &Options::default()), @"`group`: test.group `group-1` exists but does not belong to this stack: pass `--adopt group` to take it over");
    let adopt = Options { adopt: BTreeSet::from([id("group")]), ..Options::default() };
    assert_snapshot!(planned(&stack, &world, None, &adopt), @r#"
    1 group [adopt group-1] needs []
    2 group [update group-1] needs [1]
        rules: "80" -> "5432" Differs
    3 unchanged, 0 kept
    "#);
}

#[test]
fn of_two_the_one_that_is_referenced_stays() {
    let stack = platform();
    let mut world = applied(&stack);
    of(&mut world, "net").identity = Identity::Ours(None);
    let mut second = of(&mut world, "net").clone();
    second.physical = "net-0".to_owned();
    second.outputs.insert("id".to_owned(), Value::text("net-0"));
    world.found.push(second);
    assert_snapshot!(planned(&stack, &world, None, &Options::default()), @r#"
    1 net [delete net-0 Duplicate] needs []
    4 unchanged, 0 kept
    "#);
}

#[test]
fn a_failed_resource_is_replaced_and_a_settling_one_waited_for() {
    let stack = platform();
    let mut world = applied(&stack);
    of(&mut world, "group").health = Health::Failed("no capacity".to_owned());
    of(&mut world, "database").health = Health::Settling("creating".to_owned());
    assert_snapshot!(planned(&stack, &world, None, &Options::default()), @r#"
    1 database [wait database-1 Ready] needs []
    2 group [delete group-1 Replaced] needs []
    3 group [create for group-1 DeleteFirst] needs [2]
    4 database [update database-1] needs [1 3]
        group: {"$known":"group-1"} -> {"$ref":"group","output":"id"} Follows(LogicalId("group"))
    2 unchanged, 0 kept
    "#);
}

#[test]
fn what_is_being_deleted_is_waited_for_and_made_again() {
    let stack = platform();
    let mut world = applied(&stack);
    of(&mut world, "database").health = Health::Deleting;
    assert_snapshot!(planned(&stack, &world, None, &Options::default()), @r#"
    1 database [wait database-1 Gone] needs []
    2 database [create] needs [1]
    3 unchanged, 0 kept
    "#);
}

#[test]
fn a_name_that_somebody_elses_deletion_still_holds_is_waited_for_and_then_taken() {
    let (stack, mut world) = (platform(), applied(&platform()));
    let database = of(&mut world, "database");
    (database.identity, database.health) = (Identity::Foreign, Health::Deleting);
    let plan = plan(&stack, &world, None, &Options::default()).unwrap();
    assert_sound(&plan);
    let [wait, create] = plan.steps.as_slice() else { panic!("{:#?}", plan.steps) };
    assert!(matches!(wait.action, Action::Wait { until: Until::Gone, .. }), "{wait:#?}");
    assert!(matches!(create.action, Action::Create { .. }) && create.needs.contains(&wait.number), "{create:#?}");
}

#[test]
fn entries_of_a_shared_field_that_were_ours_go_and_foreign_ones_stay() {
    let old = platform();
    let mut world = applied(&old);
    let tags =
        |entries: &[&str]| Value::Map(entries.iter().map(|key| ((*key).to_owned(), Value::text("shop"))).collect());
    of(&mut world, "net").inputs.insert("tags".to_owned(), tags(&["team", "theirs"]));
    let mut new = old.clone();
    set(&mut new, "net", "tags", tags(&["owner"]));
    assert_snapshot!(planned(&new, &world, Some(&LastApplied::of(&old)), &Options::default()), @r#"
    1 net [update net-1] needs []
        tags: {"team":"shop","theirs":"shop"} -> {"owner":"shop","theirs":"shop"} ConfigChanged
    3 unchanged, 0 kept
    "#);
    assert_snapshot!(planned(&new, &world, None, &Options::default()), @r#"
    1 net [update net-1] needs []
        tags: {"team":"shop","theirs":"shop"} -> {"owner":"shop","team":"shop","theirs":"shop"} Differs
    3 unchanged, 0 kept
    "#);
}

#[test]
fn a_circle_is_named() {
    let mut stack = platform();
    set(&mut stack, "net", "range", to("database"));
    assert_snapshot!(planned(&stack, &World::default(), None, &Options::default()), @"these resources need each other in a circle: database -> group -> net -> database");
}

#[test]
fn faults_of_a_stack_are_named() {
    let mut stack = platform();
    set(&mut stack, "group", "net", to("nowhere"));
    assert_snapshot!(planned(&stack, &World::default(), None, &Options::default()), @"`group` refers to `nowhere`, which the stack does not have");
    let mut stack = platform();
    set(&mut stack, "group", "colour", Value::Null);
    assert_snapshot!(planned(&stack, &World::default(), None, &Options::default()), @"`group`: the rules of kind `test.group` say nothing about its field `colour`");
    let mut stack = platform();
    let world = applied(&stack);
    set(&mut stack, "group", "rules", Value::Ref(Reference { id: id("net"), output: "colour".to_owned() }));
    assert_snapshot!(planned(&stack, &world, None, &Options::default()), @"`group` refers to output `colour` of `net`, which has no such output");
}

#[test]
fn drift_is_what_changed_outside_and_not_what_the_config_changes() {
    let old = platform();
    let mut world = applied(&old);
    of(&mut world, "group").inputs.insert("rules".to_owned(), Value::text("*"));
    world.found.retain(|found| found.id != id("subnet"));
    let mut new = old.clone();
    set(&mut new, "database", "size", Value::Int(80));
    let all = drift(&new, &world, Some(&LastApplied::of(&old)), &Options::default()).unwrap();
    let ids: Vec<_> = all.iter().map(|drift| drift.id.as_str()).collect();
    assert_eq!(ids, ["group", "subnet"]);
    assert!(matches!(all[0].what, Drifted::Changed(_)));
    assert_eq!(all[1].what, Drifted::Missing);
}

#[test]
fn a_saved_plan_holds_while_only_foreign_entries_move_and_falls_when_a_field_does() {
    let old = platform();
    let (mut world, last) = (applied(&old), LastApplied::of(&old));
    let mut new = old.clone();
    set(&mut new, "database", "size", Value::Int(80));
    set(&mut new, "net", "tags", Value::Map(BTreeMap::from([("owner".to_owned(), Value::text("shop"))])));
    let saved = plan(&new, &world, Some(&last), &Options::default()).unwrap();
    let holds = |world: &World| saved.still_holds(&new, world, Some(&last), &Options::default());
    assert_eq!(holds(&world), Ok(()));

    let Some(Value::Map(tags)) = of(&mut world, "net").inputs.get_mut("tags") else { panic!("tags are a map") };
    tags.insert("theirs".to_owned(), Value::text("x"));
    assert_eq!(holds(&world), Ok(()));
    let now = plan(&new, &world, Some(&last), &Options::default()).unwrap();
    assert_eq!(now.fingerprint(), saved.fingerprint());

    of(&mut world, "database").inputs.insert("size".to_owned(), Value::Int(60));
    assert_eq!(
        holds(&world).unwrap_err().to_string(),
        "`database` moved since the plan was made (field size): plan again"
    );
    let now = plan(&new, &world, Some(&last), &Options::default()).unwrap();
    assert_ne!(now.fingerprint(), saved.fingerprint());
}

#[test]
fn a_plan_of_another_format_is_not_read() {
    let saved = r#"{"format":2,"steps":[],"unchanged":0,"kept":[]}"#;
    let error = serde_json::from_str::<Plan>(saved).unwrap_err().to_string();
    assert!(error.starts_with("format 2 is not known here (this wharf reads 1)"), "{error}");
}

#[test]
fn generations_follow_replace_only_inputs_and_nothing_else() {
    let old = platform();
    let before = generations(&old).unwrap();
    let mut new = old.clone();
    set(&mut new, "database", "size", Value::Int(80));
    assert_eq!(generations(&new).unwrap(), before);
    set(&mut new, "net", "range", Value::text("10.1.0.0/16"));
    let after = generations(&new).unwrap();
    let moved: Vec<_> = before.keys().filter(|id| before[*id] != after[*id]).map(LogicalId::as_str).collect();
    assert_eq!(moved, ["group", "net", "subnet"]);
    assert_eq!(after[&id("net")].as_str().len(), 8);
    let _: &Generation = &after[&id("net")];
    assert!(!matches!(plan(&new, &applied(&old), None, &Options::default()), Err(PlanError::Cycle(_))));
}

//! How long planning takes: 10,000 resources are to be planned in 100 ms, and ten times as many in ten times that.

#![expect(clippy::unwrap_used, clippy::disallowed_macros, reason = "a benchmark may panic, and prints for itself")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf_engine::{
    Compare, Estimate, Field, Found, Health, Identity, LastApplied, LogicalId, Options, Order, Outputs, Reference,
    Resource, Rules, Stack, Value, World, generations, plan,
};

static KIND: Rules = Rules {
    kind: "bench.thing",
    fields: &[
        Field::new("shape").replaces(),
        Field::new("parent").replaces(),
        Field::new("size"),
        Field::new("neighbours").compared(Compare::Set),
    ],
    order: Order::CreateFirst,
    protected: false,
    visible_within: Duration::from_secs(10),
    estimate: Estimate::seconds(1, 1, 1),
};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

fn main() {
    divan::main();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        eprintln!("peak memory over all sizes: {}", peak.trim());
    }
}

fn id(number: usize) -> LogicalId {
    LogicalId::new(format!("module-{}.resource-{number}", number % 7)).unwrap()
}

/// Trees of depth log n, each resource with a parent and two neighbours.
fn stack(count: usize) -> Stack {
    let reference = |number: usize| Value::Ref(Reference { id: id(number), output: "id".to_owned() });
    let resource = |number: usize| {
        let parent = if number == 0 { Value::Null } else { reference(number / 2) };
        let neighbours = [number / 3, number / 5].into_iter().filter(|&other| other < number).map(reference).collect();
        let inputs = BTreeMap::from([
            ("shape".to_owned(), Value::text("square")),
            ("parent".to_owned(), parent),
            ("size".to_owned(), Value::Int(1)),
            ("neighbours".to_owned(), Value::List(neighbours)),
        ]);
        Resource { id: id(number), rules: &KIND, inputs, after: BTreeSet::new() }
    };
    Stack { resources: (0..count).map(|number| (id(number), resource(number))).collect() }
}

fn outputs(id: &LogicalId) -> Outputs {
    Outputs::from([
        ("id".to_owned(), Value::text(format!("thing-{id}"))),
        ("arn".to_owned(), Value::text(format!("arn:{id}"))),
    ])
}

/// The world in which the stack has been applied.
fn world(stack: &Stack) -> World {
    let generations = generations(stack).unwrap();
    let found = |resource: &Resource| Found {
        id: resource.id.clone(),
        rules: resource.rules,
        physical: format!("thing-{}", resource.id),
        identity: Identity::Ours(Some(generations[&resource.id].clone())),
        health: Health::Ready,
        inputs: resource
            .inputs
            .iter()
            .map(|(name, value)| (name.clone(), value.resolve(&|r| outputs(&r.id).get(&r.output).cloned())))
            .collect(),
        outputs: outputs(&resource.id),
        blockers: BTreeSet::new(),
    };
    World { found: stack.resources.values().map(found).collect() }
}

#[divan::bench(args = SIZES, sample_count = 12)]
fn nothing_to_do(bencher: divan::Bencher<'_, '_>, count: usize) {
    let stack = stack(count);
    let (world, last) = (world(&stack), LastApplied::of(&stack));
    bencher.bench_local(|| {
        let plan = plan(&stack, &world, Some(&last), &Options::default()).unwrap();
        assert_eq!(plan.unchanged, count);
    });
}

#[divan::bench(args = SIZES, sample_count = 12)]
fn everything_to_create(bencher: divan::Bencher<'_, '_>, count: usize) {
    let stack = stack(count);
    bencher.bench_local(|| plan(&stack, &World::default(), None, &Options::default()).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 12)]
fn everything_to_replace(bencher: divan::Bencher<'_, '_>, count: usize) {
    let old = stack(count);
    let (world, last) = (world(&old), LastApplied::of(&old));
    let mut new = old;
    for resource in new.resources.values_mut() {
        resource.inputs.insert("shape".to_owned(), Value::text("round"));
    }
    bencher.bench_local(|| plan(&new, &world, Some(&last), &Options::default()).unwrap());
}

#[divan::bench(args = SIZES, sample_count = 12)]
fn everything_to_destroy(bencher: divan::Bencher<'_, '_>, count: usize) {
    let stack = stack(count);
    let (world, last) = (world(&stack), LastApplied::of(&stack));
    bencher.bench_local(|| plan(&Stack::default(), &world, Some(&last), &Options::default()).unwrap());
}

//! Every field that only a new resource can have otherwise: the plan says so and why, old and new come in the kind's
//! order, whoever referred to the old one refers to the new one, and nothing of the old one is left. The fields are
//! found in the kinds' rules, so the next kind is covered the day it is written.

mod laws;
mod values;

use std::collections::BTreeSet;
use std::time::Duration;

use values::{Case, UNREACHED};
use wharf::config::Config;
use wharf_engine::{AllowDestroy, Change, Owner, Stack};
use wharf_tests::parallel::each;
use wharf_tests::stack::{World, every_kind_is_among, everything, in_virtual_time};

/// A kind's field.
type Field = (String, String);

/// A stack that stands, and the resources that were wanted of it.
struct Standing {
    world: World,
    stack: Stack,
}

fn standing(config: Config) -> Standing {
    in_virtual_time(async {
        let mut world = World::new(8, config);
        let applied = world.apply().await.expect("the stack can be applied");
        assert!(applied.complete(), "{:?}", applied.runs.last().map(|(_, outcome)| outcome));
        tokio::time::sleep(Duration::from_secs(7200)).await;
        world.final_snapshot = false;
        world.options.allow_destroy = AllowDestroy::All;
        let session = world.session("stack").await.expect("the account can be reached");
        let stack = world.stack(&session);
        Standing { world: world.fork_at(world.sandbox.now()), stack }
    })
}

impl Standing {
    /// Each case in a copy of the account; answers the fields that were reasons, and what was wrong.
    fn all(&self, cases: &[Case]) -> (BTreeSet<Field>, Vec<String>) {
        let results = each(cases, |case| {
            let world = || self.world.fork_at(self.world.sandbox.now());
            let result = in_virtual_time(async { laws::hold(&world(), case).await });
            vec![result.map_err(|problem| format!("{} {}: {problem}", case.id, case.field))]
        });
        let (good, bad): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        (good.into_iter().flatten().flatten().collect(), bad.into_iter().filter_map(Result::err).collect())
    }
}

#[test]
fn every_field_that_replaces_does_so_in_the_right_order_with_all_that_depends_on_it_and_leaves_nothing() {
    let (mut reached, mut problems, mut seen) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    let all: Vec<Standing> = everything().into_iter().map(standing).collect();
    for standing in &all {
        let (fields, wrong) = standing.all(&values::plain(&standing.stack, &mut seen));
        reached.extend(fields);
        problems.extend(wrong);
    }
    // References that no change so far has moved.
    for standing in &all {
        let (fields, wrong) = standing.all(&values::references(&standing.stack, &reached));
        reached.extend(fields);
        problems.extend(wrong);
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    let resources = all.iter().flat_map(|standing| standing.stack.resources.values());
    every_kind_is_among(resources.map(|resource| resource.rules.kind).collect());
    let replacing = wharf::aws::kinds().into_iter().flat_map(|kind| {
        let rules = kind.rules();
        let fields = rules.fields.iter().filter(|field| field.change == Change::Replace && field.owner == Owner::Stack);
        fields.map(|field| (rules.kind.to_owned(), field.name.to_owned())).collect::<Vec<_>>()
    });
    let excused = |(kind, field): &Field| UNREACHED.iter().any(|(k, f, _)| k == kind && f == field);
    let missed: Vec<_> = replacing.filter(|field| !reached.contains(field) && !excused(field)).collect();
    assert_eq!(missed, [], "nothing replaced anything for these");
    let needless = UNREACHED.iter().map(|(kind, field, _)| ((*kind).to_owned(), (*field).to_owned()));
    let needless: Vec<_> = needless.filter(|field| reached.contains(field)).collect();
    assert_eq!(needless, [], "these need no excuse");
}

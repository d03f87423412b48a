//! A stack's whole life: up, nothing to do, changed, down to nothing.

use wharf_tests::stack::{World, config, in_virtual_time, users_config};

/// What the account still holds, by kind and id. A key that waits for its deletion is as gone as AWS lets it be; the
/// service-linked role and the log group of enhanced monitoring are shared by all databases of the account.
fn left(world: &World) -> Vec<String> {
    let inventory = world.sandbox.inventory();
    let held = inventory.iter().filter(|resource| resource.text("KeyState") != "PendingDeletion");
    let shared = ["iam.role AWSServiceRoleForRDS", "logs.group RDSOSMetrics"];
    held.map(|resource| format!("{} {}", resource.kind, resource.id))
        .filter(|id| !shared.contains(&id.as_str()))
        .collect()
}

#[test]
fn the_users_stack_goes_up_is_planned_empty_and_comes_down_to_nothing_in_any_weather() {
    for seed in 0..6 {
        in_virtual_time(async {
            let mut world = World::new(seed, users_config());
            world.final_snapshot = false;
            let applied = world.apply().await.expect("the stack can be applied");
            assert!(applied.complete(), "seed {seed}: {:?}", applied.runs.last().map(|(_, outcome)| outcome));
            let planned = world.plan().await.expect("the stack can be planned");
            assert!(planned.plan.steps.is_empty(), "seed {seed}: {:#?}", planned.plan.steps);
            let destroyed = world.destroy().await.expect("the stack can be destroyed");
            assert!(destroyed.complete(), "seed {seed}: {:?}", destroyed.runs.last().map(|(_, outcome)| outcome));
            assert_eq!(left(&world), [""; 0], "seed {seed}");
        });
    }
}

#[test]
fn every_kind_of_egress_over_one_to_three_zones_goes_up_is_planned_empty_and_comes_down_to_nothing() {
    for egress in ["nat", "nat-zonal", "endpoints", "public"] {
        for zones in [2, 3] {
            in_virtual_time(async {
                let rest = format!("[network]\negress = \"{egress}\"\nzones = {zones}\n[services.web]\nport = 8000\n");
                let world = World::new(1, config(&rest));
                let applied = world.apply().await.expect("the stack can be applied");
                assert!(applied.complete(), "{egress}: {:?}", applied.runs.last().map(|(_, outcome)| outcome));
                let planned = world.plan().await.expect("the stack can be planned");
                assert!(planned.plan.steps.is_empty(), "{egress}: {:#?}", planned.plan.steps);
                let destroyed = world.destroy().await.expect("the stack can be destroyed");
                assert!(destroyed.complete(), "{egress}: {:?}", destroyed.runs.last().map(|(_, outcome)| outcome));
                assert_eq!(left(&world), [""; 0], "{egress} over {zones} zones");
            });
        }
    }
}

#[test]
fn destroying_leaves_the_final_snapshot_and_the_key_that_it_needs_and_says_so() {
    in_virtual_time(async {
        let world = World::new(3, users_config());
        let applied = world.apply().await.expect("the stack can be applied");
        assert!(applied.complete(), "{:?}", applied.runs.last().map(|(_, outcome)| outcome));
        let destroyed = world.destroy().await.expect("the stack can be destroyed");
        assert!(destroyed.complete(), "{:?}", destroyed.runs.last().map(|(_, outcome)| outcome));
        let named: Vec<_> = destroyed.left.iter().map(|left| left.kind.as_str()).collect();
        assert_eq!(named, ["rds.snapshot", "kms.key"]);
        let left = left(&world);
        assert_eq!(left.len(), 2, "{left:?}");
        for named in &destroyed.left {
            assert!(left.iter().any(|left| left.ends_with(&named.physical)), "{named:?} of {left:?}");
        }
    });
}

//! The whole platform of the user's stack file: up, nothing to do, changed, down.

use wharf_tests::stack::{World, in_virtual_time, whole_config};

#[test]
fn the_whole_platform_goes_up_is_planned_empty_and_comes_down_in_any_weather() {
    for seed in 1..4 {
        in_virtual_time(async {
            let mut world = World::new(seed, whole_config());
            world.final_snapshot = false;
            let applied = world.apply().await.expect("the stack can be applied");
            assert!(applied.complete(), "seed {seed}: {:?}", applied.runs.last().map(|(_, outcome)| outcome));
            let planned = world.plan().await.expect("the stack can be planned");
            assert!(planned.plan.steps.is_empty(), "seed {seed}: {:#?}", planned.plan.steps);
            let destroyed = world.destroy().await.expect("the stack can be destroyed");
            assert!(destroyed.complete(), "seed {seed}: {:?}", destroyed.runs.last().map(|(_, outcome)| outcome));
        });
    }
}

//! The whole platform of the user's stack file: up, nothing to do, changed, down.

use wharf::config::Config;
use wharf_tests::stack::{World, config, in_virtual_time, whole_config};

/// Up, nothing to do, down.
fn lives(seed: u64, what: &str, config: Config) {
    in_virtual_time(async {
        let mut world = World::new(seed, config);
        world.final_snapshot = false;
        let applied = world.apply().await.expect("the stack can be applied");
        assert!(applied.complete(), "{what}: {:?}", applied.runs.last().map(|(_, outcome)| outcome));
        let planned = world.plan().await.expect("the stack can be planned");
        assert!(planned.plan.steps.is_empty(), "{what}: {:#?}", planned.plan.steps);
        let destroyed = world.destroy().await.expect("the stack can be destroyed");
        assert!(destroyed.complete(), "{what}: {:?}", destroyed.runs.last().map(|(_, outcome)| outcome));
    });
}

const DOMAIN: &str = "[edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n";

#[test]
fn the_whole_platform_goes_up_is_planned_empty_and_comes_down_in_any_weather() {
    for seed in 1..4 {
        lives(seed, &format!("seed {seed}"), whole_config());
    }
}

/// Every two of egress, zones, way of deploying, processors and domain stand together in one of them at least, where
/// that makes sense.
#[test]
fn every_way_to_run_it_goes_up_is_planned_empty_and_comes_down() {
    for (egress, zones, deploy, instance, more) in [
        ("nat", 2, "rolling", "m7g.large", "redirect_http = true\n"),
        ("nat", 3, "blue-green", "m7i.large", ""),
        ("nat-zonal", 2, "canary", "m7i.large", ""),
        ("nat-zonal", 3, "rolling", "m7g.large", ""),
        ("endpoints", 2, "blue-green", "m7g.large", ""),
        ("endpoints", 3, "linear", "m7i.large", "create_zone = true\n"),
        ("public", 2, "linear", "m7g.large", ""),
        ("public", 3, "canary", "m7g.large", ""),
    ] {
        let file = format!(
            "[network]\negress = \"{egress}\"\nzones = {zones}\n[cluster]\ninstance_type = \"{instance}\"\nmax = 8\n\
             {DOMAIN}{more}[alerts]\n[services.web]\nport = 8000\ndeploy = \"{deploy}\"\n\
             [services.worker]\ntasks = {{ min = 1, max = 2 }}\n[services.tidy]\nschedule = \"rate(1 hour)\"\n"
        );
        lives(1, &format!("{egress}, {zones} zones, {deploy}, {instance}"), config(&file));
    }
}

//! What a user changes once the platform serves: each plan is the smallest that does it, says why, and the public
//! service goes on serving at every moment of its apply.

use std::collections::BTreeSet;

use wharf::config::{Config, Deploy};
use wharf::operations::Wanted;
use wharf_engine::{Action, AllowDestroy, Because, LogicalId, Order, Step};
use wharf_tests::service::Stage;
use wharf_tests::stack::{config, in_virtual_time};

const FILE: &str = "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = 6\n\
    [edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n\
    [services.web]\nport = 8000\nhealth = \"/healthz\"\ntasks = { min = 2 }\n\
    [services.mail]\nport = 8025\nallow = [\"203.0.113.0/24\"]\ntasks = { min = 1 }\n";

fn file() -> Config {
    config(FILE)
}

/// What a plan does to which resource: `update edge.https`.
fn does(steps: &[Step]) -> BTreeSet<String> {
    let verb = |step: &Step| match &step.action {
        Action::Create { .. } => "create",
        Action::Update { .. } => "update",
        Action::Adopt { .. } => "adopt",
        Action::Delete { .. } => "delete",
        Action::Wait { .. } => "wait for",
    };
    steps.iter().map(|step| format!("{} {}", verb(step), step.id)).collect()
}

/// Each step has a reason, and none is blamed on somebody who drifted.
fn all_explained(steps: &[Step]) {
    for step in steps {
        assert!(!step.reasons.is_empty(), "{step:#?}");
        if let Action::Update { changes, .. } = &step.action {
            let ours = |because: &Because| matches!(because, Because::ConfigChanged | Because::Follows(_));
            assert!(changes.iter().all(|change| ours(&change.because)), "{step:#?}");
        }
    }
}

/// The plan after a change is exactly this, and while it is applied two targets of the public service serve always.
async fn changed(stage: &mut Stage, change: impl FnOnce(&mut Config), expected: &[&str]) {
    change(&mut stage.world.config);
    let planned = stage.world.plan().await.unwrap_or_else(|error| panic!("{error:?}"));
    all_explained(&planned.plan.steps);
    let expected: BTreeSet<String> = expected.iter().map(|step| (*step).to_owned()).collect();
    assert_eq!(does(&planned.plan.steps), expected);
    applied(stage).await;
}

/// Applies, and two targets of the public service serve always.
async fn applied(stage: &Stage) {
    let begun = stage.world.sandbox.now();
    let ((), (fewest, at)) = stage.while_serving(stage.apply()).await;
    let after = at.duration_since(begun).as_secs();
    assert!(fewest >= 2, "{fewest} served {after} seconds after the apply began");
    stage.plan_is_empty().await;
}

async fn serving(config: Config) -> Stage {
    let (stage, _) = Stage::running(config).await;
    assert_eq!(stage.serving(), 2);
    stage
}

#[test]
fn another_instance_type_is_another_version_of_the_template_and_the_group_follows() {
    in_virtual_time(async {
        let mut stage = serving(file()).await;
        let larger = |config: &mut Config| {
            if let Some(cluster) = &mut config.cluster {
                cluster.instance_type = "m7g.xlarge".to_owned();
            }
        };
        changed(&mut stage, larger, &["update cluster.launch-template", "update cluster.group"]).await;
        let instances = stage.of_kind("ec2.instance");
        let running = instances.iter().filter(|one| one.attrs["instanceState"]["name"] == "running");
        assert!(running.into_iter().all(|one| one.text("instanceType") == "m7g.xlarge"));
    });
}

#[test]
fn other_tags_that_count_change_what_is_kept_and_deploy_nothing() {
    in_virtual_time(async {
        let mut stage = serving(file()).await;
        let tags = |config: &mut Config| {
            config.services.get_mut("web").expect("it is there").images.tags = "release-*".to_owned();
        };
        changed(&mut stage, tags, &["update registry.web", "update reactions.on-image-push.function"]).await;
    });
}

#[test]
fn another_port_is_another_revision_behind_the_same_target_group() {
    in_virtual_time(async {
        let mut stage = serving(file()).await;
        let port = |config: &mut Config| config.services.get_mut("web").expect("it is there").port = Some(9000);
        let expected = [
            "update network.balancer-security-group",
            "update network.tasks-security-group",
            "create services.web.task-definition",
            "delete services.web.task-definition",
            "update services.web.service",
        ];
        changed(&mut stage, port, &expected).await;
    });
}

#[test]
fn another_value_of_a_variable_is_another_revision_in_the_same_apply() {
    in_virtual_time(async {
        let with = |greeting: &str| format!("{FILE}[services.web.env]\nGREETING = \"{greeting}\"\n");
        let mut stage = serving(config(&with("hello"))).await;
        let changed_file = config(&with("welcome"));
        let expected = [
            "update services.web.env.greeting",
            "create services.web.task-definition",
            "delete services.web.task-definition",
            "update services.web.service",
        ];
        changed(&mut stage, |config| *config = changed_file, &expected).await;
    });
}

#[test]
fn a_variable_changes_beside_the_image_that_runs_which_is_not_the_newest_and_the_old_revision_goes_last() {
    in_virtual_time(async {
        let with = |greeting: &str| {
            let env = |service: &str| format!("[services.{service}.env]\nGREETING = \"{greeting}\"\n");
            let tidy = "[services.tidy]\nschedule = \"rate(1 day)\"\nrepository = \"web\"\n";
            config(&format!("{FILE}{}{tidy}{}", env("web"), env("tidy")))
        };
        let (mut stage, first) = Stage::running(with("hello")).await;
        stage.deploy_periodic("first", Wanted::Tag("v1")).await.expect("it is deployed");
        let second = stage.push("v2").await;
        stage.world.config = with("welcome");
        let planned = stage.world.plan().await.unwrap_or_else(|error| panic!("{error:?}"));
        for step in &planned.plan.steps {
            if let Action::Create { replaces, .. } = &step.action {
                assert_eq!(replaces.as_ref().map(|old| old.order), Some(Order::CreateFirst), "{step:#?}");
            }
        }
        applied(&stage).await;
        assert_eq!((stage.tasks(&first), stage.tasks(&second)), (2, 0));
        let active = |family: &str| {
            let all = stage.of_kind("ecs.task-definition").into_iter();
            let mut all: Vec<_> =
                all.filter(|one| one.text("family") == family && one.text("status") == "ACTIVE").collect();
            all.sort_by_key(|one| one.attrs["revision"].as_i64());
            all
        };
        for family in ["shop-web", "shop-tidy"] {
            let revisions = active(family);
            let newest = revisions.last().expect("one is left").attrs["containerDefinitions"].to_string();
            assert!(newest.contains(&first) && !newest.contains(&second), "{newest}");
            assert!(revisions.len() > 1, "what rollouts registered stays");
        }
    });
}

#[test]
fn another_health_path_is_asked_by_the_same_target_group() {
    in_virtual_time(async {
        let mut stage = serving(file()).await;
        let path = |config: &mut Config| {
            config.services.get_mut("web").expect("it is there").health = Some("/live".to_owned());
        };
        changed(&mut stage, path, &["update services.web.target-group"]).await;
    });
}

#[test]
fn another_domain_is_another_certificate_other_names_and_the_same_tasks() {
    in_virtual_time(async {
        let mut stage = serving(file()).await;
        let domain = |config: &mut Config| {
            if let Some(edge) = &mut config.edge {
                edge.domain = Some("www.example.com".parse().expect("a domain"));
            }
        };
        domain(&mut stage.world.config);
        let planned = stage.world.plan().await.unwrap_or_else(|error| panic!("{error:?}"));
        all_explained(&planned.plan.steps);
        let edge = |step: &String| step.contains(" edge.") || step.ends_with(".rule");
        let steps = does(&planned.plan.steps);
        assert!(steps.iter().all(edge), "{steps:#?}");
        assert!(["create edge.certificate", "update edge.https"].iter().all(|one| steps.contains(*one)), "{steps:#?}");
        applied(&stage).await;
    });
}

#[test]
fn a_third_zone_is_two_more_subnets_which_balancer_instances_and_tasks_take_in() {
    in_virtual_time(async {
        let mut stage = serving(file()).await;
        let expected = [
            "create network.private-c",
            "create network.public-c",
            "update network.private-routes",
            "update network.public-routes",
            "update edge.load-balancer",
            "update cluster.group",
            "update services.web.service",
            "update services.mail.service",
        ];
        changed(&mut stage, |config| config.network.zones = 3, &expected).await;
        let zones: BTreeSet<String> =
            stage.of_kind("ecs.container-instance").iter().map(|one| one.text("_zone").to_owned()).collect();
        assert!(zones.len() >= 2, "{zones:?}");
    });
}

#[test]
fn one_way_of_deploying_becomes_another_and_back_while_either_group_is_live() {
    in_virtual_time(async {
        let mut stage = serving(file()).await;
        let way = |deploy: Deploy| {
            move |config: &mut Config| config.services.get_mut("web").expect("it is there").deploy = deploy
        };
        let turns = [
            "create services.web.alternate-target-group",
            "create services.web.deployment-role",
            "update services.web.rule",
            "update services.web.service",
        ];
        changed(&mut stage, way(Deploy::BlueGreen), &turns).await;
        changed(&mut stage, way(Deploy::Canary), &["update services.web.service"]).await;
        stage.push("v2").await;
        stage.deploy("second", Wanted::Tag("v2")).await.expect("it is answered");
        assert_eq!(stage.serving(), 2);
        way(Deploy::Rolling)(&mut stage.world.config);
        applied(&stage).await;
    });
}

#[test]
fn a_service_that_is_removed_takes_what_is_its_own_along_and_nothing_else() {
    in_virtual_time(async {
        let mut stage = serving(file()).await;
        stage.world.config.services.remove("mail");
        // A repository goes only with leave.
        let repository = LogicalId::new("registry.mail").expect("an id");
        stage.world.options.allow_destroy = AllowDestroy::These([repository].into());
        let planned = stage.world.plan().await.unwrap_or_else(|error| panic!("{error:?}"));
        all_explained(&planned.plan.steps);
        let own = |step: &String| {
            let its = step.starts_with("delete ") && step.contains("mail");
            // Ways are closed, and what rolls out pushes hears of none to it any more.
            let of_others = ["update network.", "update reactions.on-image-push."];
            its || of_others.iter().any(|one| step.starts_with(one))
        };
        let steps = does(&planned.plan.steps);
        assert!(!steps.iter().any(|step| step.contains("services.web.")), "{steps:#?}");
        assert!(steps.iter().filter(|step| !step.contains(" edge.")).all(own), "{steps:#?}");
        applied(&stage).await;
    });
}

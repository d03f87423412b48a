//! What would fail, or never end, is said when it is planned, with what to do about it: nothing has been written then.

use wharf::operations::Error;
use wharf_engine::{Action, Blocker, PlanError, Reason};
use wharf_sandbox::{Quota, Sandbox};
use wharf_tests::service::Stage;
use wharf_tests::stack::{World, config, in_virtual_time};

const EDGE: &str = "[network]\negress = \"public\"\n[cluster]\nmin = 2\nmax = 4\n\
    [edge]\ndomain = \"shop.example.com\"\nzone = \"example.com\"\n";
const SERVICE: &str = "[services.web]\nport = 8000\nhealth = \"/healthz\"\ntasks = { min = 2, max = 4 }\n";

/// The plan is refused for one reason, before any write. Answers what is said.
async fn refused(world: &World) -> String {
    let before = world.sandbox.call_log().len();
    let ended = world.apply().await;
    let Err(Error::Plan(PlanError::Blocked(blockers))) = ended else { panic!("{ended:?}") };
    let [Blocker::Hopeless { .. }] = blockers.as_slice() else { panic!("{blockers:#?}") };
    let calls = world.sandbox.call_log();
    assert!(calls[before..].iter().all(|call| !call.write), "something was written");
    blockers[0].to_string()
}

async fn applied(world: &World) {
    let applied = world.apply().await.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(applied.complete(), "{:#?}", applied.runs.last().map(|(_, outcome)| &outcome.failed));
}

/// A session that looks for no zone, to act in the account from beside.
async fn beside(world: &World) -> wharf::operations::Session {
    let mut world = world.clone();
    world.config.edge = None;
    world.session("beside").await.expect("the account can be reached")
}

#[test]
fn a_zone_that_nobody_delegated_is_said_at_once_with_the_servers_to_name() {
    in_virtual_time(async {
        let world = World::in_account(Sandbox::builder().seed(4).build(), config(&format!("{EDGE}{SERVICE}")));
        let session = beside(&world).await;
        let create = || session.aws.route53.create_hosted_zone().name("example.com").caller_reference("by hand");
        let made = session.aws.call("route53:CreateHostedZone", "example.com", || create().send()).await;
        let servers = made.expect("a zone can be made").delegation_set.expect("it has servers").name_servers;
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;

        let said = refused(&world).await;
        assert!(said.contains("edge.issued-certificate") && said.contains("is not delegated"), "{said}");
        assert!(servers.iter().all(|server| said.contains(server.trim_end_matches('.'))), "{said}");

        assert!(world.sandbox.delegate("example.com"));
        applied(&world).await;
    });
}

/// The certificate cannot be had yet, and nothing else stands against the run. Answers what is said.
async fn held_up(world: &World) -> String {
    let applied = world.apply().await.unwrap_or_else(|error| panic!("{error:?}"));
    let (planned, outcome) = applied.runs.last().expect("there is something to do");
    let [(number, failure)] = outcome.failed.as_slice() else { panic!("{outcome:#?}") };
    let failed = planned.plan.steps.iter().find(|step| step.number == *number).expect("a step of the plan");
    assert_eq!(failed.id.as_str(), "edge.issued-certificate");
    assert!(!outcome.skipped.is_empty(), "nothing waits for a certificate");
    format!("{} {}", failure.message, failure.hint.as_deref().unwrap_or_default())
}

#[test]
fn a_zone_that_the_stack_makes_holds_up_its_certificate_alone_until_the_registrar_names_its_servers() {
    in_virtual_time(async {
        let file = format!("{EDGE}create_zone = true\n{SERVICE}");
        let mut world = World::in_account(Sandbox::builder().seed(9).build(), config(&file));
        world.delegates = false;
        let of_kind = |world: &World, kind| {
            world.sandbox.resources().into_iter().filter(|resource| resource.kind == kind).collect::<Vec<_>>()
        };
        let said = held_up(&world).await;
        assert!(said.contains("example.com is not delegated"), "{said}");
        let zones = of_kind(&world, "route53.hosted-zone");
        let [zone] = zones.as_slice() else { panic!("{zones:?}") };
        let servers = zone.items("_servers");
        assert!(servers.len() == 4 && servers.iter().all(|one| said.contains(one.as_str().expect("a name"))), "{said}");

        // Meanwhile a change that needs no certificate is made.
        assert_eq!(of_kind(&world, "elasticloadbalancing.listener").len(), 0);
        world.config = config(&file.replace("create_zone = true\n", "create_zone = true\nredirect_http = true\n"));
        assert_eq!(held_up(&world).await, said);
        assert_eq!(of_kind(&world, "elasticloadbalancing.listener").len(), 1);

        assert!(world.sandbox.delegate("example.com"));
        applied(&world).await;
        assert_eq!(of_kind(&world, "elasticloadbalancing.listener").len(), 2);
        assert!(world.plan().await.expect("there is a plan").plan.steps.is_empty());
    });
}

#[test]
fn too_few_addresses_are_said_with_the_quota_and_what_there_is() {
    in_virtual_time(async {
        let mut world = World::new(5, config("[network]\negress = \"nat-zonal\"\nzones = 3\n"));
        world.config.services.clear();
        let session = beside(&world).await;
        for _ in 0..3 {
            let send = || session.aws.ec2.allocate_address().domain("vpc".into()).send();
            while session.aws.call("ec2:AllocateAddress", "it", send).await.is_err() {}
        }
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        let said = refused(&world).await;
        for part in ["3 more Elastic IP addresses", "has 3 of the 5", "L-0263D0A3"] {
            assert!(said.contains(part), "no `{part}` in {said}");
        }
        world.sandbox.set_quota(Quota::ElasticIps, 6);
        applied(&world).await;
    });
}

#[test]
fn an_account_too_new_for_what_the_functions_reserve_is_said() {
    in_virtual_time(async {
        let world = World::new(6, config(&format!("{EDGE}{SERVICE}[alerts]\n")));
        world.sandbox.set_quota(Quota::ConcurrentExecutions, 10);
        let said = refused(&world).await;
        assert!(said.contains("of the account's 10") && said.contains("L-B99A9384"), "{said}");
        world.sandbox.set_quota(Quota::ConcurrentExecutions, 1000);
        applied(&world).await;
    });
}

#[test]
fn a_service_whose_name_still_drains_is_planned_for_and_made_when_the_name_is_free() {
    in_virtual_time(async {
        let stage = Stage::of(World::calm(7, config(&format!("{EDGE}{SERVICE}"))));
        stage.apply().await;
        stage.push("v1").await;
        stage.deploy("first", wharf::operations::Wanted::Tag("v1")).await.expect("it is answered");
        let session = beside(&stage.world).await;
        // Somebody deletes it by hand, and a protected task keeps it.
        let tasks = stage.of_kind("ecs.task");
        let task = tasks.iter().find(|task| task.text("lastStatus") == "RUNNING").expect("a task").text("taskArn");
        let protect = || session.aws.ecs.update_task_protection().cluster("shop").protection_enabled(true);
        let protect = || protect().tasks(task).expires_in_minutes(5).send();
        session.aws.call("ecs:UpdateTaskProtection", "it", protect).await.expect("it is protected");
        let untag =
            || session.aws.ecs.untag_resource().resource_arn("arn:aws:ecs:us-east-1:123456789012:service/shop/web");
        let keys = ["wharf:stack", "wharf:id", "wharf:gen"].map(str::to_owned).to_vec();
        let send = || untag().set_tag_keys(Some(keys.clone())).send();
        session.aws.call("ecs:UntagResource", "it", send).await.expect("tags go");
        let send = || session.aws.ecs.delete_service().cluster("shop").service("web").force(true).send();
        session.aws.call("ecs:DeleteService", "web", send).await.expect("it goes");

        let planned = stage.world.plan().await.expect("there is a plan");
        let of_it: Vec<_> =
            planned.plan.steps.iter().filter(|step| step.id.as_str().ends_with("web.service")).collect();
        let waits = |action: &Action| matches!(action, Action::Wait { .. });
        assert!(of_it.iter().any(|step| waits(&step.action) && step.reasons == [Reason::Deleting]), "{of_it:#?}");
        assert!(of_it.iter().any(|step| matches!(step.action, Action::Create { .. })), "{of_it:#?}");
        stage.apply().await;
        stage.plan_is_empty().await;
    });
}

#[test]
fn trunking_that_is_counted_on_but_switched_off_is_said_and_costs_a_call_only_then() {
    in_virtual_time(async {
        let file = |more: &str| format!("{}{SERVICE}", EDGE.replace("max = 4\n", &format!("max = 4\n{more}")));
        let without = World::calm(8, config(&file("instance_type = \"m7g.large\"\n")));
        without.session("look").await.expect("the account can be reached");
        let asked = |world: &World| {
            world.sandbox.call_log().iter().filter(|call| call.operation == "ListAccountSettings").count()
        };
        assert_eq!(asked(&without), 0);

        let world = World::calm(8, config(&file("instance_type = \"m7g.large\"\ntrunking = true\n")));
        let session = world.session("look").await.expect("the account can be reached");
        assert_eq!(asked(&world), 1);
        let error = wharf::platform::stack(&world.config, &session.connection().site()).expect_err("it is off");
        let said = error.to_string();
        assert!(said.contains("awsvpcTrunking") && said.contains("put-account-setting-default"), "{said}");
        let put = || session.aws.ecs.put_account_setting_default().name("awsvpcTrunking".into()).value("enabled");
        session.aws.call("ecs:PutAccountSettingDefault", "it", || put().send()).await.expect("it is switched on");
        applied(&world).await;
    });
}

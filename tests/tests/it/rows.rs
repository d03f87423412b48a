//! What the requirements ask for, row by row, as boto3 sees it in the account after an apply of the user's stack.

use std::sync::OnceLock;

use wharf_sandbox::Sandbox;
use wharf_tests::python::{self, succeed};
use wharf_tests::root;
use wharf_tests::served::Served;
use wharf_tests::stack::{World, in_virtual_time, users_config, whole_config};

/// The account after an apply and an hour, in which the first backup is made.
fn applied() -> &'static Sandbox {
    static APPLIED: OnceLock<Sandbox> = OnceLock::new();
    APPLIED.get_or_init(|| {
        in_virtual_time(async {
            let world = World::new(7, users_config());
            assert!(world.apply().await.expect("the stack can be applied").complete());
            tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
            world.sandbox.fork_with_clock(wharf_sandbox::SimClock::new(world.sandbox.now()))
        })
    })
}

/// The account after an apply of the whole stack file.
fn whole() -> &'static Sandbox {
    static WHOLE: OnceLock<Sandbox> = OnceLock::new();
    WHOLE.get_or_init(|| {
        in_virtual_time(async {
            let world = World::new(7, whole_config());
            assert!(world.apply().await.expect("the stack can be applied").complete());
            tokio::time::sleep(std::time::Duration::from_secs(600)).await;
            world.sandbox.fork_with_clock(wharf_sandbox::SimClock::new(world.sandbox.now()))
        })
    })
}

/// One part of `tests/python/platform_rows.py`, against a copy of that account on a port.
fn platform_row(name: &str) {
    let sandbox = whole();
    let served = in_virtual_time(async { Served::copy_of(sandbox, 1.0) });
    let mut command = python::command("python");
    command.arg(root().join("tests/python/platform_rows.py")).arg(name);
    succeed(command.env("AWS_ENDPOINT_URL", &served.url), name);
}

/// One part of `tests/python/rows.py`, against a copy of that account on a port.
fn row(name: &str) {
    let sandbox = applied();
    let served = in_virtual_time(async { Served::copy_of(sandbox, 1.0) });
    let mut command = python::command("python");
    command.arg(root().join("tests/python/rows.py")).arg(name).arg(root().join("infra/.env.example"));
    succeed(command.env("AWS_ENDPOINT_URL", &served.url), name);
}

#[test]
fn row_1_1_one_vpc_two_public_and_two_private_subnets_over_two_zones_with_routes_and_gateways() {
    row("1.1");
}

#[test]
fn row_1_2_the_balancer_takes_443_from_the_world_the_tasks_the_balancer_the_database_the_tasks_alone() {
    row("1.2");
}

#[test]
fn row_1_3_postgresql_over_two_zones_in_the_private_subnets_with_backups_and_restore_to_any_second() {
    row("1.3");
}

#[test]
fn row_1_4_every_variable_of_env_example_is_a_parameter_and_what_is_secret_is_encrypted() {
    row("1.4");
}

#[test]
fn row_1_5_a_repository_for_each_image_with_fixed_tags_scans_and_an_end() {
    row("1.5");
}

#[test]
fn row_7_1_all_that_is_stored_is_encrypted_with_the_stacks_own_key_which_rotates() {
    row("7.1-kms");
}

#[test]
fn row_7_1_the_database_takes_no_connection_without_tls() {
    row("7.1-tls");
}

#[test]
fn row_2_1_a_cluster_of_two_to_four_instances_with_role_image_type_group_subnets_and_container_insights() {
    platform_row("2.1");
}

#[test]
fn row_2_2_a_task_definition_each_for_the_application_and_mailhog_with_its_own_image_and_roles() {
    platform_row("2.2");
}

#[test]
fn row_2_3_a_service_each_on_ec2_behind_the_load_balancer_with_health_checks_and_a_circuit_breaker() {
    platform_row("2.3");
}

#[test]
fn row_3_1_an_application_load_balancer_over_the_public_subnets_with_its_security_group() {
    platform_row("3.1");
}

#[test]
fn row_3_2_https_alone_with_an_issued_certificate_and_mailhog_for_its_source_ranges_only() {
    platform_row("3.2");
}

#[test]
fn row_3_3_both_hosts_are_names_of_the_load_balancer() {
    platform_row("3.3");
}

#[test]
fn row_3_4_every_module_has_resources_of_its_own() {
    platform_row("3.4");
}

#[test]
fn row_7_2_every_volume_of_the_instances_is_covered_by_a_lifecycle_policy() {
    platform_row("7.2");
}

#[test]
fn row_7_3_no_role_may_do_all_of_anything_and_each_service_reads_its_own_secrets_alone() {
    platform_row("7.3");
}

#[test]
fn row_8_1_alarms_with_a_runbook_on_every_layer_a_composite_one_a_dashboard_and_logs_with_an_end() {
    platform_row("8.1");
}

#[test]
fn row_8_2_alarms_tell_an_encrypted_topic_that_mails() {
    platform_row("8.2");
}

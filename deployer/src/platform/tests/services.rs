//! What becomes of a service: rolling, blue and green, without a port, periodic.

use super::{EDGE, at, get, ids, of, stack, users_config};

#[test]
fn a_service_waits_for_the_rule_that_attaches_its_target_group() {
    let stack = of(&users_config());
    for service in ["web", "mailhog"] {
        let after = &get(&stack, &format!("services.{service}.service")).after;
        let rule = format!("services.{service}.rule");
        assert!(after.iter().any(|id| id.as_str() == rule), "{after:?}");
        assert_eq!(at(&stack, &rule, "/target_groups/0/$ref"), format!("services.{service}.target-group"));
    }
}

#[test]
fn instances_wait_for_their_way_out() {
    let stack = of(&users_config());
    let after = &get(&stack, "cluster.group").after;
    assert!(after.iter().any(|id| id.as_str() == "network.private-routes"), "{after:?}");
}

#[test]
fn instances_come_when_their_provider_is_attached_and_tasks_come_after_them() {
    let stack = of(&users_config());
    let after = |id: &str| get(&stack, id).after.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(after("cluster.size"), ["cluster.providers"]);
    assert!(after("services.web.service").contains(&"cluster.size".to_owned()));
}

#[test]
fn a_first_task_definition_takes_the_newest_image_that_counts() {
    let stack = of(&users_config());
    assert_eq!(at(&stack, "services.web.task-definition", "/versions/web"), "newest:v*");
    assert_eq!(at(&stack, "services.web.task-definition", "/containers/web/image/$ref"), "registry.web");
}

#[test]
fn every_variable_reaches_the_task_from_parameter_store_and_a_new_value_is_a_new_revision() {
    let stack = of(&users_config());
    let task = "services.web.task-definition";
    assert_eq!(at(&stack, task, "/containers/web/secrets/DEBUG/$ref"), "services.web.env.debug");
    assert_eq!(at(&stack, task, "/containers/web/secrets/DB_PASSWORD/$ref"), "database.password");
    assert_eq!(at(&stack, task, "/containers/web/secrets/SECRET_KEY/$ref"), "secrets.django-key");
    let env = at(&stack, task, "/containers/web/env");
    assert_eq!(
        env.as_object().map(|env| env.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["WHARF_VARIABLES".into()])
    );
    let versions = env["WHARF_VARIABLES"].to_string();
    assert!(versions.contains("services.web.env.debug") && versions.contains("database.password"), "{versions}");
}

#[test]
fn a_restricted_service_is_reached_by_its_own_name_from_its_ranges_alone() {
    let stack = of(&users_config());
    assert_eq!(at(&stack, "services.mailhog.rule", "/hosts/0"), "mailhog.shop.example.com");
    assert_eq!(at(&stack, "services.mailhog.rule", "/sources/0"), "203.0.113.0/24");
    assert_eq!(at(&stack, "services.web.rule", "/sources"), serde_json::json!([]));
}

#[test]
fn more_ranges_than_a_rule_takes_are_more_rules() {
    let ranges: Vec<String> = (0..9).map(|number| format!("\"192.0.2.{}/32\"", number * 2)).collect();
    let stack = stack(&format!("{EDGE}[services.web]\nport = 8000\nallow = [{}]\n", ranges.join(", ")));
    let rules = ["services.web.rule", "services.web.rule-2", "services.web.rule-3"];
    let priorities: Vec<i64> = rules.iter().filter_map(|rule| at(&stack, rule, "/priority").as_i64()).collect();
    assert_eq!(priorities, [priorities[0], priorities[0] + 1, priorities[0] + 2]);
    assert_eq!(at(&stack, rules[2], "/sources"), serde_json::json!(["192.0.2.16/32"]));
}

#[test]
fn one_service_more_moves_no_rule_of_another() {
    let file = |names: &[&str]| {
        let services = names
            .iter()
            .map(|name| format!("[services.{name}]\nport = 8000\nallow = [\"192.0.2.0/24\"]\ntasks = {{ min = 1 }}\n"));
        format!("{EDGE}{}", services.collect::<String>())
    };
    let (few, more) = (stack(&file(&["blog", "shop"])), stack(&file(&["admin", "blog", "news", "shop"])));
    for service in ["blog", "shop"] {
        let id = format!("services.{service}.rule");
        assert_eq!(at(&few, &id, "/priority"), at(&more, &id, "/priority"));
    }
}

#[test]
fn without_a_domain_the_open_service_takes_every_host_and_goes_last() {
    let file = "[cluster]\n[edge]\ncertificate = \"arn:aws:acm:us-east-1:123456789012:certificate/1\"\n\
                [services.web]\nport = 8000\n";
    let stack = stack(file);
    assert_eq!(at(&stack, "services.web.rule", "/priority"), 50_000);
    assert_eq!(at(&stack, "services.web.rule", "/paths/0"), "/*");
    let certificates = ids(&stack).into_iter().filter(|id| id.starts_with("edge.") && id.contains("certificate"));
    assert_eq!(certificates.count(), 0);
}

#[test]
fn blue_and_green_take_turns_on_one_rule() {
    for (deploy, strategy, part) in
        [("blue-green", "BLUE_GREEN", None), ("canary", "CANARY", Some("canary")), ("linear", "LINEAR", Some("linear"))]
    {
        let stack = stack(&format!("{EDGE}[services.web]\nport = 8000\ndeploy = \"{deploy}\"\n"));
        let service = "services.web.service";
        assert_eq!(at(&stack, service, "/deployment/strategy"), strategy);
        assert_eq!(at(&stack, service, "/load_balancer/production_rule/$ref"), "services.web.rule");
        assert_eq!(at(&stack, service, "/load_balancer/role/$ref"), "services.web.deployment-role");
        assert_eq!(at(&stack, service, "/target_groups/1/$ref"), "services.web.alternate-target-group");
        assert_eq!(at(&stack, "services.web.rule", "/weights"), serde_json::json!([100, 0]));
        for kind in ["canary", "linear"] {
            assert_eq!(at(&stack, service, &format!("/deployment/{kind}")).is_null(), part != Some(kind), "{deploy}");
        }
    }
}

#[test]
fn where_target_groups_take_turns_requests_do_not_scale() {
    let tasks = "tasks = { min = 1, max = 2 }\n";
    let rolling = stack(&format!("{EDGE}[services.web]\nport = 8000\n{tasks}"));
    assert!(ids(&rolling).contains(&"services.web.scaling-requests"));
    let turns = stack(&format!("{EDGE}[services.web]\nport = 8000\ndeploy = \"canary\"\n{tasks}"));
    assert!(!ids(&turns).contains(&"services.web.scaling-requests"));
    assert!(ids(&turns).contains(&"services.web.scaling-cpu"));
}

#[test]
fn a_worker_has_no_way_in() {
    let stack = stack(&format!("{EDGE}[services.web]\nport = 8000\n[services.worker]\n"));
    assert_eq!(at(&stack, "services.worker.service", "/load_balancer"), serde_json::Value::Null);
    assert_eq!(at(&stack, "services.worker.service", "/grace_period"), serde_json::Value::Null);
    assert!(!ids(&stack).iter().any(|id| id.starts_with("services.worker.")
        && (id.ends_with("rule") || id.ends_with("group") && !id.ends_with("log-group"))));
}

#[test]
fn a_periodic_task_has_a_schedule_and_no_service() {
    let stack = stack("[cluster]\n[services.tidy]\nschedule = \"cron(0 3 * * ? *)\"\ntime_zone = \"Europe/Berlin\"\n");
    assert_eq!(at(&stack, "services.tidy.schedule", "/expression"), "cron(0 3 * * ? *)");
    assert_eq!(at(&stack, "services.tidy.schedule", "/timezone"), "Europe/Berlin");
    assert!(!ids(&stack).contains(&"services.tidy.service"));
}

#[test]
fn a_name_in_the_vpc_is_there_for_who_is_asked_for() {
    let stack = of(&users_config());
    assert_eq!(at(&stack, "services.mailhog.service", "/registries/0/service/$ref"), "services.mailhog.discovery");
    assert!(!ids(&stack).contains(&"services.web.discovery"));
}

#[test]
fn a_rollout_is_stopped_by_the_errors_of_its_own_service() {
    let stack = of(&users_config());
    let alarms = at(&stack, "services.web.service", "/deployment/alarms");
    assert_eq!(alarms.as_array().map(Vec::len), Some(1));
    assert_eq!(alarms[0]["$ref"], "observability.web-errors");
    assert_eq!(at(&stack, "services.web.service", "/deployment/rollback"), true);
}

#[test]
fn instances_have_the_processors_that_the_images_are_built_for() {
    let stack = stack("[cluster]\ninstance_type = \"m7i.large\"\n[services.web]\n");
    assert_eq!(at(&stack, "services.web.task-definition", "/architecture"), "X86_64");
}

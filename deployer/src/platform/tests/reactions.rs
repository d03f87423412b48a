//! What wakes the functions, what they are told, and what they may do.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use wharf_engine::{Stack, Value};

use super::access::words;
use super::{EDGE, Site, at, get, ids, of, of_kind, site, stack, users_config};

/// A text in which references stand as `${id.output}`.
fn shown(value: &Value) -> String {
    match value {
        Value::Ref(reference) => format!("${{{}.{}}}", reference.id, reference.output),
        Value::Join(parts) => parts.iter().map(shown).collect(),
        Value::Text(text) | Value::Known(text) => text.clone(),
        other => panic!("{other:?} is no text"),
    }
}

fn document(stack: &Stack, id: &str, field: &str) -> Json {
    serde_json::from_str(&shown(&get(stack, id).inputs[field])).expect("a document is JSON")
}

fn env(stack: &Stack, function: &str, variable: &str) -> Option<String> {
    let function = get(stack, &format!("reactions.{function}.function"));
    let Some(Value::Map(env)) = function.inputs.get("env") else { panic!("{} has no variables", function.id) };
    env.get(variable).map(shown)
}

/// The statements of a function's role.
fn statements(stack: &Stack, function: &str) -> Vec<Json> {
    let role = get(stack, &format!("reactions.{function}.role"));
    let Some(Value::Map(policies)) = role.inputs.get("policies") else { panic!("{function} has no policies") };
    let [policy] = policies.values().collect::<Vec<_>>()[..] else { panic!("{function} has several policies") };
    let document: Json = serde_json::from_str(&shown(policy)).expect("a document is JSON");
    document["Statement"].as_array().expect("it has statements").clone()
}

fn statement<'a>(statements: &'a [Json], action: &str) -> &'a Json {
    let of = |statement: &&Json| match &statement["Action"] {
        Json::Array(actions) => actions.iter().any(|one| one == action),
        one => one == action,
    };
    statements.iter().find(of).unwrap_or_else(|| panic!("nothing allows {action}"))
}

#[test]
fn pushes_to_the_stacks_own_repositories_wake_the_function_that_rolls_them_out() {
    let stack = of(&users_config());
    let pattern = document(&stack, "reactions.on-image-push.rule", "pattern");
    let pushes = &pattern["$or"][0];
    assert_eq!(pushes["detail"]["repository-name"], json!(["shop/mailhog", "shop/web"]));
    assert_eq!(pushes["detail"]["action-type"], json!(["PUSH"]));
    assert_eq!(pattern["$or"][1]["detail"]["clusterArn"], json!(["arn:aws:ecs:us-east-1:123456789012:cluster/shop"]));
    assert_eq!(
        pattern["$or"][2]["resources"],
        json!([{ "prefix": "arn:aws:ecs:us-east-1:123456789012:service/shop/" }])
    );
    let target = "/targets/queue/arn/$ref";
    assert_eq!(at(&stack, "reactions.on-image-push.rule", target), "reactions.on-image-push.queue");
    assert_eq!(at(&stack, "reactions.on-image-push.mapping", "/queue/$ref"), "reactions.on-image-push.queue");
    assert_eq!(at(&stack, "reactions.on-image-push.mapping", "/partial"), true);
    assert_eq!(at(&stack, "reactions.reconcile", "/message/text"), r#"{"wharf-reconcile":1}"#);
}

#[test]
fn a_message_stays_hidden_for_six_times_as_long_as_an_invocation_may_take() {
    let stack = of(&users_config());
    for function in ["on-image-push", "on-alarm"] {
        let timeout = at(&stack, &format!("reactions.{function}.function"), "/timeout").as_i64();
        let hidden = at(&stack, &format!("reactions.{function}.queue"), "/visibility").as_i64();
        assert_eq!(hidden, timeout.map(|seconds| seconds * 6), "{function}");
    }
}

#[test]
fn a_queue_lets_in_its_own_rule_and_topic_and_nobody_without_tls() {
    let stack = of(&users_config());
    let policy = document(&stack, "reactions.on-alarm.queue", "policy");
    let [rule, topic, open] = policy["Statement"].as_array().expect("statements").as_slice() else {
        panic!("{policy}");
    };
    assert_eq!(rule["Principal"]["Service"], "events.amazonaws.com");
    assert_eq!(
        rule["Condition"]["ArnEquals"]["aws:SourceArn"],
        "arn:aws:events:us-east-1:123456789012:rule/shop-on-alarm"
    );
    assert_eq!(topic["Principal"]["Service"], "sns.amazonaws.com");
    assert_eq!(topic["Condition"]["ArnEquals"]["aws:SourceArn"], "${reactions.signals.arn}");
    assert_eq!((&open["Effect"], &open["Condition"]["Bool"]["aws:SecureTransport"]), (&json!("Deny"), &json!("false")));
    // What rule and topic cannot hand over goes to the dead letters.
    let dead = document(&stack, "reactions.on-alarm.dead-letters", "policy");
    let senders = |policy: &Json| {
        policy["Statement"].as_array().map(|all| all.iter().map(|one| one["Principal"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(senders(&dead), senders(&policy));
    assert_eq!(dead["Statement"][1]["Condition"], topic["Condition"]);
    assert_eq!(at(&stack, "reactions.on-alarm.subscription", "/dead_letters/$ref"), "reactions.on-alarm.dead-letters");
    let unheard = document(&stack, "reactions.on-image-push.dead-letters", "policy");
    assert_eq!(unheard["Statement"].as_array().map(Vec::len), Some(2), "{unheard}");
}

#[test]
fn the_functions_are_told_what_they_need_to_know() {
    let stack = of(&users_config());
    for function in ["on-image-push", "on-alarm", "check-snapshots"] {
        for (variable, value) in [
            ("WHARF_STACK", "shop"),
            ("WHARF_TABLE", "${stack.table.name}"),
            ("WHARF_SIGNALS", "${reactions.signals.arn}"),
        ] {
            assert_eq!(env(&stack, function, variable).as_deref(), Some(value));
        }
    }
    let services = env(&stack, "on-image-push", "WHARF_SERVICES").expect("it has services");
    let services: Json = serde_json::from_str(&services).expect("JSON");
    assert_eq!(
        services,
        json!([
            { "service": "mailhog", "repository": "mailhog", "tags": "v*", "least": 1 },
            { "service": "web", "repository": "web", "tags": "v*", "least": 2, "timeout": 900,
              "before_deploy": ["python", "manage.py", "migrate", "--noinput"] },
        ])
    );
    let periodic = self::stack("[cluster]\n[services.tidy]\nschedule = \"rate(1 hour)\"\nrepository = \"web\"\n");
    let services = env(&periodic, "on-image-push", "WHARF_SERVICES").expect("it has services");
    let services: Json = serde_json::from_str(&services).expect("JSON");
    assert_eq!(
        services,
        json!([{ "service": "tidy", "repository": "web", "tags": "v*", "least": 2, "periodic": true }])
    );
    assert_eq!(env(&stack, "on-alarm", "WHARF_ALERTS").as_deref(), Some("${observability.topic.arn}"));
    assert_eq!(env(&stack, "on-alarm", "WHARF_SLACK").as_deref(), Some(r#"{"secret":"/shop/slack/webhook"}"#));
}

#[test]
fn without_slack_people_are_told_by_e_mail_alone() {
    let stack = stack("[alerts]\nemail = [\"ops@example.com\"]\n");
    assert_eq!(env(&stack, "on-alarm", "WHARF_SLACK"), None);
    let statements = statements(&stack, "on-alarm").iter().map(Json::to_string).collect::<String>();
    assert!(!statements.contains("ssm:"), "{statements}");
}

#[test]
fn a_secret_is_opened_by_its_own_name_alone() {
    let stack = of(&users_config());
    let all = statements(&stack, "on-alarm");
    let parameter = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/slack/webhook";
    assert_eq!(statement(&all, "ssm:GetParameter")["Resource"], parameter);
    let open = all.iter().find(|one| one["Action"] == "kms:Decrypt").expect("it can be opened");
    assert_eq!(open["Condition"]["StringEquals"]["kms:EncryptionContext:PARAMETER_ARN"], parameter);
}

#[test]
fn each_function_touches_its_own_items_of_the_table_alone() {
    let stack = of(&users_config());
    let mut seen = Vec::new();
    for function in ["on-image-push", "on-alarm", "check-snapshots"] {
        let all = statements(&stack, function);
        let keys =
            &statement(&all, "dynamodb:PutItem")["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"];
        seen.extend(words(keys));
    }
    // What else the deployer keeps there, such as the lock, is no function's.
    assert_eq!(seen, ["rollout", "notice", "check-snapshots"]);
}

#[test]
fn a_rollout_hands_over_the_roles_of_the_stacks_services_and_no_others() {
    let stack = stack(&format!("{EDGE}[services.web]\nport = 8000\n[services.tidy]\nschedule = \"rate(1 hour)\"\n"));
    let all = statements(&stack, "on-image-push");
    let pass = statement(&all, "iam:PassRole");
    let role = |noun: &str| format!("arn:aws:iam::123456789012:role/wharf/shop/shop-{noun}");
    assert_eq!(
        pass["Resource"],
        json!([role("tidy-execution"), role("tidy-task"), role("web-execution"), role("web-task")])
    );
    assert_eq!(pass["Condition"]["StringEquals"]["iam:PassedToService"], "ecs-tasks.amazonaws.com");
}

#[test]
fn no_mapping_hands_over_to_more_invocations_at_once_than_are_kept_free_for_its_function() {
    let file = "[cluster]\n[services.web]\n[database]\n[alerts]\n";
    let of =
        |stack: &Stack, function: &str, noun: &str| at(stack, &format!("reactions.{function}.{noun}"), "/concurrency");
    let (some, none) = (stack(file), stack(&format!("{file}[reactions]\nreserved_concurrency = false\n")));
    for function in ["on-image-push", "on-alarm"] {
        let most = of(&some, function, "mapping").as_i64().expect("it is limited");
        // The least that AWS takes.
        assert!(most >= 2, "{function}");
        assert!(of(&some, function, "function").as_i64().expect("some are kept free") >= most, "{function}");
        // The limit of the mapping holds where the account has none to spare.
        assert_eq!((of(&none, function, "function"), of(&none, function, "mapping")), (Json::Null, json!(most)));
        let receives = at(&some, &format!("reactions.{function}.queue"), "/dead_letters/receives");
        assert!(receives.as_i64().is_some_and(|receives| receives >= 5), "{function}: {receives}");
    }
    assert_eq!(of(&some, "check-snapshots", "function"), Json::Null);
}

#[test]
fn every_function_is_watched_and_what_tells_people_does_not_tell_of_itself() {
    let stack = of(&users_config());
    let told = |noun: &str| at(&stack, &format!("observability.{noun}"), "/on_alarm/0/$ref");
    for noun in ["failing", "throttled", "dead", "behind"] {
        assert_eq!(told(&format!("on-image-push-{noun}")), "reactions.signals");
        assert_eq!(told(&format!("on-alarm-{noun}")), "observability.topic");
    }
    for noun in ["failing", "throttled", "silent", "dropped"] {
        assert_eq!(told(&format!("check-snapshots-{noun}")), "reactions.signals");
    }
    assert_eq!(at(&stack, "observability.check-snapshots-silent", "/missing"), "breaching");
}

#[test]
fn without_functions_alarms_go_straight_to_people() {
    let stack = stack("[alerts]\nemail = [\"ops@example.com\"]\n[database]\n[reactions]\nenabled = false\n");
    assert!(!ids(&stack).iter().any(|id| id.starts_with("reactions.")));
    for alarm in of_kind(&stack, "cloudwatch.alarm") {
        assert_eq!(at(&stack, alarm.id.as_str(), "/on_alarm/0/$ref"), "observability.topic");
    }
}

#[test]
fn functions_wait_for_no_database_and_services_for_no_function() {
    let stack = of(&users_config());
    let mut reached = vec!["reactions."];
    let needs = |id: &str| {
        let resource = get(&stack, id);
        let named = resource.inputs.values().flat_map(Value::references).map(|reference| reference.id.to_string());
        named.chain(resource.after.iter().map(ToString::to_string)).collect::<Vec<_>>()
    };
    for id in ids(&stack).into_iter().filter(|id| id.starts_with("reactions.")) {
        let mut open = vec![id.to_owned()];
        while let Some(next) = open.pop() {
            assert!(
                !["database.instance", "network.nat", "edge.load-balancer"].contains(&next.as_str()),
                "{id}: {next}"
            );
            assert!(!next.ends_with(".service"), "{id} waits for {next}");
            open.extend(needs(&next));
        }
        reached.push(id);
    }
    assert!(reached.len() > 20, "{reached:?}");
    for id in ids(&stack).into_iter().filter(|id| id.starts_with("services.")) {
        assert!(needs(id).iter().all(|other| !other.starts_with("reactions.")), "{id}");
    }
}

#[test]
fn a_function_has_the_code_that_is_at_hand() {
    let packages = Arc::new(crate::packages::stand_ins().expect("zips can be made"));
    let site = Site { packages: Arc::clone(&packages), ..site() };
    let stack = crate::platform::stack(&users_config(), &site).expect("it can be described");
    let digest = packages.of("on-alarm").map(|package| package.digest().to_owned());
    assert_eq!(at(&stack, "reactions.on-alarm.function", "/code").as_str().map(str::to_owned), digest);
    assert_eq!(at(&of(&users_config()), "reactions.on-alarm.function", "/code"), "");
}

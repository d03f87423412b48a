use proptest::prelude::*;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

fn of(payload: &Value) -> Told {
    tell(&Arrival::with_payload(payload)[0], now()).expect("it can be read")
}

fn sample(name: &str) -> Told {
    let path = format!("{}/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    tell(&Arrival::in_message(&std::fs::read_to_string(path).unwrap(), None)[0], now()).expect("it can be read")
}

fn notice(told: Told) -> Notice {
    match told {
        Told::Notice(notice) => *notice,
        other => panic!("{other:?}"),
    }
}

fn fact<'a>(notice: &'a Notice, name: &str) -> Option<&'a str> {
    notice.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
}

fn assert_nothing(told: Told, because: &str) {
    match told {
        Told::Nothing(why) => assert!(why.contains(because), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_transition_by_three_routes_has_one_key_and_one_subject() {
    let all: Vec<Notice> =
        ["alarm-sns.json", "alarm-eventbridge.json", "alarm-direct.json"].map(|name| notice(sample(name))).into();
    assert_eq!(all[0].key, "arn:aws:cloudwatch:us-east-1:123456789012:alarm:shop-latency ALARM 1767604366");
    for other in &all {
        assert_eq!((&other.key, &other.subject, &other.title), (&all[0].key, &all[0].subject, &all[0].title));
        assert_eq!(other.facts, all[0].facts);
    }
    assert_eq!(fact(&all[0], "value"), Some("3.214 (> 1.5, 4 of 5 values)"));
    assert_eq!((all[0].severity, all[0].state), (Severity::Critical, State::Opened));
}

#[test]
fn an_ok_closes_what_rang_and_is_no_news_for_a_new_alarm() {
    let ok = notice(sample("alarm-ok-sns.json"));
    assert_eq!((ok.state, ok.text.as_str()), (State::Closed, ""));
    assert_eq!(ok.subject, notice(sample("alarm-sns.json")).subject);
    assert!(matches!(sample("alarm-ok-of-a-new-alarm-sns.json"), Told::IfOpen(_)));
}

#[test]
fn suppressed_states_are_not_told_and_unknown_states_are() {
    assert_nothing(sample("alarm-composite-suppressed-eventbridge.json"), "suppressed by WaitPeriod");
    let unknown = notice(sample("alarm-unknown-state-sns.json"));
    assert_eq!((unknown.title.as_str(), unknown.state), ("MAINTENANCE: shop-latency", State::Once));
    assert_eq!(notice(sample("alarm-no-data-eventbridge.json")).title, "No data: shop-database-memory");
}

#[test]
fn an_alarm_can_say_that_it_may_wait() {
    let alarm = |name: &str, tags: Value| {
        notice(of(&json!({"AlarmName": name, "NewStateValue": "ALARM", "AlarmTags": tags}))).severity
    };
    assert_eq!(alarm("shop-latency", Value::Null), Severity::Critical);
    assert_eq!(alarm("shop-disk-warning", Value::Null), Severity::Warning);
    assert_eq!(alarm("shop-disk", json!([{"Key": "Severity", "Value": "low"}])), Severity::Warning);
    assert_eq!(alarm("shop-warning", json!({"severity": "critical"})), Severity::Critical);
    assert_eq!(alarm("slow-flow", Value::Null), Severity::Critical);
}

#[test]
fn rds_is_told_by_how_much_it_matters_and_backups_are_not() {
    let failover = notice(sample("rds-failover-eventbridge.json"));
    assert_eq!(failover.title, "shop-database: Multi-AZ instance failover started.");
    assert_eq!((failover.severity, failover.source.as_str()), (Severity::Warning, "rds"));
    assert_eq!(failover.at, "2026-01-05T09:30:11.292Z".parse().unwrap());
    assert_eq!(notice(sample("rds-storage-eventbridge.json")).severity, Severity::Critical);
    assert_nothing(sample("rds-backup-eventbridge.json"), "routine");
    let subscription = notice(sample("rds-subscription-sns.json"));
    assert_eq!(
        (subscription.title.as_str(), fact(&subscription, "event")),
        ("shop-database: DB instance restarted", Some("RDS-EVENT-0006"))
    );
}

#[test]
fn dlm_guardduty_health_and_ecs_are_told() {
    let dlm = notice(sample("dlm-error-eventbridge.json"));
    assert_eq!(
        (dlm.severity, dlm.title.as_str()),
        (Severity::Warning, "ERROR: lifecycle policy policy-0a1b2c3d4e5f60718")
    );
    assert!(dlm.text.starts_with("Role with name wharf-shop-snapshots does not exist"));
    let finding = notice(sample("guardduty-finding-eventbridge.json"));
    assert_eq!((finding.severity, fact(&finding, "what")), (Severity::Critical, Some("i-0123456789abcdef0")));
    let issue = notice(sample("health-issue-eventbridge.json"));
    assert_eq!((issue.state, issue.title.as_str()), (State::Opened, "RDS: issue at AWS"));
    assert!(issue.text.contains("\nExisting connections"), "{}", issue.text);
    let over = notice(sample("health-closed-eventbridge.json"));
    assert_eq!((over.state, &over.subject), (State::Closed, &issue.subject));
    let failed = notice(sample("ecs-deployment-failed-eventbridge.json"));
    assert_eq!((failed.severity, failed.title.as_str()), (Severity::Critical, "web: deployment failed"));
    assert_eq!(fact(&failed, "cluster"), Some("shop"));
    assert_nothing(sample("ecs-deployment-completed-eventbridge.json"), "ordinary course");
    assert_eq!(notice(sample("ecs-task-placement-eventbridge.json")).title, "web: task placement failure");
}

#[test]
fn a_notice_of_the_functions_is_handed_on_as_it_is() {
    let told = notice(sample("notice-rollout.json"));
    assert_eq!(
        (told.source.as_str(), told.key.as_str()),
        ("on-image-push", "rollout web ecs-svc/7312938471029384710 failed")
    );
    let later = &Arrival::with_payload(&json!({"wharf-notice": 2}))[0];
    assert!(matches!(tell(later, now()), Err(Malformed::Later(2))));
}

#[test]
fn what_nobody_knows_is_told_with_what_it_says() {
    let event = notice(sample("event-unknown-eventbridge.json"));
    assert_eq!(event.title, "Inspector2 Finding: CVE-2026-0001 - openssl");
    assert_eq!(event.severity, Severity::Warning);
    assert_eq!(fact(&event, "inspectorScore"), Some("8.1"));
    let text = notice(sample("text-subject.json"));
    assert_eq!(text.title, "AWS Budgets: shop has exceeded your alert threshold");
    assert_eq!(text.key, "message 91f1c1a0-0005-5000-8000-000000000000");
    let cut = notice(sample("text-truncated.txt"));
    assert_eq!((cut.title.as_str(), cut.severity), ("A message, cut or broken", Severity::Warning));
    assert!(cut.text.starts_with("{\"AlarmName\""));
    assert_eq!(notice(sample("text-mentions.json")).title, "A message on shop-signals");
    assert_eq!(notice(sample("text-half-a-character.txt")).title, "ALARM: shop-caf\u{fffd}");
    assert_eq!(notice(sample("json-array.json")).facts[0].name, "[0].job");
    for (name, because) in [
        ("text-empty.json", "empty"),
        ("event-scheduled-eventbridge.json", "ordinary course"),
        ("subscription-confirmation.json", "SubscriptionConfirmation"),
    ] {
        assert_nothing(sample(name), because);
    }
}

#[test]
fn the_same_text_without_an_id_is_news_again_an_hour_later() {
    let key = |at: &str| {
        let arrival = &Arrival::in_message("disk full", None)[0];
        notice(tell(arrival, at.parse().unwrap()).unwrap()).key
    };
    assert_eq!(key("2026-01-05T10:00:01Z"), key("2026-01-05T10:59:00Z"));
    assert_ne!(key("2026-01-05T10:00:01Z"), key("2026-01-05T11:00:01Z"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = proptest::sample::select(vec![
        "AlarmName",
        "NewStateValue",
        "Trigger",
        "Metrics",
        "Dimensions",
        "detail",
        "detail-type",
        "source",
        "alarmData",
        "state",
        "configuration",
        "metrics",
        "Message",
        "Type",
        "Records",
        "Sns",
        "body",
        "messageId",
        "resources",
        "EventCategories",
        "severity",
        "eventDescription",
        "affectedEntities",
        "wharf-notice",
        "title",
        "Event Message",
    ]);
    let words = proptest::sample::select(vec![
        "ALARM",
        "OK",
        "INSUFFICIENT_DATA",
        "aws.rds",
        "AWS Health Event",
        "GuardDuty Finding",
        "DLM Policy State Change",
        "ECS Deployment State Change",
        "RDS DB Instance Event",
        "CloudWatch Alarm State Change",
        "arn:aws:a:b:c:d",
        "::",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::hash_map(names.clone(), inner.clone(), 0..8)
                .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

proptest! {
    /// Whatever comes: something is said of it, and what is said is whole.
    #[test]
    fn any_document_is_told_or_has_a_reason(value in any_json()) {
        let arrivals = Arrival::with_payload(&value);
        prop_assert!(!arrivals.is_empty());
        for arrival in arrivals {
            match tell(&arrival, now()) {
                Ok(Told::Notice(notice) | Told::IfOpen(notice)) => {
                    prop_assert!(!notice.title.is_empty() && !notice.key.is_empty() && !notice.subject.is_empty());
                }
                Ok(Told::Nothing(why)) => prop_assert!(!why.is_empty()),
                Err(_) => {}
            }
        }
    }
}

use serde_json::json;

use super::*;
use crate::envelope::Content;

fn arrival(topic: Option<&str>) -> Arrival {
    let content = Content::Text(String::new());
    Arrival { id: None, topic: topic.map(str::to_owned), subject: None, at: None, content }
}

fn read(value: &Value) -> Alarm {
    Alarm::read(value, &arrival(None)).expect("an alarm")
}

fn sample(name: &str) -> Alarm {
    let path = format!("{}/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    read(&json::parse(&std::fs::read_to_string(path).unwrap()).unwrap())
}

#[test]
fn the_three_forms_of_one_transition_are_read_alike() {
    let by_action = sample("alarm-sns.json");
    assert_eq!(by_action.name, "shop-latency");
    assert_eq!(by_action.state, AlarmState::Alarm);
    assert_eq!(by_action.previous, Some(AlarmState::Ok));
    assert_eq!(by_action.region.as_deref(), Some("us-east-1"));
    assert_eq!(by_action.at, Some("2026-01-05T09:12:46.138Z".parse().unwrap()));
    let evidence = Evidence { value: Some("3.214".into()), limit: Some("> 1.5".into()), count: Some("4 of 5".into()) };
    assert_eq!(by_action.evidence, evidence);
    let Watched::Measures { judged, band: false, .. } = &by_action.watched else { panic!("{:?}", by_action.watched) };
    assert_eq!(judged.shown(), "AWS/ApplicationELB TargetResponseTime, p95 of 1 min");
    for name in ["alarm-eventbridge.json", "alarm-direct.json"] {
        let other = sample(name);
        assert_eq!(other.subject(), by_action.subject(), "{name}");
        let Watched::Measures { judged: its, .. } = &other.watched else { panic!("{:?}", other.watched) };
        assert_eq!(its.metric, judged.metric, "{name}");
        let parts = |alarm: &Alarm| (alarm.state.clone(), alarm.at, alarm.evidence.clone(), alarm.description.clone());
        assert_eq!(parts(&other), parts(&by_action), "{name}");
    }
}

#[test]
fn a_composite_alarm_names_what_set_it_off() {
    let alarm = sample("alarm-composite-sns.json");
    assert_eq!(alarm.children, ["shop-latency"]);
    assert!(matches!(&alarm.watched, Watched::Rule(rule) if rule.starts_with("ALARM(")));
    let reason = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a transitioned to ALARM at Monday";
    let said = read(&json!({"AlarmName": "x", "NewStateValue": "ALARM", "NewStateReason": reason}));
    assert_eq!(said.children, ["a"]);
}

#[test]
fn a_suppressed_state_says_why() {
    let alarm = sample("alarm-composite-suppressed-eventbridge.json");
    assert_eq!(alarm.suppressed.as_deref(), Some("Actions suppressed by WaitPeriod"));
    let state = |extra: Value| {
        let mut state = json!({"value": "ALARM"});
        state.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap());
        read(&json!({"alarmData": {"alarmName": "x", "state": state}})).suppressed
    };
    assert_eq!(
        state(json!({"muteDetail": {"mutedBy": "arn:rule"}})).as_deref(),
        Some("held back by {\"mutedBy\":\"arn:rule\"}")
    );
    assert_eq!(state(json!({"muted": true})).as_deref(), Some("held back by yes"));
    for loud in [json!({"muted": false}), json!({"actionsSuppressedBy": null}), json!({"muteDetail": {}})] {
        assert_eq!(state(loud.clone()), None, "{loud}");
    }
}

#[test]
fn bands_expressions_and_queries_are_told_apart() {
    let Watched::Measures { judged, band, .. } = sample("alarm-band-sns.json").watched else { panic!("measures") };
    assert!(band);
    assert_eq!(judged.shown(), "AWS/ApplicationELB RequestCount, sum of 5 min");
    let Watched::Measures { judged, from, band } = sample("alarm-math-sns.json").watched else { panic!("measures") };
    assert!(!band);
    assert_eq!((judged.shown().as_str(), from.len()), ("errors = FILL(a, 0) + FILL(b, 0)", 2));
    let Watched::Measures { judged, .. } = sample("alarm-query-eventbridge.json").watched else { panic!("measures") };
    assert!(judged.shown().starts_with("SELECT MAX"));
}

#[test]
fn what_is_missing_null_or_unknown_costs_nothing_else() {
    let alarm = sample("alarm-log-sns.json");
    assert_eq!((alarm.description.clone(), &alarm.watched), (None, &Watched::Unknown));
    let mut names: Vec<&str> = alarm.unknown.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["LogLines", "QueryString"]);
    let bare = read(&json!({"AlarmName": null, "NewStateValue": 7, "Trigger": [], "AlarmDescription": null}));
    assert_eq!((bare.name.as_str(), bare.state), ("an alarm without a name", AlarmState::Other(String::new())));
    assert_eq!(sample("alarm-unknown-state-sns.json").state, AlarmState::Other("MAINTENANCE".to_owned()));
}

#[test]
fn an_alarm_without_an_arn_is_known_by_the_topic_that_it_came_over() {
    let value = json!({"AlarmName": "cpu", "NewStateValue": "ALARM", "AWSAccountId": "123456789012"});
    let topic = "arn:aws:sns:eu-west-1:999999999999:signals";
    let alarm = Alarm::read(&value, &arrival(Some(topic))).unwrap();
    assert_eq!(alarm.subject(), "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu");
    assert_eq!(alarm.region.as_deref(), Some("eu-west-1"));
    assert_eq!(read(&value).subject(), "alarm 123456789012 cpu");
}

#[test]
fn each_series_of_an_alarm_over_many_is_its_own_subject() {
    let alarm = read(&json!({
        "AlarmName": "fleet", "NewStateValue": "ALARM", "AlarmArn": "arn:aws:cloudwatch:r:1:alarm:fleet",
        "AlarmContributorId": "c1", "AlarmContributorAttributes": {"InstanceId": "i-1"},
    }));
    assert_eq!(alarm.subject(), "arn:aws:cloudwatch:r:1:alarm:fleet#c1");
    assert_eq!(alarm.contributor.unwrap().attributes, [("InstanceId".to_owned(), "i-1".to_owned())]);
}

#[test]
fn a_document_of_something_else_is_no_alarm() {
    for value in [
        json!({}),
        json!({"AlarmName": "x"}),
        json!({"detail-type": "CloudWatch Alarm Configuration Change", "detail": {}}),
        json!([1]),
        json!({"alarmData": "x"}),
    ] {
        assert_eq!(Alarm::read(&value, &arrival(None)), None, "{value}");
    }
}

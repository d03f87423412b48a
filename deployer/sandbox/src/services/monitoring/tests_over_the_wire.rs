//! What must hold of alarms, dashboards and metrics, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::dispatch::Delivery;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, heard, json as call, listen, query};
use crate::testing::calm;
use crate::wire::{Request, cbor};

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:shop-alarms";
const MINUTE: Duration = Duration::from_secs(60);

fn cloudwatch(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "monitoring", operation, input)
}

/// An alarm when a queue is longer than 5 in 2 of 3 minutes.
fn alarm(missing: &str) -> Value {
    json!({
        "AlarmName": "shop-queue", "AlarmDescription": "the queue grows: look at the worker",
        "Namespace": "Shop", "MetricName": "Length", "Dimensions": [{"Name": "Queue", "Value": "jobs"}],
        "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": missing, "AlarmActions": [TOPIC],
        "Tags": [{"Key": "team", "Value": "a"}],
    })
}

fn described(sandbox: &Sandbox, name: &str) -> Value {
    let types = ["MetricAlarm", "CompositeAlarm"];
    let input = json!({"AlarmNames": [name], "AlarmTypes": types});
    let answer = cloudwatch(sandbox, "DescribeAlarms", input).unwrap();
    answer["MetricAlarms"].get(0).or_else(|| answer["CompositeAlarms"].get(0)).cloned().unwrap_or_default()
}

fn state(sandbox: &Sandbox, name: &str) -> String {
    described(sandbox, name)["StateValue"].as_str().unwrap_or("gone").to_owned()
}

fn with_topic() -> Sandbox {
    let sandbox = calm();
    query(&sandbox, "sns", "CreateTopic", &[("Name", "shop-alarms")]).unwrap();
    sandbox
}

fn publish(sandbox: &Sandbox, value: f64) {
    sandbox.metric("Shop", "Length", &[("Queue", "jobs")], value);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_goes_off_when_enough_periods_breach_and_tells_its_topic() {
    let sandbox = with_topic();
    cloudwatch(&sandbox, "PutMetricAlarm", alarm("notBreaching")).unwrap();
    assert_eq!(state(&sandbox, "shop-queue"), "INSUFFICIENT_DATA");
    tokio::time::advance(2 * MINUTE).await;
    assert_eq!(state(&sandbox, "shop-queue"), "OK");
    publish(&sandbox, 9.0);
    tokio::time::advance(MINUTE).await;
    assert_eq!(state(&sandbox, "shop-queue"), "OK");
    publish(&sandbox, 9.0);
    tokio::time::advance(MINUTE).await;
    assert_eq!(state(&sandbox, "shop-queue"), "ALARM");
    let published = sandbox.published();
    assert_eq!(published.len(), 1);
    let message: Value = serde_json::from_str(&published[0].message).unwrap();
    assert_eq!((&message["NewStateValue"], &message["OldStateValue"]), (&json!("ALARM"), &json!("OK")));
    assert_eq!(message["Trigger"]["Dimensions"], json!([{"name": "Queue", "value": "jobs"}]));
    tokio::time::advance(30 * MINUTE).await;
    assert_eq!(state(&sandbox, "shop-queue"), "OK");
}

#[tokio::test(start_paused = true)]
async fn days_without_anything_new_cost_no_evaluations() {
    let sandbox = with_topic();
    cloudwatch(&sandbox, "PutMetricAlarm", alarm("missing")).unwrap();
    publish(&sandbox, 1.0);
    tokio::time::advance(30 * MINUTE).await;
    assert_eq!(state(&sandbox, "shop-queue"), "INSUFFICIENT_DATA");
    assert_eq!(sandbox.next_event(), None);
}

#[tokio::test(start_paused = true)]
async fn missing_data_counts_as_an_alarm_says() {
    for (missing, expected) in
        [("breaching", "ALARM"), ("notBreaching", "OK"), ("missing", "INSUFFICIENT_DATA"), ("ignore", "ALARM")]
    {
        let sandbox = with_topic();
        cloudwatch(&sandbox, "PutMetricAlarm", alarm(missing)).unwrap();
        let by_hand = json!({"AlarmName": "shop-queue", "StateValue": "ALARM", "StateReason": "a test"});
        cloudwatch(&sandbox, "SetAlarmState", by_hand).unwrap();
        tokio::time::advance(10 * MINUTE).await;
        assert_eq!(state(&sandbox, "shop-queue"), expected, "{missing}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_looks_at_what_a_service_of_aws_shows() {
    let sandbox = with_topic();
    let storage = json!({
        "AlarmName": "shop-storage", "Namespace": "AWS/RDS", "MetricName": "FreeStorageSpace",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "shop"}], "Statistic": "Minimum", "Period": 300,
        "EvaluationPeriods": 1, "Threshold": 10_737_418_240_i64, "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
    });
    cloudwatch(&sandbox, "PutMetricAlarm", storage).unwrap();
    tokio::time::advance(10 * MINUTE).await;
    assert_eq!(state(&sandbox, "shop-storage"), "ALARM");
    let mut network = crate::testing::ec2_id(&sandbox, "CreateVpc", "vpcId", &[("CidrBlock", "10.0.0.0/16")]);
    for (n, zone) in ["us-east-1a", "us-east-1b"].iter().enumerate() {
        let cidr = format!("10.0.{n}.0/24");
        let subnet = [("VpcId", network.as_str()), ("CidrBlock", cidr.as_str()), ("AvailabilityZone", zone)];
        let subnet = crate::testing::ec2_id(&sandbox, "CreateSubnet", "subnetId", &subnet);
        assert!(subnet.starts_with("subnet-"), "{subnet}");
        network = network.clone();
    }
    let ids: Vec<String> = sandbox.resources().into_iter().filter(|r| r.kind == "ec2.subnet").map(|r| r.id).collect();
    let group = [
        ("DBSubnetGroupName", "g"),
        ("DBSubnetGroupDescription", "g"),
        ("SubnetIds.SubnetIdentifier.1", ids[0].as_str()),
        ("SubnetIds.SubnetIdentifier.2", ids[1].as_str()),
    ];
    query(&sandbox, "rds", "CreateDBSubnetGroup", &group).unwrap();
    let instance = [
        ("DBInstanceIdentifier", "shop"),
        ("Engine", "postgres"),
        ("DBInstanceClass", "db.t4g.medium"),
        ("AllocatedStorage", "50"),
        ("MasterUsername", "shop"),
        ("MasterUserPassword", "correct-horse"),
        ("DBSubnetGroupName", "g"),
    ];
    query(&sandbox, "rds", "CreateDBInstance", &instance).unwrap();
    tokio::time::advance(30 * MINUTE).await;
    assert_eq!(state(&sandbox, "shop-storage"), "OK");
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_calculated_from_two_metrics() {
    let sandbox = with_topic();
    let of = |id: &str, name: &str| {
        json!({"Id": id, "ReturnData": false, "MetricStat": {"Period": 60, "Stat": "Sum",
            "Metric": {"Namespace": "Shop", "MetricName": name, "Dimensions": []}}})
    };
    let expression = "IF(requests > 20, 100 * FILL(errors, 0) / requests, 0)";
    let rate = json!({
        "AlarmName": "shop-errors", "EvaluationPeriods": 1, "Threshold": 5.5, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Metrics": [{"Id": "rate", "Expression": expression}, of("errors", "Errors"), of("requests", "Requests")],
    });
    cloudwatch(&sandbox, "PutMetricAlarm", rate.clone()).unwrap();
    for (errors, requests, expected) in [(6.0, 10.0, "OK"), (6.0, 100.0, "ALARM"), (5.0, 100.0, "OK")] {
        sandbox.metric("Shop", "Errors", &[], errors);
        sandbox.metric("Shop", "Requests", &[], requests);
        tokio::time::advance(MINUTE).await;
        assert_eq!(state(&sandbox, "shop-errors"), expected, "{errors} of {requests}");
    }
    let mut unknown = rate;
    unknown["Metrics"][0]["Expression"] = "errors / visitors".into();
    assert_eq!(code(cloudwatch(&sandbox, "PutMetricAlarm", unknown)), "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn a_composite_alarm_follows_its_alarms_and_keeps_them_from_being_deleted() {
    let sandbox = with_topic();
    let composite =
        json!({"AlarmName": "shop-down", "AlarmRule": "ALARM(\"shop-queue\") OR FALSE", "AlarmActions": [TOPIC]});
    assert_eq!(code(cloudwatch(&sandbox, "PutCompositeAlarm", composite.clone())), "ValidationException");
    cloudwatch(&sandbox, "PutMetricAlarm", alarm("breaching")).unwrap();
    cloudwatch(&sandbox, "PutCompositeAlarm", composite).unwrap();
    assert_eq!(state(&sandbox, "shop-down"), "OK");
    tokio::time::advance(5 * MINUTE).await;
    assert_eq!(state(&sandbox, "shop-down"), "ALARM");
    // Both tell the topic; without types a description shows metric alarms only.
    assert_eq!(sandbox.published().len(), 2);
    let metric_only = cloudwatch(&sandbox, "DescribeAlarms", json!({"AlarmNamePrefix": "shop-"})).unwrap();
    assert_eq!(
        (metric_only["MetricAlarms"].as_array().unwrap().len(), &metric_only["CompositeAlarms"]),
        (1, &json!([]))
    );
    let delete = |name: &str| cloudwatch(&sandbox, "DeleteAlarms", json!({"AlarmNames": [name]}));
    assert_eq!(code(delete("shop-queue")), "ResourceConflict");
    delete("shop-down").unwrap();
    delete("shop-queue").unwrap();
    assert_eq!(code(delete("shop-queue")), "ResourceNotFound");
    query(&sandbox, "sns", "DeleteTopic", &[("TopicArn", TOPIC)]).unwrap();
    assert!(sandbox.inventory().is_empty());
}

#[test]
fn tags_of_an_alarm_count_only_when_it_is_new() {
    let sandbox = calm();
    cloudwatch(&sandbox, "PutMetricAlarm", alarm("missing")).unwrap();
    let mut again = alarm("ignore");
    again["Tags"] = json!([{"Key": "team", "Value": "b"}]);
    cloudwatch(&sandbox, "PutMetricAlarm", again).unwrap();
    let arn = described(&sandbox, "shop-queue")["AlarmArn"].clone();
    let tags = || cloudwatch(&sandbox, "ListTagsForResource", json!({"ResourceARN": arn})).unwrap()["Tags"].clone();
    assert_eq!(tags(), json!([{"Key": "team", "Value": "a"}]));
    cloudwatch(&sandbox, "TagResource", json!({"ResourceARN": arn, "Tags": [{"Key": "team", "Value": "c"}]})).unwrap();
    assert_eq!(tags(), json!([{"Key": "team", "Value": "c"}]));
    assert_eq!(described(&sandbox, "shop-queue")["TreatMissingData"], "ignore");
}

#[tokio::test(start_paused = true)]
async fn a_topic_whose_key_does_not_let_cloudwatch_in_hears_nothing() {
    let sandbox = with_topic();
    let key = call(&sandbox, "kms", "CreateKey", json!({})).unwrap()["KeyMetadata"]["Arn"].clone();
    let attribute =
        [("TopicArn", TOPIC), ("AttributeName", "KmsMasterKeyId"), ("AttributeValue", key.as_str().unwrap())];
    query(&sandbox, "sns", "SetTopicAttributes", &attribute).unwrap();
    cloudwatch(&sandbox, "PutMetricAlarm", alarm("breaching")).unwrap();
    tokio::time::advance(5 * MINUTE).await;
    assert_eq!((state(&sandbox, "shop-queue").as_str(), sandbox.published().len()), ("ALARM", 0));
    let history = cloudwatch(&sandbox, "DescribeAlarmHistory", json!({"HistoryItemType": "Action"})).unwrap();
    assert!(history["AlarmHistoryItems"][0]["HistorySummary"].as_str().unwrap().starts_with("Failed"));
}

#[test]
fn a_dashboard_without_sense_is_refused_and_one_without_a_region_warned_of() {
    let sandbox = calm();
    let put = |name: &str, body: Value| {
        cloudwatch(&sandbox, "PutDashboard", json!({"DashboardName": name, "DashboardBody": body.to_string()}))
    };
    assert_eq!(code(put("shop platform", json!({"widgets": []}))), "InvalidParameterValueException");
    assert_eq!(code(put("shop", json!({"widgets": [{"type": "pie"}]}))), "DashboardInvalidInputError");
    let body = json!({"widgets": [{"type": "metric", "properties": {"metrics": []}}]});
    assert_eq!(put("shop", body.clone()).unwrap()["DashboardValidationMessages"].as_array().unwrap().len(), 1);
    let got = cloudwatch(&sandbox, "GetDashboard", json!({"DashboardName": "shop"})).unwrap();
    assert_eq!(got["DashboardBody"], body.to_string());
    assert_eq!(got["DashboardArn"], "arn:aws:cloudwatch::123456789012:dashboard/shop");
    cloudwatch(&sandbox, "DeleteDashboards", json!({"DashboardNames": ["shop"]})).unwrap();
    let missing = cloudwatch(&sandbox, "GetDashboard", json!({"DashboardName": "shop"}));
    assert_eq!(code(missing), "DashboardNotFoundError");
    assert!(sandbox.inventory().is_empty());
}

#[test]
fn every_protocol_that_clients_speak_is_served() {
    let sandbox = calm();
    let form = [
        ("AlarmName", "shop-x"),
        ("Namespace", "Shop"),
        ("MetricName", "X"),
        ("Statistic", "Sum"),
        ("Period", "60"),
        ("EvaluationPeriods", "1"),
        ("Threshold", "0.5"),
        ("ComparisonOperator", "LessThanThreshold"),
        ("Dimensions.member.1.Name", "A"),
        ("Dimensions.member.1.Value", "b"),
    ];
    query(&sandbox, "monitoring", "PutMetricAlarm", &form).unwrap();
    let xml = query(&sandbox, "monitoring", "DescribeAlarms", &[("AlarmNames.member.1", "shop-x")]).unwrap();
    assert!(xml.contains("<Threshold>0.5</Threshold>") && xml.contains("<StateUpdatedTimestamp>2026-"), "{xml}");
    let shown = described(&sandbox, "shop-x");
    assert_eq!((&shown["Threshold"], shown["StateUpdatedTimestamp"].is_f64()), (&json!(0.5), true));
    let (status, error, answer) = in_cbor(&sandbox, "DeleteAlarms", &json!({"AlarmNames": ["none"]}));
    assert_eq!((status, error.as_deref()), (404, Some("ResourceNotFound;Sender")), "{answer}");
    let (status, _, answer) = in_cbor(&sandbox, "DescribeAlarms", &json!({"AlarmNamePrefix": "shop-"}));
    assert_eq!((status, &answer["MetricAlarms"][0]["Threshold"]), (200, &json!(0.5)));
    let state = json!({"AlarmName": "shop-x", "StateValue": "BAD", "StateReason": ""});
    let (status, error, answer) = in_cbor(&sandbox, "SetAlarmState", &state);
    assert_eq!((status, error.as_deref()), (400, Some("ValidationError;Sender")));
    assert_eq!(answer["__type"], "ValidationException");
}

/// Status, the error's old name, and the answer of a call as today's clients make it.
fn in_cbor(sandbox: &Sandbox, operation: &str, input: &Value) -> (u16, Option<String>, Value) {
    let mut body = Vec::new();
    cbor::write(&mut body, input);
    let credential = "AWS4-HMAC-SHA256 Credential=AKID/20260105/us-east-1/monitoring/aws4_request, Signature=0";
    let headers =
        [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor"), ("authorization", credential)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let path = format!("/service/GraniteServiceVersion20100801/operation/{operation}");
    let request = Request { method: "POST".to_owned(), path, headers, body, ..Request::default() };
    let Delivery::Answer(response) = sandbox.call(&request).delivery else { panic!("no answer") };
    let error = response.headers.iter().find(|(name, _)| name == "x-amzn-query-error").map(|(_, value)| value.clone());
    (response.status, error, cbor::read(&response.body).unwrap())
}

#[test]
fn what_was_published_is_read_back() {
    let sandbox = calm();
    let datum = |extra: Value| {
        let mut datum = json!({"MetricName": "Length", "Dimensions": [{"Name": "Queue", "Value": "jobs"}]});
        datum.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        cloudwatch(&sandbox, "PutMetricData", json!({"Namespace": "Shop", "MetricData": [datum]}))
    };
    datum(json!({"Value": 3})).unwrap();
    datum(json!({"Values": [1, 5], "Counts": [2, 1]})).unwrap();
    let both = datum(json!({"Value": 3, "Values": [1]}));
    assert_eq!(code(both), "InvalidParameterCombinationException");
    let query = json!({"Id": "q", "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {
        "Namespace": "Shop", "MetricName": "Length", "Dimensions": [{"Name": "Queue", "Value": "jobs"}]}}});
    let (start, end) = (1_767_600_000, 1_767_607_200);
    let input = json!({"MetricDataQueries": [query], "StartTime": start, "EndTime": end});
    let read = cloudwatch(&sandbox, "GetMetricData", input).unwrap();
    assert_eq!(read["MetricDataResults"][0]["Values"], json!([10.0]));
    let input = json!({"Namespace": "Shop", "MetricName": "Length", "StartTime": start, "EndTime": end, "Period": 60,
        "Dimensions": [{"Name": "Queue", "Value": "jobs"}], "Statistics": ["Average", "Maximum"]});
    let read = cloudwatch(&sandbox, "GetMetricStatistics", input).unwrap();
    assert_eq!((&read["Datapoints"][0]["Average"], &read["Datapoints"][0]["Maximum"]), (&json!(2.5), &json!(5.0)));
    assert_eq!(cloudwatch(&sandbox, "ListMetrics", json!({})).unwrap()["Metrics"][0]["MetricName"], "Length");
    assert!(sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_state_is_told_of_with_what_was_before_and_what_the_alarm_looks_at() {
    let sandbox = with_topic();
    cloudwatch(&sandbox, "PutMetricAlarm", alarm("notBreaching")).unwrap();
    tokio::time::advance(2 * MINUTE).await;
    assert_eq!(state(&sandbox, "shop-queue"), "OK");
    listen(&sandbox, &json!({"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}));
    publish(&sandbox, 9.0);
    tokio::time::advance(MINUTE).await;
    publish(&sandbox, 9.0);
    tokio::time::advance(2 * MINUTE).await;
    let event = heard(&sandbox).pop().unwrap();
    let arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:shop-queue";
    assert_eq!((&event["detail-type"], &event["resources"]), (&json!("CloudWatch Alarm State Change"), &json!([arn])));
    let detail = &event["detail"];
    assert_eq!((&detail["alarmName"], &detail["previousState"]["value"]), (&json!("shop-queue"), &json!("OK")));
    assert_eq!(detail["state"]["reason"], described(&sandbox, "shop-queue")["StateReason"]);
    let data: Value = serde_json::from_str(detail["state"]["reasonData"].as_str().unwrap()).unwrap();
    assert_eq!(data["version"], "1.0");
    assert!(detail["state"]["timestamp"].as_str().unwrap().ends_with("+0000"));
    let metric = &detail["configuration"]["metrics"][0]["metricStat"]["metric"];
    let wanted = json!({"namespace": "Shop", "name": "Length", "dimensions": {"Queue": "jobs"}});
    assert_eq!(*metric, wanted);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_sees_what_lies_in_a_dead_letter_queue_and_how_old_it_is() {
    let sandbox = with_topic();
    let queue = "https://sqs.us-east-1.amazonaws.com/123456789012/dead";
    call(&sandbox, "sqs", "CreateQueue", json!({"QueueName": "dead"})).unwrap();
    let on = |name: &str, metric: &str, threshold: u32| {
        let mut input = alarm("notBreaching");
        for (member, value) in [
            ("AlarmName", json!(name)),
            ("Namespace", json!("AWS/SQS")),
            ("MetricName", json!(metric)),
            ("Dimensions", json!([{"Name": "QueueName", "Value": "dead"}])),
            ("Threshold", json!(threshold)),
            ("ComparisonOperator", json!("GreaterThanThreshold")),
            ("EvaluationPeriods", json!(1)),
            ("DatapointsToAlarm", json!(1)),
            ("Statistic", json!("Maximum")),
        ] {
            input[member] = value;
        }
        cloudwatch(&sandbox, "PutMetricAlarm", input).unwrap();
    };
    on("letters", "ApproximateNumberOfMessagesVisible", 0);
    on("old", "ApproximateAgeOfOldestMessage", 300);
    tokio::time::advance(2 * MINUTE).await;
    assert_eq!((state(&sandbox, "letters"), state(&sandbox, "old")), ("OK".to_owned(), "OK".to_owned()));
    call(&sandbox, "sqs", "SendMessage", json!({"QueueUrl": queue, "MessageBody": "x"})).unwrap();
    tokio::time::advance(3 * MINUTE).await;
    assert_eq!((state(&sandbox, "letters"), state(&sandbox, "old")), ("ALARM".to_owned(), "OK".to_owned()));
    tokio::time::advance(5 * MINUTE).await;
    assert_eq!(state(&sandbox, "old"), "ALARM");
    call(&sandbox, "sqs", "PurgeQueue", json!({"QueueUrl": queue})).unwrap();
    tokio::time::advance(3 * MINUTE).await;
    assert_eq!((state(&sandbox, "letters"), state(&sandbox, "old")), ("OK".to_owned(), "OK".to_owned()));
}

use serde_json::{Value, json};

use crate::Sandbox;
use crate::services::testing::{Refusal, json as call};
use crate::testing::calm;

fn logs(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "logs", operation, input)
}

fn written() -> Sandbox {
    let sandbox = calm();
    logs(&sandbox, "CreateLogGroup", json!({"logGroupName": "/app"})).unwrap();
    for n in 1..=5 {
        assert!(sandbox.with(|ctx| super::append(ctx, "/app", "web/web/1", &format!("line {n}"))));
    }
    sandbox
}

fn messages(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().filter_map(|event| event["message"].as_str()).collect()
}

#[tokio::test]
async fn the_last_lines_come_first_and_a_token_goes_backwards() {
    let sandbox = written();
    let ask = json!({"logGroupName": "/app", "logStreamName": "web/web/1", "limit": 2});
    let last = logs(&sandbox, "GetLogEvents", ask.clone()).unwrap();
    assert_eq!(messages(&last), ["line 4", "line 5"]);
    let mut before = ask;
    before["nextToken"] = last["nextBackwardToken"].clone();
    let before = logs(&sandbox, "GetLogEvents", before).unwrap();
    assert_eq!(messages(&before), ["line 2", "line 3"]);
}

#[tokio::test]
async fn at_the_end_the_forward_token_stays_and_later_lines_follow_it() {
    let sandbox = written();
    let ask = |token: Option<&Value>| {
        let ask =
            json!({"logGroupName": "/app", "logStreamName": "web/web/1", "startFromHead": true, "nextToken": token});
        logs(&sandbox, "GetLogEvents", ask).unwrap()
    };
    let all = ask(None);
    assert_eq!(messages(&all).len(), 5);
    let end = ask(Some(&all["nextForwardToken"]));
    assert_eq!((messages(&end).len(), &end["nextForwardToken"]), (0, &all["nextForwardToken"]));
    sandbox.with(|ctx| super::append(ctx, "/app", "web/web/1", "line 6"));
    assert_eq!(messages(&ask(Some(&end["nextForwardToken"]))), ["line 6"]);
}

#[tokio::test]
async fn a_filter_searches_all_streams_of_the_group() {
    let sandbox = written();
    sandbox.with(|ctx| super::append(ctx, "/app", "web/web/2", "ERROR of the second"));
    let found = logs(&sandbox, "FilterLogEvents", json!({"logGroupName": "/app", "filterPattern": "ERROR"})).unwrap();
    assert_eq!(messages(&found), ["ERROR of the second"]);
    assert_eq!(found["events"][0]["logStreamName"], "web/web/2");
    let streams = logs(&sandbox, "DescribeLogStreams", json!({"logGroupName": "/app"})).unwrap();
    assert_eq!(streams["logStreams"].as_array().map(Vec::len), Some(2));
    assert!(streams["logStreams"][0]["lastEventTimestamp"].is_number());
}

#[tokio::test]
async fn nothing_is_written_to_a_group_that_is_not_there() {
    let sandbox = calm();
    assert!(!sandbox.with(|ctx| super::append(ctx, "/absent", "web", "lost")));
    let refused =
        logs(&sandbox, "GetLogEvents", json!({"logGroupName": "/absent", "logStreamName": "web"})).unwrap_err();
    assert_eq!(refused.0, "ResourceNotFoundException");
}

use serde_json::{Value, json};

use crate::Sandbox;
use crate::services::testing::{Refusal, code, json as call};
use crate::testing::calm;

fn ddb(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "dynamodb", operation, input)
}

async fn table(sandbox: &Sandbox) {
    ddb(sandbox, "CreateTable", json!({
        "TableName": "state", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
        "Tags": [{"Key": "a", "Value": "b"}],
    }))
    .unwrap();
    pass(60).await;
}

async fn pass(seconds: u64) {
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
}

fn key(sk: &str) -> Value {
    json!({"pk": {"S": "p"}, "sk": {"S": sk}})
}

fn put(sandbox: &Sandbox, sk: &str, n: i64) -> Result<Value, Refusal> {
    let item = json!({"pk": {"S": "p"}, "sk": {"S": sk}, "n": {"N": n.to_string()}});
    ddb(sandbox, "PutItem", json!({"TableName": "state", "Item": item}))
}

fn got(sandbox: &Sandbox, sk: &str) -> Value {
    ddb(sandbox, "GetItem", json!({"TableName": "state", "Key": key(sk), "ConsistentRead": true})).unwrap()["Item"]
        .clone()
}

#[tokio::test(start_paused = true)]
async fn a_table_takes_items_only_once_it_is_active_and_none_when_it_goes() {
    let sandbox = calm();
    ddb(&sandbox, "CreateTable", json!({
        "TableName": "state", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
    }))
    .unwrap();
    assert_eq!(code(put(&sandbox, "a", 1)), "ResourceNotFoundException");
    assert_eq!(code(ddb(&sandbox, "DeleteTable", json!({"TableName": "state"}))), "ResourceInUseException");
    pass(60).await;
    put(&sandbox, "a", 1).unwrap();
    let table = ddb(&sandbox, "DescribeTable", json!({"TableName": "state"})).unwrap()["Table"].clone();
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST");
    ddb(&sandbox, "UpdateTable", json!({"TableName": "state", "DeletionProtectionEnabled": true})).unwrap();
    assert_eq!(code(ddb(&sandbox, "DeleteTable", json!({"TableName": "state"}))), "ValidationException");
    ddb(&sandbox, "UpdateTable", json!({"TableName": "state", "DeletionProtectionEnabled": false})).unwrap();
    ddb(&sandbox, "DeleteTable", json!({"TableName": "state"})).unwrap();
    assert_eq!(code(put(&sandbox, "a", 1)), "ResourceNotFoundException");
    pass(60).await;
    assert!(sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_condition_changes_nothing() {
    let sandbox = calm();
    table(&sandbox).await;
    let write = |token: &str| {
        ddb(
            &sandbox,
            "PutItem",
            json!({
                "TableName": "state", "Item": {"pk": {"S": "p"}, "sk": {"S": "lock"}, "holder": {"S": token}},
                "ConditionExpression": "attribute_not_exists(pk) OR holder = :me",
                "ExpressionAttributeValues": {":me": {"S": token}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }),
        )
    };
    write("one").unwrap();
    write("one").unwrap();
    assert_eq!(code(write("two")), "ConditionalCheckFailedException");
    assert_eq!(got(&sandbox, "lock")["holder"]["S"], "one");
}

#[tokio::test(start_paused = true)]
async fn an_update_sets_counts_and_removes_and_answers_what_is_asked_for() {
    let sandbox = calm();
    table(&sandbox).await;
    let bump = || {
        ddb(&sandbox, "UpdateItem", json!({
            "TableName": "state", "Key": key("c"),
            "UpdateExpression": "SET #v = if_not_exists(#v, :zero) + :one, m = :m REMOVE gone ADD hits :one",
            "ExpressionAttributeNames": {"#v": "version"},
            "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}, ":m": {"M": {"x": {"L": [{"S": "a"}]}}}},
            "ReturnValues": "UPDATED_NEW",
        }))
        .unwrap()["Attributes"]
            .clone()
    };
    assert_eq!(bump()["version"]["N"], "1");
    let second = bump();
    assert_eq!((&second["version"]["N"], &second["hits"]["N"]), (&json!("2"), &json!("2")));
    ddb(
        &sandbox,
        "UpdateItem",
        json!({
            "TableName": "state", "Key": key("c"), "UpdateExpression": "SET m.x[0] = :b, m.y = list_append(m.x, :l)",
            "ExpressionAttributeValues": {":b": {"S": "b"}, ":l": {"L": [{"S": "z"}]}},
        }),
    )
    .unwrap();
    assert_eq!(got(&sandbox, "c")["m"], json!({"M": {"x": {"L": [{"S": "b"}]}, "y": {"L": [{"S": "a"}, {"S": "z"}]}}}));
}

#[tokio::test(start_paused = true)]
async fn expressions_that_aws_refuses_are_refused() {
    let sandbox = calm();
    table(&sandbox).await;
    for (expression, names, values) in [
        ("SET status = :v", json!(null), json!({":v": {"S": "x"}})),
        ("SET pk = :v", json!(null), json!({":v": {"S": "x"}})),
        ("SET a = :v, a = :v", json!(null), json!({":v": {"S": "x"}})),
        ("SET a = :v", json!(null), json!({":v": {"S": "x"}, ":idle": {"S": "x"}})),
        ("SET a = :w", json!(null), json!({":v": {"S": "x"}})),
        ("SET a = b + :v", json!(null), json!({":v": {"N": "1"}})),
        ("SET a.b = :v", json!(null), json!({":v": {"N": "1"}})),
        ("SET a == :v", json!(null), json!({":v": {"N": "1"}})),
        ("SET #a = :v", json!({"#b": "x"}), json!({":v": {"N": "1"}})),
    ] {
        let input = json!({"TableName": "state", "Key": key("x"), "UpdateExpression": expression,
            "ExpressionAttributeNames": names, "ExpressionAttributeValues": values});
        assert_eq!(code(ddb(&sandbox, "UpdateItem", input)), "ValidationException", "{expression}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_walks_a_partition_in_either_direction_page_by_page() {
    let sandbox = calm();
    table(&sandbox).await;
    for n in [3, 1, 2, 5, 4] {
        put(&sandbox, &format!("run#{n}"), n).unwrap();
    }
    put(&sandbox, "other", 9).unwrap();
    let page = |forward: bool, start: Value| {
        ddb(
            &sandbox,
            "Query",
            json!({
                "TableName": "state", "KeyConditionExpression": "pk = :p AND begins_with(sk, :s)", "Limit": 2,
                "ExpressionAttributeValues": {":p": {"S": "p"}, ":s": {"S": "run#"}},
                "ScanIndexForward": forward, "ExclusiveStartKey": start, "ConsistentRead": true,
            }),
        )
        .unwrap()
    };
    for (forward, expected) in [(true, ["1", "2", "3", "4", "5"]), (false, ["5", "4", "3", "2", "1"])] {
        let mut start = Value::Null;
        let mut found = Vec::new();
        loop {
            let answer = page(forward, start);
            found.extend(answer["Items"].as_array().unwrap().iter().map(|i| i["n"]["N"].as_str().unwrap().to_owned()));
            start = answer["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_happens_wholly_or_not_at_all() {
    let sandbox = calm();
    table(&sandbox).await;
    put(&sandbox, "a", 1).unwrap();
    let transact = |wanted: &str| {
        ddb(
            &sandbox,
            "TransactWriteItems",
            json!({"TransactItems": [
                {"Put": {"TableName": "state", "Item": {"pk": {"S": "p"}, "sk": {"S": "b"}}}},
                {"Update": {"TableName": "state", "Key": key("a"), "UpdateExpression": "SET n = n + :one",
                    "ConditionExpression": "n = :n", "ExpressionAttributeValues": {":one": {"N": "1"}, ":n": {"N": wanted}}}},
            ]}),
        )
    };
    let (code, message) = transact("7").unwrap_err();
    assert_eq!(code, "TransactionCanceledException");
    assert!(message.ends_with("[None, ConditionalCheckFailed]"));
    assert!(got(&sandbox, "b").is_null());
    transact("1").unwrap();
    assert_eq!(got(&sandbox, "a")["n"]["N"], "2");
    assert!(!got(&sandbox, "b").is_null());
}

#[tokio::test(start_paused = true)]
async fn recovery_and_time_to_live_are_switched_on_once_the_table_can() {
    let sandbox = calm();
    ddb(
        &sandbox,
        "CreateTable",
        json!({
            "TableName": "state", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        }),
    )
    .unwrap();
    let pitr = || {
        ddb(
            &sandbox,
            "UpdateContinuousBackups",
            json!({
        "TableName": "state", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true}}),
        )
    };
    assert_eq!(code(pitr()), "ContinuousBackupsUnavailableException");
    pass(60).await;
    let answer = pitr().unwrap();
    let description = &answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_eq!(
        (&description["PointInTimeRecoveryStatus"], &description["RecoveryPeriodInDays"]),
        (&json!("ENABLED"), &json!(35))
    );
    let ttl = || {
        ddb(
            &sandbox,
            "UpdateTimeToLive",
            json!({
        "TableName": "state", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "expires"}}),
        )
    };
    ttl().unwrap();
    assert_eq!(code(ttl()), "ValidationException");
    // Up to an hour.
    pass(3600).await;
    let answer = ddb(&sandbox, "DescribeTimeToLive", json!({"TableName": "state"})).unwrap();
    assert_eq!(answer["TimeToLiveDescription"], json!({"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}));
}

#[tokio::test(start_paused = true)]
async fn a_policy_judges_the_table_and_the_partition() {
    let sandbox = calm();
    table(&sandbox).await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "arn:aws:dynamodb:*:*:table/state",
        "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["q"]}}}]});
    sandbox.set_policy(Some(crate::Policy::parse(&policy).unwrap()));
    assert_eq!(code(put(&sandbox, "a", 1)), "AccessDeniedException");
    ddb(&sandbox, "PutItem", json!({"TableName": "state", "Item": {"pk": {"S": "q"}, "sk": {"S": "a"}}})).unwrap();
}

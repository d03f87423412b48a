//! What must hold of parameters, seen from outside.

use serde_json::{Value, json};

use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, json as call};
use crate::testing::calm;

fn ssm(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "ssm", operation, input)
}

fn put(sandbox: &Sandbox, name: &str, kind: &str, value: &str) -> Result<Value, Refusal> {
    ssm(sandbox, "PutParameter", json!({"Name": name, "Type": kind, "Value": value}))
}

fn names(answer: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        answer["Parameters"].as_array().unwrap().iter().map(|p| p["Name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_secret_shows_its_value_only_when_decrypted() {
    let sandbox = calm();
    put(&sandbox, "/shop/password", "SecureString", "s3cret").unwrap();
    let get = |decrypt: bool| {
        ssm(&sandbox, "GetParameter", json!({"Name": "/shop/password", "WithDecryption": decrypt})).unwrap()
    };
    assert_eq!(get(true)["Parameter"]["Value"], "s3cret");
    let hidden = get(false)["Parameter"]["Value"].as_str().unwrap().to_owned();
    assert!(hidden.starts_with("AQIC") && !hidden.contains("s3cret"), "{hidden}");
}

#[test]
fn a_parameter_is_overwritten_only_when_asked_and_then_counts_on() {
    let sandbox = calm();
    assert_eq!(put(&sandbox, "a", "String", "1").unwrap()["Version"], 1);
    assert_eq!(code(put(&sandbox, "a", "String", "2")), "ParameterAlreadyExists");
    let over = json!({"Name": "a", "Value": "2", "Overwrite": true});
    assert_eq!(ssm(&sandbox, "PutParameter", over).unwrap()["Version"], 2);
    let first = ssm(&sandbox, "GetParameter", json!({"Name": "a:1"})).unwrap();
    assert_eq!((&first["Parameter"]["Value"], &first["Parameter"]["Selector"]), (&json!("1"), &json!(":1")));
    assert_eq!(code(ssm(&sandbox, "GetParameter", json!({"Name": "a:3"}))), "ParameterVersionNotFound");
    let history = ssm(&sandbox, "GetParameterHistory", json!({"Name": "a"})).unwrap();
    assert_eq!(history["Parameters"].as_array().unwrap().len(), 2);
}

#[test]
fn tags_are_taken_at_creation_and_refused_with_overwrite() {
    let sandbox = calm();
    let request = |overwrite: bool| json!({"Name": "a", "Type": "String", "Value": "1", "Overwrite": overwrite, "Tags": [{"Key": "k", "Value": "v"}]});
    assert_eq!(code(ssm(&sandbox, "PutParameter", request(true))), "ValidationException");
    ssm(&sandbox, "PutParameter", request(false)).unwrap();
    let tags = json!({"ResourceType": "Parameter", "ResourceId": "a"});
    let tags = ssm(&sandbox, "ListTagsForResource", tags).unwrap();
    assert_eq!(tags["TagList"], json!([{"Key": "k", "Value": "v"}]));
    let by_tag = json!({"ParameterFilters": [{"Key": "tag:k", "Values": ["v"]}]});
    assert_eq!(names(&ssm(&sandbox, "DescribeParameters", by_tag).unwrap()), ["a"]);
    let other = json!({"ParameterFilters": [{"Key": "tag:k", "Values": ["w"]}]});
    assert!(names(&ssm(&sandbox, "DescribeParameters", other).unwrap()).is_empty());
}

#[test]
fn a_path_lists_what_lies_directly_under_it_unless_recursive() {
    let sandbox = calm();
    for name in ["/shop/a", "/shop/db/b", "/shopping/c"] {
        put(&sandbox, name, "String", "v").unwrap();
    }
    let list = |recursive: bool| {
        ssm(&sandbox, "GetParametersByPath", json!({"Path": "/shop", "Recursive": recursive})).unwrap()
    };
    assert_eq!(names(&list(false)), ["/shop/a"]);
    assert_eq!(names(&list(true)), ["/shop/a", "/shop/db/b"]);
    let page = ssm(&sandbox, "DescribeParameters", json!({"MaxResults": 2})).unwrap();
    let rest = ssm(&sandbox, "DescribeParameters", json!({"MaxResults": 2, "NextToken": page["NextToken"]})).unwrap();
    assert_eq!((names(&page).len(), names(&rest).len(), rest.get("NextToken")), (2, 1, None));
}

#[test]
fn names_and_values_that_aws_refuses_are_refused() {
    let sandbox = calm();
    for (name, value, expected) in [
        ("/aws/a", "v", "AccessDeniedException"),
        ("ssm-a", "v", "ValidationException"),
        ("shop/a", "v", "ValidationException"),
        ("/shop//a", "v", "ValidationException"),
        ("a b", "v", "ValidationException"),
        ("a", "", "ValidationException"),
        ("a", &"v".repeat(4097), "ValidationException"),
    ] {
        assert_eq!(code(put(&sandbox, name, "String", value)), expected, "{name}");
    }
    put(&sandbox, "a", "String", "v").unwrap();
    let retyped = json!({"Name": "a", "Type": "SecureString", "Value": "v", "Overwrite": true});
    assert_eq!(code(ssm(&sandbox, "PutParameter", retyped)), "HierarchyTypeMismatchException");
}

#[test]
fn a_secret_under_a_key_that_cannot_be_used_cannot_be_read() {
    let sandbox = calm();
    let made = call(&sandbox, "kms", "CreateKey", json!({})).unwrap();
    let key = &made["KeyMetadata"]["Arn"];
    let secret = json!({"Name": "a", "Type": "SecureString", "Value": "v", "KeyId": key});
    ssm(&sandbox, "PutParameter", secret).unwrap();
    call(&sandbox, "kms", "DisableKey", json!({"KeyId": key})).unwrap();
    ssm(&sandbox, "GetParameter", json!({"Name": "a"})).unwrap();
    let read = ssm(&sandbox, "GetParameter", json!({"Name": "a", "WithDecryption": true}));
    assert_eq!(code(read), "InvalidKeyId");
}

#[test]
fn a_secret_under_a_customers_key_needs_the_key_and_one_under_awss_key_does_not() {
    let sandbox = calm();
    let made = call(&sandbox, "kms", "CreateKey", json!({})).unwrap();
    let document = json!({"Statement": {"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}});
    sandbox.set_policy(Some(Policy::parse(&document).unwrap()));
    put(&sandbox, "plain", "SecureString", "v").unwrap();
    let secret = json!({"Name": "a", "Type": "SecureString", "Value": "v", "KeyId": made["KeyMetadata"]["KeyId"]});
    let (code, message) = ssm(&sandbox, "PutParameter", secret).unwrap_err();
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("kms:Encrypt"), "{message}");
}

#[test]
fn deleting_says_which_names_nothing_has() {
    let sandbox = calm();
    put(&sandbox, "a", "String", "v").unwrap();
    let answer = ssm(&sandbox, "DeleteParameters", json!({"Names": ["a", "b"]})).unwrap();
    assert_eq!(answer, json!({"DeletedParameters": ["a"], "InvalidParameters": ["b"]}));
    assert_eq!(code(ssm(&sandbox, "DeleteParameter", json!({"Name": "a"}))), "ParameterNotFound");
}

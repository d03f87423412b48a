//! What must hold of roles and profiles, seen from outside.

use std::time::Duration;

use serde_json::json;

use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, element, query};
use crate::testing::calm;
use crate::weather::Weather;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const READS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;
const CORE: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

fn iam(sandbox: &Sandbox, operation: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
    query(sandbox, "iam", operation, parameters)
}

fn role(sandbox: &Sandbox, name: &str) -> Result<String, Refusal> {
    let parameters = [
        ("RoleName", name),
        ("AssumeRolePolicyDocument", TRUST),
        ("Path", "/shop/"),
        ("Tags.member.1.Key", "k"),
        ("Tags.member.1.Value", "v"),
    ];
    iam(sandbox, "CreateRole", &parameters)
}

#[test]
fn documents_come_back_url_encoded() {
    let sandbox = calm();
    let made = role(&sandbox, "app").unwrap();
    let text = element(&made, "AssumeRolePolicyDocument");
    assert!(text.starts_with("%7B%22Version%22%3A%222012-10-17%22"), "{text}");
    iam(&sandbox, "PutRolePolicy", &[("RoleName", "app"), ("PolicyName", "p"), ("PolicyDocument", READS)]).unwrap();
    let policy = iam(&sandbox, "GetRolePolicy", &[("RoleName", "app"), ("PolicyName", "p")]).unwrap();
    assert!(element(&policy, "PolicyDocument").contains("s3%3AGet%2A"), "{policy}");
}

#[test]
fn a_role_is_shown_differently_when_made_when_got_and_in_a_list() {
    let sandbox = calm();
    let made = role(&sandbox, "app").unwrap();
    assert!(made.contains("<Tags><member>") && !made.contains("MaxSessionDuration"));
    assert_eq!(element(&made, "Arn"), "arn:aws:iam::123456789012:role/shop/app");
    assert!(element(&made, "RoleId").starts_with("AROA"));
    let got = iam(&sandbox, "GetRole", &[("RoleName", "app")]).unwrap();
    assert!(got.contains("<Tags><member>") && got.contains("RoleLastUsed"));
    assert_eq!(element(&got, "MaxSessionDuration"), "3600");
    let listed = iam(&sandbox, "ListRoles", &[("PathPrefix", "/shop/")]).unwrap();
    assert!(!listed.contains("<Tags>") && listed.contains("MaxSessionDuration"));
    assert!(!iam(&sandbox, "ListRoles", &[("PathPrefix", "/other/")]).unwrap().contains("RoleName"));
}

#[test]
fn role_names_that_differ_in_case_alone_are_one_name() {
    let sandbox = calm();
    role(&sandbox, "app").unwrap();
    assert_eq!(code(role(&sandbox, "APP")), "EntityAlreadyExists");
}

#[test]
fn a_role_goes_only_when_nothing_hangs_on_it() {
    let sandbox = calm();
    role(&sandbox, "app").unwrap();
    let app = ("RoleName", "app");
    let profile = ("InstanceProfileName", "app");
    iam(&sandbox, "PutRolePolicy", &[app, ("PolicyName", "p"), ("PolicyDocument", READS)]).unwrap();
    iam(&sandbox, "AttachRolePolicy", &[app, ("PolicyArn", CORE)]).unwrap();
    iam(&sandbox, "CreateInstanceProfile", &[profile]).unwrap();
    iam(&sandbox, "AddRoleToInstanceProfile", &[profile, app]).unwrap();
    let steps: [(&str, &[(&str, &str)]); 3] = [
        ("RemoveRoleFromInstanceProfile", &[profile, app]),
        ("DetachRolePolicy", &[app, ("PolicyArn", CORE)]),
        ("DeleteRolePolicy", &[app, ("PolicyName", "p")]),
    ];
    assert_eq!(code(iam(&sandbox, "DeleteInstanceProfile", &[profile])), "DeleteConflict");
    for (operation, parameters) in steps {
        assert_eq!(code(iam(&sandbox, "DeleteRole", &[app])), "DeleteConflict", "before {operation}");
        iam(&sandbox, operation, parameters).unwrap();
    }
    iam(&sandbox, "DeleteRole", &[app]).unwrap();
    iam(&sandbox, "DeleteInstanceProfile", &[profile]).unwrap();
    assert_eq!(code(iam(&sandbox, "GetRole", &[app])), "NoSuchEntity");
    assert!(sandbox.inventory().is_empty());
}

#[test]
fn documents_that_iam_cannot_read_are_malformed() {
    let sandbox = calm();
    role(&sandbox, "app").unwrap();
    for document in [
        "{",
        "{}",
        r#"{"Version":"2015-01-01","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"s3","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"s3:*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#,
    ] {
        let put =
            iam(&sandbox, "PutRolePolicy", &[("RoleName", "app"), ("PolicyName", "p"), ("PolicyDocument", document)]);
        assert_eq!(code(put), "MalformedPolicyDocument", "{document}");
    }
    for trust in [
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"s3:GetObject"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/none"},"Action":"sts:AssumeRole"}]}"#,
    ] {
        let update = iam(&sandbox, "UpdateAssumeRolePolicy", &[("RoleName", "app"), ("PolicyDocument", trust)]);
        assert_eq!(code(update), "MalformedPolicyDocument", "{trust}");
    }
}

#[test]
fn inline_policies_have_ten_thousand_letters_together_and_blanks_do_not_count() {
    let sandbox = calm();
    role(&sandbox, "app").unwrap();
    let put = |name: &str, document: &str| {
        iam(&sandbox, "PutRolePolicy", &[("RoleName", "app"), ("PolicyName", name), ("PolicyDocument", document)])
    };
    let long = READS.replace("s3:Get*", &format!("s3:{}", "a".repeat(6000)));
    put("blank", &READS.replace(",\"", &format!(",{}\"", " ".repeat(9000)))).unwrap();
    put("one", &long).unwrap();
    assert_eq!(code(put("two", &long)), "LimitExceeded");
}

#[test]
fn adding_a_role_to_a_profile_is_passing_it_to_ec2() {
    let sandbox = calm();
    role(&sandbox, "app").unwrap();
    iam(&sandbox, "CreateInstanceProfile", &[("InstanceProfileName", "app")]).unwrap();
    let allow = |service: &str| {
        let document = json!({"Statement": [
            {"Effect": "Allow", "Action": "iam:AddRoleToInstanceProfile", "Resource": "*"},
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/shop/*",
             "Condition": {"StringEquals": {"iam:PassedToService": service}}},
        ]});
        sandbox.set_policy(Some(Policy::parse(&document).unwrap()));
        iam(&sandbox, "AddRoleToInstanceProfile", &[("InstanceProfileName", "app"), ("RoleName", "app")])
    };
    assert_eq!(code(allow("ecs-tasks.amazonaws.com")), "AccessDenied");
    allow("ec2.amazonaws.com").unwrap();
}

#[test]
fn the_keys_of_tags_are_not_case_sensitive() {
    let sandbox = calm();
    role(&sandbox, "app").unwrap();
    let tag = [("RoleName", "app"), ("Tags.member.1.Key", "K"), ("Tags.member.1.Value", "w")];
    iam(&sandbox, "TagRole", &tag).unwrap();
    let tags = iam(&sandbox, "ListRoleTags", &[("RoleName", "app")]).unwrap();
    assert_eq!(tags.matches("<Key>").count(), 1);
    assert_eq!(element(&tags, "Value"), "w");
}

#[test]
fn a_new_role_can_be_unknown_to_reads_for_some_seconds() {
    let unknown = (0..40).any(|seed| {
        let weather = Weather { stale_reads: Duration::from_secs(4), ..Weather::calm() };
        let sandbox = Sandbox::builder().seed(seed).weather(weather).build();
        role(&sandbox, "app").unwrap();
        code(iam(&sandbox, "GetRole", &[("RoleName", "app")])) == "NoSuchEntity"
    });
    assert!(unknown);
}

#[test]
fn a_list_comes_in_pages() {
    let sandbox = calm();
    for name in ["a", "b", "c"] {
        role(&sandbox, name).unwrap();
    }
    let first = iam(&sandbox, "ListRoles", &[("MaxItems", "2")]).unwrap();
    assert_eq!((element(&first, "IsTruncated").as_str(), first.matches("<RoleName>").count()), ("true", 2));
    let marker = element(&first, "Marker");
    let second = iam(&sandbox, "ListRoles", &[("MaxItems", "2"), ("Marker", &marker)]).unwrap();
    assert_eq!((element(&second, "IsTruncated").as_str(), second.matches("<RoleName>").count()), ("false", 1));
    let details = iam(&sandbox, "GetAccountAuthorizationDetails", &[("Filter.member.1", "Role")]).unwrap();
    assert_eq!(details.matches("<Key>k</Key>").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_linked_role_is_deleted_by_a_task_and_by_nothing_else() {
    let sandbox = calm();
    iam(&sandbox, "CreateServiceLinkedRole", &[("AWSServiceName", "rds.amazonaws.com")]).unwrap();
    let name = ("RoleName", "AWSServiceRoleForRDS");
    assert_eq!(code(iam(&sandbox, "DeleteRole", &[name])), "UnmodifiableEntity");
    let again = iam(&sandbox, "CreateServiceLinkedRole", &[("AWSServiceName", "rds.amazonaws.com")]);
    assert_eq!(code(again), "InvalidInput");
    let task = element(&iam(&sandbox, "DeleteServiceLinkedRole", &[name]).unwrap(), "DeletionTaskId");
    let status = || {
        let answer = iam(&sandbox, "GetServiceLinkedRoleDeletionStatus", &[("DeletionTaskId", &task)]).unwrap();
        element(&answer, "Status")
    };
    assert_eq!(status(), "IN_PROGRESS");
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(status(), "SUCCEEDED");
    assert!(sandbox.inventory().is_empty());
}

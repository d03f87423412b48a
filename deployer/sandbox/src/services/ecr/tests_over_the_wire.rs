//! What must hold of repositories, seen from outside.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, heard, json as call, listen};
use crate::testing::calm;
use crate::weather::Weather;

const ARN: &str = "arn:aws:ecr:us-east-1:123456789012:repository/shop/web";

fn ecr(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
    call(sandbox, "ecr", operation, input)
}

fn repository(sandbox: &Sandbox) -> Value {
    let tags = json!([{ "Key": "team", "Value": "web" }]);
    let input = json!({ "repositoryName": "shop/web", "imageTagMutability": "IMMUTABLE", "tags": tags });
    ecr(sandbox, "CreateRepository", input).unwrap()["repository"].clone()
}

#[test]
fn a_new_repository_has_the_defaults_that_nobody_sent() {
    let made = repository(&calm());
    assert_eq!(made["repositoryArn"], ARN);
    assert_eq!(made["repositoryUri"], "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web");
    assert_eq!(made["imageScanningConfiguration"]["scanOnPush"], false);
    assert_eq!(made["encryptionConfiguration"]["encryptionType"], "AES256");
}

#[test]
fn a_name_is_taken_once_and_an_absent_one_is_not_found() {
    let sandbox = calm();
    repository(&sandbox);
    assert_eq!(
        code(ecr(&sandbox, "CreateRepository", json!({ "repositoryName": "shop/web" }))),
        "RepositoryAlreadyExistsException"
    );
    assert_eq!(
        code(ecr(&sandbox, "DescribeRepositories", json!({ "repositoryNames": ["none"] }))),
        "RepositoryNotFoundException"
    );
    assert_eq!(
        code(ecr(&sandbox, "CreateRepository", json!({ "repositoryName": "Shop" }))),
        "InvalidParameterException"
    );
}

#[test]
fn policies_are_absent_until_they_are_put_and_again_once_deleted() {
    let sandbox = calm();
    repository(&sandbox);
    let name = json!({ "repositoryName": "shop/web" });
    assert_eq!(code(ecr(&sandbox, "GetLifecyclePolicy", name.clone())), "LifecyclePolicyNotFoundException");
    assert_eq!(code(ecr(&sandbox, "GetRepositoryPolicy", name.clone())), "RepositoryPolicyNotFoundException");
    let rule = json!({ "rulePriority": 1, "action": { "type": "expire" }, "selection": {
        "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7 } });
    let text = json!({ "rules": [rule] }).to_string();
    let put = json!({ "repositoryName": "shop/web", "lifecyclePolicyText": text });
    ecr(&sandbox, "PutLifecyclePolicy", put).unwrap();
    assert_eq!(ecr(&sandbox, "GetLifecyclePolicy", name.clone()).unwrap()["lifecyclePolicyText"], text.as_str());
    ecr(&sandbox, "DeleteLifecyclePolicy", name.clone()).unwrap();
    assert_eq!(code(ecr(&sandbox, "GetLifecyclePolicy", name)), "LifecyclePolicyNotFoundException");
}

#[test]
fn tags_are_merged_and_taken_away() {
    let sandbox = calm();
    repository(&sandbox);
    let tags = || ecr(&sandbox, "ListTagsForResource", json!({ "resourceArn": ARN })).unwrap()["tags"].clone();
    ecr(&sandbox, "TagResource", json!({ "resourceArn": ARN, "tags": [{ "Key": "a", "Value": "1" }] })).unwrap();
    assert_eq!(tags(), json!([{ "Key": "a", "Value": "1" }, { "Key": "team", "Value": "web" }]));
    ecr(&sandbox, "UntagResource", json!({ "resourceArn": ARN, "tagKeys": ["team"] })).unwrap();
    assert_eq!(tags(), json!([{ "Key": "a", "Value": "1" }]));
}

#[tokio::test(start_paused = true)]
async fn each_push_and_deletion_of_an_image_is_told_of_with_its_tag_and_its_media_types() {
    let sandbox = calm();
    ecr(&sandbox, "CreateRepository", json!({ "repositoryName": "shop/web" })).unwrap();
    listen(&sandbox, &json!({ "source": ["aws.ecr"], "detail": { "repository-name": ["shop/web"] } }));
    let media = "application/vnd.oci.image.manifest.v1+json";
    let config = "application/vnd.oci.image.config.v1+json";
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": media, "config": { "mediaType": config, "size": 1 }, "layers": [] });
    let push = |tag: Value| {
        let input = json!({ "repositoryName": "shop/web", "imageManifest": manifest.to_string(), "imageTag": tag });
        ecr(&sandbox, "PutImage", input)
    };
    let digest = push(json!("v1")).unwrap()["image"]["imageId"]["imageDigest"].clone();
    let told = |action: &str, tag: &str| {
        json!({ "result": "SUCCESS", "repository-name": "shop/web", "image-digest": digest, "action-type": action,
            "image-tag": tag, "manifest-media-type": media, "artifact-media-type": config })
    };
    tokio::time::advance(Duration::from_secs(1)).await;
    let pushed = heard(&sandbox);
    assert_eq!(pushed[0]["detail"], told("PUSH", "v1"));
    assert_eq!((&pushed[0]["detail-type"], &pushed[0]["resources"]), (&json!("ECR Image Action"), &json!([])));
    assert_eq!(pushed[0]["time"], "2026-01-05T09:00:00Z");
    // What is refused is no push.
    assert_eq!(code(push(json!("v1"))), "ImageAlreadyExistsException");
    push(json!("v2")).unwrap();
    let gone = json!({ "repositoryName": "shop/web", "imageIds": [{ "imageTag": "v1" }] });
    tokio::time::advance(Duration::from_secs(1)).await;
    ecr(&sandbox, "BatchDeleteImage", gone).unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let details: Vec<Value> = heard(&sandbox).iter().map(|event| event["detail"].clone()).collect();
    assert_eq!(details, [told("PUSH", "v2"), told("DELETE", "v1")]);
    sandbox.set_weather(Weather { lost_events: 1.0, ..Weather::calm() });
    push(json!("v3")).unwrap();
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(heard(&sandbox), Vec::<Value>::new());
}

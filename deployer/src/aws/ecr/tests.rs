//! A repository lives in the sandbox from its creation to its deletion.

use wharf_engine::Identity;

use super::repository::Repository;
use crate::aws::kms::key::Key;
use crate::aws::policy::{Document, Statement};
use crate::aws::testing::{World, out};
use crate::aws::units::Days;
use crate::aws::{Out, Tags};

const POLICY: &str = r#"{
  "rules": [{
    "rulePriority": 1, "description": "what no tag names",
    "selection": { "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 },
    "action": { "type": "expire" }
  }]
}"#;

fn repository() -> Repository {
    Repository {
        name: "shop/web".to_owned(),
        immutable_tags: true,
        except_tags: Vec::new(),
        scan_on_push: true,
        kms_key: None,
        lifecycle_policy: Some(POLICY.to_owned()),
        policy: Some(pulled_by("123456789012")),
        tags: Tags::from([("team".to_owned(), "a".to_owned())]),
    }
}

fn pulled_by(account: &str) -> Out<String> {
    let who = format!("arn:aws:iam::{account}:root");
    Document::new([Statement::allow(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]).aws(who)]).text()
}

#[tokio::test(start_paused = true)]
async fn a_repository_lives_from_creation_to_deletion() {
    let world = World::calm().await;
    let made = world.create("registry.web", &repository()).await;
    let changed = Repository {
        except_tags: vec!["latest".to_owned(), "cache-*".to_owned()],
        scan_on_push: false,
        lifecycle_policy: Some(POLICY.replace("14", "7")),
        policy: Some(pulled_by("210987654321")),
        tags: Tags::from([("team".to_owned(), "b".to_owned())]),
        ..repository()
    };
    let made = world.update(&made, &changed).await;
    let bare =
        Repository { immutable_tags: false, except_tags: Vec::new(), lifecycle_policy: None, policy: None, ..changed };
    let made = world.update(&made, &bare).await;
    world.delete::<Repository>(&made).await;
    assert!(world.sandbox.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_repository_is_encrypted_with_the_key_that_is_wanted() {
    let world = World::calm().await;
    let policy = Document::new([Statement::allow(["kms:*"]).aws("arn:aws:iam::123456789012:root").on("*")]).text();
    let key = Key {
        description: "images".to_owned(),
        policy,
        enabled: true,
        rotation: Some(Days(365)),
        deletion_window: Days(7),
        tags: Tags::new(),
    };
    let key = world.create("encryption.key", &key).await;
    let wanted = Repository { kms_key: Some(out(&key, "arn")), ..repository() };
    let made = world.create("registry.web", &wanted).await;
    world.delete::<Repository>(&made).await;
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_somebody_else_made_under_a_wanted_name_is_foreign() {
    let world = World::calm().await;
    let send = world.aws.ecr.create_repository().repository_name("shop/web").send();
    world.elsewhere(send).await.unwrap();
    let id = wharf_engine::LogicalId::new("registry.web").unwrap();
    let wanted = crate::aws::erased::to_fields(&repository()).unwrap();
    world.wanted.borrow_mut().insert(id.clone(), wanted);
    let found = world.find::<Repository>(&id).await.unwrap();
    assert_eq!(found.identity, Identity::Foreign);
}

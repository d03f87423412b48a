//! The registry: one ECR repository for each image, whose tags never move.

use std::collections::BTreeMap;

use serde_json::json;

use super::{BuildError, Builder};
use crate::aws::Handle;
use crate::aws::ecr::repository::Repository;
use crate::aws::kms::key::Key;
use crate::config::{Config, Images};

/// The repositories that the services name, by those names.
pub(super) fn registry(
    b: &mut Builder,
    config: &Config,
    key: &Handle<Key>,
) -> Result<BTreeMap<String, Handle<Repository>>, BuildError> {
    let mut repositories = BTreeMap::new();
    for (name, images) in config.repositories() {
        let repository = Repository {
            name: format!("{}/{name}", config.stack.name),
            immutable_tags: true,
            except_tags: Vec::new(),
            scan_on_push: true,
            kms_key: Some(key.arn()),
            lifecycle_policy: Some(lifecycle(images)),
            policy: None,
            tags: b.tags(),
        };
        let repository = b.add(&format!("registry.{}", name.replace(['/', '_'], "-")), repository)?;
        repositories.insert(name.to_owned(), repository);
    }
    Ok(repositories)
}

/// Untagged images go after a week; of releases the newest stay; what else is tagged goes after three months.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>
fn lifecycle(images: &Images) -> String {
    let expire = json!({ "type": "expire" });
    let older = |status: &str, days: u16| {
        let mut selection = json!({
            "tagStatus": status, "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days
        });
        if status == "tagged" {
            selection["tagPatternList"] = json!(["*"]);
        }
        selection
    };
    let newest = json!({
        "tagStatus": "tagged",
        "tagPatternList": [images.tags],
        "countType": "imageCountMoreThan",
        "countNumber": images.keep
    });
    json!({ "rules": [
        { "rulePriority": 1, "description": "untagged images", "selection": older("untagged", 7), "action": expire },
        { "rulePriority": 2, "description": "old releases", "selection": newest, "action": expire },
        { "rulePriority": 3, "description": "other old images", "selection": older("tagged", 90), "action": expire },
    ] })
    .to_string()
}

//! The versions of a new revision: those that run, or for the first one the newest image that there is.

use std::collections::BTreeMap;

use super::TaskDefinition;
use crate::aws::call::{Aws, CallError};
use crate::aws::ecr;
use crate::rollout::choice;

/// What stands for the version as long as there is no image: no image has this tag.
const NONE: &str = ":none";
/// What the version of a first revision begins with that is to be the newest image with such a tag.
const NEWEST: &str = "newest:";

/// For a first revision: the newest image whose tag is like this pattern, if there is one by then.
#[must_use]
pub fn newest(pattern: &str) -> String {
    format!("{NEWEST}{pattern}")
}

impl TaskDefinition {
    /// The versions of a new revision: those that run, as long as they are of the same repository.
    pub(super) fn kept_versions(&self, live: Option<&Self>) -> BTreeMap<String, String> {
        let kept = |name: &String| {
            let (now, wanted) = (live?.containers.get(name)?, self.containers.get(name)?);
            let version = live?.versions.get(name).map(String::as_str).unwrap_or_default();
            let whole = format!("{}{version}", now.image.get().ok()?);
            let (repository, version) = wharf_on_image_push::revision::split(&whole);
            (Ok(repository) == wanted.image.get() && !version.is_empty()).then(|| version.to_owned())
        };
        let version = |(name, first): (&String, &String)| (name.clone(), kept(name).unwrap_or_else(|| first.clone()));
        self.versions.iter().map(version).collect()
    }

    /// The same, where nothing runs with the image that is there: pinned by its digest.
    pub(super) async fn new_versions(
        &self,
        aws: &Aws,
        live: Option<&Self>,
    ) -> Result<BTreeMap<String, String>, CallError> {
        let mut versions = self.kept_versions(live);
        for (name, version) in &mut versions {
            let Some(pattern) = version.strip_prefix(NEWEST) else { continue };
            let image = self.containers.get(name).map(|container| container.image.get()).transpose()?;
            let repository = image.and_then(|address| ecr::images::repository(aws, address));
            let images = match repository {
                Some(repository) => ecr::images::tagged(aws, repository).await?,
                None => Vec::new(),
            };
            let found = choice::newest(&images, pattern);
            *version = found.map_or_else(|| NONE.to_owned(), |image| format!("@{}", image.digest));
        }
        Ok(versions)
    }
}

//! Which image is meant, and what is one: what is pushed beside images looks like them from afar.

use serde_json::Value;

/// An image of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its digest, or that of the index of images for several processors.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed first, in seconds since 1970.
    pub pushed_at: i64,
    /// The kind of its configuration: of a container image, or of a signature, a cache, a chart.
    pub artifact: Option<String>,
}

/// What a container image's configuration is called; an index has none.
/// <https://github.com/opencontainers/image-spec/blob/main/media-types.md>
const CONTAINERS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

impl Image {
    /// Whether tasks can be started from it, as far as it says.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.artifact.as_deref().is_none_or(is_container)
    }

    /// Its newest tag that counts as a release.
    #[must_use]
    pub fn release(&self, pattern: &str) -> Option<&str> {
        self.tags.iter().map(String::as_str).find(|tag| is_release(pattern, tag))
    }
}

/// Whether a configuration of this kind is that of a container image.
#[must_use]
pub fn is_container(artifact: &str) -> bool {
    CONTAINERS.contains(&artifact)
}

/// Whether a tag counts as a release.
///
/// One that stands for a single processor (`v2-arm64`) does when it fits the pattern, though the index that is to hold
/// its image may be on its way: neither the event of its push nor its manifest tells of an index, ECR knows one only once
/// it is there, and to guess from the tag would take such tags away from whoever has no index. So there may be one
/// rollout more; the index is pushed later, and is what runs in the end.
#[must_use]
pub fn is_release(pattern: &str, tag: &str) -> bool {
    matches(pattern, tag) && !belongs(tag)
}

/// Tasks cannot be started from it: it is something else, or nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoImage {
    /// Its configuration is that of something else.
    #[error("it is {0}, which no container is started from")]
    Artifact(String),
    /// It is about another image.
    #[error("it is a signature or an attestation, and belongs to another image")]
    AboutAnother,
    /// An index without an image: a build cache has this form.
    #[error("it is an index without an image in it, such as a build cache")]
    EmptyIndex,
    /// It has no manifest that can be read.
    #[error("its manifest cannot be read")]
    Unreadable,
}

/// Whether tasks can be started from what has this manifest: an image, or an index of images.
/// <https://github.com/opencontainers/image-spec/blob/main/manifest.md>
///
/// # Errors
/// It is no such thing.
pub fn runnable(manifest: &str) -> Result<(), NoImage> {
    let manifest: Value = serde_json::from_str(manifest).map_err(|_| NoImage::Unreadable)?;
    if !manifest.is_object() {
        return Err(NoImage::Unreadable);
    }
    // What refers to another image names it so. <https://github.com/opencontainers/image-spec/blob/main/manifest.md>
    if manifest["subject"].is_object() {
        return Err(NoImage::AboutAnother);
    }
    let artifact = manifest["artifactType"].as_str().or_else(|| manifest["config"]["mediaType"].as_str());
    if let Some(artifact) = artifact.filter(|artifact| !CONTAINERS.contains(artifact)) {
        return Err(NoImage::Artifact(artifact.to_owned()));
    }
    match manifest["manifests"].as_array() {
        Some(children) if children.iter().any(is_platform) => Ok(()),
        Some(_) => Err(NoImage::EmptyIndex),
        None => layers(&manifest),
    }
}

/// Whether an entry of an index is an image for a processor. Attestations of the build are for none, and build caches
/// name layers. <https://docs.docker.com/build/metadata/attestations/attestation-storage/>
fn is_platform(entry: &Value) -> bool {
    let manifest =
        entry["mediaType"].as_str().is_none_or(|kind| kind.contains(".manifest.") || kind.contains(".index."));
    let about = entry["annotations"]["vnd.docker.reference.type"].is_string();
    manifest && !about && entry["platform"]["os"] != "unknown"
}

/// Signatures and attestations can have an image's configuration; they have no file system.
fn layers(manifest: &Value) -> Result<(), NoImage> {
    let kinds = || manifest["layers"].as_array().into_iter().flatten().filter_map(|layer| layer["mediaType"].as_str());
    let is_file_system = |kind: &str| kind.contains(".image.layer.") || kind.contains(".image.rootfs.");
    if kinds().next().is_none() || kinds().any(is_file_system) { Ok(()) } else { Err(NoImage::AboutAnother) }
}

/// The newest image with a tag that counts as a release.
#[must_use]
pub fn newest<'a>(images: &'a [Image], pattern: &str) -> Option<&'a Image> {
    let releases = images.iter().filter(|image| image.runs() && image.release(pattern).is_some());
    releases.max_by(|one, other| (one.pushed_at, &one.digest).cmp(&(other.pushed_at, &other.digest)))
}

/// Whether a tag fits a pattern, in which `*` stands for anything.
#[must_use]
pub fn matches(pattern: &str, tag: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == tag };
    let Some(rest) = tag.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(after, &rest[at..]))
}

/// Whether a tag is that of a signature or an attestation, which names the image that it belongs to.
/// <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>
fn belongs(tag: &str) -> bool {
    let hex = tag.strip_prefix("sha256-").map(|rest| rest.split('.').next().unwrap_or(rest));
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(digest: &str, tags: &[&str], pushed_at: i64) -> Image {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Image { digest: digest.to_owned(), tags, pushed_at, artifact: None }
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, tag, fits) in [
            ("v*", "v1.2", true),
            ("v*", "nightly", false),
            ("*", "", true),
            ("v*-rc*", "v1-rc2", true),
            ("v*-rc", "v1-rc2", false),
            ("v1", "v1", true),
            ("v1", "v10", false),
            ("*é", "caf\u{e9}", true),
        ] {
            assert_eq!(matches(pattern, tag), fits, "{pattern} {tag}");
        }
    }

    #[test]
    fn an_image_and_an_index_of_images_run_and_what_is_pushed_beside_them_does_not() {
        let config = |kind: &str| serde_json::json!({ "mediaType": kind });
        let image = config("application/vnd.oci.image.config.v1+json");
        let layer = |kind: &str| serde_json::json!([{ "mediaType": kind }]);
        let entry = |kind: &str| serde_json::json!({ "mediaType": kind, "platform": { "os": "linux" } });
        let attestation = serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "platform": { "os": "unknown" },
            "annotations": { "vnd.docker.reference.type": "attestation-manifest" },
        });
        let index = |entries: &[&Value]| serde_json::json!({ "manifests": entries });
        let oci = entry("application/vnd.oci.image.manifest.v1+json");
        let docker = entry("application/vnd.docker.distribution.manifest.v2+json");
        let cached = entry("application/vnd.buildkit.cacheconfig.v0");
        let cache = "application/vnd.buildkit.cacheconfig.v0";
        for (manifest, verdict) in [
            (serde_json::json!({ "config": image, "layers": [] }), Ok(())),
            (
                serde_json::json!({ "config": image, "layers": layer("application/vnd.oci.image.layer.v1.tar+gzip") }),
                Ok(()),
            ),
            (index(&[&oci, &attestation]), Ok(())),
            (index(&[&docker]), Ok(())),
            (index(&[&attestation]), Err(NoImage::EmptyIndex)),
            (index(&[&cached]), Err(NoImage::EmptyIndex)),
            (index(&[]), Err(NoImage::EmptyIndex)),
            (serde_json::json!({ "config": config(cache) }), Err(NoImage::Artifact(cache.to_owned()))),
            (
                serde_json::json!({ "config": image, "layers": layer("application/vnd.in-toto+json") }),
                Err(NoImage::AboutAnother),
            ),
            (serde_json::json!({ "config": image, "subject": { "digest": "sha256:0" } }), Err(NoImage::AboutAnother)),
            (serde_json::json!("text"), Err(NoImage::Unreadable)),
        ] {
            assert_eq!(runnable(&manifest.to_string()), verdict, "{manifest}");
        }
        assert_eq!(runnable("{"), Err(NoImage::Unreadable));
    }

    #[test]
    fn the_newest_release_is_taken_and_nothing_that_is_no_image() {
        let signature = format!("sha256-{}.sig", "0a".repeat(32));
        let chart =
            Image { artifact: Some("application/vnd.cncf.helm.config.v1+json".to_owned()), ..image("d", &["v9"], 9) };
        let images = [
            image("a", &["v1"], 1),
            image("b", &["x", "v2"], 2),
            image("c", &["dev"], 3),
            image("s", &[&signature], 8),
            chart,
        ];
        assert_eq!(newest(&images, "v*").map(|image| image.digest.as_str()), Some("b"));
        assert_eq!(newest(&images, "*").map(|image| image.digest.as_str()), Some("c"));
        assert_eq!(newest(&images, "r*"), None);
    }
}

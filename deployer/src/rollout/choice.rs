//! Which image is meant.

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
        self.artifact.as_deref().is_none_or(|artifact| CONTAINERS.contains(&artifact))
    }

    /// Its newest tag that counts as a release.
    #[must_use]
    pub fn release(&self, pattern: &str) -> Option<&str> {
        self.tags.iter().map(String::as_str).find(|tag| matches(pattern, tag) && !belongs(tag))
    }
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

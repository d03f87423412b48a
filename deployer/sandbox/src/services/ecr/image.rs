//! Images: pushed by their manifests, found by digest or tag, deleted. Layers are not simulated: what a manifest
//! says of its layers is believed.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::repository::about;
use super::{invalid, named};
use crate::account::Ctx;
use crate::authorise::like;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::services::events::{self, Emitted};
use crate::services::shared::{page, seconds, shown};
use crate::store::Resource;

const KIND: &str = "ecr.image";

/// Media types of manifests that point at other manifests.
const INDEXES: &[&str] =
    &["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

fn id(repository: &str, digest: &str) -> String {
    format!("{repository}@{digest}")
}

fn of(ctx: &Ctx<'_>, repository: &str) -> Vec<Arc<Resource>> {
    ctx.those(KIND, |image| image.text("_repository") == repository)
}

fn has_tag(image: &Resource, tag: &str) -> bool {
    image.items("imageTags").iter().any(|known| known == tag)
}

fn digest_of(manifest: &str) -> String {
    let hex: String = Sha256::digest(manifest.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The digest of an image that somebody pulls as `repository:tag` or `repository@digest`, if it is there.
pub(crate) fn pulled(ctx: &Ctx<'_>, path: &str) -> Option<String> {
    if let Some((repository, digest)) = path.split_once('@') {
        let repository = repository.split(':').next().unwrap_or(repository);
        return ctx.get(KIND, &id(repository, digest)).map(|_| digest.to_owned());
    }
    let (repository, tag) = path.rsplit_once(':').unwrap_or((path, "latest"));
    let image = of(ctx, repository).into_iter().find(|image| has_tag(image, tag))?;
    Some(image.text("imageDigest").to_owned())
}

/// Whether a tag stays at its image: the repository's rule, or the opposite for the tags that its filters name.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>
fn fixed(repository: &Resource, tag: &str) -> bool {
    let filters = repository.items("imageTagMutabilityExclusionFilters");
    let excluded = filters.iter().filter_map(|filter| filter["filter"].as_str()).any(|pattern| like(pattern, tag));
    repository.text("imageTagMutability").starts_with("IMMUTABLE") != excluded
}

pub(super) fn put(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "PutImage")?;
    let manifest = input.string("imageManifest")?;
    let digest = digest_of(&manifest);
    if input.opt_str("imageDigest").is_some_and(|wanted| wanted != digest) {
        let message = format!("The digest of the manifest is {digest}, not the one that the request gives");
        return Err(refuse("ImageDigestDoesNotMatchException", message));
    }
    let parsed: Value = serde_json::from_str(&manifest).map_err(|_| {
        invalid("Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'")
    })?;
    let media = input.opt_str("imageManifestMediaType").or_else(|| parsed["mediaType"].as_str());
    let media = media.ok_or_else(|| invalid("the manifest names no media type"))?.to_owned();
    if INDEXES.contains(&media.as_str()) {
        children_present(ctx, &repository, &parsed)?;
    }
    let tag = input.opt_str("imageTag").map(str::to_owned);
    let known = ctx.get(KIND, &id(&repository.id, &digest));
    taken(&repository, &of(ctx, &repository.id), known.as_deref(), tag.as_deref(), &digest)?;
    if let Some(tag) = &tag {
        for other in of(ctx, &repository.id).iter().filter(|image| has_tag(image, tag)) {
            ctx.update(KIND, &other.id, |image| untag(image, tag));
        }
    }
    // A digest's first push is its only one: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html>
    if known.is_none() {
        let image = object(ctx, &repository, &digest, &media, &manifest, &parsed);
        ctx.insert(image);
    }
    let key = id(&repository.id, &digest);
    if let Some(tag) = &tag {
        ctx.update(KIND, &key, |image| image.list_mut("imageTags").push(tag.clone().into()));
    }
    emitted(ctx, &key, "PUSH", tag.as_deref());
    let mut image = about(&repository);
    image["imageId"] = Wanted { digest: Some(digest), tag }.shown();
    image["imageManifest"] = manifest.into();
    image["imageManifestMediaType"] = media.into();
    Ok(json!({ "image": image }))
}

/// Tells EventBridge what was done with an image, as best as ECR can: such an event may never come.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>
fn emitted(ctx: &mut Ctx<'_>, key: &str, action: &str, tag: Option<&str>) {
    let Some(image) = ctx.get(KIND, key) else { return };
    let mut detail = json!({
        "result": "SUCCESS", "repository-name": image.text("repositoryName"), "image-digest": image.text("imageDigest"),
        "action-type": action, "manifest-media-type": image.text("imageManifestMediaType"),
    });
    if let Some(tag) = tag {
        detail["image-tag"] = tag.into();
    }
    if !image.text("artifactMediaType").is_empty() {
        detail["artifact-media-type"] = image.text("artifactMediaType").into();
    }
    let (source, kind) = ("aws.ecr".to_owned(), "ECR Image Action".to_owned());
    events::emit(ctx, Emitted { source, kind, resources: Vec::new(), detail, time: ctx.now, certain: false });
}

fn children_present(ctx: &Ctx<'_>, repository: &Resource, index: &Value) -> Result<(), ApiError> {
    let children = index["manifests"].as_array().into_iter().flatten();
    for digest in children.filter_map(|child| child["digest"].as_str()) {
        if ctx.get(KIND, &id(&repository.id, digest)).is_none() {
            let message = format!(
                "Images with digests '[{digest}]' required for pushing image into repository with name '{}' in the registry with id '{}' do not exist",
                repository.id, ctx.account.id
            );
            return Err(refuse("ReferencedImagesNotFoundException", message));
        }
    }
    Ok(())
}

/// The same image under the same tag is there already, or the tag is and may not move.
fn taken(
    repository: &Resource,
    images: &[Arc<Resource>],
    known: Option<&Resource>,
    tag: Option<&str>,
    digest: &str,
) -> Result<(), ApiError> {
    let place = format!(
        "in the repository with name '{}' in registry with id '{}'",
        repository.id,
        repository.text("registryId")
    );
    match (known, tag) {
        (Some(_), None) => {
            Err(refuse("ImageAlreadyExistsException", format!("Image with digest '{digest}' already exists {place}")))
        }
        (Some(image), Some(tag)) if has_tag(image, tag) => Err(refuse(
            "ImageAlreadyExistsException",
            format!("Image with digest '{digest}' and tag '{tag}' already exists {place}"),
        )),
        (_, Some(tag)) if fixed(repository, tag) && images.iter().any(|image| has_tag(image, tag)) => Err(refuse(
            "ImageTagAlreadyExistsException",
            format!(
                "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the tag is immutable.",
                repository.id
            ),
        )),
        _ => Ok(()),
    }
}

fn untag(image: &mut Resource, tag: &str) {
    image.list_mut("imageTags").retain(|known| known != tag);
}

fn object(ctx: &Ctx<'_>, repository: &Resource, digest: &str, media: &str, manifest: &str, parsed: &Value) -> Resource {
    let size = |part: &Value| part["size"].as_i64().unwrap_or(0);
    let layers: i64 = parsed["layers"].as_array().into_iter().flatten().map(size).sum();
    let mut image = ctx.resource(
        KIND,
        id(&repository.id, digest),
        json!({
            "registryId": repository.text("registryId"),
            "repositoryName": repository.id,
            "imageDigest": digest,
            "imageTags": [],
            "imageSizeInBytes": layers + size(&parsed["config"]),
            "imagePushedAt": seconds(ctx.now),
            "imageManifestMediaType": media,
            "imageStatus": "ACTIVE",
            "_repository": repository.id,
            "_manifest": manifest,
        }),
    );
    let artifact = parsed["artifactType"].as_str().or_else(|| parsed["config"]["mediaType"].as_str());
    if let Some(artifact) = artifact {
        image.set("artifactMediaType", artifact);
    }
    image
}

/// An image id as a request gives it.
struct Wanted {
    digest: Option<String>,
    tag: Option<String>,
}

fn wanted(input: &Input) -> Result<Vec<Wanted>, ApiError> {
    let text = |given: Option<&str>| given.map(str::to_owned);
    input
        .objects("imageIds")
        .iter()
        .map(|given| {
            let wanted = Wanted { digest: text(given.opt_str("imageDigest")), tag: text(given.opt_str("imageTag")) };
            match (&wanted.digest, &wanted.tag) {
                (None, None) => Err(invalid("Invalid parameter at 'imageIds' failed to satisfy constraint: 'an image id needs a digest or a tag'")),
                _ => Ok(wanted),
            }
        })
        .collect()
}

impl Wanted {
    fn fits(&self, image: &Resource) -> bool {
        self.digest.as_ref().is_none_or(|digest| digest == image.text("imageDigest"))
            && self.tag.as_ref().is_none_or(|tag| has_tag(image, tag))
    }

    fn shown(&self) -> Value {
        let mut value = json!({});
        for (name, text) in [("imageDigest", &self.digest), ("imageTag", &self.tag)] {
            if let Some(text) = text {
                value[name] = text.clone().into();
            }
        }
        value
    }

    fn failure(&self, code: &str, reason: &str) -> Value {
        json!({ "imageId": self.shown(), "failureCode": code, "failureReason": reason })
    }

    fn not_found(&self) -> Value {
        self.failure("ImageNotFound", "Requested image not found")
    }
}

/// Whether an image is asked for by `filter.tagStatus`.
fn filtered(input: &Input) -> Result<impl Fn(&Resource) -> bool + use<>, ApiError> {
    let status = input.object("filter").and_then(|filter| {
        // Only images in storage are simulated, none in the archive.
        filter.ignore(&["imageStatus"]);
        filter.opt_str("tagStatus").map(str::to_owned)
    });
    let tagged = match status.as_deref() {
        None | Some("ANY") => None,
        Some("TAGGED") => Some(true),
        Some("UNTAGGED") => Some(false),
        Some(other) => return Err(invalid(format!("Invalid tagStatus {other}"))),
    };
    Ok(move |image: &Resource| tagged.is_none_or(|tagged| tagged != image.items("imageTags").is_empty()))
}

fn paged(input: &Input, name: &str, items: Vec<Value>) -> Outcome {
    let size =
        usize::try_from(input.opt_int("maxResults")?.unwrap_or(100)).ok().filter(|size| (1..=1000).contains(size));
    let size = size.ok_or_else(|| invalid("maxResults must be between 1 and 1000"))?;
    let page = page(items, input.opt_str("nextToken"), size).ok_or_else(|| invalid("Invalid token"))?;
    let mut answer = json!({ name: page.items });
    if let Some(next) = page.next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

pub(super) fn list(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "ListImages")?;
    let filter = filtered(input)?;
    let mut ids = Vec::new();
    for image in of(ctx, &repository.id).iter().filter(|image| filter(image)) {
        let digest = image.text("imageDigest");
        match image.items("imageTags") {
            [] => ids.push(json!({ "imageDigest": digest })),
            tags => ids.extend(tags.iter().map(|tag| json!({ "imageDigest": digest, "imageTag": tag }))),
        }
    }
    paged(input, "imageIds", ids)
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>
pub(super) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "DescribeImages")?;
    let filter = filtered(input)?;
    let asked = wanted(input)?;
    let images = of(ctx, &repository.id);
    if let Some(missing) = asked.iter().find(|wanted| !images.iter().any(|image| wanted.fits(image))) {
        let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".to_owned());
        return Err(refuse(
            "ImageNotFoundException",
            format!(
                "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{}' in the registry with id '{}'",
                text(&missing.digest),
                text(&missing.tag),
                repository.id,
                ctx.account.id
            ),
        ));
    }
    let fits = |image: &Resource| filter(image) && (asked.is_empty() || asked.iter().any(|wanted| wanted.fits(image)));
    let details = images.iter().filter(|image| fits(image)).map(|image| {
        let mut detail = shown(image);
        // An image without tags has no list of them.
        if image.items("imageTags").is_empty() {
            detail.remove("imageTags");
        }
        Value::Object(detail)
    });
    paged(input, "imageDetails", details.collect())
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html>
pub(super) fn batch_get(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "BatchGetImage")?;
    let accepted = input.strings("acceptedMediaTypes");
    let images = of(ctx, &repository.id);
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for wanted in wanted(input)? {
        let Some(image) = images.iter().find(|image| wanted.fits(image)) else {
            failures.push(wanted.not_found());
            continue;
        };
        let media = image.text("imageManifestMediaType");
        if !accepted.is_empty() && !accepted.iter().any(|kind| kind == media) {
            failures.push(wanted.failure("UnsupportedImageType", &format!("the manifest is of the type {media}")));
            continue;
        }
        let mut entry = about(&repository);
        let mut shown = wanted.shown();
        shown["imageDigest"] = image.text("imageDigest").into();
        entry["imageId"] = shown;
        entry["imageManifest"] = image.text("_manifest").into();
        entry["imageManifestMediaType"] = media.into();
        found.push(entry);
        let now = seconds(ctx.now);
        ctx.update(KIND, &image.id, |image| image.set("lastRecordedPullTime", now));
    }
    Ok(json!({ "images": found, "failures": failures }))
}

/// By tag, the tag goes, and the image with its last one; by digest, the image with all its tags.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html>
pub(super) fn batch_delete(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    let repository = named(ctx, input, "BatchDeleteImage")?;
    let (mut gone, mut failures) = (Vec::new(), Vec::new());
    for wanted in wanted(input)? {
        let images = of(ctx, &repository.id);
        let Some(image) = images.iter().find(|image| wanted.fits(image)) else {
            failures.push(wanted.not_found());
            continue;
        };
        let digest = image.text("imageDigest");
        let last = match &wanted.tag {
            Some(tag) => image.items("imageTags").iter().all(|known| known == tag.as_str()),
            None => true,
        };
        if last
            && images.iter().any(|other| {
                INDEXES.contains(&other.text("imageManifestMediaType")) && other.text("_manifest").contains(digest)
            })
        {
            failures
                .push(wanted.failure("ImageReferencedByManifestList", "Requested image referenced by manifest list"));
            continue;
        }
        match &wanted.tag {
            Some(tag) => gone.push(json!({ "imageDigest": digest, "imageTag": tag })),
            None if image.items("imageTags").is_empty() => gone.push(json!({ "imageDigest": digest })),
            None => gone
                .extend(image.items("imageTags").iter().map(|tag| json!({ "imageDigest": digest, "imageTag": tag }))),
        }
        emitted(ctx, &image.id, "DELETE", wanted.tag.as_deref());
        match &wanted.tag {
            Some(tag) if !last => ctx.update(KIND, &image.id, |image| untag(image, tag)),
            _ => ctx.remove(KIND, &image.id),
        }
    }
    Ok(json!({ "imageIds": gone, "failures": failures }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::Sandbox;
    use crate::services::testing::{Refusal, code, json as call};
    use crate::testing::calm;

    fn ecr(sandbox: &Sandbox, operation: &str, input: Value) -> Result<Value, Refusal> {
        call(sandbox, "ecr", operation, input)
    }

    fn manifest(n: u32) -> String {
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": n}, "layers": [{"size": 10}]})
        .to_string()
    }

    fn push(sandbox: &Sandbox, manifest: &str, tag: &str) -> Result<Value, Refusal> {
        let answer =
            ecr(sandbox, "PutImage", json!({"repositoryName": "shop", "imageManifest": manifest, "imageTag": tag}))?;
        Ok(answer["image"]["imageId"]["imageDigest"].clone())
    }

    fn account(mutability: &str) -> Sandbox {
        let sandbox = calm();
        ecr(&sandbox, "CreateRepository", json!({"repositoryName": "shop", "imageTagMutability": mutability})).unwrap();
        sandbox
    }

    fn described(sandbox: &Sandbox, tag: &str) -> Result<Value, Refusal> {
        let input = json!({"repositoryName": "shop", "imageIds": [{"imageTag": tag}]});
        Ok(ecr(sandbox, "DescribeImages", input)?["imageDetails"][0].clone())
    }

    #[tokio::test(start_paused = true)]
    async fn a_tag_moves_and_a_digest_keeps_the_time_of_its_first_push() {
        let sandbox = account("MUTABLE");
        let first = push(&sandbox, &manifest(1), "latest").unwrap();
        let pushed = described(&sandbox, "latest").unwrap()["imagePushedAt"].clone();
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        let second = push(&sandbox, &manifest(2), "latest").unwrap();
        assert_eq!(described(&sandbox, "latest").unwrap()["imageDigest"], second);
        assert_eq!(push(&sandbox, &manifest(1), "latest").unwrap(), first);
        assert_eq!(described(&sandbox, "latest").unwrap()["imagePushedAt"], pushed);
        assert_eq!(code(push(&sandbox, &manifest(1), "latest")), "ImageAlreadyExistsException");
        assert_eq!(code(described(&sandbox, "none")), "ImageNotFoundException");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_tag_does_not_move() {
        let sandbox = account("IMMUTABLE");
        push(&sandbox, &manifest(1), "v1").unwrap();
        assert_eq!(code(push(&sandbox, &manifest(2), "v1")), "ImageTagAlreadyExistsException");
        push(&sandbox, &manifest(2), "v2").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_index_needs_its_children_and_holds_them() {
        let sandbox = account("MUTABLE");
        let index = |digest: &str| {
            json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [{"digest": digest}]}).to_string()
        };
        assert_eq!(code(push(&sandbox, &index("sha256:00"), "v1")), "ReferencedImagesNotFoundException");
        let child = push(&sandbox, &manifest(1), "child").unwrap();
        push(&sandbox, &index(child.as_str().unwrap()), "v1").unwrap();
        let delete =
            |id: Value| ecr(&sandbox, "BatchDeleteImage", json!({"repositoryName": "shop", "imageIds": [id]})).unwrap();
        let refused = delete(json!({"imageDigest": child}));
        assert_eq!(refused["failures"][0]["failureCode"], "ImageReferencedByManifestList");
        assert_eq!(
            code(ecr(&sandbox, "DeleteRepository", json!({"repositoryName": "shop"}))),
            "RepositoryNotEmptyException"
        );
        delete(json!({"imageTag": "v1"}));
        assert_eq!(delete(json!({"imageDigest": child}))["failures"], json!([]));
        ecr(&sandbox, "DeleteRepository", json!({"repositoryName": "shop"})).unwrap();
    }
}

//! What ECR tells: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>

use crate::Event;
use crate::json;

/// Something was done to an image, or was to be done: `ECR Image Action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageAction {
    /// What, in capitals: `PUSH`, `DELETE`, `UPDATE_STORAGE_CLASS`.
    pub action: String,
    /// Whether it was done.
    pub succeeded: bool,
    /// The repository's name in the registry of the event's account and region.
    pub repository: String,
    /// The image's digest, or that of an index of images.
    pub digest: Option<String>,
    /// The tag, where the action was about one: what is pushed by its digest alone has none.
    pub tag: Option<String>,
    /// The media type of its manifest. Older events do not say.
    pub manifest: Option<String>,
    /// The media type of its configuration: what it is. Older events, and those of indexes, do not say.
    pub artifact: Option<String>,
}

impl ImageAction {
    /// The action that an event tells of; none for another event.
    #[must_use]
    pub fn read(event: &Event) -> Option<Self> {
        if event.source != "aws.ecr" || event.kind != "ECR Image Action" {
            return None;
        }
        let text = |name: &str| json::text(&event.detail, &[name]).map(str::to_owned);
        Some(Self {
            action: text("action-type").unwrap_or_default().to_ascii_uppercase(),
            succeeded: text("result").is_some_and(|result| result.eq_ignore_ascii_case("success")),
            repository: text("repository-name").unwrap_or_default(),
            digest: text("image-digest"),
            tag: text("image-tag"),
            manifest: text("manifest-media-type"),
            artifact: text("artifact-media-type"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(detail: Value) -> Option<ImageAction> {
        let event = json!({"id": "1", "source": "aws.ecr", "detail-type": "ECR Image Action", "detail": detail});
        ImageAction::read(&Event::read(&event)?)
    }

    #[test]
    fn a_push_is_read_with_what_it_says_and_without_what_it_does_not() {
        let whole: Value = serde_json::from_str(include_str!("../samples/ecr-image-push.json")).unwrap();
        let push = ImageAction::read(&Event::read(&whole).unwrap()).unwrap();
        assert_eq!((push.action.as_str(), push.succeeded, push.repository.as_str()), ("PUSH", true, "shop/web"));
        assert_eq!(push.tag.as_deref(), Some("v2"));
        assert_eq!(push.artifact.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
        let bare = read(json!({"action-type": "push", "result": "FAILURE", "image-tag": null, "image-digest": 7}));
        let bare = bare.unwrap();
        assert_eq!((bare.action.as_str(), bare.succeeded, bare.repository.as_str()), ("PUSH", false, ""));
        assert_eq!((bare.tag, bare.digest, bare.manifest), (None, None, None));
        assert!(read(Value::Null).is_some_and(|nothing| !nothing.succeeded));
    }

    #[test]
    fn other_events_are_no_action_on_an_image() {
        for (source, kind) in [("aws.ecr", "ECR Image Scan"), ("aws.ecs", "ECR Image Action"), ("", "")] {
            let event = json!({"source": source, "detail-type": kind, "detail": {"action-type": "PUSH"}});
            assert_eq!(Event::read(&event).as_ref().and_then(ImageAction::read), None);
        }
    }
}

//! An event as EventBridge delivers it.

use jiff::Timestamp;
use serde_json::Value;

use crate::json;

/// An event of EventBridge. What a sender left out is empty.
/// <https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The same for all copies of it.
    pub id: Option<String>,
    /// Who sent it, in small letters: `aws.ecr`.
    pub source: String,
    /// What it tells of: `ECR Image Action`.
    pub kind: String,
    /// The account's twelve digits.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// When it happened, to the second.
    pub time: Option<Timestamp>,
    /// The ARNs that it is about.
    pub resources: Vec<String>,
    /// What is told, in the form that the kind has.
    pub detail: Value,
}

impl Event {
    /// The event that a JSON document is; none for one that is none.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let kind = json::text(value, &["detail-type"])?.to_owned();
        let text = |name: &str| json::text(value, &[name]).map(str::to_owned);
        // A transformer can make the detail a text.
        let detail = match value.get("detail") {
            Some(Value::String(detail)) => json::parse(detail).unwrap_or_else(|| Value::String(detail.clone())),
            Some(detail) => detail.clone(),
            None => Value::Null,
        };
        let resources = json::list(value, &["resources"]).iter().filter_map(Value::as_str).map(str::trim);
        let resources = resources.filter(|resource| !resource.is_empty()).map(str::to_owned).collect();
        Some(Self {
            id: text("id"),
            source: text("source").unwrap_or_default().to_ascii_lowercase(),
            kind,
            account: text("account"),
            region: text("region"),
            time: json::time(value, &["time"]),
            resources,
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_with_whatever_it_has() {
        let event = Event::read(&json!({
            "id": "e-1", "source": "AWS.ECS", "detail-type": "ECS Deployment State Change", "account": "123456789012",
            "time": "2026-01-05T09:00:00Z", "region": "us-east-1", "resources": ["arn:a", 7, " "], "detail": "{\"a\": 1}",
        }));
        let event = event.unwrap();
        assert_eq!((event.source.as_str(), event.resources.as_slice()), ("aws.ecs", ["arn:a".to_owned()].as_slice()));
        assert_eq!(event.detail, json!({"a": 1}));
        let bare = Event::read(&json!({"detail-type": "x", "time": "never", "resources": null})).unwrap();
        assert_eq!((bare.source.as_str(), bare.time, bare.resources.len()), ("", None, 0));
        assert_eq!(bare.detail, Value::Null);
        assert_eq!(Event::read(&json!({"AlarmName": "cpu"})), None);
    }
}

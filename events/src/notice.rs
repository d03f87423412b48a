//! The notice: one thing that people should hear of, whatever it came from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The form of the notice as JSON.
const FORMAT: u32 = 1;

/// What marks a JSON document as a notice, and names its form.
const MARK: &str = "wharf-notice";

/// One thing that people should hear of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// Whether what it tells of goes on.
    pub state: State,
    /// One line, without markup.
    pub title: String,
    /// More, if there is more to say: plain text, which may have lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What is known of it, in the order in which it is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// Where to look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// What it is about: an alarm's ARN, `rollout web`. By it, what closes finds what opened.
    pub subject: String,
    /// The same for all copies of one notice, by whatever way they come: a notice of each key is posted once.
    pub key: String,
    /// When it happened.
    pub at: Timestamp,
    /// Who tells: `on-image-push`, `cloudwatch`, `rds`, …
    pub source: String,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it today.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

/// Whether what a notice tells of goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It goes on until a notice of the same subject closes it.
    Opened,
    /// It is over.
    Closed,
    /// It happened, and that is all.
    Once,
}

/// Something that is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fact {
    /// What: `service`, `exit code`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A page to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// What is there.
    pub title: String,
    /// Its address.
    pub url: String,
}

/// What was sent as a notice and is none.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// A later Wharf wrote it.
    #[error("a notice of the form {0}, and this wharf knows {FORMAT}")]
    Later(u64),
    /// It lacks something.
    #[error("a notice that cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// Nobody could tell it from others.
    #[error("a notice without {0}")]
    Without(&'static str),
}

impl Notice {
    /// As JSON that says what it is, for the topic between the functions.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert(MARK.to_owned(), FORMAT.into());
        }
        value
    }

    /// The notice that a JSON document is; none for a document that is none.
    ///
    /// # Errors
    /// It says that it is one, and cannot be read.
    pub fn from_json(value: &Value) -> Option<Result<Self, Malformed>> {
        let form = value.get(MARK)?.as_u64().unwrap_or(0);
        if form > u64::from(FORMAT) {
            return Some(Err(Malformed::Later(form)));
        }
        Some(Self::deserialize(value).map_err(Malformed::Unreadable).and_then(Self::whole))
    }

    fn whole(self) -> Result<Self, Malformed> {
        let needed = [("a title", &self.title), ("a subject", &self.subject), ("a key", &self.key)];
        let without = needed.into_iter().find(|(_, text)| text.trim().is_empty()).map(|(name, _)| name);
        without.map_or(Ok(self), |name| Err(Malformed::Without(name)))
    }

    /// Adds something that is known.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push(Fact { name: name.into(), value: value.into() });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            severity: Severity::Critical,
            state: State::Once,
            title: "web: v2 was rolled back".to_owned(),
            text: String::new(),
            facts: Vec::new(),
            links: Vec::new(),
            subject: "rollout web".to_owned(),
            key: "rollout web ecs-svc/2 failed".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            source: "on-image-push".to_owned(),
        }
        .fact("exit code", "1")
    }

    #[test]
    fn what_is_written_is_read_again_and_says_what_it_is() {
        let json = notice().to_json();
        assert_eq!(json["wharf-notice"], 1);
        assert_eq!(json["at"], "1970-01-01T00:00:00Z");
        assert_eq!(Notice::from_json(&json).unwrap().unwrap(), notice());
    }

    #[test]
    fn another_document_is_no_notice_and_a_later_form_is_refused() {
        assert!(Notice::from_json(&serde_json::json!({ "AlarmName": "a" })).is_none());
        let later = serde_json::json!({ "wharf-notice": 2 });
        assert!(matches!(Notice::from_json(&later), Some(Err(Malformed::Later(2)))));
        let short = serde_json::json!({ "wharf-notice": 1 });
        assert!(matches!(Notice::from_json(&short), Some(Err(Malformed::Unreadable(_)))));
        let nameless = Notice { key: " ".to_owned(), ..notice() }.to_json();
        assert!(matches!(Notice::from_json(&nameless), Some(Err(Malformed::Without("a key")))));
    }
}

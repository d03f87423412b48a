//! What the notices' ways out are set to.

use serde::Deserialize;

/// Slack, as the setting `WHARF_SLACK` has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackSettings {
    /// The parameter that holds the address of an incoming webhook, or a bot's token.
    pub secret: String,
    /// The id of the channel that a bot posts to; a webhook has its own.
    #[serde(default)]
    pub channel: Option<String>,
    /// Whom to wake for what is critical: `<!here>`. Nobody unless told.
    #[serde(default)]
    pub mention: Option<Mention>,
}

/// A mention that Slack knows.
/// <https://docs.slack.dev/messaging/formatting-message-text/#advanced>
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Mention(String);

impl Mention {
    /// As it stands in a message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Mention {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or_default();
        let id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let known = matches!(inner, "!here" | "!channel" | "!everyone")
            || inner.strip_prefix('@').is_some_and(id)
            || inner.strip_prefix("!subteam^").is_some_and(id);
        if known {
            return Ok(Self(text));
        }
        Err(format!("{text:?} is no mention: write <!here>, <!channel>, <@U0123456789> or <!subteam^S0123456789>"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<SlackSettings, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_webhook_needs_its_secret_alone() {
        let settings = read(r#"{"secret": "/shop/slack/webhook"}"#).unwrap();
        assert_eq!(settings, SlackSettings { secret: "/shop/slack/webhook".into(), channel: None, mention: None });
    }

    #[test]
    fn only_a_mention_is_a_mention() {
        for good in ["<!here>", "<!channel>", "<@U0123456789>", "<!subteam^S0123456789>"] {
            let settings = read(&format!(r#"{{"secret": "/s", "mention": "{good}"}}"#)).unwrap();
            assert_eq!(settings.mention.unwrap().as_str(), good);
        }
        for bad in ["@here", "<https://example.com>", "<!here> and more", "<@>", "<!subteam^>"] {
            let error = read(&format!(r#"{{"secret": "/s", "mention": "{bad}"}}"#)).unwrap_err();
            assert!(error.contains("is no mention"), "{error}");
        }
        assert!(read(r#"{"secret": "/s", "chanel": "C1"}"#).is_err());
    }
}

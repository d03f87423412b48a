//! Calls to Slack, and what its answers mean.

use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;
use wharf_shell::chain;

use crate::message::Message;
use crate::secret::{NoSecret, Secret, Vault};

/// Where Slack's methods are.
pub const API: &str = "https://slack.com/api";

/// A call that is not answered within this is taken for failed.
const TIMEOUT: Duration = Duration::from_secs(6);
/// Where Slack does not say how long to wait.
const WAIT: Duration = Duration::from_secs(5);

/// A message that Slack has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Posted {
    /// Its id, which a webhook does not tell.
    pub(crate) ts: Option<String>,
}

/// What is asked of Slack.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask<'a> {
    /// A new message.
    Post,
    /// An answer in a message's thread, which the channel shows too if it is to be seen.
    Reply { ts: &'a str, seen: bool },
    /// Another content for a message.
    Edit { ts: &'a str },
}

/// Slack does not do it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not now.
    #[error("slack wants {} s without messages", .0.as_secs())]
    Later(Duration),
    /// Not with these blocks.
    #[error("slack refuses the blocks: {0}")]
    Blocks(String),
    /// The message that is to be edited or answered is not there any more.
    #[error("the message is gone: {0}")]
    Gone(String),
    /// Not with this secret.
    #[error("slack does not know the secret: {0}")]
    Secret(String),
    /// Slack is not well, or not reached.
    #[error("slack cannot be reached: {0}")]
    Unwell(String),
    /// It will not be done by asking again.
    #[error("slack refuses: {0}")]
    Never(String),
}

impl From<NoSecret> for Refusal {
    fn from(error: NoSecret) -> Self {
        Self::Unwell(error.to_string())
    }
}

/// The way to Slack.
#[derive(Debug)]
pub(crate) struct Slack {
    connector: SharedHttpConnector,
    api: String,
    vault: Vault,
    /// The channel of a bot.
    channel: Option<String>,
}

impl Slack {
    pub(crate) fn new(connector: SharedHttpConnector, api: &str, vault: Vault, channel: Option<String>) -> Self {
        Self { connector, api: api.trim_end_matches('/').to_owned(), vault, channel }
    }

    /// Whether messages can be edited and answered.
    pub(crate) fn has_threads(&self) -> bool {
        self.channel.is_some()
    }

    /// What is told apart from other channels by it.
    pub(crate) fn channel(&self) -> &str {
        self.channel.as_deref().unwrap_or("webhook")
    }

    pub(crate) fn forget_secret(&self) {
        self.vault.forget();
    }

    /// One call.
    pub(crate) async fn ask(&self, ask: Ask<'_>, message: &Message) -> Result<Posted, Refusal> {
        let secret = self.vault.get().await?;
        let by_webhook = secret.reveal().starts_with("https://") || secret.reveal().starts_with("http://");
        let request = match (&self.channel, by_webhook) {
            (None, true) => request(secret.reveal(), None, &message.body()),
            (Some(channel), false) => self.method(channel, &secret, ask, message),
            (None, false) => return Err(Refusal::Never("the secret is a token, and no channel is set".to_owned())),
            (Some(_), true) => return Err(Refusal::Never("a channel is set, and the secret is no token".to_owned())),
        };
        // The address can be the secret: it must not come out with an error about it.
        let request = request.map_err(|()| Refusal::Never("the secret is no address, or no token".to_owned()))?;
        let answered = tokio::time::timeout(TIMEOUT, self.exchange(request)).await;
        let late = |_| Err(Refusal::Unwell(format!("no answer within {} s", TIMEOUT.as_secs())));
        let Answer { status, wait, text } = answered.unwrap_or_else(late)?;
        if by_webhook { of_webhook(status, wait, text.trim()) } else { of_method(status, wait, &text) }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<Answer, Refusal> {
        let response = self.connector.call(request).await.map_err(|error| Refusal::Unwell(chain(&error)))?;
        let wait = response.headers().get("retry-after").and_then(|seconds| seconds.trim().parse().ok());
        let (status, wait) = (response.status().as_u16(), wait.map_or(WAIT, Duration::from_secs));
        let body = ByteStream::new(response.into_body()).collect().await;
        let bytes = body.map_err(|error| Refusal::Unwell(chain(&error)))?.into_bytes();
        Ok(Answer { status, wait, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    fn method(&self, channel: &str, secret: &Secret, ask: Ask<'_>, message: &Message) -> Result<HttpRequest, ()> {
        let mut body = message.body();
        body["channel"] = channel.into();
        let method = match ask {
            Ask::Post => "chat.postMessage",
            Ask::Reply { ts, seen } => {
                body["thread_ts"] = ts.into();
                body["reply_broadcast"] = seen.into();
                "chat.postMessage"
            }
            Ask::Edit { ts } => {
                body["ts"] = ts.into();
                // An edit without blocks would keep those that are there.
                if body.get("blocks").is_none() {
                    body["blocks"] = Value::Array(Vec::new());
                }
                "chat.update"
            }
        };
        request(&format!("{}/{method}", self.api), Some(secret), &body)
    }
}

fn request(url: &str, token: Option<&Secret>, body: &Value) -> Result<HttpRequest, ()> {
    let mut request = HttpRequest::new(SdkBody::from(body.to_string()));
    request.set_method("POST").map_err(|_| ())?;
    request.set_uri(url).map_err(|_| ())?;
    request.headers_mut().insert("content-type", "application/json; charset=utf-8");
    if let Some(token) = token {
        let value = format!("Bearer {}", token.reveal());
        request.headers_mut().try_insert("authorization", value).map_err(|_| ())?;
    }
    Ok(request)
}

/// What came back.
struct Answer {
    status: u16,
    /// How long Slack wants to be left alone, where it says so.
    wait: Duration,
    text: String,
}

/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors>
fn of_webhook(status: u16, wait: Duration, text: &str) -> Result<Posted, Refusal> {
    let said = said(text);
    match (status, said.as_str()) {
        (200..=299, _) => Ok(Posted::default()),
        (429, _) => Err(Refusal::Later(wait)),
        (_, "invalid_blocks" | "invalid_blocks_format" | "msg_blocks_too_long" | "invalid_payload") => {
            Err(Refusal::Blocks(said))
        }
        (_, "no_service" | "no_service_id" | "no_team" | "invalid_token" | "no_active_hooks") => {
            Err(Refusal::Secret(said))
        }
        (500..=599, _) | (408, _) => Err(Refusal::Unwell(format!("{status} {said}"))),
        _ => Err(Refusal::Never(format!("{status} {said}"))),
    }
}

/// <https://docs.slack.dev/reference/methods/chat.postMessage/#errors>
fn of_method(status: u16, wait: Duration, text: &str) -> Result<Posted, Refusal> {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    if status == 429 {
        return Err(Refusal::Later(wait));
    }
    if status >= 500 || !answer.is_object() {
        return Err(Refusal::Unwell(format!("{status} {}", said(text))));
    }
    if answer.get("ok") == Some(&Value::Bool(true)) {
        return Ok(Posted { ts: answer.get("ts").and_then(Value::as_str).map(str::to_owned) });
    }
    let error = said(answer.get("error").and_then(Value::as_str).unwrap_or("no error was named"));
    match error.as_str() {
        "ratelimited" | "rate_limited" => Err(Refusal::Later(wait)),
        "invalid_blocks" | "invalid_blocks_format" | "msg_blocks_too_long" | "msg_too_long" => {
            Err(Refusal::Blocks(error))
        }
        "message_not_found"
        | "thread_not_found"
        | "cant_update_message"
        | "edit_window_closed"
        | "thread_locked"
        | "is_inactive" => Err(Refusal::Gone(error)),
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
            Err(Refusal::Secret(error))
        }
        "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => Err(Refusal::Unwell(error)),
        _ => Err(Refusal::Never(error)),
    }
}

/// What an answer says, of a length that fits into a log.
fn said(text: &str) -> String {
    crate::text::cut(&crate::text::one_line(text), 200)
}

/// The way to Slack over HTTPS, made at the first call: reading the root certificates takes longer than starting.
#[derive(Debug, Default)]
pub struct Https(OnceLock<Connector>);

impl HttpConnector for Https {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let made = || Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        self.0.get_or_init(made).call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(seconds: u64) -> Refusal {
        Refusal::Later(Duration::from_secs(seconds))
    }

    #[test]
    fn a_webhooks_word_is_understood() {
        let judge = |status, text| of_webhook(status, Duration::from_secs(7), text);
        assert_eq!(judge(200, "ok"), Ok(Posted::default()));
        assert_eq!(judge(429, "rate_limited"), Err(later(7)));
        assert_eq!(judge(400, "invalid_blocks"), Err(Refusal::Blocks("invalid_blocks".to_owned())));
        assert_eq!(judge(404, "no_service"), Err(Refusal::Secret("no_service".to_owned())));
        assert!(matches!(judge(503, "<html>"), Err(Refusal::Unwell(_))));
        assert!(matches!(judge(410, "channel_is_archived"), Err(Refusal::Never(_))));
    }

    #[test]
    fn a_method_that_answers_200_may_have_failed() {
        let judge = |status, text| of_method(status, Duration::from_secs(7), text);
        let posted = judge(200, r#"{"ok": true, "ts": "1.2"}"#).unwrap();
        assert_eq!(posted.ts.as_deref(), Some("1.2"));
        assert_eq!(judge(429, ""), Err(later(7)));
        assert_eq!(judge(200, r#"{"ok": false, "error": "ratelimited"}"#), Err(later(7)));
        assert!(matches!(judge(200, r#"{"ok": false, "error": "invalid_blocks"}"#), Err(Refusal::Blocks(_))));
        assert!(matches!(judge(200, r#"{"ok": false, "error": "message_not_found"}"#), Err(Refusal::Gone(_))));
        assert!(matches!(judge(200, r#"{"ok": false, "error": "token_revoked"}"#), Err(Refusal::Secret(_))));
        assert!(matches!(judge(200, r#"{"ok": false, "error": "channel_not_found"}"#), Err(Refusal::Never(_))));
        for text in [r#"{"ok": false}"#, r#"{"ok": "true"}"#, "{}"] {
            assert!(matches!(judge(200, text), Err(Refusal::Never(_))), "{text}");
        }
        for text in ["ok", "", "<html>"] {
            assert!(matches!(judge(200, text), Err(Refusal::Unwell(_))), "{text}");
        }
    }
}

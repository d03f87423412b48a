//! A Slack workspace in memory: an incoming webhook and a bot's token, with Slack's rules, and what was posted. It is
//! no part of AWS; it stands beside the account, as Slack does, and lives by the account's clock.

mod door;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::sandbox::Sandbox;

pub use door::SlackHttpClient;
use door::{Answered, Asked};

/// A channel sees one message a second.
/// <https://docs.slack.dev/apis/web-api/rate-limits/#rate-limits__posting-messages>
const PER_CHANNEL: SignedDuration = SignedDuration::from_secs(1);
/// Methods of the third tier, `chat.update` among them, are called fifty times a minute.
const TIER_3: usize = 50;
/// Longer texts are refused.
/// <https://docs.slack.dev/reference/methods/chat.postMessage/>
const LONGEST_TEXT: usize = 40_000;
/// What all blocks of a message may say together. It is not documented; it is what Slack was seen to refuse.
/// <https://github.com/slackapi/bolt-js/issues/2509>
const LONGEST_BLOCKS: usize = 13_200;

/// A Slack workspace with one channel. A clone is another handle on the same one.
#[derive(Clone, Debug)]
pub struct Slack {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

/// A message, as its channel shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SlackMessage {
    /// The channel's id.
    pub channel: String,
    /// Slack's id of it, within the channel.
    pub ts: String,
    /// The message that it answers.
    pub thread: Option<String>,
    /// Whether the channel shows an answer too.
    pub broadcast: bool,
    /// What notifications show, and the message itself when it has no blocks.
    pub text: String,
    /// Whether Slack looks for names to mention in that text, as it was not told to let it be.
    pub parsed: bool,
    /// What the message shows.
    pub blocks: Vec<Value>,
    /// When it was posted.
    pub at: Timestamp,
    /// What it showed before, text and blocks, oldest first.
    pub before: Vec<(String, Vec<Value>)>,
}

/// A call, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackCall {
    /// When it came.
    pub at: Timestamp,
    /// `webhook`, `chat.postMessage`.
    pub method: String,
    /// The channel that it was about, once that was clear.
    pub channel: Option<String>,
    /// The status that was answered; zero when nothing was.
    pub status: u16,
    /// `ok`, or the error.
    pub answer: String,
}

#[derive(Debug, Default)]
struct State {
    secret: u32,
    channels: BTreeMap<String, Channel>,
    messages: Vec<SlackMessage>,
    calls: Vec<SlackCall>,
    updates: Vec<Timestamp>,
    down: bool,
    limits: Vec<Duration>,
    refusals: Vec<String>,
}

#[derive(Debug, Default)]
struct Channel {
    archived: bool,
    last: Option<Timestamp>,
    posted: u32,
}

/// Why something is refused: the error, and what is wrong with the blocks.
#[derive(Debug)]
struct Refused {
    error: String,
    details: Vec<String>,
    wait: Option<Duration>,
}

impl Refused {
    fn with(error: &str) -> Self {
        Self { error: error.to_owned(), details: Vec::new(), wait: None }
    }

    fn for_now(wait: Duration) -> Self {
        Self { wait: Some(wait), ..Self::with("ratelimited") }
    }
}

impl Slack {
    /// The id of the channel that the webhook posts to, and that the bot is in.
    pub const CHANNEL: &str = "C0123456789";

    /// A workspace that lives by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let channels = BTreeMap::from([(Self::CHANNEL.to_owned(), Channel::default())]);
        Self { state: Arc::new(Mutex::new(State { secret: 1, channels, ..State::default() })), clock }
    }

    /// A workspace that lives by the account's clock.
    pub fn beside(sandbox: &Sandbox) -> Self {
        Self::new(sandbox.clock())
    }

    /// The address of the incoming webhook, on the host where Slack is reached: `https://hooks.slack.com`.
    pub fn webhook(&self, host: &str) -> String {
        format!("{}{}", host.trim_end_matches('/'), self.lock().webhook())
    }

    /// The bot's token.
    pub fn token(&self) -> String {
        self.lock().token()
    }

    /// Makes another webhook and another token. Those that were are not known any more.
    pub fn rotate(&self) {
        self.lock().secret += 1;
    }

    /// Closes a channel to messages.
    pub fn archive(&self, channel: &str) {
        self.lock().channels.entry(channel.to_owned()).or_default().archived = true;
    }

    /// Takes the workspace away, or brings it back: nobody answers meanwhile.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Refuses the next call as one too many, to be tried again after this time. Called twice, the next two.
    pub fn limit_next(&self, wait: Duration) {
        self.lock().limits.push(wait);
    }

    /// Refuses the next call with this error: `invalid_blocks`. Called twice, the next two.
    pub fn refuse_next(&self, error: &str) {
        self.lock().refusals.push(error.to_owned());
    }

    /// Takes a message away, as a person can.
    pub fn delete(&self, ts: &str) {
        self.lock().messages.retain(|message| message.ts != ts);
    }

    /// All messages, in the order in which they were posted.
    pub fn messages(&self) -> Vec<SlackMessage> {
        self.lock().messages.clone()
    }

    /// All calls, in order.
    pub fn calls(&self) -> Vec<SlackCall> {
        self.lock().calls.clone()
    }

    /// What Slack would have against this text and these blocks, as the body of a call has them; nothing when they fit.
    pub fn objections(body: &Value) -> Vec<String> {
        let asked = Asked { method: String::new(), path: String::new(), bearer: None, body: body.clone() };
        let against = |refused: Refused| std::iter::once(refused.error).chain(refused.details).collect();
        content(&asked).map_or_else(against, |_| Vec::new())
    }

    /// The HTTP client to give to whoever calls Slack: its calls come here, wherever they are meant to go.
    pub fn http_client(&self) -> SlackHttpClient {
        SlackHttpClient::new(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a call; none when nobody is there.
    fn answer(&self, asked: &Asked) -> Option<Answered> {
        let now = self.clock.now();
        let mut state = self.lock();
        let (method, of_webhook) = match asked.path.strip_prefix("/api/") {
            Some(method) => (method.to_owned(), false),
            None => ("webhook".to_owned(), true),
        };
        if state.down {
            state.called(now, &method, None, 0, "down");
            return None;
        }
        let channel = if of_webhook { Some(Self::CHANNEL.to_owned()) } else { asked.text("channel") };
        let done = if of_webhook { state.webhook_called(asked, now) } else { state.method_called(&method, asked, now) };
        let answered = match (&done, of_webhook) {
            (Ok(_), true) => Answered::text(200, "ok"),
            (Ok(body), false) => Answered::json(200, body),
            (Err(refused), true) => webhook_error(refused),
            (Err(refused), false) => method_error(refused),
        };
        let said = done.err().map_or_else(|| "ok".to_owned(), |refused| refused.error);
        state.called(now, &method, channel, answered.status, &said);
        Some(answered)
    }
}

/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors>
fn webhook_error(refused: &Refused) -> Answered {
    let status = match refused.error.as_str() {
        "ratelimited" => 429,
        "invalid_token" | "action_prohibited" | "team_disabled" => 403,
        "no_service" | "no_team" | "channel_not_found" => 404,
        "is_archived" | "channel_is_archived" => 410,
        "rollup_error" | "internal_error" => 500,
        _ => 400,
    };
    let said = match refused.error.as_str() {
        "ratelimited" => "rate_limited",
        "is_archived" => "channel_is_archived",
        other => other,
    };
    Answered { retry_after: refused.wait, ..Answered::text(status, said) }
}

/// <https://docs.slack.dev/apis/web-api/#responses>
fn method_error(refused: &Refused) -> Answered {
    let mut body = json!({"ok": false, "error": refused.error});
    if !refused.details.is_empty() {
        body["errors"] = json!(refused.details);
        body["response_metadata"] = json!({"messages": refused.details});
    }
    let status = match refused.error.as_str() {
        "ratelimited" => 429,
        "service_unavailable" => 503,
        _ => 200,
    };
    Answered { retry_after: refused.wait, ..Answered::json(status, &body) }
}

impl State {
    fn webhook(&self) -> String {
        format!("/services/T0123456789/B0123456789/{:024x}", u64::from(self.secret) * 0x9e37_79b9)
    }

    fn token(&self) -> String {
        format!("xoxb-0123456789-{:024x}", u64::from(self.secret) * 0x85eb_ca6b)
    }

    fn called(&mut self, at: Timestamp, method: &str, channel: Option<String>, status: u16, answer: &str) {
        let (method, answer) = (method.to_owned(), answer.to_owned());
        self.calls.push(SlackCall { at, method, channel, status, answer });
    }

    /// What was told to be refused, before anything else is looked at.
    fn told_to_refuse(&mut self) -> Result<(), Refused> {
        if !self.limits.is_empty() {
            return Err(Refused::for_now(self.limits.remove(0)));
        }
        if self.refusals.is_empty() { Ok(()) } else { Err(Refused::with(&self.refusals.remove(0))) }
    }

    fn webhook_called(&mut self, asked: &Asked, now: Timestamp) -> Result<Value, Refused> {
        if asked.path != self.webhook() {
            return Err(Refused::with("no_service"));
        }
        self.told_to_refuse()?;
        if asked.method != "POST" || !asked.body.is_object() {
            return Err(Refused::with("invalid_payload"));
        }
        // An incoming webhook cannot be told where to post.
        self.post(Slack::CHANNEL, asked, None, now).map(|_| Value::Null)
    }

    fn method_called(&mut self, method: &str, asked: &Asked, now: Timestamp) -> Result<Value, Refused> {
        match asked.bearer.as_deref() {
            None => return Err(Refused::with("not_authed")),
            Some(token) if token != self.token() => return Err(Refused::with("invalid_auth")),
            Some(_) => self.told_to_refuse()?,
        }
        if !asked.body.is_object() {
            return Err(Refused::with("invalid_json"));
        }
        let channel = asked.text("channel").unwrap_or_default();
        match method {
            "chat.postMessage" => {
                let thread = asked.text("thread_ts");
                let ts = self.post(&channel, asked, thread, now)?;
                Ok(json!({"ok": true, "channel": channel, "ts": ts, "message": asked.body}))
            }
            "chat.update" => self.update(&channel, asked, now),
            "auth.test" => Ok(json!({"ok": true, "team": "Shop", "user": "wharf"})),
            _ => Err(Refused::with("unknown_method")),
        }
    }

    fn open(&self, channel: &str) -> Result<&Channel, Refused> {
        let found = self.channels.get(channel).ok_or_else(|| Refused::with("channel_not_found"))?;
        if found.archived { Err(Refused::with("is_archived")) } else { Ok(found) }
    }

    fn post(
        &mut self,
        channel: &str,
        asked: &Asked,
        thread: Option<String>,
        now: Timestamp,
    ) -> Result<String, Refused> {
        let last = self.open(channel)?.last;
        let (text, blocks) = content(asked)?;
        if let Some(thread) = &thread {
            let of = |message: &SlackMessage| message.channel == channel && message.ts == *thread;
            if !self.messages.iter().any(of) {
                return Err(Refused::with("thread_not_found"));
            }
        }
        if last.is_some_and(|last| now.duration_since(last) < PER_CHANNEL) {
            return Err(Refused::for_now(Duration::from_secs(1)));
        }
        let found = self.channels.entry(channel.to_owned()).or_default();
        found.last = Some(now);
        found.posted += 1;
        let ts = format!("{}.{:06}", now.as_second(), found.posted);
        let broadcast = asked.body.get("reply_broadcast").and_then(Value::as_bool).unwrap_or_default();
        let message = SlackMessage {
            channel: channel.to_owned(),
            ts: ts.clone(),
            thread,
            broadcast,
            text,
            parsed: asked.parsed(),
            blocks,
            at: now,
            before: Vec::new(),
        };
        self.messages.push(message);
        Ok(ts)
    }

    fn update(&mut self, channel: &str, asked: &Asked, now: Timestamp) -> Result<Value, Refused> {
        self.open(channel)?;
        let (text, blocks) = content(asked)?;
        let ts = asked.text("ts").unwrap_or_default();
        self.updates.retain(|at| now.duration_since(*at) < SignedDuration::from_secs(60));
        if self.updates.len() >= TIER_3 {
            return Err(Refused::for_now(Duration::from_secs(30)));
        }
        let of = |message: &&mut SlackMessage| message.channel == channel && message.ts == ts;
        let message = self.messages.iter_mut().find(of).ok_or_else(|| Refused::with("message_not_found"))?;
        let before = (std::mem::replace(&mut message.text, text), std::mem::replace(&mut message.blocks, blocks));
        message.before.push(before);
        message.parsed = asked.parsed();
        self.updates.push(now);
        Ok(json!({"ok": true, "channel": channel, "ts": ts, "text": message.text}))
    }
}

/// The text and the blocks of what is to be posted, within Slack's rules.
fn content(asked: &Asked) -> Result<(String, Vec<Value>), Refused> {
    let text = asked.text("text").unwrap_or_default();
    let blocks = match asked.body.get("blocks") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(blocks)) => blocks.clone(),
        Some(_) => return Err(Refused::with("invalid_blocks_format")),
    };
    if text.is_empty() && blocks.is_empty() {
        return Err(Refused::with("no_text"));
    }
    if text.chars().count() > LONGEST_TEXT {
        return Err(Refused::with("msg_too_long"));
    }
    let details = rules::broken(&blocks);
    if !details.is_empty() {
        return Err(Refused { details, ..Refused::with("invalid_blocks") });
    }
    if rules::length(&blocks) > LONGEST_BLOCKS {
        return Err(Refused::with("msg_blocks_too_long"));
    }
    Ok((text, blocks))
}

impl SlackMessage {
    /// The mentions in it that ring somebody: `<!here>`, `<@U0123456789>`, and names that Slack itself would turn into
    /// one.
    /// <https://docs.slack.dev/messaging/formatting-message-text/#advanced>
    pub fn mentions(&self) -> Vec<String> {
        let mut found = if self.blocks.is_empty() { rules::mentions(&self.text, !self.parsed) } else { Vec::new() };
        for block in &self.blocks {
            rules::mentions_of(block, &mut found);
        }
        found
    }
}

use serde_json::json;

use super::*;
use crate::testing::calm;

fn slack() -> Slack {
    Slack::beside(&calm())
}

fn call(slack: &Slack, path: &str, token: Option<&str>, body: &Value) -> (u16, String) {
    let asked = Asked {
        method: "POST".to_owned(),
        path: path.to_owned(),
        bearer: token.map(str::to_owned),
        body: body.clone(),
    };
    slack.answer(&asked).map_or((0, String::new()), |answered| (answered.status, answered.body))
}

fn post(slack: &Slack, body: &Value) -> Value {
    let (_, answer) = call(slack, "/api/chat.postMessage", Some(&slack.token()), body);
    serde_json::from_str(&answer).unwrap()
}

fn webhook(slack: &Slack, body: &Value) -> (u16, String) {
    call(slack, &slack.webhook(""), None, body)
}

fn error(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or("ok")
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}})
}

#[tokio::test(start_paused = true)]
async fn a_message_is_posted_edited_and_answered_in_its_thread() {
    let slack = slack();
    let ts = post(&slack, &json!({"channel": Slack::CHANNEL, "text": "a"}))["ts"].as_str().unwrap().to_owned();
    tokio::time::advance(Duration::from_secs(1)).await;
    let reply = post(&slack, &json!({"channel": Slack::CHANNEL, "text": "b", "thread_ts": ts}));
    assert_eq!(reply["ok"], true);
    let edit = json!({"channel": Slack::CHANNEL, "ts": ts, "text": "c", "blocks": [section("c")]});
    assert_eq!(call(&slack, "/api/chat.update", Some(&slack.token()), &edit).0, 200);
    let messages = slack.messages();
    assert_eq!((messages[0].text.as_str(), messages[0].before[0].0.as_str()), ("c", "a"));
    assert_eq!(messages[1].thread.as_deref(), Some(ts.as_str()));
    slack.delete(&ts);
    let gone = call(&slack, "/api/chat.update", Some(&slack.token()), &edit).1;
    assert!(gone.contains("message_not_found"), "{gone}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_takes_one_message_a_second() {
    let slack = slack();
    let message = json!({"channel": Slack::CHANNEL, "text": "a"});
    assert_eq!(post(&slack, &message)["ok"], true);
    tokio::time::advance(Duration::from_millis(990)).await;
    assert_eq!(error(&post(&slack, &message)), "ratelimited");
    let (status, _) = webhook(&slack, &message);
    assert_eq!(status, 429);
    tokio::time::advance(Duration::from_millis(10)).await;
    assert_eq!(post(&slack, &message)["ok"], true);
    assert_eq!(slack.messages().len(), 2);
}

#[test]
fn the_webhook_says_what_is_wrong_in_a_word() {
    let slack = slack();
    assert_eq!(webhook(&slack, &json!({"text": "a"})), (200, "ok".to_owned()));
    assert_eq!(webhook(&slack, &json!({})), (400, "no_text".to_owned()));
    assert_eq!(webhook(&slack, &json!([])), (400, "invalid_payload".to_owned()));
    assert_eq!(webhook(&slack, &json!({"text": "a", "blocks": [{}]})), (400, "invalid_blocks".to_owned()));
    let old = slack.webhook("");
    slack.rotate();
    assert_eq!(call(&slack, &old, None, &json!({"text": "a"})), (404, "no_service".to_owned()));
    slack.archive(Slack::CHANNEL);
    assert_eq!(webhook(&slack, &json!({"text": "a"})), (410, "channel_is_archived".to_owned()));
    slack.set_down(true);
    assert_eq!(webhook(&slack, &json!({"text": "a"})).0, 0);
}

#[test]
fn the_api_wants_a_token_a_channel_and_a_text() {
    let slack = slack();
    let message = json!({"channel": Slack::CHANNEL, "text": "a"});
    let api = |token: Option<&str>| call(&slack, "/api/chat.postMessage", token, &message).1;
    assert!(api(None).contains("not_authed"));
    assert!(api(Some("xoxb-stolen")).contains("invalid_auth"));
    for (body, expected) in [
        (json!({"channel": "general", "text": "a"}), "channel_not_found"),
        (json!({"channel": Slack::CHANNEL}), "no_text"),
        (json!({"channel": Slack::CHANNEL, "text": "a", "thread_ts": "1.0"}), "thread_not_found"),
        (json!({"channel": Slack::CHANNEL, "text": "a".repeat(40_001)}), "msg_too_long"),
        (json!({"channel": Slack::CHANNEL, "text": "a", "blocks": "[]"}), "invalid_blocks_format"),
    ] {
        assert_eq!(error(&post(&slack, &body)), expected);
    }
}

#[test]
fn blocks_are_held_to_their_limits() {
    let header = |text: &str| json!({"type": "header", "text": {"type": "plain_text", "text": text}});
    let fields =
        |n: usize, text: &str| json!({"type": "section", "fields": vec![json!({"type": "mrkdwn", "text": text}); n]});
    let context = |n: usize| json!({"type": "context", "elements": vec![json!({"type": "mrkdwn", "text": "a"}); n]});
    for (good, bad) in [
        (header(&"h".repeat(150)), header(&"h".repeat(151))),
        (section(&"s".repeat(3000)), section(&"s".repeat(3001))),
        (section("s"), section("")),
        (fields(10, "f"), fields(11, "f")),
        (fields(1, &"f".repeat(2000)), fields(1, &"f".repeat(2001))),
        (context(10), context(11)),
        (json!({"type": "divider"}), json!({"type": "divider", "text": "a"})),
        (section("s"), json!({"type": "section"})),
        (header("h"), json!({"type": "header", "text": {"type": "mrkdwn", "text": "h"}})),
    ] {
        assert!(rules::broken(std::slice::from_ref(&good)).is_empty(), "{good}");
        assert!(!rules::broken(std::slice::from_ref(&bad)).is_empty(), "{bad}");
    }
    assert!(rules::broken(&vec![section("s"); 50]).is_empty());
    assert!(!rules::broken(&vec![section("s"); 51]).is_empty());
    let much = vec![section(&"s".repeat(3000)); 5];
    let refused = post(&slack(), &json!({"channel": Slack::CHANNEL, "text": "a", "blocks": much}));
    assert_eq!(error(&refused), "msg_blocks_too_long");
}

#[test]
fn mentions_are_seen_where_they_ring() {
    let message = |blocks: Value| SlackMessage {
        channel: String::new(),
        ts: String::new(),
        thread: None,
        broadcast: false,
        text: "<!here> in a notification's text".to_owned(),
        parsed: true,
        blocks: blocks.as_array().unwrap().clone(),
        at: Timestamp::UNIX_EPOCH,
        before: Vec::new(),
    };
    assert_eq!(message(json!([])).mentions(), ["<!here>"]);
    assert!(message(json!([section("a &lt;!here&gt; <!date^1^{date}|x> @here")])).mentions().is_empty());
    assert_eq!(message(json!([section("<@U1> and <!subteam^S1>")])).mentions(), ["<@U1>", "<!subteam^S1>"]);
    let loose = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "wake up @channel"}}]);
    assert_eq!(message(loose).mentions(), ["@channel"]);
}

#[tokio::test]
async fn it_is_served_on_a_port() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let slack = slack();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(slack.clone().serve(listener, crate::Pace::Slept));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let body = r#"{"text": "over the wire"}"#;
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: slack\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        slack.webhook(""),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
    assert_eq!(slack.messages()[0].text, "over the wire");
}

use proptest::prelude::*;
use wharf_events::Link;
use wharf_sandbox::{Slack, SlackMessage};

use super::*;
use crate::testing::{at, notice};

fn posted(message: &Message) -> SlackMessage {
    SlackMessage {
        channel: String::new(),
        ts: String::new(),
        thread: None,
        broadcast: false,
        text: message.text.clone(),
        parsed: message.body()["parse"] != "none" || message.body()["link_names"] != false,
        blocks: message.blocks.clone(),
        at: at(0),
        before: Vec::new(),
    }
}

fn series(count: u32) -> Series {
    Series { count, since: at(-2400) }
}

/// Every form in which notices are sent.
fn forms(notices: &[Notice]) -> Vec<Message> {
    let each = |notice: &Notice| {
        [
            Message::whole(notice, None, None),
            Message::whole(notice, Some(series(7)), None),
            Message::short(notice, series(2)),
        ]
    };
    let whole: Vec<Message> = notices.iter().flat_map(each).collect();
    let digest = Message::digest(&notices.iter().collect::<Vec<_>>(), None);
    assert_eq!(digest.iter().map(|(_, count)| count).sum::<usize>(), notices.len());
    let all: Vec<Message> = whole.into_iter().chain(digest.into_iter().map(|(message, _)| message)).collect();
    let plain: Vec<Message> = all.iter().map(Message::without_blocks).collect();
    all.into_iter().chain(plain).collect()
}

fn any_text() -> impl Strategy<Value = String> {
    let hostile = proptest::sample::select(vec![
        "<!channel>",
        "<@U0123456789>",
        "@here",
        "```",
        "&amp;",
        "<https://example.com|x>",
        "\u{202e}",
        "👩‍👩‍👧‍👦",
        "\n\n",
        "|",
    ]);
    prop_oneof![
        4 => "\\PC{0,40}",
        2 => hostile.prop_map(str::to_owned),
        1 => "[<>&]{0,2000}",
        1 => (".", 1_usize..6000).prop_map(|(text, times)| text.repeat(times)),
        1 => proptest::collection::vec("[ -~]{0,20}|😀", 0..40).prop_map(|lines| lines.join("\n")),
    ]
}

fn any_notice() -> impl Strategy<Value = Notice> {
    let severity = proptest::sample::select(vec![Severity::Info, Severity::Warning, Severity::Critical]);
    let state = proptest::sample::select(vec![State::Opened, State::Closed, State::Once]);
    let fact = (any_text(), any_text()).prop_map(|(name, value)| Fact { name, value });
    let link = (any_text(), prop_oneof![any_text(), any_text().prop_map(|rest| format!("https://{rest}"))])
        .prop_map(|(title, url)| Link { title, url });
    let lists = (proptest::collection::vec(fact, 0..30), proptest::collection::vec(link, 0..8));
    (severity, state, any_text(), any_text(), lists, any_text()).prop_map(
        |(severity, state, title, text, lists, source)| {
            let (facts, links) = lists;
            Notice { severity, state, facts, links, source, ..notice(&title, &text) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever a notice says: Slack takes it in every form, and nobody is woken by what it happens to say.
    #[test]
    fn any_notice_is_within_slacks_limits_and_mentions_nobody(notices in proptest::collection::vec(any_notice(), 1..8)) {
        for message in forms(&notices) {
            let against = Slack::objections(&message.body());
            prop_assert!(against.is_empty(), "{against:?}: {message:?}");
            prop_assert_eq!(posted(&message).mentions(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_mention_stands_where_it_was_asked_for_and_only_there() {
    let hostile = notice("<!channel> down", "tell <@U0123456789>").fact("who", "<!everyone>");
    let message = Message::whole(&hostile, None, Some("<!here>"));
    assert_eq!(posted(&message).mentions(), ["<!here>"]);
    assert_eq!(posted(&message.without_blocks()).mentions(), ["<!here>"]);
    let (digest, _) = &Message::digest(&[&hostile, &hostile], Some("<!here>"))[0];
    assert_eq!(posted(digest).mentions(), ["<!here>"]);
}

#[test]
fn what_slack_would_read_as_markup_is_escaped() {
    let message = Message::whole(&notice("a < b & c", "<!channel> & <https://evil.example|here>"), None, None);
    assert_eq!(message.blocks[0]["text"]["text"], "🔴 a &lt; b &amp; c");
    let text = "&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;";
    assert_eq!(message.blocks[1]["text"]["text"], text);
    assert_eq!(message.text, format!("🔴 a &lt; b &amp; c – {text}"));
}

#[test]
fn a_text_of_signs_that_say_nothing_has_no_block() {
    let message = Message::whole(&notice("t", "\u{6}\u{7}\r"), None, None);
    assert_eq!(message.blocks.len(), 2, "header and footer");
}

#[test]
fn a_long_fact_has_room_of_its_own_and_cannot_break_out() {
    let log = "one\n```<!here>\nthree\nfour\nfive";
    let message = Message::whole(&notice("t", "").fact("log", log).fact("service", "web"), None, None);
    let texts: Vec<&str> = message.blocks.iter().filter_map(|block| block["text"]["text"].as_str()).collect();
    assert_eq!(texts[1], "*log*\n```one\n'''&lt;!here&gt;\nthree\nfour\nfive```");
    assert_eq!(message.blocks[1]["fields"][0]["text"], "*service*\nweb");
}

#[test]
fn how_often_and_how_long_is_said_as_people_say_it() {
    let closed = Notice { state: State::Closed, ..notice("OK: a", "") };
    let said = |notice: &Notice, count: u32, seconds: i64| {
        lasted(notice, Series { count, since: at(-seconds) }).unwrap_or_default()
    };
    assert_eq!(said(&closed, 1, 45), "after 45 s");
    assert_eq!(said(&closed, 1, 900), "after 15 min");
    assert_eq!(said(&closed, 3, 7500), "after 3 times in 2 h 5 min");
    assert_eq!(said(&notice("a", ""), 1, 900), "");
    assert_eq!(said(&notice("a", ""), 2, 300_000), "2nd time in 3 d 11 h");
    assert_eq!([1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal).join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 112th");
}

//! Slack as it is on a bad day: full, down, picky, or with another secret.

use std::sync::{Arc, Mutex};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_429_is_waited_for_as_long_as_slack_says() {
    for way in [Way::Webhook, Way::Bot] {
        let world = World::new(way).await;
        world.slack.limit_next(Duration::from_secs(17));
        let begun = world.sandbox.now();
        assert!(world.one(&signal("m-1", &rings("a", 0))).await.is_empty());
        assert_eq!(world.answers(), ["ratelimited", "ok"], "{way:?}");
        let calls = world.slack.calls();
        let waited = calls[1].at.duration_since(calls[0].at).as_secs();
        assert!((17..19).contains(&waited), "{waited} s, begun {begun}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_beyond_the_deadline_returns_the_record_to_the_queue_at_once() {
    let world = World::new(Way::Bot).await;
    world.slack.limit_next(Duration::from_secs(90));
    let begun = world.sandbox.now();
    let body = signal("m-1", &rings("a", 0));
    assert_eq!(world.one(&body).await, [0]);
    assert!(world.sandbox.now().duration_since(begun).as_secs() < 5, "it does not sit the time out");
    assert_eq!(world.letters().len(), 1, "the letter was sent all the same");
    // Whoever comes before the time is over does not even ask.
    let other = signal("m-2", &rings("b", 1));
    assert_eq!(world.one(&other).await, [0]);
    assert_eq!(world.answers(), ["ratelimited"]);
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert!(world.queue(&[body.to_string(), other.to_string()]).await.is_empty());
    assert_eq!(world.answers(), ["ratelimited", "ok", "ok"]);
}

#[tokio::test(start_paused = true)]
async fn an_ok_false_is_a_failure_though_its_status_is_200() {
    let world = World::new(Way::Bot).await;
    let body = signal("m-1", &rings("a", 0));
    for error in ["channel_not_found", "restricted_action", "something_new"] {
        world.slack.refuse_next(error);
        assert_eq!(world.one(&body).await, [0], "{error}");
    }
    assert!(world.messages().is_empty());
    assert!(world.one(&body).await.is_empty());
    assert_eq!((world.messages().len(), world.letters().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn blocks_that_slack_refuses_go_as_text() {
    for way in [Way::Webhook, Way::Bot] {
        for error in ["invalid_blocks", "msg_blocks_too_long"] {
            let world = World::new(way).await;
            world.slack.refuse_next(error);
            assert!(world.one(&signal("m-1", &sample("alarm-sns.json"))).await.is_empty());
            let messages = world.messages();
            assert!(messages[0].blocks.is_empty());
            let text = &messages[0].text;
            assert!(
                text.starts_with("🔴 ALARM: shop-latency\nRequests take long.") && text.contains("value: 3.214"),
                "{text}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slack_that_is_not_well_is_asked_again_within_the_invocation() {
    let world = World::new(Way::Bot).await;
    world.slack.refuse_next("service_unavailable");
    world.slack.refuse_next("internal_error");
    assert!(world.one(&signal("m-1", &rings("a", 0))).await.is_empty());
    assert_eq!(world.answers(), ["service_unavailable", "internal_error", "ok"]);
}

/// The times at which the channel got messages, in order.
fn times(world: &World) -> Vec<jiff::Timestamp> {
    world.messages().iter().map(|message| message.at).collect()
}

fn assert_paced(world: &World) {
    assert!(!world.answers().contains(&"ratelimited".to_owned()), "Slack never had to refuse");
    for pair in times(world).windows(2) {
        let gap = pair[1].duration_since(pair[0]);
        assert!(gap >= jiff::SignedDuration::from_secs(1), "{gap}");
    }
}

fn assert_all_told(world: &World, names: impl Iterator<Item = String>) {
    let said: String = world.messages().iter().map(all).collect();
    for name in names {
        let whole = [format!("ALARM: {name}\""), format!("ALARM: {name}>"), format!("ALARM: {name} ")];
        assert!(whole.iter().any(|whole| said.contains(whole)), "{name} was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_alarms_in_batches_of_ten_none_is_lost_and_slack_sees_one_message_a_second() {
    let world = World::new(Way::Webhook).await;
    let bodies: Vec<String> =
        (0..1000).map(|n| signal(&format!("m-{n}"), &rings(&format!("a-{n:03}"), n / 100)).to_string()).collect();
    for batch in bodies.chunks(10) {
        assert!(world.queue(batch).await.is_empty());
    }
    assert_eq!(world.messages().len(), 100, "one digest for each batch");
    assert_paced(&world);
    assert_all_told(&world, (0..1000).map(|n| format!("a-{n:03}")));
    assert_eq!(world.letters().len(), 100, "people get digests too");
}

#[tokio::test(start_paused = true)]
async fn of_hundreds_of_alarms_in_one_batch_none_is_lost_and_people_are_woken_once() {
    let world = World::with_mention(Way::Bot, Some("<!here>")).await;
    let bodies: Vec<String> =
        (0..200).map(|n| signal(&format!("m-{n}"), &rings(&format!("a-{n:03}"), n / 20)).to_string()).collect();
    assert!(world.queue(&bodies).await.is_empty());
    let messages = world.messages();
    assert!((2..9).contains(&messages.len()), "{}", messages.len());
    assert_paced(&world);
    assert_all_told(&world, (0..200).map(|n| format!("a-{n:03}")));
    let mentions: Vec<String> = messages.iter().flat_map(SlackMessage::mentions).collect();
    assert_eq!(mentions, ["<!here>"], "they are woken once");
    assert!(world.queue(&bodies).await.is_empty(), "and all again is nothing new");
    assert_eq!(world.messages().len(), messages.len());
}

#[tokio::test(start_paused = true)]
async fn what_clears_after_a_digest_is_told_in_its_thread() {
    let world = World::new(Way::Bot).await;
    let bodies: Vec<String> =
        (0..8).map(|n| signal(&format!("m-{n}"), &rings(&format!("a-{n}"), 0)).to_string()).collect();
    world.queue(&bodies).await;
    world.one(&signal("m-9", &clears("a-3", 300))).await;
    let messages = world.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].thread.as_deref(), Some(messages[0].ts.as_str()));
    assert_eq!(title(&messages[1]), "✅ *OK: a-3* after 5 min");
    assert!(messages[0].before.is_empty(), "a digest is nobody's own to edit");
}

#[tokio::test(start_paused = true)]
async fn a_digest_says_how_each_stands_at_the_end_and_mends_messages_of_their_own() {
    let world = World::new(Way::Bot).await;
    world.one(&signal("m-0", &rings("own", 0))).await;
    let mut bodies = vec![signal("m-1", &clears("own", 60)).to_string()];
    for n in 0..5 {
        bodies.push(signal(&format!("r-{n}"), &rings(&format!("a-{n}"), 50)).to_string());
        bodies.push(signal(&format!("c-{n}"), &clears(&format!("a-{n}"), 70)).to_string());
    }
    assert!(world.queue(&bodies).await.is_empty());
    let messages = world.messages();
    assert_eq!(title(&messages[0]), "✅ OK: own");
    assert_eq!(title(&messages[1]), "✅ 6 notices at once");
    assert!(!all(&messages[1]).contains("ALARM"), "{}", all(&messages[1]));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_secret_is_picked_up_when_slack_refuses_the_old_one_and_within_its_time() {
    for way in [Way::Webhook, Way::Bot] {
        let world = World::new(way).await;
        world.one(&signal("m-1", &rings("a", 0))).await;
        world.slack.rotate();
        world.store_secret().await;
        assert!(world.one(&signal("m-2", &rings("b", 1))).await.is_empty(), "{way:?}");
        assert_eq!(world.messages().len(), 2);
        let reads =
            |world: &World| world.sandbox.call_log().iter().filter(|call| call.operation == "GetParameter").count();
        assert_eq!(reads(&world), 2, "read once, kept, and read again when it was refused");
        world.one(&signal("m-3", &rings("c", 2))).await;
        assert_eq!(reads(&world), 2);
        tokio::time::sleep(Duration::from_secs(301)).await;
        world.one(&signal("m-4", &rings("d", 3))).await;
        assert_eq!(reads(&world), 3, "after five minutes it is read again unasked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_the_wrong_kind_or_none_at_all_is_a_failure_that_says_so() {
    let world = World::new(Way::Bot).await;
    let put = world.ssm.put_parameter().name(SECRET).r#type(ParameterType::SecureString).overwrite(true);
    put.value(world.slack.webhook("https://hooks.slack.com")).send().await.unwrap();
    assert_eq!(world.one(&signal("m-1", &rings("a", 0))).await, [0]);
    world.ssm.delete_parameter().name(SECRET).send().await.unwrap();
    let world = World { time: Duration::from_secs(20), ..world };
    assert_eq!(world.one(&signal("m-2", &rings("b", 0))).await, [0]);
    assert_eq!(world.letters().len(), 2, "the letters went out");
}

/// What is logged on this thread while the guard lives, whatever its level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_secret_is_never_logged_nor_kept_in_the_table_nor_told() {
    for way in [Way::Webhook, Way::Bot] {
        let log = Log::default();
        let writer = log.clone();
        let environment = Environment::of([("AWS_LAMBDA_LOG_LEVEL", "TRACE")]);
        let subscriber = wharf_shell::log::to(move || writer.clone(), &environment);
        // Of one subscriber alone tracing believes that it is every thread's, and asks those of other tests, which have none,
        // what is of interest.
        let _beside = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
        let guard = tracing::subscriber::set_default(subscriber);
        let world = World::new(way).await;
        let secret = match way {
            Way::Webhook => world.slack.webhook(""),
            _ => world.slack.token(),
        };
        world.one(&signal("m-1", &rings("a", 0))).await;
        for trouble in ["invalid_auth", "invalid_blocks", "service_unavailable", "channel_not_found", "no_service"] {
            world.slack.refuse_next(trouble);
            world.one(&signal(trouble, &rings(trouble, 1))).await;
        }
        world.slack.set_down(true);
        world.one(&signal("down", &rings("down", 2))).await;
        world.slack.rotate();
        world.slack.set_down(false);
        world.one(&signal("rotated", &rings("rotated", 3))).await;
        drop(guard);
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(logged.lines().count() > 10, "{logged}");
        let items = world.sandbox.resources().into_iter().filter(|resource| resource.kind == "dynamodb.item");
        let kept: String = items.map(|item| format!("{:?}", item.attrs)).collect();
        assert!(kept.contains("subject"), "{kept}");
        let letters = format!("{:?}", world.letters());
        for (place, text) in [("log", logged), ("table", kept), ("letters", letters)] {
            assert!(!text.contains(secret.trim_start_matches('/')), "{place} of {way:?}: {text}");
        }
    }
}

//! What begins, ends, and begins again: one story, one thread.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_ok_edits_the_message_of_its_alarm_and_answers_in_its_thread() {
    let world = World::new(Way::Bot).await;
    world.one(&signal("m-1", &sample("alarm-sns.json"))).await;
    world.one(&signal("m-2", &sample("alarm-ok-sns.json"))).await;
    let messages = world.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!((title(&messages[0]), messages[0].before.len()), ("✅ OK: shop-latency", 1));
    assert!(all(&messages[0]).contains("after 15 min"), "{}", all(&messages[0]));
    assert_eq!(messages[1].thread.as_deref(), Some(messages[0].ts.as_str()));
    assert_eq!(title(&messages[1]), "✅ *OK: shop-latency* after 15 min · 0.212 (not &gt; 1.5, 4 of 5 values)");
}

#[tokio::test(start_paused = true)]
async fn by_a_webhook_an_ok_stands_alone() {
    let world = World::new(Way::Webhook).await;
    world.one(&signal("m-1", &sample("alarm-sns.json"))).await;
    world.one(&signal("m-2", &sample("alarm-ok-sns.json"))).await;
    let messages = world.messages();
    let titles: Vec<&str> = messages.iter().map(title).collect();
    assert_eq!(titles, ["🔴 ALARM: shop-latency", "✅ OK: shop-latency"]);
    assert!(messages.iter().all(|message| message.thread.is_none() && message.before.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_comes_after_its_ok_does_not_page() {
    for way in [Way::Webhook, Way::Bot] {
        let world = World::with_mention(way, Some("<!here>")).await;
        world.one(&signal("m-2", &clears("a", 60))).await;
        world.one(&signal("m-1", &rings("a", 0))).await;
        let messages = world.messages();
        assert_eq!(messages.iter().map(title).collect::<Vec<_>>(), ["✅ OK: a"], "{way:?}");
        assert!(messages[0].mentions().is_empty());
        assert_eq!(world.letters().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_and_its_ok_in_one_batch_are_told_in_their_order() {
    let world = World::new(Way::Bot).await;
    let bodies = [signal("m-2", &clears("a", 60)).to_string(), signal("m-1", &rings("a", 0)).to_string()];
    assert!(world.queue(&bodies).await.is_empty());
    let messages = world.messages();
    assert_eq!((messages.len(), title(&messages[0]), messages[0].before.len()), (2, "✅ OK: a", 1));
}

#[tokio::test(start_paused = true)]
async fn thirty_flaps_are_one_thread_with_a_count() {
    let world = World::new(Way::Bot).await;
    for flap in 0..30 {
        for body in [rings("a", 120 * flap), clears("a", 120 * flap + 60)] {
            assert!(world.one(&signal(&body.to_string(), &body)).await.is_empty());
        }
    }
    let messages = world.messages();
    let (first, rest) = messages.split_first().unwrap();
    assert_eq!(first.thread, None);
    assert_eq!(first.before.len(), 59, "every flap moves the message");
    assert!(all(first).contains("after 30 times in 59 min"), "{}", all(first));
    assert!(rest.iter().all(|message| message.thread.as_deref() == Some(first.ts.as_str())));
    // The first three, the fifth, the tenth, the twentieth and the thirtieth are news: begin and end of each.
    assert_eq!((rest.len(), world.letters().len()), (13, 14));
    assert!(title(&rest[12]).contains("after 30 times"), "{}", title(&rest[12]));
}

#[tokio::test(start_paused = true)]
async fn by_a_webhook_every_flap_is_told_with_its_count() {
    let world = World::new(Way::Webhook).await;
    for flap in 0..6 {
        for body in [rings("a", 120 * flap), clears("a", 120 * flap + 60)] {
            world.one(&signal(&body.to_string(), &body)).await;
        }
    }
    let messages = world.messages();
    assert_eq!(messages.len(), 12, "whoever reads the last one knows how it stands");
    assert!(all(&messages[10]).contains("6th time in 10 min"), "{}", all(&messages[10]));
}

#[tokio::test(start_paused = true)]
async fn after_half_an_hour_of_quiet_a_new_story_begins() {
    let world = World::new(Way::Bot).await;
    for body in [rings("a", 0), clears("a", 60), rings("a", 60 + 1801)] {
        world.one(&signal(&body.to_string(), &body)).await;
    }
    let stories = world.messages().into_iter().filter(|message| message.thread.is_none()).count();
    assert_eq!(stories, 2);
}

#[tokio::test(start_paused = true)]
async fn an_ok_of_an_alarm_that_never_rang_is_no_news() {
    let world = World::new(Way::Bot).await;
    let body = signal("m-1", &sample("alarm-ok-of-a-new-alarm-sns.json"));
    assert!(world.one(&body).await.is_empty());
    assert_eq!((world.messages().len(), world.letters().len()), (0, 0));
    // It rang, lost its data, and is well: that is news.
    for body in
        [rings("b", 0), alarm("b", "INSUFFICIENT_DATA", "ALARM", 60), alarm("b", "OK", "INSUFFICIENT_DATA", 120)]
    {
        world.one(&signal(&body.to_string(), &body)).await;
    }
    let messages = world.messages();
    assert_eq!(title(&messages[0]), "✅ OK: b");
    assert_eq!(title(&messages[1]), "🟠 No data: b");
    assert!(messages[1].thread.is_some(), "what happens while it rings belongs into its thread");
}

#[tokio::test(start_paused = true)]
async fn suppressed_states_do_not_page_and_unknown_states_post() {
    let world = World::with_mention(Way::Bot, Some("<!channel>")).await;
    assert!(world.one(&sample("alarm-composite-suppressed-eventbridge.json")).await.is_empty());
    assert_eq!((world.messages().len(), world.letters().len()), (0, 0));
    world.one(&signal("m-1", &sample("alarm-unknown-state-sns.json"))).await;
    let messages = world.messages();
    assert_eq!(title(&messages[0]), "🟠 MAINTENANCE: shop-latency");
    assert!(messages[0].mentions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_people_deleted_is_told_anew() {
    let world = World::new(Way::Bot).await;
    world.one(&signal("m-1", &rings("a", 0))).await;
    world.slack.delete(&world.messages()[0].ts);
    assert!(world.one(&signal("m-2", &clears("a", 60))).await.is_empty());
    let messages = world.messages();
    assert_eq!(messages.iter().map(title).collect::<Vec<_>>(), ["✅ OK: a"]);
    assert!(world.answers().contains(&"message_not_found".to_owned()));
}

//! Which way a thing comes, and which ways it goes.

use super::*;

#[tokio::test(start_paused = true)]
async fn one_transition_by_sns_eventbridge_and_direct_action_is_one_post() {
    for way in [Way::Webhook, Way::Bot] {
        let world = World::new(way).await;
        assert!(world.one(&signal("m-1", &sample("alarm-sns.json"))).await.is_empty());
        assert!(world.one(&sample("alarm-eventbridge.json")).await.is_empty());
        let direct = world.invoke(sample("alarm-direct.json")).await.unwrap();
        assert_eq!(direct["outcome"], "ignored");
        assert_eq!((world.messages().len(), world.letters().len()), (1, 1), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn copies_within_a_batch_and_messages_that_come_twice_are_one_post() {
    let world = World::new(Way::Bot).await;
    let bodies = [
        signal("m-1", &sample("alarm-sns.json")).to_string(),
        sample("alarm-eventbridge.json").to_string(),
        signal("m-1", &sample("alarm-sns.json")).to_string(),
        signal("m-2", &json!("disk full")).to_string(),
        signal("m-2", &json!("disk full")).to_string(),
    ];
    for _ in 0..3 {
        assert!(world.queue(&bodies).await.is_empty());
    }
    assert_eq!(world.messages().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_ten_records_exactly_the_poisoned_one_fails() {
    let world = World::new(Way::Bot).await;
    let mut bodies: Vec<String> =
        (0..10).map(|n| signal(&format!("m-{n}"), &rings(&format!("a-{n}"), n)).to_string()).collect();
    bodies[6] = signal("m-6", &json!({"wharf-notice": 99, "title": "of a later wharf"})).to_string();
    assert_eq!(world.queue(&bodies).await, [6]);
    let said: String = world.messages().iter().map(all).collect();
    for n in (0..10).filter(|n| *n != 6) {
        assert!(said.contains(&format!("ALARM: a-{n}")), "{n}: {said}");
    }
    assert_eq!(world.queue(&bodies).await, [6], "and again when it comes again");
}

#[tokio::test(start_paused = true)]
async fn a_slack_that_is_down_stops_no_letter_and_is_told_later() {
    for way in [Way::Webhook, Way::Bot] {
        let world = World::new(way).await;
        world.slack.set_down(true);
        let body = signal("m-1", &rings("a", 0));
        assert_eq!(world.one(&body).await, [0], "{way:?}");
        assert_eq!((world.messages().len(), world.letters().len()), (0, 1));
        assert_eq!(world.letters()[0].subject.as_deref(), Some("[shop] ALARM: a"));
        world.slack.set_down(false);
        assert!(world.one(&body).await.is_empty());
        assert_eq!((world.messages().len(), world.letters().len()), (1, 1), "no second letter");
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_fails_stops_no_message_and_is_told_later() {
    let world = World::new(Way::Bot).await;
    world.sandbox.on_call(|call| match call.operation.as_str() {
        "Publish" => wharf_sandbox::Fate::RefuseBefore,
        _ => wharf_sandbox::Fate::Normal,
    });
    let body = signal("m-1", &rings("a", 0));
    assert_eq!(world.one(&body).await, [0]);
    assert_eq!((world.messages().len(), world.letters().len()), (1, 0));
    world.sandbox.clear_hook();
    assert!(world.one(&body).await.is_empty());
    assert_eq!((world.messages().len(), world.letters().len()), (1, 1), "no second message");
}

#[tokio::test(start_paused = true)]
async fn without_slack_everything_is_a_letter() {
    let world = World::new(Way::None).await;
    for body in [rings("a", 0), clears("a", 60), json!("The nightly export took 14 minutes.")] {
        assert!(world.one(&signal(&body.to_string(), &body)).await.is_empty());
    }
    let subjects: Vec<_> = world.letters().into_iter().filter_map(|letter| letter.subject).collect();
    assert_eq!(subjects, ["[shop] ALARM: a", "[shop] OK: a", "[shop] The nightly export took 14 minutes."]);
    assert!(world.slack.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_a_topic_slack_is_told_alone_and_without_either_nobody() {
    let world = World::new(Way::Alone).await;
    assert!(world.one(&signal("m-1", &rings("a", 0))).await.is_empty());
    assert_eq!((world.messages().len(), world.letters().len()), (1, 0));
    let world = World::new(Way::Nobody).await;
    let answer = world.invoke(sample("alarm-direct.json")).await.unwrap();
    assert_eq!(answer, json!({"outcome": "ignored", "reason": "nobody is set to be told"}));
}

#[tokio::test(start_paused = true)]
async fn what_it_told_people_is_not_told_again() {
    let world = World::new(Way::Bot).await;
    world.one(&signal("m-1", &rings("a", 0))).await;
    let letter = world.letters().remove(0);
    let mut echo = signal("m-9", &json!(letter.message));
    echo["TopicArn"] = json!(letter.topic);
    assert!(world.one(&echo).await.is_empty());
    assert_eq!((world.messages().len(), world.letters().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_good_to_know_is_no_letter_and_a_backup_is_nothing() {
    let world = World::new(Way::Bot).await;
    world.one(&signal("m-1", &json!("The nightly export took 14 minutes."))).await;
    world.one(&sample("rds-backup-eventbridge.json")).await;
    assert_eq!((world.messages().len(), world.letters().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_direct_invocation_that_could_not_be_told_fails_as_a_whole() {
    let world = World::new(Way::Bot).await;
    world.slack.set_down(true);
    let fault = world.invoke(sample("alarm-direct.json")).await.unwrap_err();
    assert_eq!(fault.kind, "NotTold");
    world.slack.set_down(false);
    assert_eq!(world.invoke(sample("alarm-direct.json")).await.unwrap()["outcome"], "done");
    assert_eq!((world.messages().len(), world.letters().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn lost_replies_and_throttles_of_the_account_lose_nothing() {
    let world = World::new(Way::Bot).await;
    world.sandbox.set_weather(Weather { lost_replies: 0.1, throttles: 0.1, server_errors: 0.05, ..Weather::typical() });
    let bodies: Vec<String> =
        (0..4).map(|n| signal(&format!("m-{n}"), &rings(&format!("a-{n}"), n)).to_string()).collect();
    let mut left: Vec<String> = bodies.clone();
    for _ in 0..6 {
        let failed = world.queue(&left).await;
        left = failed.into_iter().map(|n| left[n].clone()).collect();
        tokio::time::sleep(Duration::from_secs(120)).await;
        if left.is_empty() {
            break;
        }
    }
    assert!(left.is_empty());
    let said: String = world.messages().iter().map(all).collect();
    for n in 0..4 {
        assert!(said.contains(&format!("ALARM: a-{n}")), "{n}");
    }
}

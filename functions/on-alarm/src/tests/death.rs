//! The function dies: at every call of its account, and comes again.

use std::sync::Arc;

use tokio::sync::Notify;
use wharf_sandbox::Fate;

use super::*;

/// What comes in one batch: an alarm, the end of one that rang before, and a text.
fn bodies() -> Vec<String> {
    let text = json!("The nightly export failed.");
    [signal("m-1", &rings("a", 100)), signal("m-2", &clears("b", 110)), signal("m-3", &text)]
        .map(|body| body.to_string())
        .into()
}

/// A world in which `b` has rung, and the function dies after the `n`th call from then on; false when it makes fewer.
async fn dies_after(world: &World, n: u64) -> bool {
    let death = Arc::new(Notify::new());
    let (last, bell) = (world.sandbox.calls() + n, Arc::clone(&death));
    world.sandbox.on_call(move |call| {
        if call.n == last {
            bell.notify_one();
        }
        Fate::Normal
    });
    let batch = bodies();
    // The call itself has its effect: the function never hears of it.
    let died = tokio::select! {
        () = death.notified() => true,
        _ = world.queue(&batch) => false,
    };
    world.sandbox.clear_hook();
    died
}

#[tokio::test(start_paused = true)]
async fn killed_after_any_call_and_come_again_it_loses_nothing_and_repeats_at_most_what_was_under_way() {
    let mut deaths = 0;
    for n in 1.. {
        let world = World::new(Way::Bot).await;
        world.one(&signal("m-0", &rings("b", 0))).await;
        if !dies_after(&world, n).await {
            break;
        }
        deaths += 1;
        // Six times the function's timeout later the queue hands them out again.
        tokio::time::sleep(6 * world.time).await;
        assert!(world.queue(&bodies()).await.is_empty(), "death {n}");
        let messages = world.messages();
        let count = |text: &str| messages.iter().filter(|message| all(message).contains(text)).count();
        assert!((1..=2).contains(&count("ALARM: a")), "death {n}: {messages:#?}");
        assert!((1..=2).contains(&count("The nightly export failed.")), "death {n}: {messages:#?}");
        assert_eq!(title(&messages[0]), "✅ OK: b", "death {n}");
        // A letter, or a message, was under way at the most.
        assert!(messages.len() <= 5 && world.letters().len() <= 5, "death {n}: {messages:#?}");
        // And it is over: whatever comes again is nothing new.
        let (said, written) = (messages.len(), world.letters().len());
        assert!(world.queue(&bodies()).await.is_empty(), "death {n}");
        assert_eq!((world.messages().len(), world.letters().len()), (said, written), "death {n}");
    }
    assert!(deaths > 15, "{deaths} calls were died at");
}

#[tokio::test(start_paused = true)]
async fn what_another_invocation_is_telling_comes_back_and_is_told_once() {
    let world = World::new(Way::Bot).await;
    world.slack.limit_next(Duration::from_secs(20));
    let body = signal("m-1", &rings("a", 0)).to_string();
    let (mine, others) = (std::slice::from_ref(&body), std::slice::from_ref(&body));
    let late = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.queue(others).await
    };
    let (first, second) = tokio::join!(world.queue(mine), late);
    assert_eq!((first, second), (vec![], vec![0]));
    assert!(world.one(&serde_json::from_str(&body).unwrap()).await.is_empty());
    assert_eq!((world.messages().len(), world.letters().len()), (1, 1));
}

//! A channel: one message a second, Slack's wishes to wait, and what can be mended when Slack refuses.
//!
//! Several processes may post to it. Who posts holds the channel in the stack's table meanwhile, and says when it is free
//! again: a second after Slack's answer, however long the call was under way.

use std::time::Duration;

use jiff::Timestamp;
use wharf_shell::Invocation;

use crate::message::Message;
use crate::slack::{Ask, Posted, Refusal, Slack};
use crate::table::{Table, later};

/// A channel takes a message a second.
/// <https://docs.slack.dev/apis/web-api/rate-limits/#rate-limits__posting-messages>
const PACE: Duration = Duration::from_secs(1);
/// Who has not let go of the channel after this is dead: longer than a call of Slack takes, with reading its secret.
const HELD: Duration = Duration::from_secs(12);
/// What is left of an invocation's time for writing down what was done.
pub(crate) const RESERVE: Duration = Duration::from_secs(3);
/// A Slack that is not well is asked so often.
const TRIES: u32 = 3;

/// A channel in Slack.
#[derive(Debug)]
pub(crate) struct Channel {
    slack: Slack,
    table: Table,
    /// When it was last answered. Only one at a time holds it, and posts.
    last: tokio::sync::Mutex<Option<Timestamp>>,
}

/// The time that may be spent.
pub(crate) fn left(invocation: &Invocation) -> Duration {
    invocation.remaining().saturating_sub(RESERVE)
}

impl Channel {
    pub(crate) fn new(slack: Slack, table: Table) -> Self {
        Self { slack, table, last: tokio::sync::Mutex::default() }
    }

    pub(crate) fn has_threads(&self) -> bool {
        self.slack.has_threads()
    }

    pub(crate) fn name(&self) -> &str {
        self.slack.channel()
    }

    /// Posts, answers or edits, as soon as the channel is free. What can be mended is mended: blocks that are refused
    /// become text, a secret that is not known is read again, a Slack that is not well is asked again.
    pub(crate) async fn send(
        &self,
        ask: Ask<'_>,
        message: &Message,
        invocation: &Invocation,
    ) -> Result<Posted, Refusal> {
        let mut last = self.last.lock().await;
        let mut message = message.clone();
        let (mut secrets, mut tries) = (1, 1);
        loop {
            // Boxed, as elsewhere on the way: the compiler gives up on futures this deep.
            Box::pin(self.turn(*last, invocation)).await?;
            let asked = Box::pin(self.slack.ask(ask, &message)).await;
            *last = Some(invocation.now());
            let wait = if let Err(Refusal::Later(wait)) = &asked { *wait } else { PACE };
            Box::pin(self.leave(wait.max(PACE), invocation)).await;
            match asked {
                Ok(posted) => return Ok(posted),
                Err(Refusal::Later(wait)) => {
                    tracing::info!(seconds = wait.as_secs(), "slack wants to be left alone for a while");
                    // Nor is it asked meanwhile whether the channel is free.
                    pause(wait.saturating_sub(PACE), invocation).await?;
                }
                Err(Refusal::Blocks(reason)) if !message.blocks.is_empty() => {
                    tracing::warn!(reason, "slack refuses the blocks: the message goes without");
                    message = message.without_blocks();
                }
                Err(Refusal::Secret(reason)) if secrets > 0 => {
                    tracing::warn!(reason, "slack does not know the secret: it is read again");
                    secrets -= 1;
                    self.slack.forget_secret();
                }
                Err(Refusal::Unwell(reason)) if tries < TRIES => {
                    tracing::warn!(reason, tries, "slack is not well");
                    pause(PACE * (1 << tries), invocation).await?;
                    tries += 1;
                }
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// Waits until the channel is free, and takes it.
    async fn turn(&self, last: Option<Timestamp>, invocation: &Invocation) -> Result<(), Refusal> {
        // From answer to call: however long either was under way, Slack sees a second between them. A clock that was put
        // back in the meantime costs that second, not more.
        let since =
            last.map_or(PACE, |last| Duration::try_from(invocation.now().duration_since(last)).unwrap_or_default());
        pause(PACE.saturating_sub(since), invocation).await?;
        loop {
            let now = invocation.now();
            match self.table.take(self.name(), &invocation.request_id, now, HELD).await {
                Err(error) => return Err(Refusal::Unwell(error.to_string())),
                Ok(Ok(())) => return Ok(()),
                Ok(Err(free)) => {
                    let wait = Duration::try_from(free.duration_since(now)).unwrap_or_default();
                    // Whoever holds it lets go of it sooner than that, as a rule.
                    let wait = if wait > HELD { wait } else { wait.min(PACE) };
                    pause(wait.max(Duration::from_millis(1)), invocation).await?;
                }
            }
        }
    }

    /// Lets go of the channel: nobody posts to it for so long.
    async fn leave(&self, wait: Duration, invocation: &Invocation) {
        let free = later(invocation.now(), wait);
        if let Err(error) = self.table.leave(self.name(), &invocation.request_id, free).await {
            // What was posted is posted. The channel is free again as after a death.
            tracing::warn!(reason = %error, "the channel cannot be let go of");
        }
    }
}

/// Waits, if the time allows it; else says so at once, rather than be ended in the middle.
async fn pause(wait: Duration, invocation: &Invocation) -> Result<(), Refusal> {
    if wait >= left(invocation) {
        return Err(Refusal::Later(wait));
    }
    tokio::time::sleep(wait).await;
    Ok(())
}

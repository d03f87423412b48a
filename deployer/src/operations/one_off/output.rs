//! What a task's container writes, while it runs.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>

use std::time::Duration;

use aws_sdk_ecs::types::TaskDefinition;
use tokio::time::{Instant, sleep};
use wharf_engine::Class;
use wharf_on_image_push::cause;

use super::Progress;
use crate::aws::{Aws, CallError};

/// The last lines come so long after the end, at most; after this much silence there are no more.
const LONGEST: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_secs(1);

/// The log stream of the container, and how far it has been read.
pub(super) enum Output {
    Stream {
        group: String,
        stream: String,
        token: Option<String>,
    },
    /// It writes elsewhere, or its log cannot be read.
    Unheard {
        why: String,
        said: bool,
    },
}

impl Output {
    /// Where the container of this task writes.
    pub(super) fn of(definition: &TaskDefinition, container: &str, task: &str) -> Self {
        match cause::stream(definition, container, task) {
            Some(place) => Self::Stream { group: place.group, stream: place.stream, token: None },
            None => Self::Unheard { why: "its container does not write to CloudWatch Logs".to_owned(), said: false },
        }
    }

    /// Hands over what is new; answers how many lines that was. That it cannot be read does not end the task, and is
    /// said once.
    pub(super) async fn read(&mut self, aws: &Aws, on: &dyn Fn(Progress<'_>)) -> usize {
        let mut count = 0;
        loop {
            if let Self::Unheard { why, said } = self {
                if !std::mem::replace(said, true) {
                    on(Progress::Unheard(why));
                }
                return count;
            }
            match self.page(aws, on).await {
                Ok(0) => return count,
                Ok(more) => count += more,
                Err(error) => *self = Self::Unheard { why: error.message, said: false },
            }
        }
    }

    async fn page(&mut self, aws: &Aws, on: &dyn Fn(Progress<'_>)) -> Result<usize, CallError> {
        let Self::Stream { group, stream, token } = self else { return Ok(0) };
        let request = aws.logs.get_log_events().log_group_name(&*group).log_stream_name(&*stream);
        let request = request.start_from_head(true).set_next_token(token.clone());
        let answer = match aws.call("logs:GetLogEvents", stream, || request.clone().send()).await {
            // The stream is there from the first line on.
            Err(error) if error.class == Class::Missing => return Ok(0),
            answer => answer?,
        };
        for event in answer.events() {
            on(Progress::Line(event.message().unwrap_or_default().trim_end()));
        }
        let count = answer.events().len();
        *token = answer.next_forward_token.or_else(|| token.take());
        Ok(count)
    }

    /// What is still to come of a task that has stopped.
    pub(super) async fn rest(&mut self, aws: &Aws, on: &dyn Fn(Progress<'_>), ran: bool) {
        let begun = Instant::now();
        let mut heard = begun;
        while ran && begun.elapsed() < LONGEST && heard.elapsed() < SILENCE {
            if self.read(aws, on).await > 0 {
                heard = Instant::now();
            }
            if matches!(self, Self::Unheard { .. }) {
                return;
            }
            sleep(POLL).await;
        }
    }
}

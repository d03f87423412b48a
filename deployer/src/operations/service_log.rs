//! What a service's tasks have written, from CloudWatch Logs, in order of time.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsOutput;
use wharf_engine::Class;

use super::Session;
use super::tasks::{Refusal, TaskError};
use crate::aws::{Aws, Grant};
use crate::platform::service_log_group;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
    /// The id of the task that wrote it; what else writes into the group has its whole stream's name here.
    pub task: String,
    /// The line, without its end.
    pub message: String,
}

/// Events come out of order when two instances hand theirs over at different moments: so long back it is looked again.
const LATE_MS: i64 = 30_000;
/// AWS reads backwards only from 2024 on.
const EARLIEST_MS: i64 = 1_704_067_200_000;
/// As many events as AWS gives in one answer.
const AT_ONCE: usize = 10_000;

/// The log groups of the stack's services.
pub(super) const GROUPS: &[&str] = &["arn:{partition}:logs:{region}:{account}:log-group:/wharf/{stack}/*"];

/// What reading logs needs.
pub(super) fn grants() -> Vec<Grant> {
    vec![Grant { resources: GROUPS, ..Grant::read(&["logs:FilterLogEvents"]) }]
}

/// A service's log, read page by page. At its end it can be asked again: then it has what is new.
#[derive(Debug)]
pub struct ServiceLog<'a> {
    aws: &'a Aws,
    service: String,
    group: String,
    from: i64,
    token: Option<String>,
    newest: i64,
    /// The events that were read, with their times, as far as they can be read again.
    seen: BTreeMap<String, i64>,
}

/// One look at a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The lines that were not there before, in order of time.
    pub lines: Vec<Line>,
    /// There is more at once.
    pub more: bool,
}

impl Session {
    /// The log of a service, from a moment on (milliseconds since 1970).
    #[must_use]
    pub fn log(&self, service: &str, from: i64) -> ServiceLog<'_> {
        ServiceLog {
            aws: &self.aws,
            service: service.to_owned(),
            group: service_log_group(&self.aws.scope.stack, service),
            from: from.max(0),
            token: None,
            newest: 0,
            seen: BTreeMap::new(),
        }
    }
}

impl ServiceLog<'_> {
    /// The next page.
    ///
    /// # Errors
    /// The log cannot be read, or does not exist.
    pub async fn next(&mut self) -> Result<Page, TaskError> {
        let token = self.token.take();
        let answer = self.filter(self.from, None, token).await?;
        self.token = answer.next_token.clone().filter(|token| !token.is_empty());
        let lines = self.unseen(&answer);
        if self.token.is_none() {
            // The next round looks back a little, and knows what it has had.
            self.from = self.from.max(self.newest - LATE_MS);
            let from = self.from;
            self.seen.retain(|_, at| *at >= from);
        }
        Ok(Page { lines, more: self.token.is_some() })
    }

    /// The last so many lines. What is read next comes after them.
    ///
    /// # Errors
    /// As [`ServiceLog::next`].
    pub async fn last(&mut self, count: usize) -> Result<Vec<Line>, TaskError> {
        let mut lines = Vec::new();
        let mut token = None;
        let from = self.from.max(EARLIEST_MS);
        while lines.len() < count {
            let limit = (count - lines.len()).min(AT_ONCE);
            let answer = self.filter(from, Some(limit), token).await?;
            lines.extend(self.unseen(&answer));
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        lines.truncate(count);
        lines.reverse();
        lines.sort_by_key(|line| line.at);
        // What was before them is not wanted, though it may be looked at again.
        if let Some(first) = lines.first() {
            self.from = first.at;
        }
        Ok(lines)
    }

    /// One call: forwards, or backwards for so many.
    async fn filter(
        &self,
        from: i64,
        newest: Option<usize>,
        token: Option<String>,
    ) -> Result<FilterLogEventsOutput, TaskError> {
        let mut request = self.aws.logs.filter_log_events().log_group_name(&self.group).start_time(from);
        if let Some(limit) = newest {
            request = request.start_from_head(false).limit(i32::try_from(limit).unwrap_or(i32::MAX));
        }
        let request = request.set_next_token(token);
        let answer = self.aws.call("logs:FilterLogEvents", &self.group, || request.clone().send()).await;
        answer.map_err(|error| match error.class {
            Class::Missing => Refusal::new(format!("`{}` has no log: {} does not exist", self.service, self.group))
                .hint("`wharf apply` makes it")
                .into(),
            _ => error.into(),
        })
    }

    /// The events of an answer that were not read before.
    fn unseen(&mut self, answer: &FilterLogEventsOutput) -> Vec<Line> {
        let mut lines = Vec::new();
        for event in answer.events() {
            let (at, id) = (event.timestamp().unwrap_or_default(), event.event_id().unwrap_or_default());
            if self.seen.insert(id.to_owned(), at).is_some() {
                continue;
            }
            self.newest = self.newest.max(at);
            lines.push(Line {
                at,
                task: task_of(event.log_stream_name().unwrap_or_default()),
                message: event.message().unwrap_or_default().trim_end().to_owned(),
            });
        }
        lines
    }
}

/// The streams of tasks are called `prefix/container/task`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html>
fn task_of(stream: &str) -> String {
    let mut parts = stream.rsplit('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(task), Some(_), Some(_)) => task.to_owned(),
        _ => stream.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_task_and_what_else_writes_its_stream() {
        assert_eq!(task_of("web/web/0123456789abcdef"), "0123456789abcdef");
        assert_eq!(task_of("performance"), "performance");
    }
}

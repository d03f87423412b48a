//! What is watched of the functions: their own failures, and what they were not given to do.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>,
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>

use wharf_shell::metrics::{FUNCTION, NAMESPACE, STACK};

use super::Observability;
use super::alarms::{FIVE_MINUTES, Named, alarm, metric};
use crate::aws::Handle;
use crate::aws::cloudwatch::alarm::{Alarm, Comparison, Missing};
use crate::aws::lambda::function::Function;
use crate::aws::sqs::queue::Queue;
use crate::aws::units::HOUR;
use crate::platform::{BuildError, Builder};

/// A function, as far as it is watched.
pub(in crate::platform) struct Watched<'a> {
    /// Its name, without the stack's.
    pub(in crate::platform) name: &'a str,
    pub(in crate::platform) function: &'a Handle<Function>,
    /// What it works on, and what it could not work on.
    pub(in crate::platform) queues: Option<(&'a Handle<Queue>, &'a Handle<Queue>)>,
    /// It tells people: of its own failures something else has to.
    pub(in crate::platform) tells: bool,
    /// It runs once a day, by the clock.
    pub(in crate::platform) daily: bool,
}

impl Observability {
    /// The alarms of a function, and its place on the dashboard.
    pub(in crate::platform) fn function(&mut self, b: &mut Builder, watched: &Watched<'_>) -> Result<(), BuildError> {
        self.dashboard.function(watched.name, watched);
        let whom = if watched.tells { &self.people } else { &self.topic };
        let mut all = invocations(watched);
        all.extend(watched.queues.into_iter().flat_map(|(queue, dead)| queues(watched, queue, dead)));
        if watched.daily {
            all.extend(daily(&self.stack, watched));
        }
        for (noun, alarm) in all {
            self.tell(b, &format!("{}-{noun}", watched.name), alarm, whom)?;
        }
        Ok(())
    }
}

/// A sum of a function's own metric.
fn sum(watched: &Watched<'_>, name: &str, limit: i32, periods: i32, runbook: String) -> Alarm {
    let dimensions = [("FunctionName", watched.function.name().text())];
    alarm(metric("AWS/Lambda", name, &dimensions, "Sum", FIVE_MINUTES), Comparison::AtLeast, limit, periods, runbook)
}

fn invocations(watched: &Watched<'_>) -> Vec<Named> {
    let name = watched.name;
    let errors = format!(
        "The function {name} fails. Its log group `/aws/lambda/…-{name}` says why, by the correlation id of each \
         event; what it failed on is tried again."
    );
    let throttles = format!(
        "Lambda holds invocations of {name} back for a quarter of an hour: its reserved concurrency or the account's \
         is used up. What waits is not lost; look at what else runs in the account."
    );
    vec![("failing", sum(watched, "Errors", 1, 1, errors)), ("throttled", sum(watched, "Throttles", 1, 3, throttles))]
}

fn queues(watched: &Watched<'_>, queue: &Handle<Queue>, dead: &Handle<Queue>) -> Vec<Named> {
    let name = watched.name;
    let of = |queue: &Handle<Queue>, metric_name: &str| {
        let dimensions = [("QueueName", queue.name().text())];
        metric("AWS/SQS", metric_name, &dimensions, "Maximum", FIVE_MINUTES)
    };
    let lost = format!(
        "The function {name} has given messages up: they stand in the queue `…-{name}-dead`, as they came, for two \
         weeks. Its log says why; once that is mended, start a redrive of that queue."
    );
    let behind = format!(
        "The oldest message that {name} has to work on is more than half an hour old. See whether it fails, is \
         throttled, or waits for something slow."
    );
    let half_an_hour = 30 * 60;
    vec![
        ("dead", alarm(of(dead, "ApproximateNumberOfMessagesVisible"), Comparison::AtLeast, 1, 1, lost)),
        ("behind", alarm(of(queue, "ApproximateAgeOfOldestMessage"), Comparison::Above, half_an_hour, 1, behind)),
    ]
}

/// A day and two hours without one run that came to its end, by the function's own count; or a run that Lambda gave up.
fn daily(stack: &str, watched: &Watched<'_>) -> Vec<Named> {
    const HOURS: i32 = 26;
    let name = watched.name;
    let silent = format!(
        "The function {name} has not come to its end for more than a day, so nobody knows whether everything could be \
         restored. See whether it fails, and whether its schedule is on and may invoke it: `wharf drift`."
    );
    let dimensions = [(STACK, stack.into()), (FUNCTION, name.into())];
    let runs = metric(NAMESPACE, "Runs", &dimensions, "Sum", HOUR);
    let silent = Alarm { missing: Missing::Breaching, ..alarm(runs, Comparison::Below, 1, HOURS, silent) };
    let dropped = format!(
        "Lambda has given up an invocation of {name} after trying it again. Its log says why; `wharf check-snapshots` \
         runs the same check from a terminal."
    );
    vec![("silent", silent), ("dropped", sum(watched, "AsyncEventsDropped", 1, 1, dropped))]
}

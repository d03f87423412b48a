//! One check, from the event that asks for it to the answer.

use std::time::Duration;

use aws_types::SdkConfig;
use serde_json::{Value, json};
use wharf_shell::metrics::{Metrics, Unit};
use wharf_shell::{Environment, Fault, Function, Invocation, variable as shared};

use crate::NAME;
use crate::demands::Demands;
use crate::memory::{Kept, Shelf, aws};
use crate::notice::decide;
use crate::read::{self, Clients, Scope};
use crate::report::{Report, Verdict};

/// The variables that the deployer sets for this function alone.
pub mod variable {
    /// What is demanded: a [`crate::Demands`] as JSON.
    pub const CHECKS: &str = "WHARF_CHECKS";
}

/// What the schedule sends.
pub const INPUT: &str = r#"{"wharf-check-snapshots": 1}"#;

/// What marks an event as asking for a check, and names its form.
const MARK: &str = "wharf-check-snapshots";
const FORM: u64 = 1;

/// What the function's role has to allow of reads; AWS offers nothing narrower than all resources for most of them.
pub const ACTIONS: &[&str] = &[
    "dlm:GetLifecyclePolicies",
    "dlm:GetLifecyclePolicy",
    "ec2:DescribeSnapshotAttribute",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "iam:GetRole",
    "kms:DescribeKey",
    "rds:DescribeDBClusterSnapshotAttributes",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshotAttributes",
    "rds:DescribeDBSnapshots",
];

/// What is left of an invocation's time for telling what was found.
const RESERVE: Duration = Duration::from_secs(5);

/// The function.
#[derive(Clone, Debug)]
pub struct CheckSnapshots {
    clients: Clients,
    dynamodb: aws_sdk_dynamodb::Client,
    sns: aws_sdk_sns::Client,
    stack: String,
    region: String,
    table: String,
    signals: String,
    demands: Demands,
}

/// What an event asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A check, and whether its whole report is wanted as the answer.
    Check { whole: bool },
    /// Nothing.
    Nothing(String),
}

impl CheckSnapshots {
    /// The function, out of its environment.
    ///
    /// # Errors
    /// A setting is missing, or cannot be read.
    pub fn of(environment: &Environment) -> Result<Self, Fault> {
        Self::new(&environment.aws()?, environment)
    }

    /// The function that reaches AWS by this configuration.
    ///
    /// # Errors
    /// A setting is missing, or cannot be read.
    pub fn new(config: &SdkConfig, environment: &Environment) -> Result<Self, Fault> {
        let region = config.region().map(ToString::to_string);
        Ok(Self {
            clients: Clients::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            stack: environment.required(shared::STACK)?.to_owned(),
            region: region.ok_or_else(|| Fault::new("Settings", "there is no region"))?,
            table: environment.required(shared::TABLE)?.to_owned(),
            signals: environment.required(shared::SIGNALS)?.to_owned(),
            demands: environment.json(variable::CHECKS)?.unwrap_or_default(),
        })
    }

    async fn report(&self, invocation: &Invocation) -> Result<Report, Fault> {
        let scope = Scope::of(&self.stack, &self.demands);
        let left = invocation.remaining().saturating_sub(RESERVE);
        let late = |_| Fault::new("TooSlow", "the time was up before everything was read");
        let reading = read::inventory(&self.clients, &scope, invocation.now());
        let inventory = tokio::time::timeout(left, reading).await.map_err(late)?;
        Ok(Report::of(&self.stack, &self.region, &inventory, &self.demands))
    }

    /// Tells somebody first and remembers it then: told twice is better than never, and both have the same key.
    async fn tell(&self, report: &Report, invocation: &Invocation) -> Result<bool, Fault> {
        let shelf = Shelf { client: &self.dynamodb, table: &self.table };
        let last = shelf.last().await?;
        let (notice, memory) = decide(last.as_ref(), report, &self.demands, invocation.now());
        if let Some(notice) = &notice {
            let publish = self.sns.publish().topic_arn(&self.signals).message(notice.to_json().to_string());
            publish.send().await.map_err(|error| aws("nobody can be told", &error))?;
            tracing::info!(key = notice.key, title = notice.title, "told");
        }
        if shelf.keep(&memory, last.as_ref()).await? == Kept::AnotherWasFirst {
            tracing::info!("another check ran at the same time and was first");
        }
        Ok(notice.is_some())
    }

    /// The metrics of a check that came to its end. That it ends at all is one: the alarm on its absence is what
    /// tells that checks have stopped.
    fn metrics(&self, report: &Report, invocation: &Invocation) -> Metrics {
        let metrics = Metrics::new(&self.stack, NAME, invocation.now())
            .count("Runs", 1)
            .count("Passed", report.counts.pass)
            .count("Failed", report.counts.fail)
            .count("Unknown", report.counts.unknown)
            .count("Excepted", report.counts.excepted)
            .beside("request_id", invocation.request_id.as_str());
        match report.oldest_seconds.and_then(|seconds| i32::try_from(seconds).ok()) {
            Some(seconds) => metrics.value("OldestSnapshot", Unit::Seconds, f64::from(seconds)),
            None => metrics,
        }
    }
}

impl Function for CheckSnapshots {
    async fn handle(&self, payload: Value, invocation: &Invocation) -> Result<Value, Fault> {
        let whole = match asked(&payload)? {
            Asked::Check { whole } => whole,
            Asked::Nothing(reason) => {
                tracing::warn!(reason, "ignored");
                return Ok(json!({ "ignored": reason }));
            }
        };
        let report = Box::pin(self.report(invocation)).await?;
        for finding in report.findings.iter().filter(|finding| finding.verdict != Verdict::Pass) {
            tracing::warn!(
                control = finding.control,
                resource = finding.resource,
                verdict = ?finding.verdict,
                evidence = finding.evidence,
                "finding"
            );
        }
        let told = Box::pin(self.tell(&report, invocation)).await?;
        tracing::info!(verdict = ?report.verdict, told, "{}", report.summary());
        self.metrics(&report, invocation).publish();
        let answer = if whole { json!(report) } else { json!({ "verdict": report.verdict, "counts": report.counts }) };
        Ok(answer)
    }
}

/// What an event asks for: Wharf's own schedule, or EventBridge's older kind of one.
pub(crate) fn asked(payload: &Value) -> Result<Asked, Fault> {
    if let Some(form) = payload.get(MARK) {
        let whole = payload.get("report").and_then(Value::as_str) == Some("whole");
        return match form.as_u64() {
            Some(FORM) => Ok(Asked::Check { whole }),
            _ => Err(Fault::not_understood(format!("`{MARK}` is {form}, and this function knows {FORM}"))),
        };
    }
    let text = |name| payload.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("source"), text("detail-type")) {
        ("aws.events", "Scheduled Event") => Ok(Asked::Check { whole: false }),
        ("", _) => Ok(Asked::Nothing(format!("it asks for no check: there is no `{MARK}` in it"))),
        (source, kind) => Ok(Asked::Nothing(format!("it asks for no check: it is `{kind}` of {source}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_asks_for_a_check_and_what_asks_for_none_is_ignored_with_a_reason() {
        let input: Value = serde_json::from_str(INPUT).unwrap();
        assert_eq!(asked(&input).unwrap(), Asked::Check { whole: false });
        let whole = json!({ MARK: 1, "report": "whole" });
        assert_eq!(asked(&whole).unwrap(), Asked::Check { whole: true });
        let rule = json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} });
        assert_eq!(asked(&rule).unwrap(), Asked::Check { whole: false });
        let alarm = json!({ "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change" });
        for other in [json!(null), json!({}), json!([1]), json!("x"), json!(1), json!({ "source": 1 }), alarm] {
            assert!(matches!(asked(&other), Ok(Asked::Nothing(reason)) if !reason.is_empty()), "{other}");
        }
    }

    #[test]
    fn a_later_form_of_the_schedules_event_fails_clearly() {
        let fault = asked(&json!({ MARK: 2 })).unwrap_err();
        assert_eq!(fault.kind, "NotUnderstood");
    }
}

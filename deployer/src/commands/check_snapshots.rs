//! `wharf check-snapshots`: whether snapshots and backups are as the stack file demands, by the very controls that the
//! function of this name runs on its schedule.

use std::path::PathBuf;

use aws_smithy_types::retry::RetryConfig;
use clap::Args;
use serde_json::json;
use wharf_check_snapshots::{Clients, Finding, Report, Scope, Verdict, html, read};

use super::context::Context;
use super::{Done, plan as planning};
use crate::aws::Aws;
use crate::platform;
use crate::report::{Failure, Paint, Stop, json};
use crate::surroundings;

/// Arguments of `check-snapshots`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write the report as a page, too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Checks snapshots and backups.
pub(super) async fn check_snapshots(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let config = context.config()?;
    let session = context.session(&config).await?;
    let demands = platform::demands(&config);
    let (stack, region) = (config.stack.name.as_str(), config.stack.region.as_str());
    let inventory =
        read::inventory(&clients(&session.aws), &Scope::of(stack, &demands), surroundings::time_of_day()).await;
    let report = Report::of(stack, region, &inventory, &demands);
    if let Some(path) = &arguments.html {
        std::fs::write(path, html(&report))
            .map_err(|error| Failure::config(format!("cannot write {}", path.display())).because(&error))?;
        context.printer.note(format!("written to {}", path.display()));
    }
    let body = planning::placed(&config, &session, json!({ "report": report }));
    context.printer.document(&json::document("check-snapshots", body))?;
    for line in text(&report, context.printer.out, context.printer.verbose) {
        context.printer.result(line)?;
    }
    Ok(if report.verdict == Verdict::Pass { Done::Well } else { Done::Drift })
}

/// The stack's own clients, with the SDK's retries: these reads are no steps of a plan, whose calls `Aws::call` repeats.
fn clients(aws: &Aws) -> Clients {
    let retries = RetryConfig::standard;
    Clients {
        rds: aws_sdk_rds::Client::from_conf(aws.rds.config().to_builder().retry_config(retries()).build()),
        ec2: aws_sdk_ec2::Client::from_conf(aws.ec2.config().to_builder().retry_config(retries()).build()),
        dlm: aws_sdk_dlm::Client::from_conf(aws.dlm.config().to_builder().retry_config(retries()).build()),
        iam: aws_sdk_iam::Client::from_conf(aws.iam.config().to_builder().retry_config(retries()).build()),
        kms: aws_sdk_kms::Client::from_conf(aws.kms.config().to_builder().retry_config(retries()).build()),
    }
}

/// The report as people read it: what passes only when more is asked for.
fn text(report: &Report, paint: Paint, verbose: bool) -> Vec<String> {
    let shown = |finding: &&Finding| verbose || finding.verdict != Verdict::Pass;
    let mut lines: Vec<String> = report.findings.iter().filter(shown).map(|finding| line(finding, paint)).collect();
    for one in &report.exceptions {
        let exception = &one.exception;
        let about = format!("exception for {} of {}", exception.control, exception.resource);
        match one.standing {
            wharf_check_snapshots::Standing::InForce => {}
            wharf_check_snapshots::Standing::Expired => {
                lines.push(paint.yellow(format!("{about}: expired after {}", exception.until)));
            }
            wharf_check_snapshots::Standing::Unused => {
                lines.push(paint.dim(format!("{about}: nothing that it is about fails")));
            }
        }
    }
    lines.push(paint.bold(report.summary()));
    lines
}

fn line(finding: &Finding, paint: Paint) -> String {
    let Finding { control, resource, evidence, .. } = finding;
    let sign = match finding.verdict {
        Verdict::Fail => paint.red("✗"),
        Verdict::Unknown => paint.yellow("?"),
        Verdict::Excepted => paint.cyan("~"),
        Verdict::Pass => paint.green("✓"),
    };
    let after = match (&finding.excepted, &finding.mend) {
        (Some(excepted), _) => {
            format!("\n      {}", paint.dim(format!("excepted until {}: {}", excepted.until, excepted.reason)))
        }
        (None, Some(mend)) => format!("\n      {}", paint.dim(mend)),
        (None, None) => String::new(),
    };
    format!("  {sign} {resource}  {}  {evidence}{after}", paint.dim(control))
}

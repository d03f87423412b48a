//! `wharf logs`: what a service's tasks have written.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::Context;
use super::{Done, plan as planning};
use crate::operations::{Line, ServiceLog, short};
use crate::report::{Failure, Printer, Stop, json};
use crate::surroundings;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service
    pub service: String,
    /// How far back, such as `90s`, `10m`, `2h` or `1d`; ten minutes if neither this nor `--tail` is given
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
    /// Go on until Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last so many lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub tail: Option<u32>,
}

const DEFAULT: Duration = Duration::from_secs(600);
/// How often the log is looked at again.
const POLL: Duration = Duration::from_secs(2);

/// Shows the lines.
pub(super) async fn logs(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let (config, session) = context.operate(&arguments.service).await?;
    let back = arguments.since.or_else(|| arguments.tail.is_none().then_some(DEFAULT));
    let from = back.map_or(Duration::ZERO, |back| surroundings::since_epoch().saturating_sub(back));
    let from = i64::try_from(from.as_millis()).unwrap_or(i64::MAX);
    let mut log = session.log(&arguments.service, from);
    let printer = context.printer;
    if !arguments.follow {
        let mut all = Vec::new();
        read(&mut log, arguments.tail, &mut |line| {
            if printer.json {
                all.push(object(line));
                return Ok(());
            }
            printer.result(text(line, printer))
        })
        .await?;
        let body = json!({ "service": arguments.service, "lines": all });
        printer.document(&json::document("logs", planning::placed(&config, &session, body)))?;
        return Ok(Done::Well);
    }
    let mut show = |line: &Line| match printer.json {
        true => printer.raw(json::document("logs", object(line))),
        false => printer.result(text(line, printer)),
    };
    let interrupt = surroundings::interrupted(|| {});
    tokio::select! {
        failed = follow(&mut log, arguments.tail, &mut show) => Err(failed),
        () = interrupt => Ok(Done::Well),
    }
}

/// Shows what there is.
async fn read(
    log: &mut ServiceLog<'_>,
    tail: Option<u32>,
    show: &mut dyn FnMut(&Line) -> Result<(), Stop>,
) -> Result<(), Stop> {
    if let Some(count) = tail {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        return log.last(count).await.map_err(Failure::from)?.iter().try_for_each(show);
    }
    loop {
        let page = log.next().await.map_err(Failure::from)?;
        page.lines.iter().try_for_each(&mut *show)?;
        if !page.more {
            return Ok(());
        }
    }
}

/// Shows what there is and what comes, until that fails.
async fn follow(log: &mut ServiceLog<'_>, tail: Option<u32>, show: &mut dyn FnMut(&Line) -> Result<(), Stop>) -> Stop {
    let mut tail = tail;
    loop {
        if let Err(stop) = read(log, tail.take(), show).await {
            return stop;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn text(line: &Line, printer: &Printer) -> String {
    format!("{} {} {}", printer.out.dim(time(line.at)), printer.out.cyan(short(&line.task)), line.message)
}

fn object(line: &Line) -> Value {
    json!({ "at": time(line.at), "task": line.task, "message": line.message })
}

fn time(at: i64) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A number with `s`, `m`, `h` or `d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number with `s`, `m`, `h` or `d`, such as `10m`".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_with_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "m", "10", "ten minutes", "-5m", "1.5h", "99999999999999999999d", "5é"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_shown_to_the_millisecond() {
        assert_eq!(time(1_704_067_200_042), "2024-01-01T00:00:00.042Z");
    }
}

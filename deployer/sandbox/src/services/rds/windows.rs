//! Backup and maintenance windows: chosen by AWS when nobody asks, never overlapping.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.Maintenance.html#Concepts.DBMaintenance>

use std::time::Duration;

use jiff::Timestamp;

use super::invalid;
use crate::account::Ctx;
use crate::clock::later;
use crate::error::ApiError;

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY: u64 = 24 * 60;
const WEEK: u64 = 7 * DAY;

fn time(text: &str) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u64>().ok()?, minutes.parse::<u64>().ok()?);
    (text.len() == 5 && hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

fn clock(minute: u64) -> String {
    format!("{:02}:{:02}", minute % DAY / 60, minute % 60)
}

fn of_week(text: &str) -> Option<u64> {
    let (day, rest) = text.split_once(':')?;
    let day = DAYS.iter().position(|name| *name == day)?;
    Some(u64::try_from(day).ok()? * DAY + time(rest)?)
}

/// Start and length of a daily window, in minutes.
fn daily(text: &str) -> Result<(u64, u64), ApiError> {
    let parts = text.split_once('-').and_then(|(from, to)| time(from).zip(time(to)));
    let (from, to) = parts.ok_or_else(|| {
        invalid(format!(
            "Invalid backup window format: {text}. Should be specified as a range hh24:mi-hh24:mi (24H Clock UTC)."
        ))
    })?;
    long_enough(text, from, (to + DAY - from) % DAY)
}

/// Start and length of a weekly window, in minutes of the week.
fn weekly(text: &str) -> Result<(u64, u64), ApiError> {
    let parts = text.split_once('-').and_then(|(from, to)| of_week(from).zip(of_week(to)));
    let (from, to) = parts.ok_or_else(|| invalid(format!("Invalid maintenance window format: {text}. Should be specified as a range ddd:hh24:mi-ddd:hh24:mi (24H Clock UTC).")))?;
    long_enough(text, from, (to + WEEK - from) % WEEK)
}

fn long_enough(text: &str, from: u64, length: u64) -> Result<(u64, u64), ApiError> {
    if length < 30 {
        return Err(invalid(format!("The window {text} must be at least 30 minutes long.")));
    }
    Ok((from, length))
}

fn overlap(backup: (u64, u64), maintenance: (u64, u64)) -> bool {
    (0..7).any(|day| {
        let from = day * DAY + backup.0;
        let gap = (maintenance.0 + WEEK - from) % WEEK;
        gap < backup.1 || (WEEK - gap) % WEEK < maintenance.1
    })
}

/// Backup and maintenance window in AWS's form; what is not asked for is chosen within the region's night.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.BackupWindow.html>
pub(super) fn chosen(
    ctx: &mut Ctx<'_>,
    backup: Option<&str>,
    maintenance: Option<&str>,
) -> Result<(String, String), ApiError> {
    let (backup, maintenance) = (backup.map(str::to_lowercase), maintenance.map(str::to_lowercase));
    for _ in 0..1000 {
        let nightly = |ctx: &mut Ctx<'_>| 3 * 60 + ctx.account.rng.below(7 * 60 + 30);
        let from = nightly(ctx);
        let daily_text = backup.clone().unwrap_or_else(|| format!("{}-{}", clock(from), clock(from + 30)));
        let from = ctx.account.rng.below(7) * DAY + nightly(ctx);
        let day = |minute: u64| DAYS.get(usize::try_from(minute / DAY).unwrap_or(0) % 7).copied().unwrap_or("sun");
        let weekly_text = maintenance
            .clone()
            .unwrap_or_else(|| format!("{}:{}-{}:{}", day(from), clock(from), day(from + 30), clock(from + 30)));
        if !overlap(daily(&daily_text)?, weekly(&weekly_text)?) {
            return Ok((daily_text, weekly_text));
        }
        if backup.is_some() && maintenance.is_some() {
            break;
        }
    }
    Err(invalid("The backup window and maintenance window must not overlap."))
}

fn until(now: Timestamp, minute: u64, period: u64, offset: u64) -> Timestamp {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0) + offset * 60;
    let into = seconds % (period * 60);
    let wait = (minute * 60 + period * 60 - into) % (period * 60);
    later(now, Duration::from_secs(if wait == 0 { period * 60 } else { wait }))
}

/// When the next backup window begins.
pub(super) fn next_backup(now: Timestamp, window: &str) -> Timestamp {
    daily(window).map_or(later(now, Duration::from_secs(DAY * 60)), |(from, _)| until(now, from, DAY, 0))
}

/// When the next maintenance window begins. The epoch was a Thursday.
pub(super) fn next_maintenance(now: Timestamp, window: &str) -> Timestamp {
    weekly(window).map_or(later(now, Duration::from_secs(WEEK * 60)), |(from, _)| until(now, from, WEEK, 4 * DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_touch_at_any_time_of_the_week_overlap() {
        let judge = |backup: &str, maintenance: &str| overlap(daily(backup).unwrap(), weekly(maintenance).unwrap());
        assert!(judge("03:00-03:30", "mon:03:15-mon:03:45"));
        assert!(judge("23:45-00:30", "sun:00:00-sun:00:30"));
        assert!(judge("03:00-03:30", "sat:23:00-sun:04:00"));
        assert!(!judge("03:00-03:30", "mon:03:30-mon:04:00"));
        assert!(daily("3:00-4:00").is_err() && daily("03:00-03:10").is_err() && weekly("xyz:03:00-mon:04:00").is_err());
    }

    #[test]
    fn the_next_window_is_the_next_day_of_that_name() {
        // A Monday.
        let now: Timestamp = "2026-01-05T09:00:00Z".parse().unwrap();
        assert_eq!(next_backup(now, "03:00-03:30").to_string(), "2026-01-06T03:00:00Z");
        assert_eq!(next_backup(now, "10:00-10:30").to_string(), "2026-01-05T10:00:00Z");
        assert_eq!(next_maintenance(now, "sun:04:00-sun:05:00").to_string(), "2026-01-11T04:00:00Z");
        assert_eq!(next_maintenance(now, "mon:09:00-mon:10:00").to_string(), "2026-01-12T09:00:00Z");
    }
}

//! The texts of `[database]`: RDS's rules for each.

use super::format::{Fault, wrong};

/// PostgreSQL's majors that RDS offers, oldest first.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html>
const MAJORS: std::ops::RangeInclusive<u32> = 13..=18;

pub(super) fn version(text: &str) -> Result<(), Fault> {
    let instead = "write a major version such as `17`, or an exact one such as `17.4`";
    let mut numbers = text.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(major)), None | Some(Ok(_)), None) if MAJORS.contains(&major) => Ok(()),
        (Some(Ok(major)), None | Some(Ok(_)), None) => wrong(
            format!("asks for PostgreSQL {major}, which RDS does not offer"),
            format!("write one of `{}` to `{}`", MAJORS.start(), MAJORS.end()),
        ),
        _ => wrong("is not a PostgreSQL version", instead),
    }
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.html>
pub(super) fn class(text: &str) -> Result<(), Fault> {
    let parts: Vec<&str> = text.split('.').collect();
    let plain = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    match parts.as_slice() {
        ["db", family, size] if [family, size].into_iter().all(plain) => Ok(()),
        [family, size] if [family, size].into_iter().all(plain) => {
            wrong("is a class of EC2, not of RDS", format!("write `db.{text}`"))
        }
        _ => wrong("is not an instance class", "write one such as `db.t4g.medium`"),
    }
}

/// Minutes of the week, or of the day, from begin to end.
pub(super) struct Window {
    pub(super) begin: u32,
    pub(super) end: u32,
}

const DAY: u32 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `hh:mm-hh:mm`, half an hour at least.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.html#USER_WorkingWithAutomatedBackups.BackupWindow>
pub(super) fn daily_window(text: &str) -> Result<Window, Fault> {
    let instead = "write begin and end in UTC, at least half an hour apart, such as `03:00-04:00`";
    let times = text.split_once('-').and_then(|(begin, end)| Some((minutes(begin)?, minutes(end)?)));
    let Some((begin, end)) = times else { return wrong("is not a daily window", instead) };
    window(begin, end, DAY, instead)
}

/// `ddd:hh:mm-ddd:hh:mm`, half an hour at least.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.Maintenance.html>
pub(super) fn weekly_window(text: &str) -> Result<Window, Fault> {
    let instead = "write begin and end in UTC, at least half an hour apart, such as `sun:04:30-sun:05:30`";
    let time = |part: &str| {
        let (day, time) = part.split_once(':')?;
        let day = u32::try_from(DAYS.iter().position(|name| *name == day)?).ok()?;
        Some(day * DAY + minutes(time)?)
    };
    let times = text.split_once('-').and_then(|(begin, end)| Some((time(begin)?, time(end)?)));
    let Some((begin, end)) = times else { return wrong("is not a weekly window", instead) };
    window(begin, end, 7 * DAY, instead)
}

fn window(begin: u32, end: u32, whole: u32, instead: &str) -> Result<Window, Fault> {
    let end = if end <= begin { end + whole } else { end };
    if end - begin < 30 { wrong("is shorter than half an hour", instead) } else { Ok(Window { begin, end }) }
}

fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |part: &str, below: u32| part.parse::<u32>().ok().filter(|n| part.len() == 2 && *n < below);
    Some(two(hours, 24)? * 60 + two(minutes, 60)?)
}

impl Window {
    /// True when a window of every day meets one of the week.
    pub(super) fn meets(&self, weekly: &Self) -> bool {
        (0..=8).map(|day| day * DAY).any(|day| self.begin + day < weekly.end && weekly.begin < self.end + day)
    }
}

/// The database's own name.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html> (`DBName`)
pub(super) fn name(text: &str) -> Result<(), Fault> {
    identifier(text, &["template0", "template1", "rdsadmin"])
}

/// The master user's name.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html> (`MasterUsername`)
pub(super) fn username(text: &str) -> Result<(), Fault> {
    identifier(text, &["admin", "rdsadmin", "user", "public"])
}

fn identifier(text: &str, reserved: &[&str]) -> Result<(), Fault> {
    let instead = "use at most 63 letters, digits and underscores, a letter first, such as `app`";
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if text.len() > 63 {
        wrong(format!("has {} characters, 63 is the most", text.len()), instead)
    } else if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || !text.bytes().all(plain) {
        wrong("is not a name that PostgreSQL on RDS takes", instead)
    } else if reserved.contains(&text.to_ascii_lowercase().as_str()) || text.to_ascii_lowercase().starts_with("pg_") {
        wrong("is reserved", "choose another, such as `app`")
    } else {
        Ok(())
    }
}

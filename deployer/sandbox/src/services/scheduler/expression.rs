//! The times of a schedule: `at(…)`, `rate(…)` and `cron(…)`.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

use std::time::Duration;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::invalid;
use crate::clock::later;
use crate::error::ApiError;

/// When something is due.
pub(super) enum Expression {
    At(Timestamp),
    Rate(Duration),
    Cron(Box<Cron>, TimeZone),
}

impl Expression {
    pub(super) fn read(text: &str, zone: &str) -> Result<Self, ApiError> {
        let wrong = || invalid(format!("Invalid Schedule Expression {text}."));
        let zone = match zone {
            "UTC" => TimeZone::UTC,
            name => {
                TimeZone::get(name).map_err(|_| invalid(format!("Invalid Schedule Expression Timezone {name}.")))?
            }
        };
        let (sort, inner) = text.strip_suffix(')').and_then(|text| text.split_once('(')).ok_or_else(wrong)?;
        match sort {
            "at" => {
                let at: DateTime = inner.parse().map_err(|_| wrong())?;
                Ok(Self::At(zone.to_timestamp(at).map_err(|_| wrong())?))
            }
            "rate" => {
                let (count, unit) = inner.split_once(' ').ok_or_else(wrong)?;
                let count: u64 = count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
                let unit = match unit {
                    "minute" | "minutes" => 60,
                    "hour" | "hours" => 3_600,
                    "day" | "days" => 86_400,
                    _ => return Err(wrong()),
                };
                Ok(Self::Rate(Duration::from_secs(count * unit)))
            }
            "cron" => Ok(Self::Cron(Box::new(Cron::read(inner).ok_or_else(wrong)?), zone)),
            _ => Err(wrong()),
        }
    }

    /// The first moment after `now` for what was made at `made`.
    pub(super) fn after(&self, made: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => (*at > now).then_some(*at),
            Self::Rate(every) => {
                let passed = now.duration_since(made).as_secs().unsigned_abs() / every.as_secs();
                Some(later(made, Duration::from_secs((passed + 1) * every.as_secs())))
            }
            Self::Cron(cron, zone) => cron.after(now, zone),
        }
    }
}

/// A cron expression: the values that each field allows.
pub(super) struct Cron {
    minutes: Vec<i16>,
    hours: Vec<i16>,
    days: Option<Vec<i16>>,
    months: Vec<i16>,
    weekdays: Option<Vec<i16>>,
    years: Vec<i16>,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Cron {
    /// Minutes, hours, day of the month, month, day of the week, year; one of the two days is `?`.
    fn read(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else { return None };
        if (*days == "?") == (*weekdays == "?") {
            return None;
        }
        let day = |text: &str, first, last, names: &[&str]| match text {
            "?" => Some(None),
            text => Some(Some(values(text, first, last, names)?)),
        };
        Some(Self {
            minutes: values(minutes, 0, 59, &[])?,
            hours: values(hours, 0, 23, &[])?,
            days: day(days, 1, 31, &[])?,
            months: values(months, 1, 12, &MONTHS)?,
            weekdays: day(weekdays, 1, 7, &WEEKDAYS)?,
            years: values(years, 1970, 2199, &[])?,
        })
    }

    fn has(&self, date: Date) -> bool {
        let weekday = i16::from(date.weekday().since(Weekday::Sunday)) + 1;
        self.years.contains(&date.year())
            && self.months.contains(&i16::from(date.month()))
            && self.days.as_ref().is_none_or(|days| days.contains(&i16::from(date.day())))
            && self.weekdays.as_ref().is_none_or(|days| days.contains(&weekday))
    }

    fn after(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let start = zone.to_datetime(now).date();
        // Every combination of days comes again within the years of a leap day.
        for ahead in 0..(366 * 8) {
            let date = start.checked_add(ahead.days()).ok()?;
            if !self.has(date) {
                continue;
            }
            for (hour, minute) in self.hours.iter().flat_map(|hour| self.minutes.iter().map(move |m| (hour, m))) {
                let at = date.at(i8::try_from(*hour).ok()?, i8::try_from(*minute).ok()?, 0, 0);
                let at = zone.to_timestamp(at).ok()?;
                if at > now {
                    return Some(at);
                }
            }
        }
        None
    }
}

/// The values of a field: `*`, `a`, `a-b`, `a/n`, and lists of these.
fn values(text: &str, first: i16, last: i16, names: &[&str]) -> Option<Vec<i16>> {
    let number = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(place) => first + i16::try_from(place).ok()?,
            None => text.parse().ok()?,
        };
        (first..=last).contains(&value).then_some(value)
    };
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if range == "*" => (first, last),
            None if step.is_some() => (number(range)?, last),
            None => (number(range)?, number(range)?),
        };
        all.extend((from..=to).step_by(step.unwrap_or(1)));
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, now: &str) -> String {
        let now: Timestamp = now.parse().unwrap();
        Expression::read(text, "UTC").unwrap().after(now, now).map_or_else(String::new, |at| at.to_string())
    }

    #[test]
    fn each_sort_of_expression_says_when_it_is_due_next() {
        let now = "2026-01-05T09:10:30Z";
        assert_eq!(next("rate(1 hour)", now), "2026-01-05T10:10:30Z");
        assert_eq!(next("cron(0 3 * * ? *)", now), "2026-01-06T03:00:00Z");
        assert_eq!(next("cron(0/15 * * * ? *)", now), "2026-01-05T09:15:00Z");
        assert_eq!(next("cron(0 12 ? * SUN *)", now), "2026-01-11T12:00:00Z");
        assert_eq!(next("at(2026-02-01T00:00:00)", now), "2026-02-01T00:00:00Z");
        assert_eq!(next("at(2025-02-01T00:00:00)", now), "");
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for wrong in ["", "rate(0 hours)", "rate(1 week)", "cron(0 3 * * * *)", "cron(0 25 * * ? *)", "every day"] {
            assert!(Expression::read(wrong, "UTC").is_err(), "{wrong}");
        }
        assert!(Expression::read("rate(1 hour)", "Nowhere/Land").is_err());
    }
}

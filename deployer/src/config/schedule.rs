//! When a periodic task runs: EventBridge Scheduler's expressions.
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>

use super::format::{Fault, wrong};

const INSTEAD: &str = "write `rate(1 hour)`, or `cron(0 3 * * ? *)` for each day at three";

/// The rule of the text.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(rate) = inside("rate") {
        return check_rate(rate);
    }
    if let Some(cron) = inside("cron") {
        return check_cron(cron);
    }
    if inside("at").is_some() {
        return wrong("happens once", "a periodic task repeats: write `rate(…)` or `cron(…)`");
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    match fields.as_slice() {
        // As cron itself has it: five fields, and both days a star.
        [minute, hour, "*", month, "*"] => {
            wrong("is written as Unix has it", format!("write `cron({minute} {hour} * {month} ? *)`"))
        }
        [minute, hour, day, month, weekday] => {
            let (day, weekday) = if *weekday == "*" { (*day, "?") } else { ("?", *weekday) };
            let instead = format!("write `cron({minute} {hour} {day} {month} {weekday} *)`, where Sunday is 1");
            wrong("is written as Unix has it", instead)
        }
        _ => wrong("is not a schedule", INSTEAD),
    }
}

fn check_rate(text: &str) -> Result<(), Fault> {
    let Some((number, unit)) = text.split_once(' ') else { return wrong("is not a schedule", INSTEAD) };
    let Ok(number) = number.parse::<u32>() else { return wrong("has no whole number in it", INSTEAD) };
    let singular = unit.trim_end_matches('s');
    if number == 0 {
        return wrong("never happens", INSTEAD);
    }
    if !["minute", "hour", "day"].contains(&singular) {
        return wrong(format!("has no unit `{unit}`"), "use minutes, hours or days, such as `rate(10 minutes)`");
    }
    let wanted = if number == 1 { singular.to_owned() } else { format!("{singular}s") };
    if wanted == unit { Ok(()) } else { wrong("is misspelt", format!("write `rate({number} {wanted})`")) }
}

/// Minutes, hours, days of the month, months, days of the week, years.
fn check_cron(text: &str) -> Result<(), Fault> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let &[minutes, hours, days, months, weekdays, years] = fields.as_slice() else {
        let wrong_number = format!("has {} fields, not six", fields.len());
        return wrong(wrong_number, "give minutes, hours, day of the month, month, day of the week and year");
    };
    if (days == "?") == (weekdays == "?") {
        return wrong("has not one `?`", "let either the day of the month or the day of the week be `?`");
    }
    let months_of = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    let days_of = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let all = [
        ("minutes", minutes, 0..=59, &[][..]),
        ("hours", hours, 0..=23, &[]),
        ("days of the month", days, 1..=31, &[]),
        ("months", months, 1..=12, &months_of),
        ("days of the week", weekdays, 1..=7, &days_of),
        ("years", years, 1970..=2199, &[]),
    ];
    for (what, field, range, names) in all {
        if !field.split(',').all(|part| part_is_good(part, &range, names)) {
            return wrong(
                format!("has `{field}` for the {what}"),
                format!("write {} to {}", range.start(), range.end()),
            );
        }
    }
    Ok(())
}

fn part_is_good(part: &str, range: &std::ops::RangeInclusive<u32>, names: &[&str]) -> bool {
    let (values, step) = part.split_once('/').unwrap_or((part, "1"));
    let value = |text: &str| {
        names.contains(&text.to_ascii_uppercase().as_str()) || text.parse().is_ok_and(|number| range.contains(&number))
    };
    // `L` is the last day, `15W` the working day nearest to it, `6#3` the third Friday.
    let special = |text: &str| match text.strip_suffix('W').or_else(|| text.strip_suffix('L')) {
        Some(rest) => rest.is_empty() || rest == "L" || value(rest),
        None => text.split_once('#').is_some_and(|(day, nth)| value(day) && matches!(nth, "1" | "2" | "3" | "4" | "5")),
    };
    let span = |text: &str| text.split_once('-').is_some_and(|(from, to)| value(from) && value(to));
    let known = matches!(values, "*" | "?") || value(values) || span(values) || special(values);
    known && step.parse::<u32>().is_ok_and(|step| step > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_scheduler_takes_is_taken() {
        for good in [
            "rate(1 hour)",
            "rate(15 minutes)",
            "cron(0 3 * * ? *)",
            "cron(0/15 8-18 ? * MON-FRI *)",
            "cron(0 9 ? * 6#3 *)",
            "cron(0 9 L * ? 2026)",
            "cron(30 2 1,15 * ? *)",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_it_refuses_is_answered_with_what_to_write() {
        for (bad, instead) in [
            ("rate(1 hours)", "rate(1 hour)"),
            ("rate(5 minute)", "rate(5 minutes)"),
            ("*/10 * * * *", "cron(*/10 * * * ? *)"),
            ("0 3 * * 1", "cron(0 3 ? * 1 *)"),
            ("cron(0 3 * * *)", "six"),
            ("cron(0 3 * * * *)", "`?`"),
            ("cron(0 24 * * ? *)", "0 to 23"),
            ("at(2026-01-01T00:00:00)", "rate("),
            ("hourly", "rate(1 hour)"),
            ("rate(0 hours)", "rate(1 hour)"),
        ] {
            let fault = check(bad).unwrap_err();
            assert!(format!("{} {}", fault.wrong, fault.instead).contains(instead), "{bad}: {fault:?}");
        }
    }
}

//! PostgreSQL versions and instance classes.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html>

use super::invalid;
use crate::error::{ApiError, refuse};
use crate::input::Input;

/// Major and minor versions, oldest first.
pub(super) const VERSIONS: &[(u32, &[u32])] =
    &[(14, &[17, 18, 19, 20]), (15, &[12, 13, 14, 15]), (16, &[8, 9, 10, 11]), (17, &[4, 5, 6, 7]), (18, &[1])];

/// The major version that an instance gets when it names none.
pub(super) const DEFAULT: u32 = 17;

/// Families of instance classes that run these versions, and sizes that they come in.
const FAMILIES: &[&str] = &[
    "t3", "t4g", "m5", "m5d", "m6g", "m6gd", "m6i", "m6id", "m6in", "m6idn", "m7g", "m7i", "m8g", "r5", "r5d", "r5b",
    "r6g", "r6gd", "r6i", "r6id", "r6in", "r6idn", "r7g", "r7i", "r8g", "x2g", "x2idn", "x2iedn", "c6gd",
];
pub(super) const SIZES: &[&str] = &[
    "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge",
    "32xlarge", "48xlarge",
];

pub(super) fn families() -> Vec<String> {
    VERSIONS.iter().map(|(major, _)| family(*major)).collect()
}

pub(super) fn family(major: u32) -> String {
    format!("postgres{major}")
}

/// All full versions, oldest first.
pub(super) fn all() -> Vec<(u32, u32)> {
    VERSIONS.iter().flat_map(|(major, minors)| minors.iter().map(|minor| (*major, *minor))).collect()
}

/// A full version from `17` (the newest of it) or `17.6`; the default without any.
pub(super) fn resolve(asked: Option<&str>) -> Result<(u32, u32), ApiError> {
    let unknown = |text: &str| invalid(format!("Cannot find version {text} for postgres"));
    let Some(text) = asked else { return newest(DEFAULT).ok_or_else(|| unknown("")) };
    match text.split_once('.') {
        None => text.parse().ok().and_then(newest),
        Some((major, minor)) => {
            let wanted = major.parse().ok().zip(minor.parse().ok());
            all().into_iter().find(|version| Some(*version) == wanted)
        }
    }
    .ok_or_else(|| unknown(text))
}

fn newest(major: u32) -> Option<(u32, u32)> {
    all().into_iter().rfind(|(m, _)| *m == major)
}

/// A version from an object's own text.
pub(super) fn parse(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// PostgreSQL is what is simulated; other engines exist.
pub(super) fn postgres(input: &Input) -> Result<(), ApiError> {
    match input.str("Engine")? {
        "postgres" => Ok(()),
        known @ ("mysql" | "mariadb" | "aurora-mysql" | "aurora-postgresql" | "sqlserver-ex" | "sqlserver-se"
        | "sqlserver-ee" | "sqlserver-web" | "oracle-se2" | "oracle-ee" | "db2-se" | "db2-ae") => {
            Err(ApiError::not_simulated(format!("databases with the engine {known}")))
        }
        other => Err(invalid(format!("Invalid DB engine: {other}"))),
    }
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Types.html>
pub(super) fn class(name: &str) -> Result<(), ApiError> {
    let known = name.strip_prefix("db.").and_then(|rest| rest.split_once('.')).is_some_and(|(family, size)| {
        let small = matches!(size, "micro" | "small" | "medium");
        FAMILIES.contains(&family)
            && SIZES.contains(&size)
            && (family.starts_with('t') || !small || size == "medium" && family == "c6gd")
            && !(family.starts_with('t')
                && SIZES.iter().position(|s| *s == size) > SIZES.iter().position(|s| *s == "2xlarge"))
    });
    if known { Ok(()) } else { Err(refuse("InvalidParameterValue", format!("Invalid DB Instance class: {name}"))) }
}

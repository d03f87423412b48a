//! What is demanded, and what is excepted from it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// What is demanded of a stack's databases and volumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Demands {
    /// The databases that there must be, by identifier.
    pub databases: Vec<String>,
    /// Whether all databases of the region are judged, rather than the stack's own.
    pub all_databases: bool,
    /// How many days back each database can be restored to any second.
    pub database_backup_days: u32,
    /// How many minutes the newest moment that a database can be restored to may lie back.
    pub restorable_lag_minutes: u32,
    /// Whether a database has a standby in another zone.
    pub multi_az: bool,
    /// Whether AWS refuses to delete a database.
    pub deletion_protection: bool,
    /// The tag of the volumes that are to be backed up; without one, none is.
    pub volume_tag: Option<Tag>,
    /// How many snapshots of each volume are kept.
    pub volume_keep: u32,
    /// How many hours old the newest snapshot may be.
    pub max_age_hours: u32,
    /// How many days may pass without a word when nothing changes.
    pub heartbeat_days: u32,
    /// What is excepted.
    pub exceptions: Vec<Exception>,
}

/// A tag with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A control that need not hold for a resource until a day, for a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The control's id, or `*`.
    pub control: String,
    /// The resource's name, or the beginning of one and `*`.
    pub resource: String,
    /// The last day on which it holds, in UTC.
    pub until: Day,
    /// Why.
    pub reason: String,
}

/// A day, written `2027-01-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

impl Default for Demands {
    fn default() -> Self {
        Self {
            databases: Vec::new(),
            all_databases: false,
            database_backup_days: 7,
            restorable_lag_minutes: 15,
            multi_az: true,
            deletion_protection: true,
            volume_tag: None,
            volume_keep: 7,
            // One a day, which DLM begins within an hour of its time, and an hour to be made in.
            max_age_hours: 26,
            heartbeat_days: 7,
            exceptions: Vec::new(),
        }
    }
}

impl Exception {
    /// Whether it is about this control of this resource.
    #[must_use]
    pub fn covers(&self, control: &str, resource: &str) -> bool {
        let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(beginning) => text.starts_with(beginning),
            None => pattern == text,
        };
        fits(&self.control, control) && fits(&self.resource, resource)
    }

    /// Whether its last day is over.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        jiff::tz::Offset::UTC.to_datetime(now).date() > self.until.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Day {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for Day {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(control: &str, resource: &str) -> Exception {
        let (control, resource) = (control.to_owned(), resource.to_owned());
        Exception { control, resource, until: "2027-01-31".parse().unwrap(), reason: "a test".to_owned() }
    }

    #[test]
    fn what_is_not_said_has_a_default_and_what_is_unknown_is_an_error() {
        let said: Demands = serde_json::from_str(r#"{"database_backup_days":14}"#).unwrap();
        assert_eq!(said, Demands { database_backup_days: 14, ..Demands::default() });
        assert!(serde_json::from_str::<Demands>(r#"{"database_backup_day":14}"#).is_err());
        let written =
            serde_json::to_string(&Demands { exceptions: vec![exception("a", "b")], ..said.clone() }).unwrap();
        assert!(written.contains(r#""until":"2027-01-31""#), "{written}");
        assert_eq!(serde_json::from_str::<Demands>(&written).unwrap().exceptions, [exception("a", "b")]);
    }

    #[test]
    fn an_exception_holds_through_its_last_day_and_not_a_second_longer() {
        let expired = |at: &str| exception("a", "b").expired(at.parse().unwrap());
        assert!(!expired("2027-01-31T23:59:59Z"));
        assert!(expired("2027-02-01T00:00:00Z"));
    }

    #[test]
    fn an_exception_is_about_what_it_names_and_no_more() {
        assert!(exception("volume.fresh", "vol-1").covers("volume.fresh", "vol-1"));
        assert!(!exception("volume.fresh", "vol-1").covers("volume.fresh", "vol-10"));
        assert!(exception("*", "vol-1*").covers("volume.covered", "vol-10"));
        assert!(!exception("volume.fresh", "*").covers("volume.covered", "vol-1"));
    }
}

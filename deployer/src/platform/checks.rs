//! What the checks of snapshots and backups demand: what the stack file says of them.

use wharf_check_snapshots::{Demands, Exception, Tag};

use super::cluster::BACKUP_TAG;
use super::database;
use crate::config::{self, Config};

/// The most hours between two snapshots that are made once a day: DLM and RDS begin within an hour of their time, and
/// take a while.
const DAILY: u32 = 26;

/// What is demanded of a stack's database and volumes.
#[must_use]
pub fn demands(config: &Config) -> Demands {
    let stack = config.stack.name.as_str();
    let mut demands = Demands { max_age_hours: DAILY, ..Demands::default() };
    if let Some(wanted) = &config.database {
        demands.databases = vec![database::identifier(config)];
        demands.database_backup_days = u32::from(wanted.backup_days);
        demands.multi_az = wanted.multi_az;
        demands.deletion_protection = wanted.deletion_protection;
    }
    if let Some(wanted) = config.backups.volumes.as_ref().filter(|_| config.cluster.is_some()) {
        demands.volume_tag = Some(Tag { key: BACKUP_TAG.to_owned(), value: stack.to_owned() });
        demands.volume_keep = u32::from(wanted.keep);
    }
    // The stack file's days were checked when it was read.
    demands.exceptions = config.backups.exceptions.iter().filter_map(exception).collect();
    demands
}

fn exception(written: &config::Exception) -> Option<Exception> {
    let config::Exception { control, resource, until, reason } = written.clone();
    Some(Exception { control, resource, until: until.parse().ok()?, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rest: &str) -> Demands {
        let text = format!("[stack]\nname = \"shop\"\nregion = \"us-east-1\"\n{rest}");
        let nothing = |_: &str| Err(std::io::Error::other("no such file"));
        demands(&config::parse("wharf.toml", &text, &nothing).unwrap_or_else(|problems| panic!("{problems}")).config)
    }

    #[test]
    fn what_is_demanded_is_what_the_stack_file_says() {
        let text = r#"
            [database]
            backup_days = 21
            multi_az = false
            [cluster]
            [alerts]
            [backups]
            volumes = { keep = 9 }
            [[backups.exceptions]]
            control = "database.protected"
            resource = "shop-database"
            until = "2027-01-31"
            reason = "until the move"
        "#;
        let demands = of(text);
        assert_eq!(demands.databases, ["shop-database"]);
        assert_eq!((demands.database_backup_days, demands.multi_az, demands.volume_keep), (21, false, 9));
        let tag = demands.volume_tag.unwrap();
        assert_eq!((tag.key.as_str(), tag.value.as_str()), (BACKUP_TAG, "shop"));
        assert_eq!(demands.exceptions.len(), 1);
        assert!(demands.exceptions[0].covers("database.protected", "shop-database"));
    }

    #[test]
    fn what_the_stack_does_not_have_is_not_demanded() {
        let demands = of("");
        assert_eq!((demands.databases.len(), demands.volume_tag), (0, None));
    }
}

//! The rules between the values of `[stack]`, `[network]` and `[database]`.

use super::database::Database;
use super::database_text::{daily_window, weekly_window};
use super::places::Places;
use super::problem::Problem;
use super::{Config, Network};

/// What is wrong between values.
pub(super) fn check(config: &Config, places: &Places) -> Vec<Problem> {
    let mut problems = tags(config, places);
    problems.extend(docker_range(&config.network, places));
    if let Some(database) = &config.database {
        problems.extend(database_zones(config, places));
        problems.extend(storage(database, places));
        problems.extend(windows(database, places));
        problems.extend(unprotected(database, places));
    }
    problems
}

/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html#id_tags_naming_best_practices>
fn tags(config: &Config, places: &Places) -> Vec<Problem> {
    /// AWS's limit is 50; three are Wharf's own, and one is kept for kinds that need a `Name`.
    const MOST: usize = 46;
    let mut problems = Vec::new();
    for (key, value) in &config.stack.tags {
        let path = format!("stack.tags.{key}");
        let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        let lower = key.to_lowercase();
        let wrong = if lower.starts_with("aws:") {
            Some("AWS keeps tags that begin with `aws:` for itself")
        } else if lower.starts_with("wharf:") {
            Some("tags that begin with `wharf:` are how Wharf finds what is its own")
        } else if key.is_empty() || key.chars().count() > 128 {
            Some("a tag's key has 1 to 128 characters")
        } else if !key.chars().all(allowed) {
            Some("a tag's key has letters, digits, spaces and `_ . : / = + - @`")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            problems.push(
                Problem::error(format!("the tag `{key}` is not allowed"), places.key_at(&path), wrong)
                    .help("choose another key"),
            );
        }
        if value.chars().count() > 256 || !value.chars().all(allowed) {
            let label = "a tag's value has at most 256 letters, digits, spaces and `_ . : / = + - @`";
            let message = format!("the value of the tag `{key}` is not allowed");
            problems.push(Problem::error(message, places.value_at(&path), label).help("shorten or rewrite it"));
        }
    }
    if config.stack.tags.len() > MOST {
        let message = format!("{} tags are too many", config.stack.tags.len());
        let label = format!("{MOST} at most, beside Wharf's own");
        problems.push(Problem::error(message, places.key_at("stack.tags"), label).help("leave some out"));
    }
    problems
}

/// Docker's own bridge has 172.17.0.0/16 on every container instance.
fn docker_range(network: &Network, places: &Places) -> Option<Problem> {
    let docker = "172.17.0.0/16".parse::<ipnet::Ipv4Net>().ok()?;
    let range = network.cidr.net();
    if !range.contains(&docker) && !docker.contains(&range) {
        return None;
    }
    let problem = Problem::error(
        "`network.cidr` is where Docker has its own network",
        places.value_at("network.cidr"),
        "containers could not reach addresses of the VPC in 172.17.0.0/16",
    );
    Some(problem.warning().help("take another range, such as `10.0.0.0/16`"))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html>: a subnet group
/// has subnets in two zones at least, with or without Multi-AZ.
fn database_zones(config: &Config, places: &Places) -> Option<Problem> {
    if config.network.zones >= 2 {
        return None;
    }
    let problem = Problem::error(
        "a database needs two availability zones",
        places.value_at("network.zones"),
        "RDS takes no subnet group in a single zone",
    );
    Some(problem.help("write `zones = 2`, or leave `[database]` out"))
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html>: the limit is at least a tenth
/// more than the storage.
fn storage(database: &Database, places: &Places) -> Option<Problem> {
    let limit = database.max_storage_gib?;
    let place = places.value_at("database.max_storage_gib");
    let least = database.storage_gib + database.storage_gib.div_ceil(10);
    if limit < database.storage_gib {
        let label = format!("less than the {} GiB of `storage_gib`", database.storage_gib);
        let problem = Problem::error("`database.max_storage_gib` is below `database.storage_gib`", place, label);
        return Some(problem.help(format!("write {least} or more, or {} for no growth", database.storage_gib)));
    }
    if limit > database.storage_gib && limit < least {
        let problem = Problem::error(
            "`database.max_storage_gib` leaves too little room to grow",
            place,
            "RDS wants a tenth more than `storage_gib` at least",
        );
        return Some(problem.help(format!("write {least} or more, or {} for no growth", database.storage_gib)));
    }
    None
}

/// RDS refuses a backup window that meets the maintenance window.
fn windows(database: &Database, places: &Places) -> Option<Problem> {
    let (daily, weekly) =
        (daily_window(&database.backup_window).ok()?, weekly_window(&database.maintenance_window).ok()?);
    if !daily.meets(&weekly) {
        return None;
    }
    // Whichever of the two the file gives: the other may be a default.
    let (path, other, text) = if places.has("database.maintenance_window") {
        ("database.maintenance_window", "backup_window", &database.backup_window)
    } else {
        ("database.backup_window", "maintenance_window", &database.maintenance_window)
    };
    let problem = Problem::error(
        "`database.backup_window` and `database.maintenance_window` meet",
        places.value_at(path),
        format!("`{other}` is {text}"),
    );
    Some(problem.help("let one begin after the other has ended, such as `03:00-04:00` and `sun:04:30-sun:05:30`"))
}

/// Each is a choice; both together are seldom meant.
fn unprotected(database: &Database, places: &Places) -> Option<Problem> {
    if database.multi_az || database.deletion_protection {
        return None;
    }
    let problem = Problem::error(
        "the database has neither a standby nor deletion protection",
        places.value_at("database.deletion_protection"),
        "one mistake, or one failed zone, and it is gone until it is restored",
    );
    Some(problem.warning().help("fine for a trial; for production leave both at `true`"))
}

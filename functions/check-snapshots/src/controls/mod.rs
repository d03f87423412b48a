//! The controls: each one demand, and how an inventory is judged by it. A control is a file and a line in [`ALL`].

mod database_backup_days;
mod database_complete;
mod database_encrypted;
mod database_exists;
mod database_fresh;
mod database_multi_az;
mod database_private;
mod database_protected;
mod database_restorable;
mod policy_enabled;
mod policy_keeps;
mod policy_role;
mod policy_targets;
mod snapshots;
mod volume_complete;
mod volume_covered;
mod volume_encrypted;
mod volume_fresh;
mod volume_private;

use wharf_events::Severity;

use crate::demands::Demands;
use crate::inventory::{Database, Inventory, Known, Policy, Unknown, Volume};
use crate::report::Verdict;

/// All controls, in the order in which a report has them.
pub const ALL: &[Control] = &[
    database_exists::CONTROL,
    database_backup_days::CONTROL,
    database_fresh::CONTROL,
    database_complete::CONTROL,
    database_restorable::CONTROL,
    database_encrypted::CONTROL,
    database_private::CONTROL,
    database_protected::CONTROL,
    database_multi_az::CONTROL,
    volume_covered::CONTROL,
    volume_fresh::CONTROL,
    volume_complete::CONTROL,
    volume_encrypted::CONTROL,
    volume_private::CONTROL,
    policy_enabled::CONTROL,
    policy_targets::CONTROL,
    policy_keeps::CONTROL,
    policy_role::CONTROL,
];

/// One demand.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// Its id, such as `database.fresh`.
    pub id: &'static str,
    /// How much it matters when it does not hold.
    pub severity: Severity,
    /// What is demanded.
    pub demand: fn(&Demands) -> String,
    /// What to do when it does not hold.
    pub mend: &'static str,
    /// Judges an inventory.
    pub judge: fn(&Inventory, &Demands) -> Vec<Judged>,
}

/// A resource, judged by a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The resource's name.
    pub resource: String,
    /// Whether the demand holds.
    pub verdict: Verdict,
    /// What that is seen by.
    pub evidence: String,
}

impl Judged {
    fn new(resource: &str, verdict: Verdict, evidence: impl Into<String>) -> Self {
        Self { resource: resource.to_owned(), verdict, evidence: evidence.into() }
    }

    fn of(resource: &str, holds: bool, evidence: impl Into<String>) -> Self {
        Self::new(resource, if holds { Verdict::Pass } else { Verdict::Fail }, evidence)
    }

    /// What cannot be read may be anything: it never passes.
    fn unknown(resource: &str, unknown: &Unknown) -> Self {
        Self::new(resource, Verdict::Unknown, unknown.to_string())
    }
}

/// Judges every database, or says that they are not known. What is being deleted is judged no more.
fn databases(inventory: &Inventory, judge: impl Fn(&Database) -> Option<Judged>) -> Vec<Judged> {
    let there = |one: &&Database| one.status != "deleting";
    let mut judged = Vec::new();
    for (name, all) in [("database instances", &inventory.instances), ("database clusters", &inventory.clusters)] {
        match all {
            Ok(all) => judged.extend(all.iter().filter(there).filter_map(&judge)),
            Err(unknown) => judged.push(Judged::unknown(name, unknown)),
        }
    }
    judged
}

/// Judges every volume, or says that they are not known.
fn volumes(inventory: &Inventory, judge: impl Fn(&Volume) -> Judged) -> Vec<Judged> {
    each("volumes", &inventory.volumes, judge)
}

/// Judges every policy, or says that they are not known.
fn policies(inventory: &Inventory, judge: impl Fn(&Policy) -> Judged) -> Vec<Judged> {
    each("lifecycle policies", &inventory.policies, judge)
}

fn each<T>(name: &str, all: &Known<Vec<T>>, judge: impl Fn(&T) -> Judged) -> Vec<Judged> {
    match all {
        Ok(all) => all.iter().map(judge).collect(),
        Err(unknown) => vec![Judged::unknown(name, unknown)],
    }
}

/// Some names, and how many more there are.
fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

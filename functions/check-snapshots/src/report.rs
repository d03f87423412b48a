//! What the controls found, excepted where somebody said so.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wharf_events::Severity;

use crate::controls::{ALL, Control, Judged};
use crate::demands::{Day, Demands, Exception};
use crate::inventory::Inventory;

/// The form of the report as JSON: it changes when a field goes or means something else, not when one is added.
const FORMAT: u32 = 1;

/// Whether a demand holds for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// It does not.
    Fail,
    /// It could not be seen whether it does.
    Unknown,
    /// It does not, and need not until a day.
    Excepted,
    /// It does.
    Pass,
}

/// What a control found of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The control's id.
    pub control: String,
    /// The resource's name.
    pub resource: String,
    /// Whether the demand holds.
    pub verdict: Verdict,
    /// How much it matters when it does not.
    pub severity: Severity,
    /// What is demanded.
    pub demand: String,
    /// What is seen.
    pub evidence: String,
    /// What to do, where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// Why it need not hold, and how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excepted: Option<Excepted>,
}

/// Why a demand need not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excepted {
    /// The last day.
    pub until: Day,
    /// Why.
    pub reason: String,
}

/// An exception, and what it is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The exception.
    #[serde(flatten)]
    pub exception: Exception,
    /// What it is good for.
    pub standing: Standing,
}

/// What an exception is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It excepts what would fail.
    InForce,
    /// Its last day is over.
    Expired,
    /// Nothing that it is about fails: it can go.
    Unused,
}

/// How many findings there are of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Demands that hold.
    pub pass: usize,
    /// Demands that do not.
    pub fail: usize,
    /// Demands of which it could not be seen.
    pub unknown: usize,
    /// Demands that need not hold.
    pub excepted: usize,
}

/// How many of each there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Instances and clusters.
    pub databases: usize,
    /// Volumes that are to be backed up.
    pub volumes: usize,
    /// Lifecycle policies.
    pub policies: usize,
    /// Snapshots of all of these.
    pub snapshots: usize,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The form of this document.
    pub version: u32,
    /// The stack's name.
    pub stack: String,
    /// The region.
    pub region: String,
    /// The moment for which it holds.
    pub at: String,
    /// The worst of all verdicts. Where there is nothing to judge, nothing passes.
    pub verdict: Verdict,
    /// How many of each there are.
    pub counts: Counts,
    /// What was looked at.
    pub looked_at: Looked,
    /// How old the newest usable snapshot of the worst off is, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<i64>,
    /// By control, then by resource.
    pub findings: Vec<Finding>,
    /// The exceptions, as they are written.
    pub exceptions: Vec<Use>,
}

impl Report {
    /// Judges an inventory by all controls.
    #[must_use]
    pub fn of(stack: &str, region: &str, inventory: &Inventory, demands: &Demands) -> Self {
        let mut findings = Vec::new();
        for control in ALL {
            let mut judged = (control.judge)(inventory, demands);
            judged.sort_by(|a, b| (&a.resource, &a.evidence).cmp(&(&b.resource, &b.evidence)));
            findings.extend(judged.into_iter().map(|judged| finding(control, judged, inventory.at, demands)));
        }
        let counts = Counts::of(&findings);
        let [(_, databases), (_, volumes), (_, policies), (_, snapshots)] = inventory.sizes();
        Self {
            version: FORMAT,
            stack: stack.to_owned(),
            region: region.to_owned(),
            at: format!("{:.0}", inventory.at),
            verdict: counts.verdict(),
            counts,
            looked_at: Looked { databases, volumes, policies, snapshots },
            oldest_seconds: inventory.oldest().map(|age| age.as_secs()),
            exceptions: uses(&findings, inventory.at, demands),
            findings,
        }
    }

    /// What somebody should know of: what fails, and what is not known.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Fail | Verdict::Unknown))
    }

    /// The report in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Counts { pass, fail, unknown, excepted } = self.counts;
        let Looked { databases, volumes, policies, snapshots } = self.looked_at;
        format!(
            "{fail} fail, {unknown} unknown, {excepted} excepted, {pass} pass: {} and {} with {}, {}",
            many(databases, "database"),
            many(volumes, "volume"),
            many(snapshots, "snapshot"),
            if policies == 1 { "1 policy".to_owned() } else { format!("{policies} policies") },
        )
    }
}

fn many(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn finding(control: &Control, judged: Judged, now: Timestamp, demands: &Demands) -> Finding {
    let Judged { resource, verdict, evidence } = judged;
    // Only what is seen to fail can be excepted: of what is unknown, nobody knows what they would except.
    let holds = |one: &&Exception| !one.expired(now) && one.covers(control.id, &resource);
    let exception = demands.exceptions.iter().filter(|_| verdict == Verdict::Fail).find(holds);
    let excepted = exception.map(|one| Excepted { until: one.until, reason: one.reason.clone() });
    Finding {
        control: control.id.to_owned(),
        verdict: if excepted.is_some() { Verdict::Excepted } else { verdict },
        severity: control.severity,
        demand: (control.demand)(demands),
        evidence,
        mend: (verdict == Verdict::Fail).then(|| control.mend.to_owned()),
        excepted,
        resource,
    }
}

fn uses(findings: &[Finding], now: Timestamp, demands: &Demands) -> Vec<Use> {
    let standing = |exception: &Exception| {
        let excepts = |one: &Finding| one.verdict == Verdict::Excepted && exception.covers(&one.control, &one.resource);
        match exception.expired(now) {
            true => Standing::Expired,
            false if findings.iter().any(excepts) => Standing::InForce,
            false => Standing::Unused,
        }
    };
    demands.exceptions.iter().map(|one| Use { exception: one.clone(), standing: standing(one) }).collect()
}

impl Counts {
    fn of(findings: &[Finding]) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            let count = match finding.verdict {
                Verdict::Pass => &mut counts.pass,
                Verdict::Fail => &mut counts.fail,
                Verdict::Unknown => &mut counts.unknown,
                Verdict::Excepted => &mut counts.excepted,
            };
            *count += 1;
        }
        counts
    }

    const fn verdict(self) -> Verdict {
        match self {
            Self { fail: 1.., .. } => Verdict::Fail,
            Self { unknown: 1.., .. } | Self { pass: 0, excepted: 0, .. } => Verdict::Unknown,
            _ => Verdict::Pass,
        }
    }
}

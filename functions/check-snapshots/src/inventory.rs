//! What there is, as far as controls look at it, and what could not be read.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What was read, or why not.
pub type Known<T> = Result<T, Unknown>;

/// What could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{action}: {why}")]
pub struct Unknown {
    /// The call that was not answered, as IAM names it.
    pub action: &'static str,
    /// Why.
    pub why: String,
}

/// What there is, in the order of its names.
#[derive(Clone, Debug, PartialEq)]
pub struct Inventory {
    /// The moment for which it is judged.
    pub at: Timestamp,
    /// Instances that stand alone.
    pub instances: Known<Vec<Database>>,
    /// Clusters, Aurora's and others; their members are judged with them.
    pub clusters: Known<Vec<Database>>,
    /// The volumes that are to be backed up.
    pub volumes: Known<Vec<Volume>>,
    /// The lifecycle policies that are about the stack.
    pub policies: Known<Vec<Policy>>,
    /// The keys that any of these is encrypted with.
    pub keys: BTreeMap<String, Known<Key>>,
}

/// What a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// An instance that stands alone.
    Instance,
    /// A cluster.
    Cluster,
}

/// A database.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// Instance or cluster.
    pub kind: DatabaseKind,
    /// Its identifier.
    pub id: String,
    /// Its state, as RDS says it.
    pub status: String,
    /// When it was made; unknown while it is being made.
    pub created: Option<Timestamp>,
    /// Whether it follows another database, which is backed up in its stead.
    pub replica: bool,
    /// For how many days RDS keeps automated backups; none is zero.
    pub backup_days: u32,
    /// The newest moment that it can be restored to.
    pub restorable: Option<Timestamp>,
    /// Whether it has a standby in another zone.
    pub multi_az: bool,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// By which key.
    pub key: Option<String>,
    /// Its snapshots.
    pub snapshots: Known<Vec<Snapshot>>,
}

/// A snapshot, of a database or a volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its identifier.
    pub id: String,
    /// How far it is.
    pub state: SnapshotState,
    /// The moment whose data it has. AWS leaves it out while a database's snapshot is being made.
    pub at: Option<Timestamp>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// By which key.
    pub key: Option<String>,
    /// Who else may use it.
    pub sharing: Known<Sharing>,
}

/// How far a snapshot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// It can be restored.
    Available,
    /// It is being made.
    Unfinished(String),
    /// It will never be.
    Failed(String),
}

/// Who else may use a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    Private,
    /// These accounts.
    With(Vec<String>),
    /// Everybody.
    Public,
}

/// A volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// By which key.
    pub key: Option<String>,
    /// Its tags, by which policies choose it.
    pub tags: BTreeMap<String, String>,
    /// Its snapshots.
    pub snapshots: Known<Vec<Snapshot>>,
}

/// A policy of Data Lifecycle Manager.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its id.
    pub id: String,
    /// `ENABLED`, `DISABLED` or `ERROR`.
    pub state: String,
    /// What DLM says of the state.
    pub message: String,
    /// The tags of which a volume has to have one; none for a policy that takes all volumes.
    pub targets: Vec<(String, String)>,
    /// Whether it takes all volumes of the region.
    pub takes_all: bool,
    /// Whether it is about volumes, rather than whole instances.
    pub of_volumes: bool,
    /// The fewest snapshots that any of its schedules keeps; unknown where they are kept for a time instead.
    pub keeps: Option<u32>,
    /// Whether it has a schedule, or is one of AWS's default policies, which have it built in.
    pub scheduled: bool,
    /// The role that it acts as.
    pub role: Known<Role>,
}

/// A policy's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is there, and DLM may assume it.
    Trusting(String),
    /// It is there, and DLM may not assume it.
    NotTrusting(String),
    /// It is not there.
    Missing(String),
}

/// A key of KMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// It can be used.
    Enabled,
    /// It cannot, and this is its state.
    Unusable(String),
    /// There is none.
    Missing,
}

impl Inventory {
    /// How many of each there are: databases, volumes, policies, snapshots.
    #[must_use]
    pub fn sizes(&self) -> [(&'static str, usize); 4] {
        let databases = || self.instances.iter().chain(&self.clusters).flatten();
        let volumes = || self.volumes.iter().flatten();
        let of_databases: usize = databases().filter_map(|one| one.snapshots.as_ref().ok()).map(Vec::len).sum();
        let of_volumes: usize = volumes().filter_map(|one| one.snapshots.as_ref().ok()).map(Vec::len).sum();
        [
            ("databases", databases().count()),
            ("volumes", volumes().count()),
            ("policies", self.policies.iter().flatten().count()),
            ("snapshots", of_databases + of_volumes),
        ]
    }

    /// How old the newest usable snapshot of the worst off is.
    #[must_use]
    pub fn oldest(&self) -> Option<jiff::SignedDuration> {
        let databases = self.instances.iter().chain(&self.clusters).flatten().filter(|one| !one.replica);
        let databases = databases.filter_map(|one| one.snapshots.as_ref().ok());
        let volumes = self.volumes.iter().flatten().filter_map(|one| one.snapshots.as_ref().ok());
        let newest = databases.chain(volumes).filter_map(|all| newest(all)).map(|(_, at)| at);
        newest.min().map(|at| self.at.duration_since(at))
    }
}

/// The newest snapshot that can be restored. One without a time says nothing of its age.
pub(crate) fn newest(snapshots: &[Snapshot]) -> Option<(&Snapshot, Timestamp)> {
    let usable = snapshots.iter().filter(|one| one.state == SnapshotState::Available);
    usable.filter_map(|one| Some((one, one.at?))).max_by(|a, b| (a.1, &a.0.id).cmp(&(b.1, &b.0.id)))
}

impl Policy {
    /// Whether it makes snapshots of this volume, as long as it runs.
    pub(crate) fn chooses(&self, volume: &Volume) -> bool {
        let has = |(key, value): &(String, String)| volume.tags.get(key) == Some(value);
        self.of_volumes && (self.takes_all || self.targets.iter().any(has))
    }
}

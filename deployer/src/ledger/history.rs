//! What was applied last, and what was done before.

use serde::{Deserialize, Serialize};
use wharf_engine::{Class, LastApplied};

use super::Ledger;
use super::item::{key, read, text};
use crate::aws::CallError;

/// The form of the records. A reader knows its own and every earlier one.
const FORMAT: u32 = 1;

const APPLIED: &str = "applied";
const HISTORY: &str = "history";

/// What the stack was last applied with: it gives plans their reasons, and never decides what they do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Applied {
    /// The record's format.
    pub format: u32,
    /// The version of the wharf that wrote it.
    pub wharf: String,
    /// The run that wrote it.
    pub run: String,
    /// The inputs, with references; secrets are never inputs.
    pub last: LastApplied,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that it set out to do is done.
    Done,
    /// Some steps failed.
    Failed,
    /// It was interrupted.
    Interrupted,
}

/// One run, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The record's format.
    pub format: u32,
    /// The run's id.
    pub run: String,
    /// When it began, RFC 3339.
    pub at: String,
    /// Who ran it.
    pub who: String,
    /// `apply` or `destroy`.
    pub command: String,
    /// The version of wharf.
    pub wharf: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Steps done, such as `create network.vpc`.
    pub steps: Vec<String>,
    /// Steps that failed, with AWS's words.
    pub failures: Vec<String>,
}

impl Entry {
    /// An entry in today's format.
    #[must_use]
    pub fn new(run: &str, at: &str, who: &str, command: &str, verdict: Verdict) -> Self {
        Self {
            format: FORMAT,
            run: run.to_owned(),
            at: at.to_owned(),
            who: who.to_owned(),
            command: command.to_owned(),
            wharf: env!("CARGO_PKG_VERSION").to_owned(),
            verdict,
            steps: Vec::new(),
            failures: Vec::new(),
        }
    }
}

/// The past of a stack.
pub type History = Vec<Entry>;

/// The records cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A later wharf has applied this stack.
    #[error("the stack was applied by wharf {theirs}, this is wharf {ours}: use {theirs} or later")]
    Newer {
        /// The version that applied it.
        theirs: String,
        /// This version.
        ours: String,
    },
    /// A record that is no record.
    #[error("the record {0} of the stack's table cannot be read")]
    Malformed(&'static str, #[source] serde_json::Error),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Ledger {
    /// What was applied last; none for a stack that never was.
    ///
    /// # Errors
    /// [`HistoryError::Newer`] when a later wharf has applied the stack.
    pub async fn applied(&self) -> Result<Option<Applied>, HistoryError> {
        let send = || {
            let get = self.aws.dynamodb.get_item().table_name(&self.table).consistent_read(true);
            get.set_key(Some(key(APPLIED, "last"))).send()
        };
        let item = match self.aws.call("dynamodb:GetItem", &self.table, send).await {
            Ok(answer) => answer.item,
            Err(error) if error.class == Class::Missing => None,
            Err(error) => return Err(error.into()),
        };
        let Some(item) = item else { return Ok(None) };
        let theirs = read(&item, "wharf");
        if newer(&theirs, env!("CARGO_PKG_VERSION")) {
            return Err(HistoryError::Newer { theirs, ours: env!("CARGO_PKG_VERSION").to_owned() });
        }
        let applied = serde_json::from_str(&read(&item, "record"));
        applied.map(Some).map_err(|error| HistoryError::Malformed(APPLIED, error))
    }

    /// Writes what is applied now.
    ///
    /// # Errors
    /// The call's.
    pub async fn set_applied(&self, last: LastApplied) -> Result<(), HistoryError> {
        let wharf = env!("CARGO_PKG_VERSION").to_owned();
        let applied = Applied { format: FORMAT, wharf, run: self.aws.run().to_owned(), last };
        let record = serde_json::to_string(&applied).map_err(|error| HistoryError::Malformed(APPLIED, error))?;
        self.write(APPLIED, "last", &record).await.map_err(Into::into)
    }

    /// Adds a run to the history.
    ///
    /// # Errors
    /// The call's.
    pub async fn add(&self, entry: &Entry) -> Result<(), HistoryError> {
        let record = serde_json::to_string(entry).map_err(|error| HistoryError::Malformed(HISTORY, error))?;
        self.write(HISTORY, &format!("{}#{}", entry.at, entry.run), &record).await.map_err(Into::into)
    }

    /// The newest runs first.
    ///
    /// # Errors
    /// The call's, or a record that is none.
    pub async fn history(&self, most: i32) -> Result<History, HistoryError> {
        let send = || {
            let query = self.aws.dynamodb.query().table_name(&self.table).consistent_read(true);
            let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(HISTORY));
            query.scan_index_forward(false).limit(most).send()
        };
        let items = match self.aws.call("dynamodb:Query", &self.table, send).await {
            Ok(answer) => answer.items.unwrap_or_default(),
            Err(error) if error.class == Class::Missing => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let entries = items.iter().map(|item| serde_json::from_str(&read(item, "record")));
        entries.collect::<Result<_, _>>().map_err(|error| HistoryError::Malformed(HISTORY, error))
    }

    /// Puts a record. Repeating it writes the same, so a lost reply is simply tried again.
    async fn write(&self, pk: &str, sk: &str, record: &str) -> Result<(), CallError> {
        let mut item = key(pk, sk);
        item.insert("wharf".to_owned(), text(env!("CARGO_PKG_VERSION")));
        item.insert("record".to_owned(), text(record));
        let send = || self.aws.dynamodb.put_item().table_name(&self.table).set_item(Some(item.clone())).send();
        for _ in 0..3 {
            match self.aws.call("dynamodb:PutItem", &self.table, send).await {
                Err(error) if error.class == Class::Ambiguous => {}
                answer => return answer.map(drop),
            }
        }
        self.aws.call("dynamodb:PutItem", &self.table, send).await.map(drop)
    }
}

/// True when version `theirs` is later than `ours`, by numbers.
fn newer(theirs: &str, ours: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> { version.split(['.', '-']).map_while(|n| n.parse().ok()).collect() };
    numbers(theirs) > numbers(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_numbers() {
        assert!(newer("0.10.0", "0.9.3"));
        assert!(newer("1.0.0", "0.9.3"));
        assert!(!newer("0.9.3", "0.9.3"));
        assert!(!newer("0.9.3", "0.10.0"));
    }
}

//! What the last check left behind, in the stack's table: what was open, when somebody was told.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use wharf_shell::{Fault, chain};

/// The leading key of the function's item: its role reaches no other.
pub const PARTITION: &str = "check-snapshots";
const SORT: &str = "memory";
/// The form of the item.
const FORMAT: u32 = 1;
/// So many open findings are kept by name: an item has at most 400 KB. The digest is of all of them.
const NAMED: usize = 500;

/// What is kept from one check to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// How many checks have written it.
    pub(crate) run: u64,
    /// The open findings, by control, resource and verdict; the first of them.
    pub(crate) open: BTreeSet<String>,
    /// A digest of all open findings.
    pub(crate) digest: String,
    /// When somebody was told last.
    pub(crate) told: Timestamp,
}

impl Memory {
    /// What is left behind when these are open.
    pub(crate) fn of(run: u64, open: &BTreeSet<String>, told: Timestamp) -> Self {
        Self { run, open: open.iter().take(NAMED).cloned().collect(), digest: digest(open), told }
    }

    pub(crate) fn item(&self) -> HashMap<String, AttributeValue> {
        let open = self.open.iter().map(|name| AttributeValue::S(name.clone())).collect();
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(PARTITION.to_owned())),
            ("sk".to_owned(), AttributeValue::S(SORT.to_owned())),
            ("form".to_owned(), AttributeValue::N(FORMAT.to_string())),
            ("run".to_owned(), AttributeValue::N(self.run.to_string())),
            ("open".to_owned(), AttributeValue::L(open)),
            ("digest".to_owned(), AttributeValue::S(self.digest.clone())),
            ("told".to_owned(), AttributeValue::S(self.told.to_string())),
        ])
    }

    /// None for an item that this program cannot read: the check then tells anew what it finds.
    pub(crate) fn read(item: &HashMap<String, AttributeValue>) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok();
        let number = |name: &str| item.get(name)?.as_n().ok()?.parse::<u64>().ok();
        let open = item.get("open")?.as_l().ok()?;
        Some(Self {
            run: number("run")?,
            open: open.iter().filter_map(|name| name.as_s().ok().cloned()).collect(),
            digest: text("digest")?.clone(),
            told: text("told")?.parse().ok()?,
        })
        .filter(|_| number("form") == Some(u64::from(FORMAT)))
    }
}

/// A short name for a set of open findings.
pub(crate) fn digest(open: &BTreeSet<String>) -> String {
    let mut hash = Sha256::new();
    for name in open {
        hash.update(name.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Where it is kept.
pub(crate) struct Shelf<'a> {
    pub(crate) client: &'a Client,
    pub(crate) table: &'a str,
}

/// Whether what was to be kept is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is.
    Yes,
    /// Another check ran at the same time and was first.
    AnotherWasFirst,
}

impl Shelf<'_> {
    /// What the last check left behind.
    ///
    /// # Errors
    /// The table cannot be read.
    pub(crate) async fn last(&self) -> Result<Option<Memory>, Fault> {
        let get = self.client.get_item().table_name(self.table).consistent_read(true);
        let get = get.key("pk", AttributeValue::S(PARTITION.to_owned())).key("sk", AttributeValue::S(SORT.to_owned()));
        let answer = get.send().await.map_err(|error| aws("the last check cannot be read", &error))?;
        Ok(answer.item().and_then(Memory::read))
    }

    /// Leaves this behind, unless another check has written since `last`.
    ///
    /// # Errors
    /// The table cannot be written.
    pub(crate) async fn keep(&self, memory: &Memory, last: Option<&Memory>) -> Result<Kept, Fault> {
        let put = self.client.put_item().table_name(self.table).set_item(Some(memory.item()));
        let put = match last {
            Some(last) => put
                .condition_expression("#run = :run")
                .expression_attribute_names("#run", "run")
                .expression_attribute_values(":run", AttributeValue::N(last.run.to_string())),
            // An item that could not be read is written over.
            None => put
                .condition_expression("attribute_not_exists(pk) OR #form <> :form")
                .expression_attribute_names("#form", "form")
                .expression_attribute_values(":form", AttributeValue::N(FORMAT.to_string())),
        };
        match put.send().await {
            Ok(_) => Ok(Kept::Yes),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(Kept::AnotherWasFirst)
            }
            Err(error) => Err(aws("the check cannot be remembered", &error)),
        }
    }
}

/// A call that failed, as a fault.
pub(crate) fn aws<E, R>(what: &str, error: &SdkError<E, R>) -> Fault
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    Fault::new("Aws", format!("{what}: {}", chain(error)))
}

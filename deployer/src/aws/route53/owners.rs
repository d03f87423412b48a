//! Who owns a record: a TXT record beside it, with a value for each stack that needs it.
//!
//! Records take no tags. A validation record can have several users, because AWS asks for the same one for every
//! certificate of a domain: each adds its value, and the last one to go takes the record along.

use aws_sdk_route53::types::{ResourceRecord, ResourceRecordSet, RrType};
use wharf_engine::{Generation, LogicalId};

use super::zone::bare;
use crate::aws::call::CallError;

/// How long resolvers keep the answer; nobody asks for it but us.
const TTL: i64 = 300;
/// The value that stands for a record that was there before any stack came: the record stays when all have gone.
pub(super) const SOMEBODY_ELSE: &str = "wharf: made by somebody else";

/// One stack's claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) stack: String,
    pub(super) id: LogicalId,
    pub(super) generation: Generation,
}

impl Owner {
    /// As it stands in the record.
    pub(super) fn value(&self) -> String {
        format!("wharf: stack={} id={} gen={}", self.stack, self.id, self.generation)
    }

    fn read(value: &str) -> Option<Self> {
        let mut parts = value.strip_prefix("wharf: ")?.split(' ');
        let mut part = |name: &str| parts.next()?.strip_prefix(name);
        let (stack, id, generation) = (part("stack=")?, part("id=")?, part("gen=")?);
        let generation = Generation::from_tag(generation);
        Some(Self { stack: stack.to_owned(), id: LogicalId::new(id).ok()?, generation })
    }
}

/// The name of the record that says whose the record of this name and type is.
pub(super) fn name_of(name: &str, kind: &str) -> String {
    format!("_wharf-{}.{}", kind.to_ascii_lowercase(), name.replace('*', "_wildcard"))
}

/// The values of such a record.
pub(super) fn values(set: Option<&ResourceRecordSet>) -> Vec<String> {
    let values = set.into_iter().flat_map(|set| set.resource_records());
    values.map(|record| record.value().trim_matches('"').to_owned()).collect()
}

/// The claims among them.
pub(super) fn owners(values: &[String]) -> Vec<Owner> {
    values.iter().filter_map(|value| Owner::read(value)).collect()
}

/// The record with these values.
pub(super) fn set(name: &str, kind: &str, values: &[String]) -> Result<ResourceRecordSet, CallError> {
    let record =
        |value: &String| ResourceRecord::builder().value(format!("\"{value}\"")).build().map_err(CallError::ours);
    let records = values.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    let set = ResourceRecordSet::builder().name(name_of(name, kind)).r#type(RrType::Txt).ttl(TTL);
    set.set_resource_records(Some(records)).build().map_err(CallError::ours)
}

/// The name as the stack writes it: Route 53 gives an asterisk back as its octal escape.
pub(super) fn shown(name: &str) -> String {
    bare(name).replace("\\052", "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_as_it_was_written() {
        let id = LogicalId::new("edge.record").unwrap();
        let owner = Owner { stack: "shop".to_owned(), id, generation: Generation::from_tag("0a1b2c3d") };
        assert_eq!(owners(&[owner.value(), SOMEBODY_ELSE.to_owned(), "v=spf1".to_owned()]), [owner]);
    }

    #[test]
    fn the_owner_of_a_wildcard_has_a_name_that_is_no_wildcard() {
        assert_eq!(name_of("*.example.com", "CNAME"), "_wharf-cname._wildcard.example.com");
        assert_eq!(shown("\\052.Example.com."), "*.example.com");
    }
}

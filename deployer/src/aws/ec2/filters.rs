//! The filters by which EC2's describe calls find a stack's resources.

use aws_sdk_ec2::types::Filter;

use crate::aws::call::Aws;
use crate::aws::kind::{Kind, Query};
use crate::aws::tags;

/// The filters of a sweep: the stack's tag, and the logical id's when only one is asked for.
pub(super) fn of<K: Kind>(aws: &Aws, query: &Query<K>) -> Vec<Filter> {
    let mut filters = vec![filter(&format!("tag:{}", tags::STACK), &aws.scope.stack)];
    if let Some(id) = query.only_id() {
        filters.push(filter(&format!("tag:{}", tags::ID), id.as_str()));
    }
    filters
}

/// One filter with one value.
pub(super) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

//! EC2, one file per noun.

mod describe;
mod tags;
mod vpc;

use crate::account::Ctx;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::services::{Operation, Service, no_timers, not_authorised};
use crate::store::Resource;
use crate::weather::Bucket;

use super::{read, write};

pub(crate) static SERVICE: Service = Service {
    name: "ec2",
    namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
    global: false,
    operations: &[
        write("CreateTags", tags::create),
        write("DeleteTags", tags::delete),
        read("DescribeTags", tags::describe),
        write("CreateVpc", vpc::create),
        write("DeleteVpc", vpc::delete),
        write("ModifyVpcAttribute", vpc::modify_attribute),
        read("DescribeVpcs", vpc::describe),
        read("DescribeVpcAttribute", vpc::describe_attribute),
    ],
    on_timer: no_timers,
    bucket,
    throttled: || ApiError::with_status(503, "RequestLimitExceeded", "Request limit exceeded."),
    denied: |caller, action, resource| {
        let message =
            format!("You are not authorized to perform this operation. {}", not_authorised(caller, action, resource));
        ApiError::with_status(403, "UnauthorizedOperation", message)
    },
};

/// The published buckets: <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>
fn bucket(operation: &Operation, input: &Input) -> Bucket {
    let named = input.names().iter().any(|name| name == "Filter" || name == "MaxResults" || name.ends_with("Id"));
    match (operation.write, named) {
        (true, _) => Bucket { name: "ec2 writes", burst: 50.0, rate: 5.0 },
        (false, true) => Bucket { name: "ec2 reads", burst: 100.0, rate: 20.0 },
        (false, false) => Bucket { name: "ec2 unfiltered reads", burst: 50.0, rate: 10.0 },
    }
}

/// A kind of EC2 object: where it stands in requests, answers, ARNs and errors.
pub(crate) struct Noun {
    pub(crate) kind: &'static str,
    /// As in ARNs and tag specifications, such as `route-table`.
    pub(crate) resource_type: &'static str,
    /// What ids begin with, such as `rtb`.
    pub(crate) prefix: &'static str,
    /// The list in describe answers, such as `routeTableSet`.
    pub(crate) set: &'static str,
    /// The list of ids in describe requests, such as `RouteTableId`.
    pub(crate) ids: &'static str,
    /// Where objects carry their id, such as `routeTableId`.
    pub(crate) id_attr: &'static str,
    /// The middle of error codes: `InvalidRouteTableID`.
    pub(crate) error: &'static str,
    /// The words in error messages, such as `routeTable ID`.
    pub(crate) label: &'static str,
    /// Filter names and the attributes that they look at.
    pub(crate) filters: &'static [(&'static str, &'static str)],
}

impl Noun {
    /// An id of this noun in a form that AWS would accept.
    fn well_formed(&self, id: &str) -> Result<(), ApiError> {
        match id.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('-')) {
            Some(rest) if rest.len() >= 8 && rest.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(()),
            _ => Err(refuse(
                format!("{}.Malformed", self.error),
                format!("Invalid id: \"{id}\" (expecting \"{}-...\")", self.prefix),
            )),
        }
    }

    fn not_found(&self, id: &str) -> ApiError {
        refuse(format!("{}.NotFound", self.error), format!("The {} '{id}' does not exist", self.label))
    }

    /// An object that a write refers to; for some seconds after its creation AWS may not know it yet.
    pub(crate) fn used(&self, ctx: &Ctx<'_>, id: &str) -> Result<std::sync::Arc<Resource>, ApiError> {
        self.well_formed(id)?;
        ctx.usable(self.kind, id).ok_or_else(|| self.not_found(id))
    }

    pub(crate) fn arn(&self, ctx: &Ctx<'_>, id: &str) -> String {
        ctx.arn("ec2", format!("{}/{id}", self.resource_type))
    }
}

/// The nouns that can be found and tagged by id alone.
static NOUNS: &[&Noun] = &[&vpc::VPC];

/// The answer of operations that say only `true`.
fn done() -> crate::error::Outcome {
    Ok(serde_json::json!({"return": true}))
}

/// What AWS says when an object cannot go because others need it.
fn in_use(message: impl Into<String>) -> ApiError {
    refuse("DependencyViolation", message)
}

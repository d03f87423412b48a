//! EC2, one file per noun.

mod acl;
mod address;
mod describe;
mod endpoint;
mod flow_log;
mod gateway;
pub(crate) mod image;
pub(crate) mod instance;
mod instance_answers;
mod instance_object;
pub(crate) mod instance_type;
pub(crate) mod interface;
pub(crate) mod launch_template;
mod nat;
mod prefix_list;
pub(crate) mod reach;
mod route;
mod route_table;
mod rule;
mod rule_changes;
pub(crate) mod security_group;
pub(crate) mod snapshot;
pub(crate) mod subnet;
mod tags;
mod template_data;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_instances;
pub(crate) mod volume;
mod vpc;
mod zone;

use crate::account::Ctx;
use crate::error::{ApiError, refuse};
use crate::input::Input;
use crate::services::{Operation, Service, not_authorised};
use crate::store::{Resource, Timer};
use crate::weather::Bucket;

use super::{read, write};

pub(crate) static SERVICE: Service = Service {
    name: "ec2",
    namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
    global: false,
    operations: &[
        write("AllocateAddress", address::allocate),
        write("AssociateRouteTable", route_table::associate),
        write("AttachInternetGateway", gateway::attach),
        write("AuthorizeSecurityGroupEgress", rule_changes::authorize_egress),
        write("AuthorizeSecurityGroupIngress", rule_changes::authorize_ingress),
        write("CreateFlowLogs", flow_log::create),
        write("CreateInternetGateway", gateway::create),
        write("CreateLaunchTemplate", launch_template::create),
        write("CreateLaunchTemplateVersion", launch_template::create_version),
        write("CreateNatGateway", nat::create),
        write("CreateRoute", route::create),
        write("CreateRouteTable", route_table::create),
        write("CreateSecurityGroup", security_group::create),
        write("CreateSnapshot", snapshot::create),
        write("CreateSubnet", subnet::create),
        write("CreateTags", tags::create),
        write("CreateVpc", vpc::create),
        write("CreateVpcEndpoint", endpoint::create),
        write("DeleteFlowLogs", flow_log::delete),
        write("DeleteInternetGateway", gateway::delete),
        write("DeleteLaunchTemplate", launch_template::delete),
        write("DeleteLaunchTemplateVersions", launch_template::delete_versions),
        write("DeleteNatGateway", nat::delete),
        write("DeleteRoute", route::delete),
        write("DeleteRouteTable", route_table::delete),
        write("DeleteSecurityGroup", security_group::delete),
        write("DeleteSnapshot", snapshot::delete),
        write("DeleteSubnet", subnet::delete),
        write("DeleteTags", tags::delete),
        write("DeleteVolume", volume::delete),
        write("DeleteVpc", vpc::delete),
        write("DeleteVpcEndpoints", endpoint::delete),
        write("DetachInternetGateway", gateway::detach),
        write("DisableEbsEncryptionByDefault", volume::disable_default),
        write("DisassociateAddress", address::disassociate),
        write("DisassociateRouteTable", route_table::disassociate),
        write("EnableEbsEncryptionByDefault", volume::enable_default),
        write("ModifyLaunchTemplate", launch_template::modify),
        write("ModifySecurityGroupRules", rule_changes::modify),
        write("ModifySubnetAttribute", subnet::modify_attribute),
        write("ModifyVpcAttribute", vpc::modify_attribute),
        write("ModifyVpcEndpoint", endpoint::modify),
        write("ReleaseAddress", address::release),
        write("ReplaceRoute", route::replace),
        write("ReplaceRouteTableAssociation", route_table::replace_association),
        write("RevokeSecurityGroupEgress", rule_changes::revoke_egress),
        write("RevokeSecurityGroupIngress", rule_changes::revoke_ingress),
        write("TerminateInstances", instance::terminate_many),
        write("UpdateSecurityGroupRuleDescriptionsEgress", rule_changes::describe_egress),
        write("UpdateSecurityGroupRuleDescriptionsIngress", rule_changes::describe_ingress),
        read("DescribeAccountAttributes", zone::describe_account),
        read("DescribeAddresses", address::describe),
        read("DescribeAddressesAttribute", address::describe_attribute),
        read("DescribeAvailabilityZones", zone::describe_zones),
        read("DescribeFlowLogs", flow_log::describe),
        read("DescribeImages", image::describe),
        read("DescribeInstanceAttribute", instance_answers::attribute),
        read("DescribeInstanceCreditSpecifications", instance_answers::credits),
        read("DescribeInstanceStatus", instance_answers::status),
        read("DescribeInstanceTypeOfferings", instance_type::offerings),
        read("DescribeInstanceTypes", instance_type::describe),
        read("DescribeInstances", instance_answers::describe),
        read("DescribeInternetGateways", gateway::describe),
        read("DescribeLaunchTemplateVersions", launch_template::describe_versions),
        read("DescribeLaunchTemplates", launch_template::describe),
        read("DescribeManagedPrefixLists", prefix_list::describe_managed),
        read("DescribeNatGateways", nat::describe),
        read("DescribeNetworkAcls", acl::describe),
        read("DescribeNetworkInterfaces", interface::describe),
        read("DescribePrefixLists", prefix_list::describe),
        read("DescribeRegions", zone::describe_regions),
        read("DescribeRouteTables", route_table::describe),
        read("DescribeSecurityGroupRules", rule::describe),
        read("DescribeSecurityGroups", security_group::describe),
        read("DescribeSnapshotAttribute", snapshot::describe_attribute),
        read("DescribeSnapshots", snapshot::describe),
        read("DescribeSubnets", subnet::describe),
        read("DescribeTags", tags::describe),
        read("DescribeVolumes", volume::describe),
        read("DescribeVpcAttribute", vpc::describe_attribute),
        read("DescribeVpcEndpoints", endpoint::describe),
        read("DescribeVpcs", vpc::describe),
        read("GetEbsDefaultKmsKeyId", volume::default_key),
        read("GetEbsEncryptionByDefault", volume::get_default),
        read("GetManagedPrefixListEntries", prefix_list::entries),
    ],
    on_timer,
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
    /// The code when an id is not known, such as `InvalidRouteTableID.NotFound`.
    pub(crate) not_found: &'static str,
    /// The code when an id cannot be one, such as `InvalidRouteTableID.Malformed`.
    pub(crate) malformed: &'static str,
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
            _ => Err(refuse(self.malformed, format!("Invalid id: \"{id}\" (expecting \"{}-...\")", self.prefix))),
        }
    }

    fn not_found(&self, id: &str) -> ApiError {
        let message = match self.kind {
            "ec2.natgateway" => format!("NatGateway {id} was not found"),
            _ => format!("The {} '{id}' does not exist", self.label),
        };
        refuse(self.not_found, message)
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
static NOUNS: &[&Noun] = &[
    &acl::ACL,
    &address::ADDRESS,
    &endpoint::ENDPOINT,
    &flow_log::FLOW_LOG,
    &gateway::GATEWAY,
    &instance::INSTANCE,
    &interface::INTERFACE,
    &launch_template::TEMPLATE,
    &nat::NAT,
    &route_table::TABLE,
    &rule::RULE,
    &security_group::GROUP,
    &snapshot::SNAPSHOT,
    &subnet::SUBNET,
    &volume::VOLUME,
    &vpc::VPC,
];

/// The ARN of an object of EC2's.
pub(crate) fn arn_of(ctx: &Ctx<'_>, resource: &crate::store::Resource) -> Option<String> {
    let noun = NOUNS.iter().find(|noun| noun.kind == resource.kind)?;
    Some(noun.arn(ctx, &resource.id))
}

fn on_timer(ctx: &mut Ctx<'_>, timer: &Timer) {
    match timer.kind {
        "ec2.instance" => instance::on_timer(ctx, timer),
        "ec2.snapshot" => snapshot::on_timer(ctx, timer),
        "ec2.natgateway" => nat::on_timer(ctx, timer),
        "ec2.vpc-endpoint" => endpoint::on_timer(ctx, timer),
        "ec2.vpc-flow-log" => flow_log::on_timer(ctx, timer),
        _ => {}
    }
}

/// The answer of operations that say only `true`.
fn done() -> crate::error::Outcome {
    Ok(serde_json::json!({"return": true}))
}

/// What AWS says when an object cannot go because others need it.
fn in_use(message: impl Into<String>) -> ApiError {
    refuse("DependencyViolation", message)
}

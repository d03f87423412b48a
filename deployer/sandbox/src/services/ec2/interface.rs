//! Network interfaces. All that are simulated are made by AWS services (NAT gateways, endpoints, databases, load
//! balancers); they are what makes deleting a subnet or a security group fail.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/using-eni.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::vpc::network;
use super::{Noun, describe};
use crate::account::Ctx;
use crate::error::{ApiError, Outcome, refuse};
use crate::input::Input;
use crate::store::Resource;

pub(crate) static INTERFACE: Noun = Noun {
    kind: "ec2.network-interface",
    resource_type: "network-interface",
    prefix: "eni",
    set: "networkInterfaceSet",
    ids: "NetworkInterfaceId",
    id_attr: "networkInterfaceId",
    not_found: "InvalidNetworkInterfaceID.NotFound",
    malformed: "InvalidNetworkInterfaceId.Malformed",
    label: "networkInterface ID",
    filters: &[
        ("network-interface-id", "networkInterfaceId"),
        ("vpc-id", "vpcId"),
        ("subnet-id", "subnetId"),
        ("group-id", "groupSet.groupId"),
        ("group-name", "groupSet.groupName"),
        ("status", "status"),
        ("description", "description"),
        ("interface-type", "interfaceType"),
        ("availability-zone", "availabilityZone"),
        ("owner-id", "ownerId"),
        ("requester-id", "requesterId"),
        ("requester-managed", "requesterManaged"),
        ("private-ip-address", "privateIpAddress"),
        ("addresses.private-ip-address", "privateIpAddressesSet.privateIpAddress"),
        ("association.public-ip", "association.publicIp"),
        ("association.allocation-id", "association.allocationId"),
        ("attachment.instance-id", "attachment.instanceId"),
        ("attachment.instance-owner-id", "attachment.instanceOwnerId"),
        ("attachment.attachment-id", "attachment.attachmentId"),
        ("attachment.status", "attachment.status"),
    ],
};

/// The interfaces in a subnet, as they are.
pub(crate) fn in_subnet(ctx: &Ctx<'_>, subnet: &str) -> Vec<Arc<Resource>> {
    ctx.those("ec2.network-interface", |eni| eni.text("subnetId") == subnet)
}

/// The interfaces that a security group guards, as they are.
pub(crate) fn guarded_by(ctx: &Ctx<'_>, group: &str) -> Vec<Arc<Resource>> {
    ctx.those("ec2.network-interface", |eni| eni.items("groupSet").iter().any(|g| g["groupId"] == group))
}

/// What an AWS service wants of an interface.
pub(crate) struct Wanted<'a> {
    /// The object that it is for; [`remove_for`] takes it away again.
    pub(crate) owner: &'a str,
    pub(crate) subnet: &'a str,
    pub(crate) groups: &'a [String],
    /// Such as `nat_gateway`, `vpc_endpoint`, `interface`.
    pub(crate) interface_type: &'a str,
    pub(crate) description: &'a str,
    /// The service's own account, such as `amazon-rds`.
    pub(crate) requester: &'a str,
}

/// Makes an interface as an AWS service does, with an address out of the subnet. Answers it.
///
/// # Errors
/// The subnet does not exist or has no address left.
pub(crate) fn make(ctx: &mut Ctx<'_>, wanted: &Wanted<'_>) -> Result<Resource, ApiError> {
    let subnet = super::subnet::SUBNET.used(ctx, wanted.subnet)?;
    let address = free_address(ctx, &subnet)?;
    let id = ctx.new_id("eni");
    let attachment = ctx.new_id("ela-attach");
    let mac = ctx.account.rng.hex(10);
    let mac: Vec<&str> = (0..5).map(|i| &mac[2 * i..2 * i + 2]).collect();
    let groups: Vec<Value> = wanted
        .groups
        .iter()
        .map(|id| {
            let name = ctx.get("ec2.security-group", id).map(|g| g.text("groupName").to_owned());
            json!({"groupId": id, "groupName": name})
        })
        .collect();
    let mut interface = ctx.resource(
        "ec2.network-interface",
        id,
        json!({
            "subnetId": subnet.id,
            "vpcId": subnet.text("vpcId"),
            "availabilityZone": subnet.text("availabilityZone"),
            "availabilityZoneId": subnet.text("availabilityZoneId"),
            "description": wanted.description,
            "ownerId": ctx.account.id,
            "requesterId": wanted.requester,
            "requesterManaged": true,
            "status": "in-use",
            "macAddress": format!("02:{}", mac.join(":")),
            "privateIpAddress": address,
            "privateIpAddressesSet": [{"privateIpAddress": address, "primary": true}],
            "sourceDestCheck": wanted.interface_type != "nat_gateway",
            "interfaceType": wanted.interface_type,
            "groupSet": groups,
            "ipv6AddressesSet": [],
            "attachment": {
                "attachmentId": attachment, "deviceIndex": 1, "status": "attached",
                "instanceOwnerId": wanted.requester, "deleteOnTermination": false,
            },
            "_for": wanted.owner,
        }),
    );
    interface.aws_made = true;
    ctx.insert(interface.clone());
    super::nat::workload_in(ctx, subnet.text("vpcId"), subnet.text("availabilityZone"));
    Ok(interface)
}

/// Takes the interfaces of an object away.
pub(crate) fn remove_for(ctx: &mut Ctx<'_>, owner: &str) {
    for interface in ctx.those("ec2.network-interface", |eni| eni.text("_for") == owner) {
        ctx.remove("ec2.network-interface", &interface.id);
    }
}

/// The first four addresses of a subnet and its last are AWS's own.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>
fn free_address(ctx: &Ctx<'_>, subnet: &Resource) -> Result<String, ApiError> {
    let taken: Vec<String> =
        in_subnet(ctx, &subnet.id).iter().map(|eni| eni.text("privateIpAddress").to_owned()).collect();
    let net = network(subnet.text("cidrBlock"))?;
    let last = net.broadcast();
    // `hosts` leaves out the first and the last address.
    let free = net.hosts().skip(3).filter(|a| *a != last).map(|a| a.to_string()).find(|a| !taken.contains(a));
    free.ok_or_else(|| {
        let message = format!("Insufficient free addresses in subnet '{}'.", subnet.id);
        refuse("InsufficientFreeAddressesInSubnet", message)
    })
}

pub(crate) fn describe(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    input.ignore(&["IncludeManagedResources"]);
    describe::describe(ctx, input, &INTERFACE)
}

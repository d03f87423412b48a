//! What must hold of the network, seen from outside.

use std::time::Duration;

use serde_json::json;

use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::testing::{calm, ec2, ec2_id, kinds, text};
use crate::weather::{Fate, Weather};

fn vpc(sandbox: &Sandbox) -> String {
    ec2_id(sandbox, "CreateVpc", "vpcId", &[("CidrBlock", "10.0.0.0/16")])
}

fn subnet(sandbox: &Sandbox, vpc: &str, cidr: &str, zone: &str) -> String {
    let parameters = [("VpcId", vpc), ("CidrBlock", cidr), ("AvailabilityZone", zone)];
    ec2_id(sandbox, "CreateSubnet", "subnetId", &parameters)
}

fn internet(sandbox: &Sandbox, vpc: &str) -> String {
    let gateway = ec2_id(sandbox, "CreateInternetGateway", "internetGatewayId", &[]);
    ec2(sandbox, "AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", vpc)]).unwrap();
    gateway
}

fn refused(answer: crate::testing::Answer, code: &str) {
    assert_eq!(answer.unwrap_err(), code);
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_vpc_brings_its_own_table_group_and_acl_and_takes_them_along() {
    let sandbox = calm();
    let vpc = vpc(&sandbox);
    let expected = [
        ("ec2.network-acl", 1),
        ("ec2.route-table", 1),
        ("ec2.security-group", 1),
        ("ec2.security-group-rule", 2),
        ("ec2.vpc", 1),
    ];
    assert_eq!(kinds(&sandbox), expected.into());
    assert!(sandbox.inventory().iter().all(|r| r.aws_made || r.kind == "ec2.vpc"));
    ec2(&sandbox, "DeleteVpc", &[("VpcId", &vpc)]).unwrap();
    assert_eq!(sandbox.inventory(), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_use_stays() {
    let sandbox = calm();
    let vpc = vpc(&sandbox);
    subnet(&sandbox, &vpc, "10.0.0.0/24", "us-east-1a");
    refused(ec2(&sandbox, "DeleteVpc", &[("VpcId", &vpc)]), "DependencyViolation");
    let groups = ec2(&sandbox, "DescribeSecurityGroups", &[]).unwrap();
    let default = text(&groups, "groupId").unwrap();
    refused(ec2(&sandbox, "DeleteSecurityGroup", &[("GroupId", &default)]), "CannotDelete");
    let parameters = [("GroupName", "a"), ("GroupDescription", "a"), ("VpcId", &vpc)];
    let (a, b) = (
        ec2_id(&sandbox, "CreateSecurityGroup", "groupId", &parameters),
        ec2_id(
            &sandbox,
            "CreateSecurityGroup",
            "groupId",
            &[("GroupName", "b"), ("GroupDescription", "b"), ("VpcId", &vpc)],
        ),
    );
    refused(ec2(&sandbox, "CreateSecurityGroup", &parameters), "InvalidGroup.Duplicate");
    let rule = [
        ("GroupId", b.as_str()),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "80"),
        ("IpPermissions.1.ToPort", "80"),
        ("IpPermissions.1.Groups.1.GroupId", &a),
    ];
    ec2(&sandbox, "AuthorizeSecurityGroupIngress", &rule).unwrap();
    refused(ec2(&sandbox, "AuthorizeSecurityGroupIngress", &rule), "InvalidPermission.Duplicate");
    refused(ec2(&sandbox, "DeleteSecurityGroup", &[("GroupId", &a)]), "DependencyViolation");
    ec2(&sandbox, "RevokeSecurityGroupIngress", &rule).unwrap();
    refused(ec2(&sandbox, "RevokeSecurityGroupIngress", &rule), "InvalidPermission.NotFound");
    ec2(&sandbox, "DeleteSecurityGroup", &[("GroupId", &a)]).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_zonal_nat_gateway_holds_address_subnet_and_internet_until_it_is_deleted() {
    let sandbox = calm();
    let vpc = vpc(&sandbox);
    let subnet = subnet(&sandbox, &vpc, "10.0.0.0/24", "us-east-1a");
    let address = ec2_id(&sandbox, "AllocateAddress", "allocationId", &[("Domain", "vpc")]);
    let create = [("SubnetId", subnet.as_str()), ("AllocationId", &address), ("ClientToken", "t")];
    refused(ec2(&sandbox, "CreateNatGateway", &create), "Gateway.NotAttached");
    let gateway = internet(&sandbox, &vpc);
    let nat = ec2_id(&sandbox, "CreateNatGateway", "natGatewayId", &create);
    assert_eq!(
        ec2_id(&sandbox, "CreateNatGateway", "natGatewayId", &create),
        nat,
        "the same token makes no second one"
    );
    assert_eq!(sandbox.resource("ec2.natgateway", &nat).unwrap().text("state"), "pending");
    pass(140).await;
    assert_eq!(sandbox.resource("ec2.natgateway", &nat).unwrap().text("state"), "available");
    ec2(&sandbox, "DeleteNatGateway", &[("NatGatewayId", &nat)]).unwrap();
    assert!(ec2(&sandbox, "ReleaseAddress", &[("AllocationId", &address)]).is_err());
    refused(ec2(&sandbox, "DeleteSubnet", &[("SubnetId", &subnet)]), "DependencyViolation");
    let detach = [("InternetGatewayId", gateway.as_str()), ("VpcId", &vpc)];
    refused(ec2(&sandbox, "DetachInternetGateway", &detach), "DependencyViolation");
    pass(70).await;
    ec2(&sandbox, "ReleaseAddress", &[("AllocationId", &address)]).unwrap();
    ec2(&sandbox, "DetachInternetGateway", &detach).unwrap();
    ec2(&sandbox, "DeleteInternetGateway", &[("InternetGatewayId", &gateway)]).unwrap();
    ec2(&sandbox, "DeleteSubnet", &[("SubnetId", &subnet)]).unwrap();
    ec2(&sandbox, "DeleteVpc", &[("VpcId", &vpc)]).unwrap();
    assert_eq!(sandbox.inventory(), [], "a gateway that AWS only remembers is not in the inventory");
    assert!(ec2(&sandbox, "DescribeNatGateways", &[]).unwrap().contains("<state>deleted</state>"));
}

#[tokio::test(start_paused = true)]
async fn a_regional_nat_gateway_brings_addresses_and_a_table_of_aws_and_takes_them_along() {
    let sandbox = calm();
    let vpc = vpc(&sandbox);
    let gateway = internet(&sandbox, &vpc);
    let nat =
        ec2_id(&sandbox, "CreateNatGateway", "natGatewayId", &[("AvailabilityMode", "regional"), ("VpcId", &vpc)]);
    pass(140).await;
    assert_eq!(kinds(&sandbox).get("ec2.elastic-ip"), Some(&1));
    assert_eq!(kinds(&sandbox).get("ec2.route-table"), Some(&2));
    assert!(sandbox.resources().iter().filter(|r| r.kind == "ec2.elastic-ip").all(|r| r.aws_made));
    ec2(&sandbox, "DeleteNatGateway", &[("NatGatewayId", &nat)]).unwrap();
    pass(70).await;
    ec2(&sandbox, "DetachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]).unwrap();
    ec2(&sandbox, "DeleteInternetGateway", &[("InternetGatewayId", &gateway)]).unwrap();
    ec2(&sandbox, "DeleteVpc", &[("VpcId", &vpc)]).unwrap();
    assert_eq!(sandbox.inventory(), []);
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_nobody_reads_is_an_error_and_leaves_nothing_behind() {
    let sandbox = calm();
    let parameters = [("CidrBlock", "10.0.0.0/16"), ("Ipv4IpamPoolId", "ipam-1")];
    refused(ec2(&sandbox, "CreateVpc", &parameters), "NotSimulated");
    refused(ec2(&sandbox, "RunInstances", &[]), "NotSimulated");
    refused(
        ec2(&sandbox, "DescribeVpcs", &[("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")]),
        "InvalidParameterValue",
    );
    assert_eq!(sandbox.inventory(), []);
}

#[tokio::test(start_paused = true)]
async fn pages_add_up_to_the_whole() {
    let sandbox = calm();
    let vpc = vpc(&sandbox);
    for i in 0..12 {
        subnet(&sandbox, &vpc, &format!("10.0.{i}.0/24"), "us-east-1a");
    }
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let mut parameters = vec![("MaxResults", "5"), ("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc.as_str())];
        if !token.is_empty() {
            parameters.push(("NextToken", &token));
        }
        let page = ec2(&sandbox, "DescribeSubnets", &parameters).unwrap();
        found.extend(page.split("<subnetId>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()));
        match text(&page, "nextToken") {
            Some(next) => token = next,
            None => break,
        }
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 12);
}

#[tokio::test(start_paused = true)]
async fn the_policy_limits_what_a_call_may_do_and_tagging_at_creation_needs_its_own_permission() {
    let sandbox = calm();
    let allow = |actions: serde_json::Value| {
        let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
        Policy::parse(&json!({"Statement": [statement]})).unwrap()
    };
    let tagged = [
        ("CidrBlock", "10.0.0.0/16"),
        ("TagSpecification.1.ResourceType", "vpc"),
        ("TagSpecification.1.Tag.1.Key", "a"),
        ("TagSpecification.1.Tag.1.Value", "b"),
    ];
    sandbox.set_policy(Some(allow(json!(["ec2:CreateVpc"]))));
    refused(ec2(&sandbox, "CreateVpc", &tagged), "UnauthorizedOperation");
    refused(ec2(&sandbox, "DescribeVpcs", &[]), "UnauthorizedOperation");
    assert_eq!(sandbox.inventory(), []);
    sandbox.set_policy(Some(allow(json!(["ec2:CreateVpc", "ec2:CreateTags"]))));
    ec2(&sandbox, "CreateVpc", &tagged).unwrap();
    let record = sandbox.call_log().pop().unwrap();
    let arn = "arn:aws:ec2:us-east-1:123456789012:vpc/*".to_owned();
    assert_eq!(record.authorised, [("ec2:CreateVpc".to_owned(), arn.clone()), ("ec2:CreateTags".to_owned(), arn)]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_has_its_effect_and_a_refused_connection_has_none() {
    let sandbox = calm();
    sandbox.on_call(|call| match call.n {
        1 => Fate::RefuseBefore,
        2 => Fate::LoseReply,
        3 => Fate::Throttle,
        _ => Fate::Normal,
    });
    let create = || ec2(&sandbox, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]);
    refused(create(), "lost");
    assert_eq!(sandbox.inventory(), []);
    refused(create(), "lost");
    refused(create(), "RequestLimitExceeded");
    assert_eq!(kinds(&sandbox).get("ec2.vpc"), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn in_typical_weather_a_new_object_is_sometimes_unseen_for_a_moment_and_never_for_long() {
    let weather = Weather { lost_replies: 0.0, throttles: 0.0, server_errors: 0.0, ..Weather::typical() };
    let mut unseen = 0;
    for seed in 0..20 {
        let sandbox = Sandbox::builder().seed(seed).weather(weather.clone()).build();
        let id = vpc(&sandbox);
        let look = || ec2(&sandbox, "DescribeVpcs", &[("VpcId.1", &id)]);
        if look().is_err() {
            unseen += 1;
            refused(
                ec2(&sandbox, "CreateSubnet", &[("VpcId", &id), ("CidrBlock", "10.0.0.0/24")]),
                "InvalidVpcID.NotFound",
            );
        }
        pass(4).await;
        look().unwrap();
    }
    assert!((3..18).contains(&unseen), "{unseen} of 20 were unseen");
}

#[tokio::test(start_paused = true)]
async fn a_fork_goes_its_own_way_and_an_edit_is_seen_at_once() {
    let sandbox = calm();
    let id = vpc(&sandbox);
    let fork = sandbox.fork();
    sandbox
        .edit("ec2.vpc", &id, |attrs, _| {
            attrs.insert("_enableDnsSupport".to_owned(), false.into());
        })
        .unwrap();
    let support = |sandbox: &Sandbox| {
        let parameters = [("VpcId", id.as_str()), ("Attribute", "enableDnsSupport")];
        text(&ec2(sandbox, "DescribeVpcAttribute", &parameters).unwrap(), "value").unwrap()
    };
    assert_eq!((support(&sandbox), support(&fork)), ("false".to_owned(), "true".to_owned()));
    ec2(&fork, "DeleteVpc", &[("VpcId", &id)]).unwrap();
    assert!(sandbox.resource("ec2.vpc", &id).is_some());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_and_calls_give_the_same_world() {
    let world = || {
        let sandbox = Sandbox::new(9);
        for _ in 0..30 {
            let _ = ec2(&sandbox, "CreateInternetGateway", &[]);
            let _ = ec2(&sandbox, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]);
        }
        let log: Vec<_> = sandbox.call_log().into_iter().map(|call| (call.n, call.ending)).collect();
        let ids: Vec<_> = sandbox.resources().into_iter().map(|r| r.id).collect();
        (log, ids)
    };
    assert_eq!(world(), world());
}

#[tokio::test(start_paused = true)]
async fn too_many_calls_at_once_are_throttled_and_the_bucket_refills() {
    let weather = Weather { buckets: true, ..Weather::calm() };
    let sandbox = Sandbox::builder().weather(weather).build();
    let call = || ec2(&sandbox, "DeleteVpc", &[("VpcId", "vpc-12345678")]).unwrap_err();
    let codes: Vec<String> = (0..51).map(|_| call()).collect();
    assert!(codes[..50].iter().all(|code| code == "InvalidVpcID.NotFound"));
    assert_eq!(codes[50], "RequestLimitExceeded");
    pass(1).await;
    assert_eq!(call(), "InvalidVpcID.NotFound");
}

#[tokio::test(start_paused = true)]
async fn an_interface_endpoint_keeps_its_subnet_and_group_until_it_is_gone() {
    let sandbox = calm();
    let vpc = vpc(&sandbox);
    let subnet = subnet(&sandbox, &vpc, "10.0.0.0/24", "us-east-1a");
    let group = ec2_id(
        &sandbox,
        "CreateSecurityGroup",
        "groupId",
        &[("GroupName", "e"), ("GroupDescription", "e"), ("VpcId", &vpc)],
    );
    let create = [
        ("VpcId", vpc.as_str()),
        ("ServiceName", "com.amazonaws.us-east-1.logs"),
        ("VpcEndpointType", "Interface"),
        ("SubnetId.1", &subnet),
        ("SecurityGroupId.1", &group),
    ];
    refused(ec2(&sandbox, "CreateVpcEndpoint", &create), "InvalidParameter");
    ec2(&sandbox, "ModifyVpcAttribute", &[("VpcId", &vpc), ("EnableDnsHostnames.Value", "true")]).unwrap();
    let endpoint = ec2_id(&sandbox, "CreateVpcEndpoint", "vpcEndpointId", &create);
    pass(100).await;
    ec2(&sandbox, "DeleteVpcEndpoints", &[("VpcEndpointId.1", &endpoint)]).unwrap();
    refused(ec2(&sandbox, "DeleteSubnet", &[("SubnetId", &subnet)]), "DependencyViolation");
    refused(ec2(&sandbox, "DeleteSecurityGroup", &[("GroupId", &group)]), "DependencyViolation");
    pass(80).await;
    ec2(&sandbox, "DeleteSecurityGroup", &[("GroupId", &group)]).unwrap();
    ec2(&sandbox, "DeleteSubnet", &[("SubnetId", &subnet)]).unwrap();
}

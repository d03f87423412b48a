//! What must hold of load balancers, seen from outside.

use std::time::Duration;

use serde_json::json;

use crate::account::Ctx;
use crate::authorise::Policy;
use crate::sandbox::Sandbox;
use crate::services::testing::{Refusal, code, element, query};
use crate::testing::{calm, ec2, ec2_id};

const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/0";

fn elb(sandbox: &Sandbox, action: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
    query(sandbox, "elasticloadbalancing", action, parameters)
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

struct Place {
    sandbox: Sandbox,
    vpc: String,
    subnets: [String; 2],
    group: String,
}

/// A VPC with an internet gateway, two subnets in two zones and a security group.
fn place() -> Place {
    let sandbox = calm();
    let vpc = ec2_id(&sandbox, "CreateVpc", "vpcId", &[("CidrBlock", "10.0.0.0/16")]);
    let gateway = ec2_id(&sandbox, "CreateInternetGateway", "internetGatewayId", &[]);
    ec2(&sandbox, "AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]).unwrap();
    let subnet = |zone: &str, cidr: &str| {
        let parameters = [("VpcId", vpc.as_str()), ("CidrBlock", cidr), ("AvailabilityZone", zone)];
        ec2_id(&sandbox, "CreateSubnet", "subnetId", &parameters)
    };
    let subnets = [subnet("us-east-1a", "10.0.0.0/24"), subnet("us-east-1b", "10.0.1.0/24")];
    let parameters = [("VpcId", vpc.as_str()), ("GroupName", "web"), ("GroupDescription", "web")];
    let group = ec2_id(&sandbox, "CreateSecurityGroup", "groupId", &parameters);
    Place { sandbox, vpc, subnets, group }
}

impl Place {
    fn elb(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
        elb(&self.sandbox, action, parameters)
    }

    fn balance(&self, more: &[(&str, &str)]) -> Result<String, Refusal> {
        let mut parameters = vec![
            ("Name", "shop"),
            ("Subnets.member.1", &self.subnets[0]),
            ("Subnets.member.2", &self.subnets[1]),
            ("SecurityGroups.member.1", &self.group),
        ];
        parameters.extend(more);
        self.elb("CreateLoadBalancer", &parameters)
    }

    fn balancer(&self) -> String {
        element(&self.balance(&[]).unwrap(), "LoadBalancerArn")
    }

    fn targets(&self, name: &str) -> String {
        let parameters = [
            ("Name", name),
            ("Protocol", "HTTP"),
            ("Port", "8000"),
            ("VpcId", self.vpc.as_str()),
            ("TargetType", "ip"),
            ("HealthCheckPath", "/healthz"),
            ("HealthCheckIntervalSeconds", "10"),
            ("HealthyThresholdCount", "2"),
        ];
        element(&self.elb("CreateTargetGroup", &parameters).unwrap(), "TargetGroupArn")
    }

    fn listener(&self, balancer: &str, port: &str) -> Result<String, Refusal> {
        let parameters = [
            ("LoadBalancerArn", balancer),
            ("Protocol", "HTTP"),
            ("Port", port),
            ("DefaultActions.member.1.Type", "fixed-response"),
            ("DefaultActions.member.1.FixedResponseConfig.StatusCode", "404"),
        ];
        self.elb("CreateListener", &parameters)
    }

    fn rule(&self, listener: &str, priority: &str, group: &str) -> Result<String, Refusal> {
        let parameters = [
            ("ListenerArn", listener),
            ("Priority", priority),
            ("Conditions.member.1.Field", "host-header"),
            ("Conditions.member.1.HostHeaderConfig.Values.member.1", "shop.example.com"),
            ("Actions.member.1.Type", "forward"),
            ("Actions.member.1.TargetGroupArn", group),
        ];
        self.elb("CreateRule", &parameters)
    }

    fn interfaces(&self) -> usize {
        let all = self.sandbox.resources();
        all.iter().filter(|r| r.kind == "ec2.network-interface" && r.text("requesterId") == "amazon-elb").count()
    }

    /// A task's interface that answers with a status on its health check.
    fn task(&self, ip: &str, status: i64) {
        let interface = crate::store::Resource {
            kind: "ec2.network-interface",
            id: format!("eni-{ip}"),
            attrs: json!({
                "privateIpAddress": ip, "vpcId": self.vpc, "subnetId": self.subnets[0], "groupSet": [{"groupId": self.group}],
                "_answers": {"8000": {"/healthz": status}},
            })
            .as_object()
            .cloned()
            .unwrap(),
            tags: crate::store::Tags::new(),
            aws_made: true,
            created: self.sandbox.now(),
        };
        self.sandbox.with(|ctx: &mut Ctx<'_>| ctx.insert(interface));
    }

    /// Lets members of the group in to each other.
    fn open(&self) {
        let inside = [
            ("GroupId", self.group.as_str()),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", "8000"),
            ("IpPermissions.1.ToPort", "8000"),
            ("IpPermissions.1.Groups.1.GroupId", &self.group),
        ];
        ec2(&self.sandbox, "AuthorizeSecurityGroupIngress", &inside).unwrap();
    }

    fn health(&self, group: &str) -> String {
        element(&self.elb("DescribeTargetHealth", &[("TargetGroupArn", group)]).unwrap(), "State")
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_takes_minutes_to_come_and_its_interfaces_minutes_to_go() {
    let place = place();
    let arn = place.balancer();
    let state = || element(&place.elb("DescribeLoadBalancers", &[("Names.member.1", "shop")]).unwrap(), "Code");
    assert_eq!((state().as_str(), place.interfaces()), ("provisioning", 2));
    pass(200).await;
    assert_eq!(state(), "active");
    assert!(place.sandbox.resource("iam.role", "AWSServiceRoleForElasticLoadBalancing").is_some());
    place.elb("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)]).unwrap();
    assert_eq!(
        code(place.elb("DescribeLoadBalancers", &[("LoadBalancerArns.member.1", &arn)])),
        "LoadBalancerNotFound"
    );
    assert_eq!(place.interfaces(), 2);
    assert_eq!(
        ec2(&place.sandbox, "DeleteSecurityGroup", &[("GroupId", &place.group)]).unwrap_err(),
        "DependencyViolation"
    );
    pass(181).await;
    assert_eq!(place.interfaces(), 0);
    ec2(&place.sandbox, "DeleteSecurityGroup", &[("GroupId", &place.group)]).unwrap();
}

#[test]
fn a_name_is_of_one_load_balancer_and_the_same_request_makes_none_twice() {
    let place = place();
    let first = place.balancer();
    assert_eq!(place.balancer(), first);
    assert_eq!(code(place.balance(&[("Scheme", "internal")])), "DuplicateLoadBalancerName");
}

#[test]
fn what_a_load_balancer_cannot_stand_in_is_refused() {
    let place = place();
    let one = [("Name", "a"), ("Subnets.member.1", place.subnets[0].as_str())];
    assert_eq!(code(place.elb("CreateLoadBalancer", &one)), "ValidationError");
    let unknown = [("Name", "a"), ("Subnets.member.1", "subnet-00000000000000000")];
    assert_eq!(code(place.elb("CreateLoadBalancer", &unknown)), "SubnetNotFound");
    assert_eq!(code(place.balance(&[("Type", "network")])), "NotSimulated");
    let long = [("Name", "a-name-of-more-than-thirty-two-letters")];
    assert_eq!(code(place.elb("CreateLoadBalancer", &long)), "ValidationError");
}

#[test]
fn deletion_protection_and_other_attributes_hold() {
    let place = place();
    let arn = place.balancer();
    let set = |key: &str, value: &str| {
        let parameters =
            [("LoadBalancerArn", arn.as_str()), ("Attributes.member.1.Key", key), ("Attributes.member.1.Value", value)];
        place.elb("ModifyLoadBalancerAttributes", &parameters)
    };
    set("deletion_protection.enabled", "true").unwrap();
    assert_eq!(code(place.elb("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)])), "OperationNotPermitted");
    for (key, value) in
        [("no.such.key", "1"), ("idle_timeout.timeout_seconds", "0"), ("access_logs.s3.enabled", "true")]
    {
        assert_eq!(code(set(key, value)), "InvalidConfigurationRequest", "{key}");
    }
    let shown = place.elb("DescribeLoadBalancerAttributes", &[("LoadBalancerArn", &arn)]).unwrap();
    assert!(shown.contains("<Key>client_keep_alive.seconds</Key><Value>3600</Value>"), "{shown}");
}

#[test]
fn subnets_and_groups_change_in_place_with_the_interfaces() {
    let place = place();
    let arn = place.balancer();
    let parameters = [("VpcId", place.vpc.as_str()), ("CidrBlock", "10.0.2.0/24"), ("AvailabilityZone", "us-east-1c")];
    let third = ec2_id(&place.sandbox, "CreateSubnet", "subnetId", &parameters);
    let subnets =
        [("LoadBalancerArn", arn.as_str()), ("Subnets.member.1", &place.subnets[0]), ("Subnets.member.2", &third)];
    place.elb("SetSubnets", &subnets).unwrap();
    assert_eq!(place.interfaces(), 2);
    ec2(&place.sandbox, "DeleteSubnet", &[("SubnetId", &place.subnets[1])]).unwrap();
    let unknown = [("LoadBalancerArn", arn.as_str()), ("SecurityGroups.member.1", "sg-00000000000000000")];
    assert_eq!(code(place.elb("SetSecurityGroups", &unknown)), "InvalidSecurityGroup");
}

#[test]
fn a_group_in_use_stays_and_belongs_to_one_load_balancer() {
    let place = place();
    let (balancer, group) = (place.balancer(), place.targets("web"));
    let listener = element(&place.listener(&balancer, "80").unwrap(), "ListenerArn");
    let rule = element(&place.rule(&listener, "10", &group).unwrap(), "RuleArn");
    assert_eq!(code(place.elb("DeleteTargetGroup", &[("TargetGroupArn", &group)])), "ResourceInUse");
    let shown = place.elb("DescribeTargetGroups", &[("TargetGroupArns.member.1", &group)]).unwrap();
    assert!(shown.contains(&format!("<LoadBalancerArns><member>{balancer}</member>")), "{shown}");
    let other = place.balance(&[("Name", "other"), ("Scheme", "internal")]);
    let other = element(&other.unwrap(), "LoadBalancerArn");
    let other = element(&place.listener(&other, "80").unwrap(), "ListenerArn");
    assert_eq!(code(place.rule(&other, "10", &group)), "TargetGroupAssociationLimit");
    place.elb("DeleteRule", &[("RuleArn", &rule)]).unwrap();
    place.elb("DeleteTargetGroup", &[("TargetGroupArn", &group)]).unwrap();
}

#[test]
fn a_listener_has_its_port_alone_and_a_rule_of_its_own() {
    let place = place();
    let balancer = place.balancer();
    let first = element(&place.listener(&balancer, "80").unwrap(), "ListenerArn");
    assert_eq!(element(&place.listener(&balancer, "80").unwrap(), "ListenerArn"), first);
    let other = [
        ("LoadBalancerArn", balancer.as_str()),
        ("Protocol", "HTTP"),
        ("Port", "80"),
        ("DefaultActions.member.1.Type", "redirect"),
        ("DefaultActions.member.1.RedirectConfig.StatusCode", "HTTP_301"),
        ("DefaultActions.member.1.RedirectConfig.Protocol", "HTTPS"),
    ];
    assert_eq!(code(place.elb("CreateListener", &other)), "DuplicateListener");
    let rules = place.elb("DescribeRules", &[("ListenerArn", &first)]).unwrap();
    assert_eq!((element(&rules, "Priority"), element(&rules, "IsDefault")), ("default".into(), "true".into()));
    let own = element(&rules, "RuleArn");
    assert_eq!(code(place.elb("DeleteRule", &[("RuleArn", &own)])), "OperationNotPermitted");
}

#[test]
fn a_certificate_must_be_issued_before_a_listener_takes_it() {
    let place = place();
    let balancer = place.balancer();
    let create = || {
        let parameters = [
            ("LoadBalancerArn", balancer.as_str()),
            ("Protocol", "HTTPS"),
            ("Port", "443"),
            ("Certificates.member.1.CertificateArn", CERTIFICATE),
            ("DefaultActions.member.1.Type", "fixed-response"),
            ("DefaultActions.member.1.FixedResponseConfig.StatusCode", "404"),
        ];
        place.elb("CreateListener", &parameters)
    };
    assert_eq!(code(create()), "CertificateNotFound");
    let status = |status: &str| {
        place.sandbox.with(|ctx| {
            let certificate = ctx.resource("acm.certificate", CERTIFICATE, json!({"Status": status}));
            ctx.insert(certificate);
        });
    };
    status("PENDING_VALIDATION");
    assert_eq!(code(create()), "UnsupportedCertificate");
    status("ISSUED");
    let listener = create().unwrap();
    assert_eq!(element(&listener, "SslPolicy"), "ELBSecurityPolicy-2016-08");
    let arn = element(&listener, "ListenerArn");
    let policy = [("ListenerArn", arn.as_str()), ("SslPolicy", "no-such-policy")];
    assert_eq!(code(place.elb("ModifyListener", &policy)), "SSLPolicyNotFound");
    let shown = place.elb("DescribeListenerCertificates", &[("ListenerArn", &arn)]).unwrap();
    assert_eq!(element(&shown, "IsDefault"), "true");
}

#[test]
fn priorities_are_unique_and_change_places_together() {
    let place = place();
    let (balancer, group) = (place.balancer(), place.targets("web"));
    let listener = element(&place.listener(&balancer, "80").unwrap(), "ListenerArn");
    let first = element(&place.rule(&listener, "10", &group).unwrap(), "RuleArn");
    assert_eq!(code(place.rule(&listener, "10", &group)), "PriorityInUse");
    let second = element(&place.rule(&listener, "20", &group).unwrap(), "RuleArn");
    let one = [("RulePriorities.member.1.RuleArn", first.as_str()), ("RulePriorities.member.1.Priority", "20")];
    assert_eq!(code(place.elb("SetRulePriorities", &one)), "PriorityInUse");
    let both = [
        one[0],
        one[1],
        ("RulePriorities.member.2.RuleArn", second.as_str()),
        ("RulePriorities.member.2.Priority", "10"),
    ];
    place.elb("SetRulePriorities", &both).unwrap();
}

#[test]
fn conditions_that_aws_refuses_are_refused() {
    let place = place();
    let (balancer, group) = (place.balancer(), place.targets("web"));
    let listener = element(&place.listener(&balancer, "80").unwrap(), "ListenerArn");
    for (field, member, value) in [
        ("source-ip", "SourceIpConfig", "10.0.0.1/8"),
        ("source-ip", "SourceIpConfig", "everywhere"),
        ("host-header", "HostHeaderConfig", "a b"),
        ("no-such-field", "HostHeaderConfig", "a"),
    ] {
        let values = format!("Conditions.member.1.{member}.Values.member.1");
        let parameters = [
            ("ListenerArn", listener.as_str()),
            ("Priority", "1"),
            ("Conditions.member.1.Field", field),
            (values.as_str(), value),
            ("Actions.member.1.Type", "forward"),
            ("Actions.member.1.TargetGroupArn", &group),
        ];
        assert_eq!(code(place.elb("CreateRule", &parameters)), "ValidationError", "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_security_group_lets_through_times_out() {
    let place = place();
    let (balancer, group) = (place.balancer(), place.targets("web"));
    place.task("10.0.0.50", 200);
    let listener = element(&place.listener(&balancer, "80").unwrap(), "ListenerArn");
    place.rule(&listener, "10", &group).unwrap();
    let target = [("TargetGroupArn", group.as_str()), ("Targets.member.1.Id", "10.0.0.50")];
    place.elb("RegisterTargets", &target).unwrap();
    pass(60).await;
    assert_eq!(place.health(&group), "unhealthy");
    let health = place.elb("DescribeTargetHealth", &[("TargetGroupArn", &group)]).unwrap();
    assert!(health.contains("<Reason>Target.Timeout</Reason>"), "{health}");
    place.open();
    pass(60).await;
    assert_eq!(place.health(&group), "healthy");
}

#[tokio::test(start_paused = true)]
async fn a_target_is_probed_once_something_sends_to_it_and_drains_when_it_goes() {
    let place = place();
    let (balancer, group) = (place.balancer(), place.targets("web"));
    place.open();
    place.task("10.0.0.50", 200);
    let target = [("TargetGroupArn", group.as_str()), ("Targets.member.1.Id", "10.0.0.50")];
    place.elb("RegisterTargets", &target).unwrap();
    pass(60).await;
    assert_eq!(place.health(&group), "unused");
    let listener = element(&place.listener(&balancer, "80").unwrap(), "ListenerArn");
    place.rule(&listener, "10", &group).unwrap();
    assert_eq!(place.health(&group), "initial");
    pass(5).await;
    assert_eq!(place.health(&group), "healthy");
    place.task("10.0.0.50", 500);
    pass(30).await;
    assert_eq!(place.health(&group), "unhealthy");
    place.task("10.0.0.50", 200);
    pass(30).await;
    assert_eq!(place.health(&group), "healthy");
    place.elb("DeregisterTargets", &target).unwrap();
    assert_eq!(place.health(&group), "draining");
    pass(400).await;
    assert_eq!(place.health(&group), "");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_does_not_answer_is_unhealthy() {
    let place = place();
    let (balancer, group) = (place.balancer(), place.targets("web"));
    let listener = element(&place.listener(&balancer, "80").unwrap(), "ListenerArn");
    place.rule(&listener, "10", &group).unwrap();
    place.sandbox.with(|ctx| super::targets::register(ctx, &group, "10.0.0.51", 8000));
    pass(40).await;
    let shown = place.elb("DescribeTargetHealth", &[("TargetGroupArn", &group)]).unwrap();
    assert_eq!((element(&shown, "State"), element(&shown, "Reason")), ("unhealthy".into(), "Target.Timeout".into()));
    let health = |ip: &str| place.sandbox.with(|ctx| super::targets::health(ctx, &group, ip, 8000));
    assert_eq!((health("10.0.0.51").as_deref(), health("10.0.0.52")), (Some("unhealthy"), None));
}

#[test]
fn a_rollout_shifts_weights_and_they_stay() {
    let place = place();
    let (balancer, blue, green) = (place.balancer(), place.targets("blue"), place.targets("green"));
    let listener = element(&place.listener(&balancer, "80").unwrap(), "ListenerArn");
    let rule = element(&place.rule(&listener, "10", &blue).unwrap(), "RuleArn");
    let groups = [(blue.clone(), 0), (green.clone(), 100)];
    place.sandbox.with(|ctx| super::rules::shift(ctx, &rule, &groups));
    let shown = place.elb("DescribeRules", &[("RuleArns.member.1", &rule)]).unwrap();
    assert!(shown.contains(&format!("<TargetGroupArn>{green}</TargetGroupArn><Weight>100</Weight>")), "{shown}");
    assert!(place.sandbox.with(|ctx| super::targets::is_attached(ctx, &green)));
}

#[test]
fn tags_are_read_for_twenty_at_a_time_and_given_only_to_those_who_may() {
    let place = place();
    let arn = place.balancer();
    let many: Vec<(String, &str)> = (1..=21).map(|n| (format!("ResourceArns.member.{n}"), arn.as_str())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, arn)| (name.as_str(), *arn)).collect();
    assert_eq!(code(place.elb("DescribeTags", &many)), "ValidationError");
    let condition = json!({"StringEquals": {"aws:ResourceTag/a": "b"}});
    let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let deny = json!({"Effect": "Deny", "Action": "elasticloadbalancing:DeleteLoadBalancer", "Resource": "*", "Condition": condition});
    place.sandbox.set_policy(Some(Policy::parse(&json!({"Statement": [allow, deny]})).unwrap()));
    let tag = [("ResourceArns.member.1", arn.as_str()), ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")];
    place.elb("AddTags", &tag).unwrap();
    assert_eq!(code(place.elb("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)])), "AccessDenied");
    place.elb("RemoveTags", &[("ResourceArns.member.1", &arn), ("TagKeys.member.1", "a")]).unwrap();
    place.elb("DeleteLoadBalancer", &[("LoadBalancerArn", &arn)]).unwrap();
}

#[test]
fn what_terraform_reads_besides_is_answered() {
    let place = place();
    let arn = place.balancer();
    let listener = element(&place.listener(&arn, "80").unwrap(), "ListenerArn");
    place.elb("DescribeCapacityReservation", &[("LoadBalancerArn", &arn)]).unwrap();
    place.elb("DescribeListenerAttributes", &[("ListenerArn", &listener)]).unwrap();
    let group = place.targets("web");
    place.elb("DescribeTargetGroupAttributes", &[("TargetGroupArn", &group)]).unwrap();
    place.elb("DescribeSSLPolicies", &[]).unwrap();
    place.elb("DescribeAccountLimits", &[]).unwrap();
}

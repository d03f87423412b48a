"""Looks at an account with boto3 after an apply of the user's whole stack, and asserts what must be there.

Usage: platform_rows.py ROW; the endpoint is in the environment (AWS_ENDPOINT_URL).
"""

import json
import sys

import boto3

(row,) = sys.argv[1:]
names = ("acm", "application-autoscaling", "autoscaling", "cloudwatch", "dlm", "ec2", "ecs", "elbv2", "iam", "kms", "logs",
         "route53", "servicediscovery", "sns")
clients = {name: boto3.client(name) for name in names}
ecs, elb, ec2, iam, asg = (clients[name] for name in ("ecs", "elbv2", "ec2", "iam", "autoscaling"))


def pages(client, operation, key, **arguments):
    return [item for page in clients[client].get_paginator(operation).paginate(**arguments) for item in page[key]]


def equal(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def named(tags, logical_id):
    return {"Key": "wharf:id", "Value": logical_id} in tags or {"key": "wharf:id", "value": logical_id} in tags


def subnets(kind):
    return {s["SubnetId"] for s in pages("ec2", "describe_subnets", "Subnets")
            if any(t["Key"] == "wharf:id" and t["Value"].startswith(f"network.{kind}") for t in s["Tags"])}


def security_group(suffix):
    (found,) = [g["GroupId"] for g in pages("ec2", "describe_security_groups", "SecurityGroups")
                if named(g.get("Tags", []), f"network.{suffix}-security-group")]
    return found


def cluster():
    (found,) = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"], include=["SETTINGS"])["clusters"]
    return found


def services():
    arns = ecs.list_services(cluster=cluster()["clusterArn"])["serviceArns"]
    found = ecs.describe_services(cluster=cluster()["clusterArn"], services=arns)["services"]
    return {service["serviceName"]: service for service in found}


def definition(service):
    return ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]


def target_groups(service):
    arns = [lb["targetGroupArn"] for lb in service["loadBalancers"]]
    return elb.describe_target_groups(TargetGroupArns=arns)["TargetGroups"]


def instances():
    (insights,) = [s["value"] for s in cluster()["settings"] if s["name"] == "containerInsights"]
    assert insights in ("enabled", "enhanced"), f"Container Insights: {insights}"
    (group,) = asg.describe_auto_scaling_groups()["AutoScalingGroups"]
    equal((group["MinSize"], group["MaxSize"]), (2, 4), "instances")
    equal(set(group["VPCZoneIdentifier"].split(",")), subnets("private"), "the group's subnets")
    equal(len([i for i in group["Instances"] if i["LifecycleState"] == "InService"]), 2, "instances in service")
    equal(len({i["AvailabilityZone"] for i in group["Instances"]}), 2, "their zones")
    used = group["LaunchTemplate"]
    (version,) = ec2.describe_launch_template_versions(
        LaunchTemplateId=used["LaunchTemplateId"], Versions=[used["Version"]])["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    equal(data["InstanceType"], "m7g.large", "instance type")
    equal((data["MetadataOptions"]["HttpTokens"], data["MetadataOptions"]["HttpPutResponseHopLimit"]), ("required", 1),
          "instance metadata")
    for device in data["BlockDeviceMappings"]:
        equal((device["Ebs"]["Encrypted"], device["Ebs"]["VolumeType"]), (True, "gp3"), "volumes")
    profile = data["IamInstanceProfile"].get("Name") or data["IamInstanceProfile"]["Arn"].rsplit("/", 1)[-1]
    (role,) = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
    equal(role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"], {"Service": "ec2.amazonaws.com"}, "who has it")
    running = [i for r in pages("ec2", "describe_instances", "Reservations") for i in r["Instances"]]
    for instance in running:
        assert instance["ImageId"] == data["ImageId"], "an instance has another image"
        assert instance.get("PublicIpAddress") is None, "an instance can be reached from the internet"
    joined = ecs.list_container_instances(cluster=cluster()["clusterArn"])["containerInstanceArns"]
    equal(len(joined), 2, "instances in the cluster")


def definitions():
    found = services()
    equal(set(found), {"web", "mailhog"}, "services")
    for name, service in found.items():
        (container,) = definition(service)["containerDefinitions"]
        equal(container["image"].split(":")[0].split("@")[0].rsplit(".com/", 1)[-1], f"shop/{name}", "image")
        equal(definition(service)["networkMode"], "awsvpc", "network mode")
        options = container["logConfiguration"]["options"]
        equal(options.get("mode"), "non-blocking", f"the log driver of {name}")
        assert clients["logs"].describe_log_groups(logGroupNamePrefix=options["awslogs-group"])["logGroups"], "no log group"
    roles = [definition(s)[role] for s in found.values() for role in ("taskRoleArn", "executionRoleArn")]
    equal(len(set(roles)), 4, "a task role and an execution role each")


def deployments():
    for name, service in services().items():
        settings = service["deploymentConfiguration"]
        equal(settings["deploymentCircuitBreaker"], {"enable": True, "rollback": True}, f"circuit breaker of {name}")
        equal(settings["strategy"], "ROLLING", "deployment")
        assert service.get("capacityProviderStrategy") or service.get("launchType") == "EC2", "not on EC2"
        for group in target_groups(service):
            equal((group["TargetType"], group["HealthCheckEnabled"]), ("ip", True), f"health checks of {name}")
        assert service["loadBalancers"], f"{name} is behind no load balancer"
    (web,) = target_groups(services()["web"])
    equal(web["HealthCheckPath"], "/healthz", "health path of the application")


def balancer():
    (found,) = elb.describe_load_balancers()["LoadBalancers"]
    return found


def balancing():
    it = balancer()
    equal((it["Type"], it["Scheme"], it["State"]["Code"]), ("application", "internet-facing", "active"), "load balancer")
    equal({z["SubnetId"] for z in it["AvailabilityZones"]}, subnets("public"), "its subnets")
    equal(it["SecurityGroups"], [security_group("balancer")], "its security group")
    attributes = {a["Key"]: a["Value"] for a in elb.describe_load_balancer_attributes(
        LoadBalancerArn=it["LoadBalancerArn"])["Attributes"]}
    equal(attributes["routing.http.drop_invalid_header_fields.enabled"], "true", "invalid headers")
    equal(attributes["deletion_protection.enabled"], "true", "deletion protection")


def listeners():
    return elb.describe_listeners(LoadBalancerArn=balancer()["LoadBalancerArn"])["Listeners"]


def https():
    (listener,) = listeners()
    equal((listener["Port"], listener["Protocol"]), (443, "HTTPS"), "the only listener")
    assert listener["SslPolicy"].startswith(("ELBSecurityPolicy-TLS13", "ELBSecurityPolicy-TLS-1-2")), listener["SslPolicy"]
    (used,) = listener["Certificates"]
    certificate = clients["acm"].describe_certificate(CertificateArn=used["CertificateArn"])["Certificate"]
    equal(certificate["Status"], "ISSUED", "the certificate")
    rules = elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    hosts = {h: r for r in rules for c in r["Conditions"] for h in c.get("HostHeaderConfig", {}).get("Values", [])}
    equal(set(hosts), {"shop.example.com", "mailhog.shop.example.com"}, "hosts")
    ranges = [r for c in hosts["mailhog.shop.example.com"]["Conditions"] for r in c.get("SourceIpConfig", {}).get("Values", [])]
    equal(ranges, ["203.0.113.0/24"], "who reaches MailHog")


def names():
    (zone,) = [z for z in pages("route53", "list_hosted_zones", "HostedZones") if z["Name"] == "example.com."]
    records = pages("route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"])
    for host in ("shop.example.com.", "mailhog.shop.example.com."):
        (record,) = [r for r in records if r["Name"] == host and r["Type"] == "A"]
        assert record["AliasTarget"]["DNSName"].rstrip(".").removeprefix("dualstack.") == balancer()["DNSName"], host


def modules():
    tagged = boto3.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(
        TagFilters=[{"Key": "wharf:stack", "Values": ["shop"]}])
    ids = {t["Value"] for page in tagged for r in page["ResourceTagMappingList"] for t in r["Tags"] if t["Key"] == "wharf:id"}
    for module in ("network", "database", "registry", "cluster", "services", "edge", "protection", "observability"):
        assert any(i.startswith(f"{module}.") for i in ids), f"nothing is of the module {module}"


def snapshots():
    (summary,) = clients["dlm"].get_lifecycle_policies()["Policies"]
    policy = clients["dlm"].get_lifecycle_policy(PolicyId=summary["PolicyId"])["Policy"]
    equal(policy["State"], "ENABLED", "the policy")
    details = policy["PolicyDetails"]
    (schedule,) = details["Schedules"]
    equal((schedule["CreateRule"]["Times"], schedule["RetainRule"]["Count"]), (["03:00"], 14), "schedule")
    targets = {(t["Key"], t["Value"]) for t in details["TargetTags"]}
    volumes = pages("ec2", "describe_volumes", "Volumes")
    assert len(volumes) >= 2, "no volumes"
    for volume in volumes:
        assert volume["Encrypted"], "a volume is not encrypted"
        assert targets & {(t["Key"], t["Value"]) for t in volume.get("Tags", [])}, f"{volume['VolumeId']} is not covered"


def statements(role):
    for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        yield from document["Statement"]


def least_privilege():
    roles = [r for r in pages("iam", "list_roles", "Roles") if r["Path"].startswith("/wharf/shop/")]
    assert len(roles) >= 6, f"only {len(roles)} roles"
    listed = lambda value: value if isinstance(value, list) else [value]
    for role in roles:
        attached = {p["PolicyName"] for p in iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]}
        # The one that RDS prescribes for enhanced monitoring.
        assert attached <= {"AmazonRDSEnhancedMonitoringRole"}, f"{role['RoleName']} has {attached}"
        for statement in statements(role):
            for action in listed(statement["Action"]):
                assert action != "*" and not action.endswith(":*"), f"{role['RoleName']} may do {action}"
    for name, service in services().items():
        it = definition(service)
        (role,) = [r for r in roles if r["Arn"] == it["executionRoleArn"]]
        resources = [r for s in statements(role) for a in listed(s["Action"]) if a.startswith("ssm:Get")
                     for r in listed(s["Resource"])]
        secrets = {s["valueFrom"] for c in it["containerDefinitions"] for s in c.get("secrets", [])}
        assert secrets <= set(resources) and "*" not in resources, f"{name}: {secrets} of {resources}"


def watching():
    alarms = clients["cloudwatch"].describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    ours = [a for a in alarms["MetricAlarms"] if not a["AlarmName"].startswith("TargetTracking-")]
    spaces = {a.get("Namespace") or m["MetricStat"]["Metric"]["Namespace"]
              for a in ours for m in (a.get("Metrics") or [{}])[:1] if a.get("Namespace") or m.get("MetricStat")}
    for space in ("AWS/ApplicationELB", "AWS/ECS", "AWS/AutoScaling", "AWS/RDS", "AWS/CertificateManager"):
        assert space in spaces, f"no alarm on {space}: {sorted(spaces)}"
    for alarm in ours:
        assert len(alarm["AlarmDescription"]) > 30, f"{alarm['AlarmName']} says not what to do"
    assert alarms["CompositeAlarms"], "no composite alarm"
    assert clients["cloudwatch"].list_dashboards()["DashboardEntries"], "no dashboard"
    for group in pages("logs", "describe_log_groups", "logGroups"):
        if group["logGroupName"].startswith("/wharf/") or "/shop" in group["logGroupName"]:
            assert "retentionInDays" in group, f"{group['logGroupName']} keeps all for ever"


def notices():
    sns = clients["sns"]
    topics = {t["TopicArn"].rsplit(":", 1)[1]: t["TopicArn"] for t in sns.list_topics()["Topics"]}
    equal(sorted(topics), ["shop-alerts", "shop-signals"], "the topics")
    for name, arn in topics.items():
        assert sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("KmsMasterKeyId"), f"{name} is not encrypted"

    def hears(name):
        (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topics[name])["Subscriptions"]
        return subscription["Protocol"], subscription["Endpoint"]

    equal(hears("shop-alerts"), ("email", "ops@example.com"), "who is told")
    # A function hears of the rest by its queue, and tells people.
    protocol, endpoint = hears("shop-signals")
    assert protocol == "sqs" and endpoint.endswith(":shop-on-alarm"), f"{protocol} {endpoint} hears of signals"
    for alarm in clients["cloudwatch"].describe_alarms()["MetricAlarms"]:
        if not alarm["AlarmName"].startswith("TargetTracking-") and alarm["ActionsEnabled"]:
            assert alarm["AlarmActions"] and set(alarm["AlarmActions"]) <= set(topics.values()), alarm["AlarmName"]


{"2.1": instances, "2.2": definitions, "2.3": deployments, "3.1": balancing, "3.2": https, "3.3": names, "3.4": modules,
 "7.2": snapshots, "7.3": least_privilege, "8.1": watching, "8.2": notices}[row]()

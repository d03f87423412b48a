"""Lists what an account holds, as boto3 sees it: one line for each thing that a stack could leave behind.

Reads the endpoints from the environment (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>).
"""

import boto3


def pages(service, operation, key, **arguments):
    client = boto3.client(service)
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(key, [])
    else:
        yield from getattr(client, operation)(**arguments).get(key, [])


def ec2():
    gone = {"deleted", "deleting", "failed"}
    vpcs = {vpc["VpcId"] for vpc in pages("ec2", "describe_vpcs", "Vpcs")}
    for operation, key, name in (
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("describe_route_tables", "RouteTables", "RouteTableId"),
        ("describe_nat_gateways", "NatGateways", "NatGatewayId"),
        ("describe_addresses", "Addresses", "AllocationId"),
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        ("describe_flow_logs", "FlowLogs", "FlowLogId"),
        ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ):
        for thing in pages("ec2", operation, key):
            # moto keeps the interfaces of deleted NAT gateways, in a VPC that is no more.
            orphan = key == "NetworkInterfaces" and thing.get("VpcId") not in vpcs
            if str(thing.get("State", "")).lower() not in gone and not orphan:
                yield thing[name]


def kms():
    client = boto3.client("kms")
    for key in pages("kms", "list_keys", "Keys"):
        about = client.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if about["KeyManager"] == "CUSTOMER" and about["KeyState"] != "PendingDeletion":
            yield about["Arn"]
    for alias in pages("kms", "list_aliases", "Aliases"):
        if not alias["AliasName"].startswith("alias/aws/"):
            yield alias["AliasArn"]


def others():
    for service, operation, key, name in (
        ("rds", "describe_db_instances", "DBInstances", "DBInstanceArn"),
        ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
        ("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
        ("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
        ("ecr", "describe_repositories", "repositories", "repositoryArn"),
        ("ssm", "describe_parameters", "Parameters", "Name"),
        ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        ("iam", "list_instance_profiles", "InstanceProfiles", "Arn"),
        ("acm", "list_certificates", "CertificateSummaryList", "CertificateArn"),
        ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
        ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
        ("route53", "list_hosted_zones", "HostedZones", "Id"),
        ("scheduler", "list_schedule_groups", "ScheduleGroups", "Arn"),
        ("scheduler", "list_schedules", "Schedules", "Arn"),
        ("servicediscovery", "list_namespaces", "Namespaces", "Arn"),
        ("sns", "list_topics", "Topics", "TopicArn"),
        ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn"),
        ("cloudwatch", "describe_alarms", "CompositeAlarms", "AlarmArn"),
        ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardArn"),
    ):
        for thing in pages(service, operation, key):
            # AWS publishes parameters of its own.
            if not thing[name].startswith("/aws/service/"):
                yield f"{service} {thing[name]}"
    for role in pages("iam", "list_roles", "Roles"):
        if not role["Path"].startswith("/aws-service-role/"):
            yield role["Arn"]
    for table in pages("dynamodb", "list_tables", "TableNames"):
        yield f"dynamodb {table}"
    for cluster in boto3.client("ecs").describe_clusters(clusters=list(pages("ecs", "list_clusters", "clusterArns")))["clusters"]:
        if cluster["status"] != "INACTIVE":
            yield cluster["clusterArn"]
    for definition in pages("ecs", "list_task_definitions", "taskDefinitionArns"):
        yield definition


if __name__ == "__main__":
    for line in sorted([*ec2(), *kms(), *others()]):
        print(line)

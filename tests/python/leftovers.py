"""Lists everything that an account holds, as boto3 sees it: what inventory.py lists, and what stacks with functions, what
AWS itself, and what people leave there. One line for each thing.

A key that waits for its deletion is gone as far as AWS lets it go. The service-linked roles and the log group of RDS's
enhanced monitoring are the account's and not a stack's, and so is what AWS gives every account: its default VPC, event
bus and schedule group.

Reads the endpoint from the environment (AWS_ENDPOINT_URL).
"""

import boto3

import inventory
from inventory import pages

SHARED = ("RDSOSMetrics",)
ENDED = {"terminated", "deleted", "INACTIVE"}


def ended(thing):
    state = thing.get("State", "")
    state = state.get("Name", "") if isinstance(state, dict) else state
    return state in ENDED or thing.get("status") in ENDED


def things():
    for service, operation, key, name in (
        ("lambda", "list_functions", "Functions", "FunctionArn"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        ("sqs", "list_queues", "QueueUrls", None),
        ("events", "list_rules", "Rules", "Arn"),
        ("dlm", "get_lifecycle_policies", "Policies", "PolicyId"),
        ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupARN"),
        ("ec2", "describe_volumes", "Volumes", "VolumeId"),
        ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
        ("ec2", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
        ("servicediscovery", "list_services", "Services", "Arn"),
        ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        ("rds", "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups", "DBInstanceAutomatedBackupsArn"),
        ("rds", "describe_db_clusters", "DBClusters", "DBClusterArn"),
        ("ecs", "describe_capacity_providers", "capacityProviders", "capacityProviderArn"),
    ):
        for thing in pages(service, operation, key):
            if name is None:
                yield f"{service} {thing}"
            elif not ended(thing):
                yield f"{service} {thing[name]}"


def snapshots():
    for snapshot in pages("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"]):
        yield f"ec2 {snapshot['SnapshotId']}"


def instances():
    for reservation in pages("ec2", "describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            if not ended(instance):
                yield f"ec2 {instance['InstanceId']}"


def scaling():
    client = boto3.client("application-autoscaling")
    for target in client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]:
        yield f"application-autoscaling {target['ResourceId']}"
    for policy in client.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]:
        yield f"application-autoscaling {policy['PolicyARN']}"


def revisions():
    # One that was deleted is gone once nothing runs it any more.
    for status in ("ACTIVE", "INACTIVE"):
        for revision in pages("ecs", "list_task_definitions", "taskDefinitionArns", status=status):
            yield f"ecs {revision}"


def secret_parameters():
    for parameter in pages("ssm", "describe_parameters", "Parameters"):
        if not parameter["Name"].startswith("/aws/"):
            yield f"ssm {parameter['Name']}"


def held():
    for part in (
        inventory.ec2,
        inventory.kms,
        inventory.others,
        things,
        snapshots,
        instances,
        scaling,
        revisions,
        secret_parameters,
    ):
        yield from part()


if __name__ == "__main__":
    for line in sorted(set(held())):
        if not line.endswith(SHARED):
            print(line)

"""Counts what accounts of a moto server hold, as boto3 sees it, without names that differ from run to run.

Reads an account's number a line, and answers a line of JSON: one text for each thing, sorted; a thing that is there
twice stands there twice. The endpoint is the first argument.
"""

import json
import sys

import boto3

GONE = {"deleted", "deleting", "failed", "terminated"}
account = None


def client(service):
    made = boto3.client(service, endpoint_url=sys.argv[1])
    # https://docs.getmoto.org/en/latest/docs/multi_account.html
    choose = lambda request, **_: request.headers.__setitem__("x-moto-account-id", account)
    made.meta.events.register("before-send", choose)
    return made


CLIENTS = {name: client(name) for name in ("ec2", "kms", "rds", "ecr", "ssm", "logs", "iam", "dynamodb")}


def pages(service, operation, key, **arguments):
    made = CLIENTS[service]
    if made.can_paginate(operation):
        for page in made.get_paginator(operation).paginate(**arguments):
            yield from page.get(key, [])
    else:
        yield from getattr(made, operation)(**arguments).get(key, [])


def tag(thing, name="Tags", key="Key", value="Value"):
    tags = {tag[key]: tag[value] for tag in thing.get(name, [])}
    return tags.get("wharf:id", "-") + " " + tags.get("wharf:gen", "-")


def ec2():
    for noun, key in (
        ("vpcs", "Vpcs"),
        ("subnets", "Subnets"),
        ("internet_gateways", "InternetGateways"),
        ("route_tables", "RouteTables"),
        ("nat_gateways", "NatGateways"),
        ("addresses", "Addresses"),
        ("security_groups", "SecurityGroups"),
        ("vpc_endpoints", "VpcEndpoints"),
        ("flow_logs", "FlowLogs"),
    ):
        for thing in pages("ec2", f"describe_{noun}", key):
            if str(thing.get("State", "")).lower() in GONE:
                continue
            yield f"{noun} {tag(thing)}"
            yield from (f"route {tag(thing)} {r.get('DestinationCidrBlock')}" for r in thing.get("Routes", []))
            yield from (f"associated {tag(thing)}" for _ in thing.get("Associations", []))
            for way in ("IpPermissions", "IpPermissionsEgress"):
                for rule in thing.get(way, []):
                    peers = len(rule["IpRanges"]) + len(rule["UserIdGroupPairs"])
                    yield f"{way} {tag(thing)} {rule['IpProtocol']} {rule.get('FromPort')} from {peers}"


def kms():
    for key in pages("kms", "list_keys", "Keys"):
        about = CLIENTS["kms"].describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if about["KeyManager"] == "CUSTOMER" and about["KeyState"] != "PendingDeletion":
            tags = {"Tags": list(pages("kms", "list_resource_tags", "Tags", KeyId=key["KeyId"]))}
            yield f"key {tag(tags, key='TagKey', value='TagValue')}"
    for alias in pages("kms", "list_aliases", "Aliases"):
        if not alias["AliasName"].startswith("alias/aws/"):
            yield f"alias {alias['AliasName']}"


def others():
    for service, operation, key, name in (
        ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
        ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
        ("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
        ("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
        ("ecr", "describe_repositories", "repositories", "repositoryName"),
        ("ssm", "describe_parameters", "Parameters", "Name"),
        ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ):
        for thing in pages(service, operation, key):
            # RDS names the backups that it makes by itself after the minute.
            if thing.get("SnapshotType") != "automated":
                yield f"{service} {thing[name]}"
    for role in pages("iam", "list_roles", "Roles"):
        if not role["Path"].startswith("/aws-service-role/"):
            yield f"role {role['RoleName']}"
            for policy in pages("iam", "list_role_policies", "PolicyNames", RoleName=role["RoleName"]):
                yield f"role {role['RoleName']} may {policy}"
    for table in pages("dynamodb", "list_tables", "TableNames"):
        yield f"dynamodb {table}"


for line in sys.stdin:
    account = line.strip()
    print(json.dumps(sorted([*ec2(), *kms(), *others()])), flush=True)

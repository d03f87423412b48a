"""Looks at an account with boto3 after an apply of the user's stack, and asserts what must be there.

Usage: rows.py ROW ENV_EXAMPLE; the endpoint is in the environment (AWS_ENDPOINT_URL).
"""

import sys

import boto3

row, env_example = sys.argv[1:]
ec2, rds, ssm, kms, ecr = (boto3.client(name) for name in ("ec2", "rds", "ssm", "kms", "ecr"))


def pages(client, operation, key, **arguments):
    return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page[key]]


def equal(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def vpc():
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    return vpc


def of_vpc(operation, key):
    return pages(ec2, operation, key, Filters=[{"Name": "vpc-id", "Values": [vpc()["VpcId"]]}])


def group(suffix):
    (found,) = [g for g in of_vpc("describe_security_groups", "SecurityGroups")
                if {"Key": "wharf:id", "Value": f"network.{suffix}-security-group"} in g.get("Tags", [])]
    return found


def ways_out(subnet):
    """Where the subnet's traffic to the internet goes."""
    tables = of_vpc("describe_route_tables", "RouteTables")
    (table,) = [t for t in tables if any(a.get("SubnetId") == subnet for a in t["Associations"])]
    return [r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0"]


def network():
    it = vpc()
    equal(it["CidrBlock"], "10.0.0.0/16", "the VPC's range")
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        answer = ec2.describe_vpc_attribute(VpcId=it["VpcId"], Attribute=attribute)
        equal(answer[attribute[0].upper() + attribute[1:]]["Value"], True, attribute)
    subnets = of_vpc("describe_subnets", "Subnets")
    public = [s for s in subnets if any(r.get("GatewayId", "").startswith("igw-") for r in ways_out(s["SubnetId"]))]
    private = [s for s in subnets if any(r.get("NatGatewayId") for r in ways_out(s["SubnetId"]))]
    equal((len(subnets), len(public), len(private)), (4, 2, 2), "subnets, public ones, private ones")
    for half in (public, private):
        equal(len({s["AvailabilityZone"] for s in half}), 2, "zones of each kind of subnet")
    (nat,) = [n for n in of_nat() if n["State"] == "available"]
    equal(nat["AvailabilityMode"], "regional", "the NAT gateway")
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    equal(gateway["Attachments"][0]["VpcId"], it["VpcId"], "the internet gateway's VPC")
    (log,) = ec2.describe_flow_logs()["FlowLogs"]
    equal((log["ResourceId"], log["TrafficType"], log["FlowLogStatus"]), (it["VpcId"], "ALL", "ACTIVE"), "flow log")


def of_nat():
    return ec2.describe_nat_gateways(Filters=[{"Name": "vpc-id", "Values": [vpc()["VpcId"]]}])["NatGateways"]


def security_groups():
    balancer, tasks, database = group("balancer"), group("tasks"), group("database")
    ports = lambda g: sorted((p["FromPort"], p["ToPort"]) for p in g["IpPermissions"])
    sources = lambda g, port: sorted(pair["GroupId"] for p in g["IpPermissions"] if p["FromPort"] == port
                                     for pair in p["UserIdGroupPairs"])
    anywhere = [p["FromPort"] for g in (balancer, tasks, database) for p in g["IpPermissions"]
                if any(r["CidrIp"] == "0.0.0.0/0" for r in p["IpRanges"])]
    equal(anywhere, [443], "ports open to the world")
    equal(ports(balancer), [(443, 443)], "the load balancer's ports")
    equal(ports(tasks), [(1025, 1025), (8000, 8000), (8025, 8025)], "the tasks' ports")
    equal(sources(tasks, 8000), [balancer["GroupId"]], "who reaches the application")
    equal(sources(tasks, 8025), [balancer["GroupId"]], "who reaches MailHog's page")
    equal(sources(tasks, 1025), [tasks["GroupId"]], "who reaches MailHog's SMTP")
    equal(ports(database), [(5432, 5432)], "the database's ports")
    equal(sources(database, 5432), [tasks["GroupId"]], "who reaches the database")
    equal(database["IpPermissionsEgress"], [], "the database's way out")
    (default,) = [g for g in of_vpc("describe_security_groups", "SecurityGroups") if g["GroupName"] == "default"]
    equal((default["IpPermissions"], default["IpPermissionsEgress"]), ([], []), "the default group")


def instance():
    (found,) = rds.describe_db_instances()["DBInstances"]
    return found


def database():
    it = instance()
    equal(it["DBInstanceStatus"], "available", "status")
    equal(it["Engine"], "postgres", "engine")
    equal(it["EngineVersion"].split(".")[0], "17", "version")
    equal(it["DBInstanceClass"], "db.t4g.medium", "class")
    equal(it["AllocatedStorage"], 50, "storage")
    assert it["MaxAllocatedStorage"] > it["AllocatedStorage"], "storage does not grow by itself"
    equal(it["MultiAZ"], True, "Multi-AZ")
    equal(it["BackupRetentionPeriod"], 14, "days of backups")
    (backup,) = rds.describe_db_instance_automated_backups(DBInstanceIdentifier=it["DBInstanceIdentifier"])[
        "DBInstanceAutomatedBackups"]
    assert "RestoreWindow" in backup, "no window to restore from"
    equal(it["DeletionProtection"], True, "deletion protection")
    equal(it["CopyTagsToSnapshot"], True, "tags on snapshots")
    equal(it["PubliclyAccessible"], False, "public access")
    assert it["MonitoringInterval"] > 0 and it["MonitoringRoleArn"], "no enhanced monitoring"
    equal(sorted(it["EnabledCloudwatchLogsExports"]), ["postgresql", "upgrade"], "log exports")
    equal([g["VpcSecurityGroupId"] for g in it["VpcSecurityGroups"]], [group("database")["GroupId"]], "its group")
    private = {s["SubnetId"] for s in of_vpc("describe_subnets", "Subnets")
               if any(r.get("NatGatewayId") for r in ways_out(s["SubnetId"]))}
    equal({s["SubnetIdentifier"] for s in it["DBSubnetGroup"]["Subnets"]}, private, "its subnets")


# The variables that are secret stand under names of their own, which the tasks are given in their place.
SECRETS = {"SECRET_KEY": "/shop/secrets/django-key", "DB_PASSWORD": "/shop/database/password"}


def parameters():
    keys = {line.split("=")[0].strip() for line in open(env_example)
            if line.strip() and not line.lstrip().startswith("#")}
    found = {p["Name"]: p for p in pages(ssm, "get_parameters_by_path", "Parameters", Path="/shop", Recursive=True,
                                         WithDecryption=True)}
    names = {key: SECRETS.get(key, f"/shop/web/{key}") for key in keys}
    equal({key for key, name in names.items() if name not in found}, set(), "variables without a parameter")
    secret = {name for name, p in found.items() if p["Type"] == "SecureString"}
    equal(secret, set(SECRETS.values()), "secrets")
    it = instance()
    wanted = {"DB_HOST": it["Endpoint"]["Address"], "DB_PORT": str(it["Endpoint"]["Port"]), "DB_NAME": it["DBName"],
              "DB_USER": it["MasterUsername"], "EMAIL_PORT": "1025", "DEBUG": "False", "DB_SSLMODE": "verify-full"}
    for key, value in wanted.items():
        equal(found[names[key]]["Value"], value, key)
    about = {p["Name"]: p for p in pages(ssm, "describe_parameters", "Parameters")}
    ours = own_key()
    for name in secret:
        assert len(found[name]["Value"]) >= 32, f"{name} is short"
        assert about[name]["KeyId"] in (ours["Arn"], ours["KeyId"]), f"{name} has another key: {about[name]['KeyId']}"


def own_key():
    (alias,) = [a for a in pages(kms, "list_aliases", "Aliases") if a["AliasName"].startswith("alias/wharf/shop/")]
    return kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]


def encryption():
    key = own_key()
    equal((key["KeyManager"], key["KeyState"], key["KeySpec"]), ("CUSTOMER", "Enabled", "SYMMETRIC_DEFAULT"), "the key")
    equal(kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"], True, "rotation")
    it = instance()
    equal((it["StorageEncrypted"], it["KmsKeyId"]), (True, key["Arn"]), "the database's storage")
    equal(it.get("PerformanceInsightsKMSKeyId"), key["Arn"], "what Performance Insights keeps")
    for repository in pages(ecr, "describe_repositories", "repositories"):
        equal(repository["encryptionConfiguration"], {"encryptionType": "KMS", "kmsKey": key["Arn"]},
              repository["repositoryName"])
    groups = pages(boto3.client("logs"), "describe_log_groups", "logGroups")
    for name in ("flow-logs", "postgresql"):
        (one,) = [g for g in groups if g["logGroupName"].endswith(name)]
        equal(one.get("kmsKeyId"), key["Arn"], one["logGroupName"])


def tls():
    (name,) = [g["DBParameterGroupName"] for g in instance()["DBParameterGroups"]]
    values = {p["ParameterName"]: p.get("ParameterValue") for p in pages(
        rds, "describe_db_parameters", "Parameters", DBParameterGroupName=name)}
    equal(values.get("rds.force_ssl"), "1", "rds.force_ssl")
    assert instance()["CACertificateIdentifier"].startswith("rds-ca-"), "no certificate authority"


def repositories():
    found = {r["repositoryName"]: r for r in pages(ecr, "describe_repositories", "repositories")}
    equal(set(found), {"shop/web", "shop/mailhog"}, "repositories")
    for name, repository in found.items():
        equal(repository["imageTagMutability"], "IMMUTABLE", f"tags of {name}")
        equal(repository["imageScanningConfiguration"]["scanOnPush"], True, f"scans of {name}")
        assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"], f"{name} keeps all for ever"


{"1.1": network, "1.2": security_groups, "1.3": database, "1.4": parameters, "1.5": repositories,
 "7.1-kms": encryption, "7.1-tls": tls}[row]()

"""Holds the sandbox's answers against answers that real AWS was recorded to give to the same calls.

Usage: recorded.py DIRECTORY: the directory holds `<service>.<test>.snapshot.json`, in which ids, names and dates are
placeholders. What a placeholder stands for may be anything of its type; all else has to be the same: which fields
there are, their types, defaults that nobody sent, states, error codes and messages. The endpoint is in the
environment (AWS_ENDPOINT_URL).
"""

import datetime
import json
import pathlib
import sys

import boto3
from botocore.exceptions import ClientError

directory = pathlib.Path(sys.argv[1])
differences = []
compared = []


def client(name):
    return boto3.client(name)


def call(operation, **arguments):
    """The answer, or what AWS says instead, as boto3 gives it."""
    try:
        return operation(**arguments)
    except ClientError as error:
        return error.response


def placeholder(text):
    return text in ("datetime", "timestamp", "<datetime>") or ("<" in text and ">" in text)


def compare(at, recorded, found):
    if isinstance(recorded, str) and placeholder(recorded):
        wanted = (datetime.datetime, str, int, float) if "date" in recorded or "time" in recorded else (str, int)
        if not isinstance(found, wanted):
            differences.append(f"{at}: {recorded} was recorded, found {found!r}")
    elif isinstance(recorded, dict) and isinstance(found, dict):
        missing, new = recorded.keys() - found.keys(), found.keys() - recorded.keys()
        if missing:
            differences.append(f"{at}: lacks {sorted(missing)}")
        if new:
            differences.append(f"{at}: has {sorted(new)}, which was not recorded")
        for key in recorded.keys() & found.keys():
            compare(f"{at}.{key}", recorded[key], found[key])
    elif isinstance(recorded, list) and isinstance(found, list):
        if len(recorded) != len(found):
            differences.append(f"{at}: {len(recorded)} were recorded, found {len(found)}: {found!r}")
        for i, pair in enumerate(zip(recorded, found)):
            compare(f"{at}[{i}]", *pair)
    elif recorded == "111111111111":
        compare(at, "<account>", found)
    elif recorded != found:
        differences.append(f"{at}: {recorded!r} was recorded, found {found!r}")


def same(file, test, label, found):
    """Compares with one answer of a recorded test."""
    snapshots = json.loads((directory / f"{file}.snapshot.json").read_text())
    (recorded,) = [snapshots[name]["recorded-content"] for name in snapshots if name.endswith(f"::{test}")]
    recorded = recorded[label]
    found = dict(found) if isinstance(found, dict) else found
    if isinstance(found, dict) and "ResponseMetadata" in found:
        status = found.pop("ResponseMetadata")["HTTPStatusCode"]
        if isinstance(recorded, dict) and "ResponseMetadata" in recorded:
            compare(f"{test} {label}: HTTP status", recorded["ResponseMetadata"]["HTTPStatusCode"], status)
    if isinstance(recorded, dict):
        recorded = {key: value for key, value in recorded.items() if key != "ResponseMetadata"}
    compare(f"{test} {label}", recorded, found)
    compared.append((test, label))


def trust(service, action="sts:AssumeRole"):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key_management():
    file, kms = "kms.test_kms", client("kms")
    key = kms.create_key(Description="test key 123")["KeyMetadata"]
    same(file, "test_create_key", "describe-key", kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"])
    answer = call(kms.create_alias, AliasName="wrong", TargetKeyId=key["KeyId"])
    same(file, "test_create_alias", "create_alias", answer)
    for days in (90, 180):
        kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=days)
        status = kms.get_key_rotation_status(KeyId=key["KeyId"])
        same(file, f"test_key_enable_rotation_status[{days}]", "match_response", status)
    tags = [{"TagKey": f"tag{n}", "TagValue": f"value{n}"} for n in (1, 2, 3)]
    tagged = kms.create_key(Description="test-key", Tags=tags)["KeyMetadata"]["KeyId"]
    listed = lambda: sorted(kms.list_resource_tags(KeyId=tagged)["Tags"], key=lambda tag: tag["TagKey"])
    same(file, "test_untag_key_partially", "list-resource-tags", listed())
    kms.untag_resource(KeyId=tagged, TagKeys=["tag2"])
    same(file, "test_untag_key_partially", "list-resource-tags-after-partially-untagged", listed())
    twice = [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]
    answer = call(kms.tag_resource, KeyId=tagged, Tags=twice)
    same(file, "test_tag_key_with_duplicate_tag_keys_raises_error", "duplicate-tag-keys", answer)
    answer = call(kms.tag_resource, KeyId=tagged, Tags=[{"TagKey": "aws:key", "TagValue": "1"}])
    same(file, "test_tag_existing_key_with_invalid_tag_key", "invalid-tag-key", answer)


def log_groups():
    file, logs, kms = "logs.test_logs_groups", client("logs"), client("kms")
    arn = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Resource": "*",
         "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]},
    ]}))["KeyMetadata"]["Arn"]
    logs.create_log_group(logGroupName="recorded-key", kmsKeyId=arn)
    found = logs.describe_log_groups(logGroupNamePrefix="recorded-key")
    same(file, "test_create_log_group_with_kms_key", "describe-log-groups-with-kms", found)
    for n in (1, 2, 3):
        logs.create_log_group(logGroupName=f"recorded-many-{n}")
    found = logs.describe_log_groups(logGroupNamePrefix="recorded-many")
    same(file, "test_describe_log_groups_with_prefix", "describe-log-groups-prefix", found)
    answer = call(logs.create_log_group, logGroupName="recorded-key")
    same(file, "test_create_log_group_duplicate_error", "error-duplicate-log-group", answer)
    logs.create_log_group(logGroupName="recorded-tags", tags={"env": "testing"})
    tags = logs.list_tags_for_resource(resourceArn="arn:aws:logs:us-east-1:123456789012:log-group:recorded-tags")
    same(file, "test_create_log_group_with_tags", "list-tags-after-create", tags)


def parameters():
    file, ssm = "ssm.test_ssm", client("ssm")
    answer = ssm.put_parameter(Name="/recorded/a", Type="String", Value="123", Overwrite=False)
    same(file, "test_parameters_with_path", "put-parameter-response", answer)
    same(file, "test_parameters_with_path", "get-parameter-response", ssm.get_parameter(Name="/recorded/a"))
    same(file, "test_parameters_with_path", "get-parameters-response", ssm.get_parameters(Names=["/recorded/a"]))
    by_arn = "arn:aws:ssm:us-east-1:123456789012:parameter/recorded/a"
    same(file, "test_parameters_with_path", "get-parameter-by-arn-response", ssm.get_parameter(Name=by_arn))


def tables():
    file, dynamodb = "dynamodb.test_dynamodb", client("dynamodb")
    table = {
        "TableName": "recorded",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    answer = call(dynamodb.create_table, ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}, **table)
    same(file, "test_dynamodb_pay_per_request", "Error", worded(answer, "CreateTable"))
    dynamodb.create_table(**table)
    same(file, "test_create_duplicate_table", "Error", worded(call(dynamodb.create_table, **table), "CreateTable"))
    dynamodb.get_waiter("table_exists").wait(TableName="recorded")
    recovery = {"PointInTimeRecoveryEnabled": True}
    answer = dynamodb.update_continuous_backups(TableName="recorded", PointInTimeRecoverySpecification=recovery)
    same(file, "test_continuous_backup_update", "update-continuous-backup", answer)
    answer = dynamodb.describe_continuous_backups(TableName="recorded")
    same(file, "test_continuous_backup_update", "describe-continuous-backup", answer)
    same(file, "test_table_crud", "delete-non-existent-table", call(dynamodb.delete_table, TableName="non-existent"))


def worded(answer, operation):
    """What a Python program prints of an error."""
    error = answer["Error"]
    return f"An error occurred ({error['Code']}) when calling the {operation} operation: {error['Message']}"


def roles():
    file, iam = "iam.test_iam", client("iam")
    created = iam.create_role(RoleName="recorded", Path="/recorded/", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    same(file, "test_role_with_path_lifecycle", "create-role-response", created)
    same(file, "test_role_with_path_lifecycle", "get-role-response", iam.get_role(RoleName="recorded"))
    same(file, "test_role_with_path_lifecycle", "delete-role-response", iam.delete_role(RoleName="recorded"))
    tags = [{"Key": "test", "Value": "value"}]
    created = iam.create_role(
        RoleName="recorded-tags", Path="/role-with-tags/", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"), Tags=tags)
    same(file, "TestRoles::test_role_with_tags", "create-role-response", created)
    same(file, "TestRoles::test_role_with_tags", "get-role-response", iam.get_role(RoleName="recorded-tags"))
    same(file, "TestRoles::test_role_with_tags", "list-role-response", iam.list_roles(PathPrefix="/role-with-tags/"))
    answer = call(iam.create_role, RoleName="recorded-bad", AssumeRolePolicyDocument="no json")
    same(file, "test_create_role_with_malformed_assume_role_policy_document", "invalid-json", answer)


def networks():
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[
        {"ResourceType": "vpc", "Tags": [{"Key": "test-key", "Value": "test-value"}]}])
    same("ec2.test_ec2", "test_get_security_groups_for_vpc", "create_vpc_response", vpc)
    vpc = vpc["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="recorded", Description="recorded", VpcId=vpc)
    same("ec2.test_ec2", "test_get_security_groups_for_vpc", "create_security_group", group)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    tables = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    same("ec2.test_ec2", "test_create_route_table_association", "route_tables", tables)


for scenario in (key_management, log_groups, parameters, tables, roles, networks):
    scenario()
for difference in differences:
    print(difference, file=sys.stderr)
print(f"{len(compared)} answers compared with what AWS was recorded to say")
sys.exit(1 if differences else 0)

"""Holds the sandbox's answers against answers that real AWS was recorded to give to the same calls.

Usage: recorded.py DIRECTORY: the directory holds `<service>.<test>.snapshot.json`, in which ids, names and dates are
placeholders. What a placeholder stands for may be anything of its type; all else has to be the same: which fields
there are, their types, defaults that nobody sent, states, error codes and messages. The endpoint is in the
environment (AWS_ENDPOINT_URL).
"""

import json
import sys
import time

from recorded_answers import call, client, compare, compared, differences, directory, same, trust
from recorded_lambda import functions


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
    answer = in_the_end(
        lambda: dynamodb.update_continuous_backups(TableName="recorded", PointInTimeRecoverySpecification=recovery),
        dynamodb.exceptions.ContinuousBackupsUnavailableException,
    )
    same(file, "test_continuous_backup_update", "update-continuous-backup", answer)
    answer = dynamodb.describe_continuous_backups(TableName="recorded")
    same(file, "test_continuous_backup_update", "describe-continuous-backup", answer)
    same(file, "test_table_crud", "delete-non-existent-table", call(dynamodb.delete_table, TableName="non-existent"))


def in_the_end(call, busy):
    """The answer to a call that AWS refuses while it is still at something."""
    for _ in range(50):
        try:
            return call()
        except busy:
            time.sleep(0.2)
    return call()


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


def queues():
    file, sqs = "sqs.test_sqs", client("sqs")
    made = lambda name, **attributes: sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    all_of = lambda url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    queue, test = made("recorded-defaults"), "test_set_queue_attributes_default_values[sqs]"
    same(file, test, "get-queue-attributes-initial-values", all_of(queue))
    for label, key, reuse in (("after-update", "testKeyId", "6000"), ("after-set-to-defaults", "", "300")):
        wanted = {"KmsMasterKeyId": key, "KmsDataKeyReusePeriodSeconds": reuse}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=wanted)
        same(file, test, f"get-queue-attributes-{label}", all_of(queue))
    answer = call(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"FifoQueue": "true"})
    same(file, "test_set_unsupported_attribute_standard[sqs]", "invalid-attr-name-1", answer)
    both = {"KmsMasterKeyId": "testKeyId", "SqsManagedSseEnabled": "true"}
    answer = call(sqs.set_queue_attributes, QueueUrl=queue, Attributes=both)
    same(file, "test_sse_kms_and_sqs_are_mutually_exclusive[sqs]", "error", worded(answer, "SetQueueAttributes"))
    queue = made("recorded", MessageRetentionPeriod="604800", ReceiveMessageWaitTimeSeconds="10", VisibilityTimeout="20")
    same(file, "test_create_and_update_queue_attributes[sqs]", "get_queue_attributes", all_of(queue))
    changed = {"MaximumMessageSize": "2048", "VisibilityTimeout": "69", "DelaySeconds": "420"}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=changed)
    same(file, "test_create_and_update_queue_attributes[sqs]", "get_updated_queue_attributes", all_of(queue))
    answer = call(sqs.create_queue, QueueName="recorded", Attributes={"DelaySeconds": "2"})
    same(file, "test_create_queue_with_different_attributes_raises_exception[sqs]", "create_queue_01", answer)
    sqs.tag_queue(QueueUrl=queue, Tags={"tag1": "value1", "tag2": "value2", "tag3": ""})
    same(file, "test_tag_untag_queue[sqs]", "get-tag-1", sqs.list_queue_tags(QueueUrl=queue))
    sqs.untag_queue(QueueUrl=queue, TagKeys=["tag1", "tag3"])
    same(file, "test_tag_untag_queue[sqs]", "get-tag-2", sqs.list_queue_tags(QueueUrl=queue))
    sqs.untag_queue(QueueUrl=queue, TagKeys=["tag2"])
    same(file, "test_tag_untag_queue[sqs]", "get-tag-after-untag", sqs.list_queue_tags(QueueUrl=queue))
    sqs.delete_queue(QueueUrl=queue)
    answer = call(sqs.get_queue_attributes, QueueUrl=queue)
    same(file, "test_non_existent_queue", "queue-does-not-exist", answer)
    same(file, "test_non_existent_queue", "queue-does-not-exist-url", call(sqs.get_queue_url, QueueName="recorded"))


def messages():
    file, sqs = "sqs.test_sqs", client("sqs")
    queue = sqs.create_queue(QueueName="recorded-messages", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    same(file, "test_receive_empty_queue[sqs]", "empty_short_poll_resp", sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0))
    text = lambda value: {"DataType": "String", "StringValue": value}
    own = {"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")}
    test = "test_receive_message_message_attribute_names_filters[sqs]"
    sent = sqs.send_message(QueueUrl=queue, MessageBody="msg", MessageAttributes=own)
    same(file, test, "send_message_response", sent)
    for label, names in (
        ("empty_filter", []), ("all_name", ["All"]), ("all_wildcard_asterisk", ["*"]), ("all_wildcard", [".*"]),
        ("only_non_existing_names", ["Foo", "Help"]), ("only_existing", ["Hello", "General"]),
        ("existing_and_non_existing", ["Foo", "Hello"]), ("prefix_filter", ["Hel.*"]),
        ("illegal_name_1", ["AWS."]), ("illegal_name_2", ["..foo"]),
    ):
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, MessageAttributeNames=names)
        whole = label in ("empty_filter", "all_name", "illegal_name_1", "illegal_name_2")
        same(file, test, label, answer if whole else answer["Messages"][0])
    for test, label, operation, arguments in (
        ("test_send_receive_max_number_of_messages[sqs]", "send_max_number_of_messages", sqs.receive_message, {"MaxNumberOfMessages": 11}),
        ("test_send_receive_wait_time_seconds[sqs]", "recieve_message_error_too_large", sqs.receive_message, {"WaitTimeSeconds": 21}),
        ("test_send_oversized_message[sqs]", "send_oversized_message", sqs.send_message, {"MessageBody": "a" * 1048577}),
        ("test_send_empty_message[sqs]", "send_empty_message", sqs.send_message, {"MessageBody": ""}),
        ("test_send_message_to_standard_queue_with_invalid_message_group_id[spaces]", "error-response", sqs.send_message,
         {"MessageBody": "a", "MessageGroupId": "group 123"}),
        ("test_too_many_entries_in_batch_request[sqs]", "test_too_many_entries_in_batch_request", sqs.send_message_batch,
         {"Entries": [{"Id": str(n), "MessageBody": "a"} for n in range(20)]}),
        ("test_invalid_batch_id[sqs]", "test_invalid_batch_id", sqs.send_message_batch,
         {"Entries": [{"Id": "a!", "MessageBody": "a"}]}),
        ("test_send_message_batch_with_oversized_contents[sqs]", "send_oversized_message_batch", sqs.send_message_batch,
         {"Entries": [{"Id": "1", "MessageBody": "a" * 1048576}, {"Id": "2", "MessageBody": "a"}]}),
        ("test_send_message_with_empty_string_attribute[sqs]", "empty-string-attr", sqs.send_message,
         {"MessageBody": "a", "MessageAttributes": {"ErrorDetails": text("")}}),
    ):
        same(file, test, label, call(operation, QueueUrl=queue, **arguments))
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    entries = [{"Id": "a", "MessageBody": "a" * 1024}, {"Id": "b", "MessageBody": "a" * 1025}]
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    same(file, "test_send_batch_message_size", "send-message-batch-result", answer)
    # A minute of the account is a tenth of a second here, so the second purge may have to be tried more than once.
    answers = (call(sqs.purge_queue, QueueUrl=queue) for _ in range(50))
    refused = next(answer for answer in answers if "Error" in answer)
    same(file, "test_successive_purge_calls_fail[sqs]", "purge_queue_error", refused)
    dead = sqs.create_queue(QueueName="recorded-dead")["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    queue = sqs.create_queue(QueueName="recorded-redrive", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    sqs.send_message(QueueUrl=queue, MessageBody="message-1", MessageAttributes={"MyAttribute": text("foobar")},
                     MessageSystemAttributes={"AWSTraceHeader": text(trace)})
    sqs.send_message(QueueUrl=queue, MessageBody="message-2")

    def taken(url):
        found = []
        for _ in range(4):
            answer = sqs.receive_message(
                QueueUrl=url, VisibilityTimeout=0 if url == queue else 43200, AttributeNames=["All"], MessageAttributeNames=["All"])
            found.extend(answer.get("Messages", []))
        for message in found:
            del message["Attributes"]["SenderId"]
        return sorted(found, key=lambda message: message["Body"])

    same(file, "test_dead_letter_queue_message_attributes", "rec-pre-dlq", taken(queue))
    same(file, "test_dead_letter_queue_message_attributes", "dlq-messages", taken(dead))


def rules():
    file, events = "events.test_events", client("events")
    pattern = {"source": ["core.update-account-command"], "detail-type": ["core.update-account-command"],
               "detail": {"command": ["update-account"]}}
    test, name = "TestEventRule::test_put_list_with_prefix_describe_delete_rule[default]", "recorded"
    read = lambda rule: {**rule, "EventPattern": json.loads(rule["EventPattern"])}
    same(file, test, "put-rule", events.put_rule(Name=name, EventPattern=json.dumps(pattern)))
    listed = events.list_rules(NamePrefix=name)
    same(file, test, "list-rules", {**listed, "Rules": [read(rule) for rule in listed["Rules"]]})
    same(file, test, "describe-rule", read(events.describe_rule(Name=name)))
    queue = client("sqs").create_queue(QueueName="recorded-target")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    test = "TestEventTarget::test_put_list_remove_target[default]"
    same(file, test, "put-target", events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": arn}]))
    same(file, test, "list-targets", events.list_targets_by_rule(Rule=name))
    answer = call(events.delete_rule, Name=name)
    same(file, "TestEventRule::test_delete_rule_with_targets", "delete-rule-with-targets-error", answer)
    many = [{"Id": f"t{n}", "Arn": arn} for n in range(7)]
    answer = call(events.put_targets, Rule=name, Targets=many)
    same(file, "TestEventTarget::test_add_exceed_fife_targets_per_rule", "put-targets-client-error", answer)
    answer = call(events.put_targets, Rule=name, Targets=[{"Id": "!@#$@!#$", "Arn": arn}])
    same(file, "TestEventTarget::test_put_target_id_validation", "put-targets-invalid-id-error", answer)
    same(file, test, "remove-target", events.remove_targets(Rule=name, Ids=["t"]))
    same(file, test, "list-targets-after-delete", events.list_targets_by_rule(Rule=name))
    tags = [{"Key": "tag1", "Value": "value1"}, {"Key": "tag2", "Value": "value2"}]
    rule = events.put_rule(Name="recorded-tags", EventPattern=json.dumps(pattern), Tags=tags)["RuleArn"]
    answer = events.list_tags_for_resource(ResourceARN=rule)
    same("events.test_events_tags", "TestRuleTags::test_put_rule_with_tags", "list_tags_for_rule", answer)
    test = "tests_tag_list_untag_not_existing_resource[not_existing_rule]"
    answer = call(events.tag_resource, ResourceARN=rule.replace("recorded-tags", "none"), Tags=tags)
    answer["Error"]["Message"] = answer["Error"]["Message"].replace("Rule none", "Rule <not-existing-resource-name>")
    same("events.test_events_tags", test, "tag_not_existing_resource_error", answer)
    entry = {"Source": "core.update-account-command", "DetailType": "core.update-account-command", "Detail": "{}"}
    for test, change in (
        ("TestEvents::test_put_events_without_source", {"Source": None}),
        ("TestEvents::test_put_event_without_detail", {"Detail": None}),
        ("TestEvents::test_put_event_without_detail_type", {"DetailType": None}),
        ("TestEvents::test_put_event_malformed_detail[ARRAY]", {"Detail": "[1]"}),
        ("TestEvents::test_put_event_malformed_detail[MALFORMED_JSON]", {"Detail": "{"}),
    ):
        given = {name: value for name, value in {**entry, **change}.items() if value is not None}
        same(file, test, "put-events", events.put_events(Entries=[given]))


def refused_patterns():
    """Every pattern that AWS was recorded to refuse, as far as its complaint quotes it."""
    file, events = "events.test_events_patterns", client("events")
    event = {name: "x" for name in ("id", "account", "source", "time", "region", "detail-type")} | {"resources": []}
    for name, snapshot in json.loads((directory / f"{file}.snapshot.json").read_text()).items():
        for label, recorded in snapshot["recorded-content"].items():
            if not isinstance(recorded, dict):
                continue
            error = recorded.get("exception_message", {}).get("Error", {})
            raw = error.get("MessageRaw", "")
            if "(String)" not in raw:
                continue
            pattern = raw.split('(String)"', 1)[1].rsplit('"; line:', 1)[0].split('"; line:')[0]
            answer = call(events.test_event_pattern, EventPattern=pattern, Event=json.dumps(event))
            found = answer.get("Error", {}).get("Message", answer)
            compare(f"{label} {pattern}", error["Message"].split(" at pos ")[0], str(found).split(" at pos ")[0])
            compared.append((name, label))


def delivered_events():
    """What AWS was recorded to put into a queue for a target with an input transformer."""
    file, events, sqs = "events.test_events_inputs", client("events"), client("sqs")
    queue = sqs.create_queue(QueueName="recorded-inputs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    pattern = {"source": ["recorded.inputs"]}
    events.put_rule(Name="recorded-inputs", EventPattern=json.dumps(pattern))
    detail = {"command": "update-account", "payload": {"acc_id": "0a787ecb-4015", "sf_id": "baz"},
              "listsingle": ["HIGH"], "listmulti": ["ACTIVE", "INACTIVE"], "valid": True}
    paths = {"userId": "$.detail.payload.acc_id", "payload": "$.detail.payload", "systemstring": "$.detail.awsAccountId",
             "listsingle": "$.detail.listsingle", "listmulti": "$.detail.listmulti", "valid": "$.detail.valid"}
    begin = "TestInputTransformer::test_input_transformer_nested_keys_replacement["
    for name, snapshot in json.loads((directory / f"{file}.snapshot.json").read_text()).items():
        recorded = snapshot["recorded-content"].get("input-transformed-messages")
        if begin not in name or not recorded:
            continue
        template = name.split(begin, 1)[1][:-1].replace('\\n', chr(10))
        transformer = {"InputPathsMap": paths, "InputTemplate": template}
        events.put_targets(Rule="recorded-inputs", Targets=[{"Id": "t", "Arn": arn, "InputTransformer": transformer}])
        entry = {"Source": "recorded.inputs", "DetailType": "recorded", "Detail": json.dumps(detail)}
        events.put_events(Entries=[entry])
        found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            if isinstance(recorded[0]["Body"], dict):
                message["Body"] = json.loads(message["Body"])
        compare(f"{name}", recorded, found)
        compared.append((name, "input-transformed-messages"))


scenarios = (
    key_management, log_groups, parameters, tables, roles, networks, queues, messages, rules, refused_patterns,
    delivered_events, functions,
)
for scenario in scenarios:
    scenario()
for difference in differences:
    print(difference, file=sys.stderr)
print(f"{len(compared)} answers compared with what AWS was recorded to say")
sys.exit(1 if differences else 0)

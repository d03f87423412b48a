"""Lambda's answers, held against what real AWS was recorded to answer."""

import io
import json
import time
import zipfile

from recorded_answers import call, client, same, trust


def archive(body):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bootstrap", body)
    return packed.getvalue()


LAMBDA = "lambda_.test_lambda_api"


def function(name, **more):
    """Makes a function as the recorded tests do, and waits for it."""
    aws = client("lambda")
    settings = {"Runtime": "python3.12", "Handler": "handler.handler", "Environment": {"Variables": {}}, "MemorySize": 128}
    role = "arn:aws:iam::123456789012:role/recorded-lambda"
    aws.create_function(FunctionName=name, Role=role, Code={"ZipFile": archive("one")}, **{**settings, **more})
    aws.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def settled(name):
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def by_the_model(answer):
    """AWS says a code of what an update is at that its own service model does not know; the sandbox keeps to the model."""
    if answer["LastUpdateStatus"] == "InProgress":
        answer.setdefault("LastUpdateStatusReasonCode", "Creating")
    return answer


def functions():
    aws, iam = client("lambda"), client("iam")
    iam.create_role(RoleName="recorded-lambda", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    statement = {"Effect": "Allow", "Action": ["sqs:*", "logs:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="recorded-lambda", PolicyName="own", PolicyDocument=policy)
    life = "test_function_lifecycle"
    function("recorded", Timeout=5, MemorySize=256)
    same(LAMBDA, life, "get_function_response", aws.get_function(FunctionName="recorded"))
    change = {"Description": "Changed-Description", "MemorySize": 512, "Timeout": 10, "Runtime": "python3.11",
              "Environment": {"Variables": {"ENV_A": "a"}}}
    answer = by_the_model(aws.update_function_configuration(FunctionName="recorded", **change))
    same(LAMBDA, life, "update_func_conf_response", answer)
    settled("recorded")
    same(LAMBDA, life, "get_function_response_postupdate", aws.get_function(FunctionName="recorded"))
    answer = aws.update_function_code(FunctionName="recorded", ZipFile=archive("two"))
    same(LAMBDA, life, "update_code_response", by_the_model(answer))
    settled("recorded")
    same(LAMBDA, life, "get_function_response_postcodeupdate", aws.get_function(FunctionName="recorded"))
    same(LAMBDA, life, "delete_response", aws.delete_function(FunctionName="recorded"))
    same(LAMBDA, life, "delete_postdelete", call(aws.delete_function, FunctionName="recorded"))
    function("recorded-logs", Timeout=5, MemorySize=256, LoggingConfig={"LogFormat": "JSON"})
    answer = aws.get_function(FunctionName="recorded-logs")
    same(LAMBDA, "test_function_advanced_logging_configuration", "get_function_response", answer)
    function("recorded")
    refusals()
    concurrency()
    invoke_configs()
    permissions()
    function_tags()
    mappings()


def refusals():
    aws, refused = client("lambda"), "test_create_lambda_exceptions"
    good = {"FunctionName": "refused", "Runtime": "python3.12", "Handler": "handler.handler", "Code": {"ZipFile": archive("one")},
            "Role": "arn:aws:iam::123456789012:role/recorded-lambda"}
    for label, change in {
        "invalid_role_arn_exc": {"Role": "r1"},
        "invalid_runtime_exc": {"Runtime": "non-existent-runtime"},
        "uppercase_runtime_exc": {"Runtime": "PYTHON3.9"},
        "multiple_architectures": {"Architectures": ["x86_64", "arm64"]},
        "uppercase_architecture": {"Architectures": ["X86_64"]},
        "invalid_zip_exc": {"Code": {"ZipFile": b"this is not a zipfile, just a random string"}},
    }.items():
        same(LAMBDA, refused, label, call(aws.create_function, **{**good, **change}))
    for label, change in {
        "invalid_role_arn_exc": {"Role": "r1"},
        "invalid_runtime_exc": {"Runtime": "non-existent-runtime"},
    }.items():
        answer = call(aws.update_function_configuration, FunctionName="recorded", **change)
        same(LAMBDA, "test_update_lambda_exceptions", label, answer)
    large = {"Variables": {"LARGE_VAR": "x" * 4081}}
    answer = call(aws.create_function, **{**good, "Environment": large})
    same(LAMBDA, "test_large_environment_variables_fails", "failed_create_fn_result", answer)
    answer = call(aws.list_functions, FunctionVersion="invalid")
    same(LAMBDA, "test_list_functions", "list_functions_invalid_functionversion", answer)
    settings = aws.get_account_settings()
    for part in ("AccountLimit", "AccountUsage"):
        settings[part] = sorted(settings[part])
    same(LAMBDA, "test_account_settings", "acc_settings_modded", settings)


def concurrency():
    aws, test = client("lambda"), "TestLambdaReservedConcurrency::test_function_concurrency"
    named = {"FunctionName": "recorded"}
    for reserved in (0, 1):
        answer = aws.put_function_concurrency(ReservedConcurrentExecutions=reserved, **named)
        same(LAMBDA, test, f"put_function_concurrency_with_reserved_{reserved}", answer)
    same(LAMBDA, test, "get_function_concurrency", aws.get_function_concurrency(**named))
    same(LAMBDA, test, "delete_response", aws.delete_function_concurrency(**named))
    same(LAMBDA, test, "get_function_concurrency_after_delete", aws.get_function_concurrency(**named))
    answer = call(aws.put_function_concurrency, FunctionName="doesnotexist", ReservedConcurrentExecutions=1)
    label = "put_function_concurrency_with_function_name_doesnotexist"
    same(LAMBDA, "test_function_concurrency_exceptions", label, answer)
    answer = call(aws.put_function_concurrency, FunctionName="recorded:$LATEST", ReservedConcurrentExecutions=1)
    same(LAMBDA, "test_function_concurrency_exceptions", "put_function_concurrency_with_qualified_arn", answer)


def invoke_configs():
    aws, test = client("lambda"), "test_lambda_eventinvokeconfig_lifecycle"
    named = {"FunctionName": "recorded"}
    put, change = aws.put_function_event_invoke_config, aws.update_function_event_invoke_config
    same(LAMBDA, test, "put_invokeconfig_retries_0", put(MaximumRetryAttempts=0, **named))
    same(LAMBDA, test, "put_invokeconfig_eventage_60", put(MaximumEventAgeInSeconds=60, **named))
    same(LAMBDA, test, "update_invokeconfig_eventage_nochange", change(MaximumEventAgeInSeconds=60, **named))
    same(LAMBDA, test, "update_invokeconfig_retries", change(MaximumRetryAttempts=1, **named))
    same(LAMBDA, test, "get_invokeconfig", aws.get_function_event_invoke_config(**named))
    same(LAMBDA, test, "list_single_invokeconfig", aws.list_function_event_invoke_configs(**named))
    test = "test_lambda_eventinvokeconfig_exceptions"
    answer = call(put, FunctionName="doesnotexist", MaximumRetryAttempts=1)
    same(LAMBDA, test, "put_functionname_name_notfound", answer)
    same(LAMBDA, test, "put_functionname_nootherargs", call(put, **named))
    to = lambda name: {"OnSuccess": {"Destination": f"arn:aws:lambda:us-east-1:123456789012:function:{name}"}}
    same(LAMBDA, test, "put_destination_lambda_doesntexist", call(put, DestinationConfig=to("doesnotexist"), **named))
    same(LAMBDA, test, "put_destination_recursive", call(put, DestinationConfig=to("recorded"), **named))
    same(LAMBDA, test, "put_destination_success_no_destination_arn", put(DestinationConfig={"OnSuccess": {}}, **named))
    answer = call(aws.get_function_event_invoke_config, FunctionName="doesnotexist")
    same(LAMBDA, test, "get_function_doesnotexist", answer)
    answer = call(put, FunctionName="recorded:$LATEST", Qualifier="1", MaximumRetryAttempts=1)
    same(LAMBDA, test, "put_shorthand_qualifier_mismatch_1", answer)


def permissions():
    aws, test = client("lambda"), "test_add_lambda_permission_aws"
    bucket = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
              "SourceArn": "arn:aws:s3:::recorded"}
    answer = aws.add_permission(FunctionName="recorded", **bucket)
    same(LAMBDA, test, "add_permission", {**answer, "Statement": json.loads(answer["Statement"])})
    answer = aws.get_policy(FunctionName="recorded")
    same(LAMBDA, test, "get_policy", {**answer, "Policy": json.loads(answer["Policy"])})
    test = "test_permission_exceptions"
    add = lambda **change: call(aws.add_permission, **{"FunctionName": "recorded", **bucket, **change})
    same(LAMBDA, test, "add_permission_conflicting_statement_id", add())
    same(LAMBDA, test, "add_permission_invalid_statement_id", add(StatementId="example.com"))
    same(LAMBDA, test, "add_permission_principal_invalid", add(StatementId="new", Principal="invalid.nonaws.com"))
    same(LAMBDA, test, "add_permission_fn_qualifier_latest", add(StatementId="new", Qualifier="$LATEST"))
    same(LAMBDA, test, "add_permission_fn_doesnotexist", add(FunctionName="doesnotexist"))
    same(LAMBDA, test, "get_policy_fn_doesnotexist", call(aws.get_policy, FunctionName="doesnotexist"))
    answer = call(aws.remove_permission, FunctionName="doesnotexist", StatementId="s3")
    same(LAMBDA, test, "remove_permission_fn_doesnotexist", answer)
    answer = call(aws.remove_permission, FunctionName="recorded", StatementId="non-existent")
    same(LAMBDA, "test_remove_multi_permissions", "remove_permission_exception_nonexisting_sid", answer)
    answer = call(aws.remove_permission, FunctionName="recorded", StatementId="s3", RevisionId="wrong")
    same(LAMBDA, "test_lambda_permission_revisions", "remove_permission_fn_revision_id_doesnotmatch", answer)


def function_tags():
    aws, test = client("lambda"), "TestLambdaTag::test_tag_lifecycle[lambda_function]"
    arn = "arn:aws:lambda:us-east-1:123456789012:function:recorded"
    same(LAMBDA, test, "tag_single_response", aws.tag_resource(Resource=arn, Tags={"A": "tag-a"}))
    same(LAMBDA, test, "tag_single_response_listtags", aws.list_tags(Resource=arn))
    aws.tag_resource(Resource=arn, Tags={"B": "tag-b", "C": "tag-c"})
    same(LAMBDA, test, "tag_multiple_response_listtags", aws.list_tags(Resource=arn))
    same(LAMBDA, test, "untag_single_response", aws.untag_resource(Resource=arn, TagKeys=["A", "B", "C"]))
    same(LAMBDA, test, "untag_existing_and_nonexisting_response_listtags", aws.list_tags(Resource=arn))
    test = "TestLambdaTag::test_tag_exceptions[lambda_function]"
    same(LAMBDA, test, "not_found_exception_list", call(aws.list_tags, Resource=f"{arn}-not"))
    answer = call(aws.tag_resource, Resource=f"{arn}:alias", Tags={"A": "a"})
    same(LAMBDA, test, "aliased_arn_exception", answer)
    answer = call(aws.tag_resource, Resource=arn, Tags={f"{n}_key": "value" for n in range(51)})
    same(LAMBDA, "TestLambdaTags::test_tag_limits", "tag_lambda_too_many_tags", answer)


def mappings():
    aws, sqs = client("lambda"), client("sqs")
    test, nobody = "test_event_source_mapping_exceptions", "11111111-1111-1111-1111-111111111111"
    same(LAMBDA, test, "get_unknown_uuid", call(aws.get_event_source_mapping, UUID=nobody))
    same(LAMBDA, test, "delete_unknown_uuid", call(aws.delete_event_source_mapping, UUID=nobody))
    same(LAMBDA, test, "update_unknown_uuid", call(aws.update_event_source_mapping, UUID=nobody, Enabled=False))
    create = aws.create_event_source_mapping
    same(LAMBDA, test, "create_no_event_source_arn", call(create, FunctionName="doesnotexist"))
    queue = "arn:aws:sqs:us-east-1:123456789012:recorded-mapped"
    same(LAMBDA, test, "create_unknown_params", call(create, FunctionName="doesnotexist", EventSourceArn=queue))
    file = "lambda_.event_source_mapping.test_lambda_integration_sqs"
    answer = call(create, FunctionName="recorded", EventSourceArn=queue)
    same(file, "test_esm_with_not_existing_sqs_queue", "error", answer)
    sqs.create_queue(QueueName="recorded-mapped")
    test = "TestSQSEventSourceMapping::test_event_source_mapping_default_batch_size"
    made = create(FunctionName="recorded", EventSourceArn=queue)
    same(file, test, "create-event-source-mapping", made)
    answer = call(create, FunctionName="recorded", EventSourceArn=queue)
    same(file, "TestSQSEventSourceMapping::test_duplicate_event_source_mappings", "error", answer)
    while aws.get_event_source_mapping(UUID=made["UUID"])["State"] != "Enabled":
        time.sleep(0.05)
    answer = call(aws.update_event_source_mapping, UUID=made["UUID"], BatchSize=11)
    same(file, test, "invalid-update-event-source-mapping", answer)

"""Checks recorded requests and responses against AWS's own service models, as botocore ships them.

Usage: models.py RECORDING
The recording has one exchange per line. Every request is parsed back by its protocol and held against the input
shape; every response is parsed by botocore and its raw members are held against the output shape. What does not fit is
printed, and the exit code is 1.
"""

import base64
import collections
import datetime
import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

import botocore.exceptions
import botocore.parsers
import botocore.session
import botocore.validate

# Signing names, as AWS's endpoints see them, and botocore's names where they differ.
MODELS = {
    "monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi", "elasticloadbalancing": "elbv2",
    "application-autoscaling": "application-autoscaling",
}
# Errors that every service may answer and that no model lists.
COMMON = {
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Throttling", "ThrottlingException",
    "RequestLimitExceeded", "InternalFailure", "InternalError", "InternalServerError", "ServiceUnavailable",
    "ServiceUnavailableException", "Unavailable", "ValidationError", "ValidationException", "InvalidParameterValue",
    "InvalidParameterCombination", "MissingParameter", "InvalidAction", "UnknownOperationException",
}
# Where AWS answers otherwise than its own model says, with the page that shows it.
AWS_ITSELF = {
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html (its example: `available`)
    ("VpcEndpoint.State", "available"), ("VpcEndpoint.State", "pending"), ("VpcEndpoint.State", "deleting"),
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InternetGatewayAttachment.html (`available` when
    # attached to a VPC)
    ("InternetGatewayAttachment.State", "available"),
    # https://docs.aws.amazon.com/acm/latest/userguide/gs-acm-describe.html (its example: `RSA-2048`)
    ("KeyAlgorithm", "RSA-2048"),
}
session = botocore.session.get_session()
loader = session.get_component("data_loader")
# The members of those, by the names of their enumerations.
ENUMS_OF = {"State": "VpcEndpoint.State", "AttachmentStatus": "InternetGatewayAttachment.State",
            "KeyAlgorithm": "KeyAlgorithm"}
models = {}


def model(service):
    if service not in models:
        models[service] = session.get_service_model(MODELS.get(service, service))
    return models[service]


def body(recorded):
    (kind, text), = recorded.items()
    return base64.b64decode(text) if kind == "base64" else text.encode()


def protocol_of(exchange, operation):
    """What an exchange is in: of the protocols that a service speaks, clients choose."""
    headers = {name.lower(): text for name, text in exchange["request_headers"]}
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return "smithy-rpc-v2-cbor"
    if "x-amz-target" in headers:
        return "json"
    return operation.service_model.resolved_protocol


def uncbor(raw):
    parser = botocore.parsers.create_parser("smithy-rpc-v2-cbor")
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(raw)) if raw else {}


def unrest(exchange, operation, value, faults):
    """The input of a call by its path: what the path and the query hold, beside what the body does."""
    path, _, query = exchange["uri"].partition("?")
    template = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(operation.http["requestUri"].rstrip("/")))
    labels = re.fullmatch(template, path.rstrip("/"))
    given = urllib.parse.parse_qs(query)
    for member, shape in operation.input_shape.members.items():
        place, name = shape.serialization.get("location"), shape.serialization.get("name", member)
        if place == "uri" and labels:
            value[member] = urllib.parse.unquote(labels.group(name))
        elif place == "querystring" and name in given:
            value[member] = given[name] if shape.type_name == "list" else scalar(shape, given[name][0], member, faults)
    return value


def unxml(shape, element, path, faults):
    """What an element of a request's body holds, by the model's shapes."""
    kind = shape.type_name
    if kind == "structure":
        names = {inner.serialization.get("name", member): member for member, inner in shape.members.items()}
        found = {}
        for child in element:
            if local(child.tag) not in names:
                faults.add(path, f"unknown member {local(child.tag)}")
                continue
            member = names[local(child.tag)]
            found[member] = unxml(shape.members[member], child, f"{path}.{member}", faults)
        return found
    if kind == "list":
        item = shape.member.serialization.get("name", "member")
        for child in element:
            if local(child.tag) != item:
                faults.add(path, f"an item is called {local(child.tag)}, not {item}")
        return [unxml(shape.member, child, f"{path}[{n}]", faults) for n, child in enumerate(element)]
    return scalar(shape, element.text or "", path, faults)


def local(tag):
    return tag.rsplit("}", 1)[-1]


class Faults(list):
    def add(self, path, what):
        self.append(f"{path or '.'}: {what}")


# ---- requests -------------------------------------------------------------------------------------------------

def scalar(shape, text, path, faults):
    """A scalar of a query string as the value that the model speaks of."""
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "boolean":
            if text not in ("true", "false"):
                raise ValueError(text)
            return text == "true"
        if kind == "timestamp":
            return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        if kind == "blob":
            return base64.b64decode(text, validate=True)
    except ValueError:
        faults.add(path, f"{text!r} is no {kind}")
    return text


def query_name(shape, member, ec2):
    """The name of a member in a query string; EC2 has names of its own."""
    ours = shape.members[member].serialization
    if ec2:
        if "queryName" in ours:
            return ours["queryName"]
        name = ours.get("name", member)
        return name[0].upper() + name[1:]
    return ours.get("name", member)


def unquery(shape, pairs, path, faults, ec2):
    """Turns `A.B.1.C=x` pairs, by the model's shapes, into what a caller of botocore would have passed."""
    if shape.type_name == "structure":
        groups = collections.OrderedDict()
        for key, value in pairs:
            head, _, rest = key.partition(".")
            groups.setdefault(head, []).append((rest, value))
        names = {query_name(shape, member, ec2): member for member in shape.members}
        found = {}
        for head, rest in groups.items():
            if head not in names:
                faults.add(path, f"unknown member {head}")
                continue
            member = names[head]
            found[member] = unquery(shape.members[member], rest, f"{path}.{member}", faults, ec2)
        return found
    if shape.type_name in ("list", "map"):
        flat = ec2 or shape.serialization.get("flattened")
        item = "entry" if shape.type_name == "map" else getattr(shape, "member", shape).serialization.get("name", "member")
        groups = {}
        for key, value in pairs:
            if not flat:
                head, _, key = key.partition(".")
                if head != item:
                    if head or value:
                        faults.add(path, f"a list's items are under {item}, not {head!r}")
                    continue
            number, _, rest = key.partition(".")
            if not number.isdigit():
                faults.add(path, f"{number!r} is no place in a list")
                continue
            groups.setdefault(int(number), []).append((rest, value))
        if sorted(groups) != list(range(1, len(groups) + 1)):
            faults.add(path, f"places of a list are {sorted(groups)}")
        if shape.type_name == "map":
            return {dict(groups[n]).get("key"): dict(groups[n]).get("value") for n in sorted(groups)}
        return [unquery(shape.member, groups[n], f"{path}[{n}]", faults, ec2) for n in sorted(groups)]
    if len(pairs) != 1 or pairs[0][0]:
        faults.add(path, f"a {shape.type_name} is written as {pairs}")
        return ""
    return scalar(shape, pairs[0][1], path, faults)


def walk(shape, value, path, faults):
    """Unknown members, wrong types and values outside of an enumeration; the rest is botocore's validator's."""
    kind = shape.type_name
    if kind == "string" and (ENUMS_OF.get(shape.name), value) in AWS_ITSELF:
        return None
    if value is None:
        faults.add(path, "is null")
    elif kind == "structure":
        if not isinstance(value, dict):
            return faults.add(path, f"{value!r} is no structure")
        if shape.is_tagged_union and len(value) != 1:
            faults.add(path, f"a union with {sorted(value)}")
        for member in value:
            if member not in shape.members:
                faults.add(path, f"unknown member {member}")
            else:
                walk(shape.members[member], value[member], f"{path}.{member}", faults)
        for member in shape.required_members:
            if member not in value:
                faults.add(path, f"required member {member} is not there")
    elif kind == "list":
        if not isinstance(value, list):
            return faults.add(path, f"{value!r} is no list")
        for n, item in enumerate(value):
            walk(shape.member, item, f"{path}[{n}]", faults)
    elif kind == "map":
        if not isinstance(value, dict):
            return faults.add(path, f"{value!r} is no map")
        for key, item in value.items():
            walk(shape.value, item, f"{path}[{key!r}]", faults)
    elif kind == "string" and not isinstance(value, str):
        faults.add(path, f"{value!r} is no string")
    elif kind == "boolean" and not isinstance(value, bool):
        faults.add(path, f"{value!r} is no boolean")
    elif kind in ("integer", "long") and (isinstance(value, bool) or not isinstance(value, int)):
        faults.add(path, f"{value!r} is no {kind}")
    elif kind in ("float", "double") and (isinstance(value, bool) or not isinstance(value, (int, float))):
        faults.add(path, f"{value!r} is no {kind}")
    elif kind == "timestamp" and shape.serialization.get("timestampFormat") == "iso8601" and isinstance(value, str):
        if not ISO.match(value):
            faults.add(path, f"{value!r} is no timestamp")
    elif kind == "timestamp" and not isinstance(value, (int, float, datetime.datetime)):
        faults.add(path, f"{value!r} is no timestamp of this protocol")
    if kind == "string" and isinstance(value, str):
        if getattr(shape, "enum", None) and value not in shape.enum:
            faults.add(path, f"{value!r} is none of {shape.enum[:8]}")
        pattern = shape.metadata.get("pattern")
        if pattern and not matches(pattern, value):
            faults.add(path, f"{value!r} does not match {pattern}")


def matches(pattern, value):
    """Smithy's patterns are ECMA's; what Python does not understand of them is not judged."""
    pattern = pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s").replace(r"\p{L}", r"^\W\d_").replace(r"\p{Z}", r"\s")
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True




def check_request(exchange, operation, faults):
    shape = operation.input_shape
    protocol = protocol_of(exchange, operation)
    raw = body(exchange["request_body"])
    if protocol in ("query", "ec2"):
        pairs = urllib.parse.parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=True)
        named = dict(pairs)
        if named.get("Action") != operation.name:
            faults.add("Action", f"is {named.get('Action')}")
        if named.get("Version") != operation.service_model.api_version:
            faults.add("Version", f"is {named.get('Version')}, the model's is {operation.service_model.api_version}")
        pairs = [(key, value) for key, value in pairs if key not in ("Action", "Version")]
        if shape is None:
            return [faults.add("", f"takes nothing, got {key}") for key, _ in pairs]
        value = unquery(shape, pairs, "", faults, protocol == "ec2")
    elif protocol == "json":
        headers = {name.lower(): text for name, text in exchange["request_headers"]}
        target = f"{operation.service_model.metadata['targetPrefix']}.{operation.name}"
        if headers.get("x-amz-target") != target:
            faults.add("X-Amz-Target", f"is {headers.get('x-amz-target')}, not {target}")
        kind = f"application/x-amz-json-{operation.service_model.metadata['jsonVersion']}"
        if headers.get("content-type") != kind:
            faults.add("Content-Type", f"is {headers.get('content-type')}, not {kind}")
        value = json.loads(raw or b"{}")
        if shape is None:
            return None if not value else faults.add("", f"takes nothing, got {sorted(value)}")
    elif protocol == "smithy-rpc-v2-cbor":
        value = uncbor(raw)
    elif protocol == "rest-json":
        value = unrest(exchange, operation, json.loads(raw or b"{}"), faults)
    elif protocol == "rest-xml":
        root = ElementTree.fromstring(raw) if raw else None
        value = {} if root is None else unxml(shape, root, "", faults)
        value = value if shape is None else unrest(exchange, operation, value, faults)
        if shape is None:
            return None if not value else faults.add("", f"takes nothing, got {sorted(value)}")
    else:
        return faults.add("", f"no judge for protocol {protocol}")
    walk(shape, value, "", faults)
    report = botocore.validate.ParamValidator().validate(value, shape)
    if report.has_errors():
        faults.add("", report.generate_report().replace("\n", "; "))


# ---- responses ------------------------------------------------------------------------------------------------

ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def walk_xml(shape, element, path, faults, ec2):
    kind = shape.type_name
    if kind == "structure":
        names = {}
        for member, inner in shape.members.items():
            name = inner.serialization.get("name", member)
            if inner.type_name in ("list", "map") and inner.serialization.get("flattened") and inner.type_name == "list":
                name = inner.member.serialization.get("name", name)
            names[name] = member
        seen = set()
        for child in element:
            name = local(child.tag)
            if name not in names:
                faults.add(path, f"unknown member {name}")
                continue
            member = names[name]
            seen.add(member)
            inner = shape.members[member]
            if inner.type_name == "list" and inner.serialization.get("flattened"):
                inner = inner.member
            walk_xml(inner, child, f"{path}.{member}", faults, ec2)
        elsewhere = {member for member, inner in shape.members.items() if "location" in inner.serialization}
        missing = [member for member in shape.required_members if member not in seen | elsewhere]
        for member in missing:
            if shape.members[member].type_name != "list":
                faults.add(path, f"required member {member} is not there")
    elif kind == "list":
        item = shape.member.serialization.get("name", "item" if ec2 else "member")
        for n, child in enumerate(element):
            if local(child.tag) != item:
                faults.add(path, f"an item is called {local(child.tag)}, not {item}")
            walk_xml(shape.member, child, f"{path}[{n}]", faults, ec2)
        if not len(element) and (element.text or "").strip():
            faults.add(path, f"a list has the text {element.text!r}")
    elif kind == "map":
        for child in element:
            if [local(part.tag) for part in child] != ["key", "value"]:
                faults.add(path, f"an entry of a map has {[local(part.tag) for part in child]}")
    else:
        text = element.text or ""
        if len(element):
            return faults.add(path, f"a {kind} has members {[local(child.tag) for child in element]}")
        if kind == "timestamp":
            if not ISO.match(text):
                faults.add(path, f"{text!r} is no timestamp")
        else:
            walk(shape, scalar(shape, text, path, faults), path, faults)


def check_error(exchange, operation, raw, parsed, faults):
    error = parsed.get("Error", {})
    code = error.get("Code")
    if not code:
        return faults.add("", f"HTTP {exchange['status']} with no error code: {raw[:200]!r}")
    if operation.service_model.resolved_protocol == "ec2":
        return None  # EC2's model lists no errors.
    declared = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
    declared |= {shape.name for shape in operation.error_shapes}
    # Where a service has an older protocol, its code in that is what stands first; its model's is in the body.
    if not {code, error.get("QueryErrorCode")} & (declared | COMMON):
        faults.add("", f"error {code} is none of {sorted(declared)}")
    return None


def check_response(exchange, operation, faults):
    shape = operation.output_shape
    protocol = protocol_of(exchange, operation)
    raw = body(exchange["response_body"])
    parser = botocore.parsers.create_parser(protocol)
    response = {"status_code": exchange["status"], "body": raw,
                "headers": botocore.compat.HTTPHeaders.from_pairs(map(tuple, exchange["response_headers"]))}
    try:
        parsed = parser.parse(response, shape)
    except (botocore.parsers.ResponseParserError, KeyError) as error:
        return faults.add("", f"botocore cannot parse it: {error!r}")
    # botocore reads no header of an answer without a shape.
    if not parsed["ResponseMetadata"].get("RequestId") and not response["headers"].get("x-amzn-requestid"):
        faults.add("", "no request id")
    if exchange["status"] >= 300:
        return check_error(exchange, operation, raw, parsed, faults)
    if protocol in ("json", "rest-json", "smithy-rpc-v2-cbor"):
        value = uncbor(raw) if protocol == "smithy-rpc-v2-cbor" else json.loads(raw or b"{}")
        if shape is None:
            return None if not value else faults.add("", f"answers nothing, got {sorted(value)}")
        return walk(shape, value, "", faults)
    root = ElementTree.fromstring(raw)
    if local(root.tag) != f"{operation.name}Response":
        faults.add("", f"the root is {local(root.tag)}")
    if protocol == "ec2":
        inner = [child for child in root if local(child.tag) not in ("requestId", "return")]
        element = ElementTree.Element("answer")
        element.extend(inner if shape is not None else [])
        extra = [local(child.tag) for child in root if local(child.tag) == "return"] if shape is None else []
        if shape is not None and "Return" in shape.members:
            element.extend(child for child in root if local(child.tag) == "return")
        elif not extra and shape is None and inner:
            faults.add("", f"answers nothing, got {[local(child.tag) for child in inner]}")
        if shape is None:
            return None
    elif protocol == "rest-xml":
        if shape is None:
            return None
        element = root
    else:
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        children = {local(child.tag): child for child in root}
        allowed = {"ResponseMetadata", wrapper}
        for name in children:
            if name not in allowed:
                faults.add("", f"unknown member {name} beside the result")
        if shape is None:
            return None
        element = children.get(wrapper) if wrapper else root
        if element is None:
            return faults.add("", f"no {wrapper}")
    return walk_xml(shape, element, "", faults, protocol == "ec2")


def main():
    seen, bad = collections.Counter(), collections.defaultdict(list)
    for line in open(sys.argv[1]):
        exchange = json.loads(line)
        service, name = exchange["service"], exchange["operation"]
        seen[service, name] += 1
        try:
            operation = model(service).operation_model(name)
        except botocore.exceptions.BotoCoreError as error:
            bad[service, name, f"unknown: {error}"].append(exchange)
            continue
        for direction, check in (("request", check_request), ("response", check_response)):
            faults = Faults()
            check(exchange, operation, faults)
            for fault in faults:
                bad[service, name, f"{direction} {fault}"].append(exchange)
    for (service, name, fault), exchanges in sorted(bad.items()):
        print(f"{service}.{name} ({len(exchanges)} of {seen[service, name]}): {fault[:600]}")
    print(json.dumps({"exchanges": sum(seen.values()), "operations": len(seen), "faults": len(bad)}))
    sys.exit(1 if bad or not seen else 0)


main()

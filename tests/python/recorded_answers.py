"""What real AWS was recorded to answer, and comparing with it. The directory of recordings is the program's argument:
it holds `<service>.<test>.snapshot.json`, in which ids, names and dates are placeholders.
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
    return text in ("date", "datetime", "timestamp", "<datetime>") or ("<" in text and ">" in text)


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

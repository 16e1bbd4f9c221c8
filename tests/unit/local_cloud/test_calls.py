import io
from typing import Any

import pytest

from steadfleet_local_cloud.answers import Answer
from steadfleet_local_cloud.calls import Call, resource_ids


def environ(service: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
    scope = f"AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host"
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "HTTP_AUTHORIZATION": scope,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **more,
    }


def test_a_query_call_is_read_and_can_be_read_again() -> None:
    body = b"Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1"
    request = environ("ec2", body, CONTENT_TYPE="application/x-www-form-urlencoded; charset=utf-8")

    call = Call.read(request)

    assert (call.service, call.region, call.action) == ("ec2", "eu-west-1", "RunInstances")
    assert call.parameters == {"ImageId": "ami-1", "MinCount": "1"}
    assert request["wsgi.input"].read() == body


def test_a_json_call_is_read() -> None:
    request = environ("ssm", b'{"Name": "x"}', HTTP_X_AMZ_TARGET="AmazonSSM.GetParameter")

    call = Call.read(request)

    assert (call.service, call.action, call.parameters) == ("ssm", "GetParameter", {"Name": "x"})


@pytest.mark.parametrize(
    ("method", "path", "action", "mutating"),
    [
        ("GET", "/", "ListBuckets", False),
        ("PUT", "/evidence", "CreateBucket", True),
        ("GET", "/evidence", "ListObjectsV2", False),
        ("PUT", "/evidence/a/b", "PutObject", True),
        ("DELETE", "/evidence/a/b", "DeleteObject", True),
    ],
)
def test_s3_calls_are_named(method: str, path: str, action: str, *, mutating: bool) -> None:
    call = Call.read(environ("s3", REQUEST_METHOD=method, PATH_INFO=path))

    assert (call.action, call.mutating) == (action, mutating)


@pytest.mark.parametrize(
    ("method", "path", "action", "mutating"),
    [
        ("GET", "/snapshots/snap-1/blocks", "ListSnapshotBlocks", False),
        ("GET", "/snapshots/snap-1/blocks/7", "GetSnapshotBlock", False),
        ("PUT", "/snapshots/snap-1/blocks/7", "PutSnapshotBlock", True),
        ("POST", "/snapshots", "StartSnapshot", True),
        ("GET", "/elsewhere", "GET /elsewhere", True),
    ],
)
def test_calls_for_blocks_are_named(method: str, path: str, action: str, *, mutating: bool) -> None:
    call = Call.read(environ("ebs", REQUEST_METHOD=method, PATH_INFO=path))

    assert (call.action, call.mutating) == (action, mutating)
    assert call.parameters == {"path": path}


def test_resource_ids_are_found_once_each_in_order() -> None:
    body = b"<id>i-0123456789abcdef0</id><id>ami-01234567</id><id>i-0123456789abcdef0</id>"

    assert resource_ids(body) == ["i-0123456789abcdef0", "ami-01234567"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<Response><Errors><Error><Code>InvalidGroup</Code></Error></Errors></Response>", "InvalidGroup"),
        (b'{"__type": "com.amazonaws#ParameterNotFound"}', "ParameterNotFound"),
        (b"<html>", "HTTP 400"),
        (b"[]", "HTTP 400"),
    ],
)
def test_the_code_of_a_refusal_is_found(body: bytes, code: str) -> None:
    assert Answer(400, body).error_code == code
    assert Answer(200, body).error_code is None

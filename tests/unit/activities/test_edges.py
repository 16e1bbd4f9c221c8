"""What AWS says becomes an error of ours: in words, and retried only if it may get better."""

from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError
from temporalio.exceptions import ApplicationError

from steadfleet_activities.fleet.aws import AwsFleet
from steadfleet_activities.fleet.clients import Aws
from steadfleet_activities.fleet.commands import _judge, _overdue
from steadfleet_activities.fleet.errors import at_the_edge
from steadfleet_activities.fleet.health import Answer
from steadfleet_activities.image.errors import at_the_edge as image_edge
from steadfleet_core.errors import NotBuiltError, RefusedError
from steadfleet_durable import register
from steadfleet_durable.options import LONG

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "STEADFLEET_BUCKET": "ours",
}


def _client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said AWS"}}, "RunInstances")


@pytest.mark.parametrize(
    ("error", "kind", "permanent"),
    [
        (_client_error("UnauthorizedOperation"), "UnauthorizedOperation", True),
        (_client_error("InvalidAMIID.NotFound"), "InvalidAMIID.NotFound", True),
        (_client_error("InsufficientInstanceCapacity"), "InsufficientInstanceCapacity", False),
        (_client_error("RequestLimitExceeded"), "RequestLimitExceeded", False),
        (_client_error("ExpiredToken"), "ExpiredToken", False),
        (_client_error("InternalError"), "InternalError", False),
        (ConnectionClosedError(endpoint_url="x"), "ConnectionClosedError", False),
        (ParamValidationError(report="bad"), "ParamValidation", True),
        (RefusedError("no"), "RefusedError", True),
        (NotBuiltError("no"), "NotBuiltError", True),
    ],
)
def test_error_says_its_kind_and_whether_to_retry(error: Exception, kind: str, *, permanent: bool) -> None:
    with pytest.raises(ApplicationError) as ours, at_the_edge("changing host i-1"):
        raise error

    assert (ours.value.type, ours.value.non_retryable) == (kind, permanent)
    assert ours.value.__cause__ is error


def test_error_says_what_was_being_done() -> None:
    with pytest.raises(ApplicationError) as ours, at_the_edge("changing host i-1"):
        raise _client_error("InternalError")

    assert str(ours.value).endswith(
        "changing host i-1: AWS answered RunInstances with InternalError: said AWS"
    )


def test_defect_is_no_error_of_the_platform() -> None:
    with pytest.raises(KeyError), at_the_edge("changing host i-1"):
        raise KeyError("a bug")


def test_clients_follow_the_environment() -> None:
    aws = Aws.from_environment(ENVIRONMENT, slots=7)

    assert aws.region == "eu-west-1"
    assert {client.meta.endpoint_url for client in (aws.ec2, aws.s3, aws.ssm)} == {"http://127.0.0.1:9"}
    assert _config(aws.ec2).max_pool_connections == 7
    assert _config(aws.ec2).retries["total_max_attempts"] == 5
    assert _config(aws.launcher).retries["total_max_attempts"] == 1, "somebody has to look first"


def test_missing_region_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    with pytest.raises(RefusedError, match="set AWS_REGION"):
        Aws.from_environment({})


def test_every_call_ends() -> None:
    """A cancellation waits for the call under way."""
    config = _config(Aws.from_environment(ENVIRONMENT).ec2)

    assert (config.connect_timeout, config.read_timeout) == (5, 30)


def _config(client: Any) -> Any:
    return client.meta.config


def test_adapter_offers_all_that_its_port_promises() -> None:
    fleet = AwsFleet.from_environment(ENVIRONMENT)

    assert len(register(fleet)) == 11
    assert fleet._plans.bucket == "ours"
    assert (
        AwsFleet.from_environment({**ENVIRONMENT, "STEADFLEET_BUCKET": ""})._plans.bucket
        == "steadfleet-plans"
    )


@pytest.mark.parametrize(
    ("status", "details", "answer"),
    [
        ("Success", "Success", Answer.PASSED),
        ("Failed", "Failed", Answer.FAILED),
        ("TimedOut", "Execution Timed Out", Answer.FAILED),
        ("TimedOut", "Delivery Timed Out", Answer.UNKNOWN),
        ("TimedOut", "ExecutionTimedOut", Answer.FAILED),
        ("Failed", "Undeliverable", Answer.UNKNOWN),
        ("Cancelled", "Cancelled", Answer.UNKNOWN),
        ("Failed", "Terminated", Answer.UNKNOWN),
    ],
)
def test_only_what_ran_on_the_machine_is_its_fault(status: str, details: str, answer: Answer) -> None:
    invocation: Any = {"Status": status, "StatusDetails": details, "ResponseCode": 1}

    assert _judge("command `x`", invocation).answer is answer


@pytest.mark.parametrize(("status", "answer"), [("InProgress", Answer.FAILED), ("Pending", Answer.UNKNOWN)])
def test_command_without_an_end_is_judged_by_whether_it_began(status: str, answer: Answer) -> None:
    assert _overdue("command `x`", status, LONG["start_to_close_timeout"]).answer is answer


def test_the_registry_that_does_not_answer_is_named() -> None:
    request = httpx.Request("GET", "http://registry.example.com:5000/v2/golden/web/manifests/1.4.2")

    with pytest.raises(ApplicationError) as raised, image_edge("publishing"):
        raise httpx.ConnectError("refused", request=request)

    assert str(raised.value).endswith(
        "publishing: no answer from the registry registry.example.com:5000: refused"
    )


def test_what_was_never_sent_has_no_address() -> None:
    with (
        pytest.raises(ApplicationError, match="no answer from the registry: it keeps nothing"),
        image_edge("x"),
    ):
        raise httpx.TransportError("it keeps nothing")

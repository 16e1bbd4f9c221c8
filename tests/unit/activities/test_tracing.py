"""A call to AWS is told by what it was and how it ended, never by what was said."""

from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from steadfleet_activities.tracing import trace_aws_calls

SECRET = "hush-hush"
REFUSAL = (
    b"<Response><Errors><Error><Code>UnauthorizedOperation</Code>"
    b"<Message>hush-hush</Message></Error></Errors></Response>"
)


class Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_options: Any) -> Any:
        yield self._content


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


def client(monkeypatch: pytest.MonkeyPatch, answer: Any, endpoint: str = "http://127.0.0.1:1") -> Any:
    """Give a client of a traced session; `answer` stands in for the network."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key=SECRET, region_name="eu-west-1")
    trace_aws_calls(session)
    made = session.client("ec2", config=Config(retries={"total_max_attempts": 1}))
    made.meta.events.register("before-send", answer)
    return made


def refuse(request: Any, **_rest: Any) -> AWSResponse:
    return AWSResponse(request.url, 403, HTTPHeaders(), Body(REFUSAL))


def hang_up(request: Any, **_rest: Any) -> AWSResponse:
    raise EndpointConnectionError(endpoint_url=f"{request.url}?{SECRET}")


def test_a_refused_call_tells_its_code_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, exported: InMemorySpanExporter
) -> None:
    ec2 = client(monkeypatch, refuse)
    with trace.get_tracer("test").start_as_current_span("activity"), pytest.raises(ClientError):
        ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, UserData=SECRET)

    call, activity = exported.get_finished_spans()
    assert call.parent == activity.context
    assert (call.name, call.status.status_code) == ("EC2.RunInstances", trace.StatusCode.ERROR)
    assert dict(call.attributes or {}) == {
        "rpc.system": "aws-api",
        "rpc.service": "EC2",
        "rpc.method": "RunInstances",
        "cloud.region": "eu-west-1",
        "http.response.status_code": 403,
        "http.request.resend_count": 0,
        "aws.request_id": "",
        "error.type": "UnauthorizedOperation",
    }
    assert SECRET not in call.to_json()


def test_a_call_without_an_answer_tells_the_kind_of_the_error_only(
    monkeypatch: pytest.MonkeyPatch, exported: InMemorySpanExporter
) -> None:
    ec2 = client(monkeypatch, hang_up)
    with trace.get_tracer("test").start_as_current_span("activity"), pytest.raises(EndpointConnectionError):
        ec2.describe_instances()

    call, _ = exported.get_finished_spans()
    assert call.attributes is not None
    assert call.attributes["error.type"] == "EndpointConnectionError"
    assert SECRET not in call.to_json()


def test_what_a_worker_asks_by_itself_belongs_to_no_trace(
    monkeypatch: pytest.MonkeyPatch, exported: InMemorySpanExporter
) -> None:
    ec2 = client(monkeypatch, refuse)
    with pytest.raises(ClientError):
        ec2.describe_instances()

    assert exported.get_finished_spans() == ()


def test_without_the_variable_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, exported: InMemorySpanExporter
) -> None:
    ec2 = client(monkeypatch, refuse, endpoint="")
    with trace.get_tracer("test").start_as_current_span("activity"), pytest.raises(ClientError):
        ec2.describe_instances()

    assert [span.name for span in exported.get_finished_spans()] == ["activity"]

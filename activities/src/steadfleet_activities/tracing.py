"""A span for each call to AWS: which service, operation, region, how it ended. No parameter, no answer."""

from typing import TYPE_CHECKING, Any

import boto3

from steadfleet_durable.tracing import TRACER, tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_SPAN = "steadfleet_span"
_FAILED = 400


def trace_aws_calls(session: boto3.Session | None = None) -> None:
    """Trace the calls of all clients that are made from now on; nothing is changed without traces."""
    if not tracing():
        return
    if session is None:
        boto3.setup_default_session()
        session = boto3.DEFAULT_SESSION
    if session is not None:
        session.events.register("before-call", _begin)
        session.events.register("after-call", _end)
        session.events.register("after-call-error", _break)


def _begin(model: Any, context: dict[str, Any], **_rest: Any) -> None:
    """Open a span within an activity's; what a worker asks by itself belongs to no trace."""
    from opentelemetry import trace  # noqa: PLC0415  # not without traces

    if not trace.get_current_span().get_span_context().is_valid:
        return
    service = str(model.service_model.service_id)
    context[_SPAN] = trace.get_tracer(TRACER).start_span(
        f"{service}.{model.name}",
        kind=trace.SpanKind.CLIENT,
        attributes={
            "rpc.system": "aws-api",
            "rpc.service": service,
            "rpc.method": str(model.name),
            "cloud.region": str(context.get("client_region")),
        },
    )


def _end(http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_rest: Any) -> None:
    span = _taken(context)
    if span is None:
        return
    metadata = parsed.get("ResponseMetadata", {})
    span.set_attribute("http.response.status_code", http_response.status_code)
    span.set_attribute("aws.request_id", str(metadata.get("RequestId", "")))
    span.set_attribute("http.request.resend_count", int(metadata.get("RetryAttempts", 0)))
    if http_response.status_code >= _FAILED:
        _fail(span, str(parsed.get("Error", {}).get("Code", http_response.status_code)))
    span.end()


def _break(exception: Exception, context: dict[str, Any], **_rest: Any) -> None:
    """End the span of a call that had no answer, by the kind of the error: its text may quote the request."""
    span = _taken(context)
    if span is not None:
        _fail(span, type(exception).__name__)
        span.end()


def _taken(context: dict[str, Any]) -> "Span | None":
    span: Span | None = context.pop(_SPAN, None)
    return span


def _fail(span: "Span", kind: str) -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415  # not without traces

    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)

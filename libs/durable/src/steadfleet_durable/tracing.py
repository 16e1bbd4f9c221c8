"""OpenTelemetry traces, by the standard variables alone.

Without `OTEL_EXPORTER_OTLP_ENDPOINT` nothing of OpenTelemetry is imported, and nothing is traced.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, ReplaySafeTracerProvider

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACER = "steadfleet"

_FLUSHED_WITHIN = timedelta(seconds=3)
_provider: "ReplaySafeTracerProvider | None" = None
_providing = threading.Lock()


def tracing() -> bool:
    """Whether this process was told where to send traces."""
    return bool(os.environ.get(ENDPOINT))


def trace_plugins() -> "list[OpenTelemetryPlugin]":
    """Return what `Client.connect(plugins=…)` needs so that traces pass through workflows and activities."""
    if not tracing():
        return []
    provide()
    from temporalio.contrib.opentelemetry import OpenTelemetryPlugin  # noqa: PLC0415  # not without traces

    return [OpenTelemetryPlugin(add_temporal_spans=True)]


def provide() -> None:
    """Make this process's one tracer provider, if it is not there; a replay ends no span again."""
    global _provider  # noqa: PLW0603  # OpenTelemetry has one a process
    with _providing:
        if _provider is not None:
            return
        from opentelemetry import trace  # noqa: PLC0415  # not without traces
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from temporalio.contrib.opentelemetry import create_tracer_provider  # noqa: PLC0415

        named = os.environ.get("OTEL_SERVICE_NAME") or Path(sys.argv[0]).name or TRACER
        _provider = create_tracer_provider(
            resource=Resource.create({"service.name": named}), shutdown_on_exit=False
        )
        _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(_provider)


@contextmanager
def span(name: str) -> Iterator[None]:
    """Trace the block; what is called within, here or through Temporal, lies under it."""
    if not tracing():
        yield
        return
    provide()
    from opentelemetry import trace  # noqa: PLC0415  # not without traces

    with trace.get_tracer(TRACER).start_as_current_span(name):
        yield


def flush_traces() -> None:
    """Send what is left before the process ends; a collector that is gone holds nobody up for long."""
    if _provider is None:
        return
    sending = threading.Thread(target=_provider.force_flush, daemon=True)
    sending.start()
    sending.join(_FLUSHED_WITHIN.total_seconds())

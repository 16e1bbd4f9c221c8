"""Traces may be switched on while campaigns are under way: their histories replay, and tell nothing again."""

import json

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from replay.record import HISTORIES
from temporalio.client import WorkflowHistory
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider
from temporalio.contrib.opentelemetry._tracer_provider import _ReplaySafeSpan
from temporalio.worker import Replayer

from fakes.worker import WORKFLOWS
from steadfleet_durable import data_converter, workflow_runner
from steadfleet_workflows.lease import Lease

RECORDED = ("succeeded", "rolled-back-by-hand", "aborted-under-a-lease")


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), create_tracer_provider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


async def replay(name: str) -> None:
    replayer = Replayer(
        workflows=[*WORKFLOWS, Lease],
        data_converter=data_converter(),
        workflow_runner=workflow_runner(),
        plugins=[OpenTelemetryPlugin(add_temporal_spans=True)],
    )
    for workflow, history in json.loads((HISTORIES / f"{name}.json").read_text()).items():
        await replayer.replay_workflow(WorkflowHistory.from_json(workflow, history))


@pytest.mark.parametrize("name", RECORDED)
async def test_what_was_recorded_without_traces_replays_with_them(
    name: str, exported: InMemorySpanExporter
) -> None:
    await replay(name)

    assert [span.name for span in exported.get_finished_spans()] == []


async def test_spans_that_do_not_mind_replays_would_be_noticed(
    exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(span: _ReplaySafeSpan, end_time: int | None = None) -> None:
        span._span.end(end_time)

    monkeypatch.setattr(_ReplaySafeSpan, "end", end)
    await replay(RECORDED[0])

    assert "StartActivity:change_host" in {span.name for span in exported.get_finished_spans()}

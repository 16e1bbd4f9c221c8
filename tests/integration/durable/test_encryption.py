"""What the engine keeps of workflows whose payloads are encrypted: nothing that it can read."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import StartEngine
from google.protobuf.json_format import MessageToJson
from integration.durable.telling import (
    ACTIVITIES,
    MARK,
    PLACES,
    TASK_QUEUE,
    WORKFLOWS,
    Retries,
    Stumbles,
    Tells,
    WaitsToGoOn,
    planted,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    StartWorkflowInput,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from steadfleet_cli.executions import describe
from steadfleet_cli.pending import steps_of
from steadfleet_durable import ConnectionConfigError, build_worker, connect, words_of, workflow_runner
from steadfleet_durable.failures import ShortFailures

OLD, NEW = (
    f"{name} {base64.b64encode(bytes([fill]) * 32).decode()}\n" for name, fill in (("old", 1), ("new", 2))
)


class AddsHeader(Interceptor):
    """Sends a header along, as a caller's baggage would be."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002  # theirs
        return _AddsHeader(next)


class _AddsHeader(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002  # theirs
        word = Payload(metadata={"encoding": b"json/plain"}, data=f'"{planted("header")}"'.encode())
        return await super().start_workflow(replace(input, headers={**input.headers, "word": word}))


class Engine:
    """An engine with a file for its state, and the ways to look at what it keeps."""

    def __init__(self, environment: WorkflowEnvironment, database: Path, keys: Path) -> None:
        self.address = environment.client.service_client.config.target_host
        self._database, self._keys = database, keys

    async def client(self, *keys: str, interceptors: Sequence[Interceptor] = ()) -> Client:
        self._keys.write_text("".join(keys))
        env = {"TEMPORAL_ADDRESS": self.address, "STEADFLEET_PAYLOAD_KEYS": str(self._keys) if keys else ""}
        config = (await connect(env=env)).config()
        config["interceptors"] = interceptors
        return Client(**config)

    def kept(self) -> bytes:
        """Return all that its database holds, deleted rows and journals included."""
        while True:
            files = self._database.parent.glob(f"{self._database.name}*")
            with suppress(FileNotFoundError):  # a journal that has ended since: its rows are in the database
                return b"".join(file.read_bytes() for file in files)


@pytest.fixture
async def engine(start_engine: StartEngine, tmp_path: Path) -> AsyncIterator[Engine]:
    database = tmp_path / "engine.db"
    async with start_engine(database=database) as environment:
        yield Engine(environment, database, tmp_path / "payload-keys")


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[Worker]:
    worker = build_worker(client, task_queue=TASK_QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES)
    async with worker:
        yield worker


async def tell_everything(client: Client) -> None:
    """Plant a word in each place."""
    await _be_told(client)
    stumbling = await client.start_workflow(Stumbles.run, "", id="stumbles", task_queue=TASK_QUEUE)
    await first_task_failure(stumbling)
    await stumbling.terminate(planted("termination"))
    retrying = await client.start_workflow(Retries.run, "", id="retries", task_queue=TASK_QUEUE)
    while not any(one.HasField("last_failure") for one in await pending(retrying)):
        pass
    await client.create_schedule(
        "schedule",
        Schedule(
            action=ScheduleActionStartWorkflow(
                Retries.run, planted("schedule_argument"), id="scheduled", task_queue=TASK_QUEUE
            ),
            spec=ScheduleSpec(),
        ),
        memo={"word": planted("schedule_memo")},
    )


async def _be_told(client: Client) -> None:
    told = await client.start_workflow(
        Tells.run,
        planted("argument"),
        id="tells",
        task_queue=TASK_QUEUE,
        memo={"word": planted("memo")},
        static_summary=planted("static_summary"),
        static_details=planted("static_details"),
        run_timeout=timedelta(minutes=2),
    )
    await told.signal(Tells.hear, planted("signal"))
    assert await told.execute_update(Tells.answer, planted("update_argument")) == planted("update_result")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await told.execute_update(Tells.refuse)
    assert words_of(refused.value) == planted("update_failure")
    with pytest.raises(WorkflowFailureError) as failed:
        await told.result()
    assert words_of(failed.value) == planted("child_failure")


async def first_task_failure(handle: WorkflowHandle[Any, Any]) -> Failure:
    async for event in handle.fetch_history_events(wait_new_event=True):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            return event.workflow_task_failed_event_attributes.failure
    raise AssertionError(f"{handle.id} ended without a failed task")


async def pending(handle: WorkflowHandle[Any, Any]) -> Sequence[Any]:
    return list((await handle.describe()).raw_description.pending_activities)


async def shown(client: Client) -> str:
    """Return all that the engine answers about its workflows, as text."""
    answers = []
    async for found in client.list_workflows():
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        answers += [found.raw_info, (await handle.describe()).raw_description]
        answers += list((await handle.fetch_history()).events)
    answers.append((await client.get_schedule_handle("schedule").describe()).raw_description)
    return "\n".join(MessageToJson(answer) for answer in answers)


def found_in(kept: bytes | str) -> set[str]:
    """Return the places whose words are there, plainly or as base64 at any alignment."""
    kept = kept.encode() if isinstance(kept, str) else kept
    return {place for place in PLACES if any(form in kept for form in _forms(MARK + place))}


def _forms(word: str) -> list[bytes]:
    shifted = [base64.b64encode(b"-" * shift + word.encode())[4 if shift else 0 : -4] for shift in range(3)]
    return [word.encode(), *shifted]


async def test_an_engine_keeps_no_word_of_what_is_encrypted(engine: Engine) -> None:
    client = await engine.client(OLD, interceptors=[AddsHeader()])
    async with working(client):
        await tell_everything(client)
        assert found_in(await shown(client)) == set()
    assert found_in(engine.kept()) == set()


async def test_without_keys_each_of_these_words_would_be_kept(engine: Engine) -> None:
    """The scan sees what it looks for: every place is one where a word can lie."""
    client = await engine.client(interceptors=[AddsHeader()])
    async with working(client):
        await tell_everything(client)
        assert found_in(await shown(client)) == set(PLACES)
    assert found_in(engine.kept()) == set(PLACES)


async def test_a_converter_that_leaves_failures_as_they_are_is_found_out(engine: Engine) -> None:
    config = (await engine.client(OLD)).config()
    config["data_converter"] = replace(config["data_converter"], failure_converter_class=ShortFailures)
    client = Client(**config)
    async with working(client):
        await tell_everything(client)
    assert found_in(engine.kept()) == {
        "failure_message",
        "the_stack",
        "cause",
        "last_failure",
        "update_failure",
        "child_failure",
        "workflow_failure",
        "workflow_task_failure",
    }


async def test_a_workflow_that_began_under_the_old_key_goes_on_under_the_new_one(engine: Engine) -> None:
    before = await engine.client(OLD)
    handle = await before.start_workflow(
        WaitsToGoOn.run, "begun under the old key", id="waits", task_queue=TASK_QUEUE
    )
    async with working(before):
        await handle.query("__stack_trace")
    after = await engine.client(NEW, OLD)
    async with working(after):
        handle = after.get_workflow_handle_for(WaitsToGoOn.run, "waits")
        await handle.signal(WaitsToGoOn.hear, "heard under the new key")
        told = await handle.result()

    assert told[:2] == ["begun under the old key", "heard under the new key"]
    history = await handle.fetch_history()
    text = MessageToJson(history.events[0]) + "".join(MessageToJson(event) for event in history.events[1:])
    assert {base64.b64encode(name).decode() for name in (b"old", b"new")} <= set(text.split('"'))


async def test_the_command_line_reads_why_an_activity_is_tried_again(engine: Engine) -> None:
    client = await engine.client(OLD)
    async with working(client):
        handle = await client.start_workflow(Retries.run, "", id="retries", task_queue=TASK_QUEUE)
        while not any(one.HasField("last_failure") for one in await pending(handle)):
            pass
        execution = await describe(client, "retries")
        assert execution is not None
        (step,) = await steps_of(client, execution)

    assert (step.failure, step.said) == (planted("last_failure"), planted("heartbeat"))


async def test_keys_that_cannot_be_read_are_told_before_anything_is_touched() -> None:
    with pytest.raises(ConnectionConfigError, match="/no/keys: No such file"):
        await connect(env={"STEADFLEET_PAYLOAD_KEYS": "/no/keys"})


async def test_an_encrypted_history_replays_with_its_keys(engine: Engine) -> None:
    client = await engine.client(OLD)
    async with working(client):
        await tell_everything(client)
    history = await client.get_workflow_handle("tells").fetch_history()

    replayer = Replayer(
        workflows=WORKFLOWS, data_converter=client.data_converter, workflow_runner=workflow_runner()
    )
    await replayer.replay_workflow(history)


async def test_a_worker_without_the_key_suspends_the_workflow_and_says_which_is_missing(
    engine: Engine,
) -> None:
    with_key = await engine.client(NEW)
    handle = await with_key.start_workflow(WaitsToGoOn.run, "word", id="waits", task_queue=TASK_QUEUE)
    await handle.signal(WaitsToGoOn.hear, "signal")
    without = await engine.client(OLD)
    async with working(without):
        failure = await first_task_failure(handle)
    error = await without.data_converter.decode_failure(failure)
    assert "key 'new'" in str(error)
    async with working(await engine.client(OLD, NEW)):
        assert (await handle.result())[:2] == ["word", "signal"]


async def test_a_trace_goes_from_the_caller_to_the_activity_through_encrypted_headers(
    engine: Engine,
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracer = provider.get_tracer("test")
    client = await engine.client(OLD, interceptors=[TracingInterceptor(tracer)])
    async with working(client):
        with tracer.start_as_current_span("the caller") as caller:
            handle = await client.start_workflow(WaitsToGoOn.run, "word", id="traced", task_queue=TASK_QUEUE)
            await handle.signal(WaitsToGoOn.hear, "signal")
        await handle.result()

    seen = {span.name: span.context.trace_id for span in spans.get_finished_spans() if span.context}
    assert {"StartWorkflow:WaitsToGoOn", "RunActivity:tell"} <= set(seen)
    assert set(seen.values()) == {caller.get_span_context().trace_id}

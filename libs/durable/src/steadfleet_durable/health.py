"""Say over HTTP whether this process lives, and whether it takes work."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from steadfleet_durable.connection_config import EngineError
from steadfleet_durable.settings import split_address

# None is ready; a text says why not.
Problem = str | None

_ANSWER_KEPT = timedelta(seconds=1)
_ENGINE_ANSWERS_WITHIN = timedelta(seconds=3)
# A poll waits for up to a minute at the engine, and shows the time at which it began.
_POLL_SEEN_WITHIN = timedelta(seconds=90)
_REQUEST_ENDS_WITHIN = timedelta(seconds=5)


class Readiness:
    """Whether the worker polls, as the engine sees it: not merely whether it was started."""

    def __init__(self, identity: str, task_queue: str, kind: "TaskQueueType.ValueType") -> None:
        self.phase: Problem = "connecting to the engine"
        self._identity = identity
        self._task_queue = task_queue
        self._kind = kind
        self._client: Callable[[], Client] | None = None
        self._asked = float("-inf")
        self._answer: Problem = None

    def started(self, client: Callable[[], Client]) -> None:
        self._client = client
        self.phase = None

    async def problem(self) -> Problem:
        if self.phase is not None or self._client is None:
            return self.phase
        if time.monotonic() - self._asked > _ANSWER_KEPT.total_seconds():
            self._answer = await self._ask(self._client())
            self._asked = time.monotonic()
        return self._answer

    async def _ask(self, client: Client) -> Problem:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=self._task_queue),
            task_queue_type=self._kind,
        )
        try:
            seen = await client.workflow_service.describe_task_queue(request, timeout=_ENGINE_ANSWERS_WITHIN)
        except RPCError as error:
            return f"the engine does not answer: {error.status.name}: {error.message}"
        polls = [
            poller.last_access_time.ToDatetime(tzinfo=UTC)
            for poller in seen.pollers
            if poller.identity == self._identity
        ]
        if not polls:
            return f"the engine sees no poll of {self._identity} on task queue {self._task_queue}"
        age = datetime.now(UTC) - max(polls)
        if age > _POLL_SEEN_WITHIN:
            return f"last poll {age.total_seconds():.0f} s ago: all slots are busy, or the worker is stuck"
        return None


@asynccontextmanager
async def health_server(address: str | None, ready: Callable[[], Awaitable[Problem]]) -> AsyncIterator[None]:
    """Serve /healthz and /readyz at `host:port`; without an address, nothing."""
    if address is None:
        yield
        return
    host, port = split_address(address)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_REQUEST_ENDS_WITHIN.total_seconds()):
                request = await reader.readuntil(b"\r\n\r\n")
                status, text = await _respond(request.split(b" ")[1], ready)
                writer.write(_response(status, text))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(answer, host, port)
    except OSError as error:
        raise EngineError(f"health address {address}: {error}; expected a free `host:port`") from error
    async with server:
        yield


async def _respond(path: bytes, ready: Callable[[], Awaitable[Problem]]) -> tuple[HTTPStatus, str]:
    if path == b"/healthz":
        return HTTPStatus.OK, "alive"
    if path == b"/readyz":
        problem = await ready()
        return (HTTPStatus.OK, "ready") if problem is None else (HTTPStatus.SERVICE_UNAVAILABLE, problem)
    return HTTPStatus.NOT_FOUND, "here are /healthz and /readyz"


def _response(status: HTTPStatus, text: str) -> bytes:
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body

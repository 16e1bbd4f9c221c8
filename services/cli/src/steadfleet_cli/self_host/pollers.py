"""Who asks the engine for work: in every namespace, on every queue where work may be."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    ListNamespacesRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

from steadfleet_cli.engine import CAMPAIGNS, DRILLS, IMAGES, JANITOR, SIGNER, WITNESS

POLL_LASTS = timedelta(seconds=70)
"""The engine answers a poll within a minute: who has not asked for longer is gone."""

_OURS = frozenset(one.task_queue for one in (CAMPAIGNS, DRILLS, IMAGES, JANITOR, SIGNER, WITNESS))
_THE_ENGINES_OWN = "temporal-system"
_KINDS = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


@dataclass(frozen=True)
class Poller:
    identity: str
    namespace: str
    task_queue: str
    asked_at: datetime

    def __str__(self) -> str:
        return f"{self.identity} on task queue {self.task_queue} of namespace {self.namespace}"


async def pollers(client: Client) -> list[Poller]:
    """List who has asked of late, whichever worker it is; the engine forgets them after minutes."""
    found: list[Poller] = []
    async for namespace in namespaces(client):
        for queue in sorted(_OURS | {one async for one in _busy_queues(client, namespace)}):
            for kind in _KINDS:
                found += await _on(client, namespace, queue, kind)
    return found


async def still_polling(client: Client, since: datetime, lasts: timedelta = POLL_LASTS) -> list[Poller]:
    """
    Return who asks for work after that time; wait until each who asked before would have asked again.

    One that was stopped is still listed by the engine: only a new poll tells the living from the dead.
    """
    while True:
        seen = await pollers(client)
        if alive := [one for one in seen if one.asked_at > since]:
            return alive
        if not _undecided(seen, lasts):
            return []
        await asyncio.sleep(1)


def _undecided(seen: Iterable[Poller], lasts: timedelta) -> bool:
    return any(datetime.now(UTC) - one.asked_at < lasts for one in seen)


async def namespaces(client: Client) -> AsyncIterator[str]:
    request = ListNamespacesRequest(page_size=100)
    while True:
        page = await client.workflow_service.list_namespaces(request)
        for one in page.namespaces:
            if one.namespace_info.name != _THE_ENGINES_OWN:
                yield one.namespace_info.name
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token


async def _busy_queues(client: Client, namespace: str) -> AsyncIterator[str]:
    request = ListWorkflowExecutionsRequest(
        namespace=namespace, query='ExecutionStatus = "Running"', page_size=1000
    )
    while True:
        page = await client.workflow_service.list_workflow_executions(request)
        for execution in page.executions:
            yield execution.task_queue
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token


async def _on(client: Client, namespace: str, queue: str, kind: "TaskQueueType.ValueType") -> list[Poller]:
    request = DescribeTaskQueueRequest(
        namespace=namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
    )
    seen = await client.workflow_service.describe_task_queue(request)
    return [
        Poller(one.identity, namespace, queue, one.last_access_time.ToDatetime(tzinfo=UTC))
        for one in seen.pollers
    ]

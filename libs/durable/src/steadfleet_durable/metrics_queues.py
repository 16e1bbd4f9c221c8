"""Who polls our task queues, and what waits there, as the engine itself sees it.

Temporal's server has metrics of its own for this; Temporal Cloud and the embedded engine do not
give them to everybody. The question is the same for all three.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.common import MetricMeter

from steadfleet_durable.metrics import Gauge, Labels, labelled

POLLERS = "steadfleet_pollers"
BACKLOG = "steadfleet_backlog_tasks"
BACKLOG_AGE = "steadfleet_backlog_age_seconds"

_ENGINE_ANSWERS_WITHIN = timedelta(seconds=5)


class Kind(StrEnum):
    WORKFLOW = "workflow"
    ACTIVITY = "activity"


_TYPES = {
    Kind.WORKFLOW: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    Kind.ACTIVITY: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


class Queue(NamedTuple):
    """A task queue, and one kind of what is polled there."""

    name: str
    kind: Kind


class QueueGauges:
    """Pollers by version, and the backlog, of each queue."""

    def __init__(self, client: Callable[[], Client], meter: MetricMeter, queues: Iterable[Queue]) -> None:
        self._client = client
        self._queues = tuple(queues)
        self._pollers = Gauge(meter, POLLERS, "Workers that polled of late; version is empty without one.")
        self._backlog = Gauge(meter, BACKLOG, "Tasks that no worker has taken.")
        self._age = Gauge(meter, BACKLOG_AGE, "How long the oldest of them waits.")

    async def look(self) -> None:
        seen = {queue: await self._describe(queue) for queue in self._queues}
        self._pollers.show(
            {k: v for queue, answer in seen.items() for k, v in _pollers(queue, answer).items()}
        )
        self._backlog.show({_labels(q): one.stats.approximate_backlog_count for q, one in seen.items()})
        self._age.show(
            {
                _labels(q): one.stats.approximate_backlog_age.ToTimedelta().total_seconds()
                for q, one in seen.items()
            }
        )

    async def _describe(self, queue: Queue) -> DescribeTaskQueueResponse:
        client = self._client()
        request = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue.name),
            task_queue_type=_TYPES[queue.kind],
            report_stats=True,
        )
        return await client.workflow_service.describe_task_queue(request, timeout=_ENGINE_ANSWERS_WITHIN)


def _pollers(queue: Queue, answer: DescribeTaskQueueResponse) -> dict[Labels, float]:
    """Count them by version; a queue without any is shown as zero, under no version."""
    builds = Counter(poller.deployment_options.build_id for poller in answer.pollers) or Counter({"": 0})
    return {_labels(queue, version=build): number for build, number in builds.items()}


def _labels(queue: Queue, **more: str) -> Labels:
    return labelled(task_queue=queue.name, kind=queue.kind.value, **more)

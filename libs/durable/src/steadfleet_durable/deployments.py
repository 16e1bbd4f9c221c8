"""Worker Deployments: which version of a worker takes new work, and what still runs on the others."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from temporalio.api.deployment.v1 import WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import TaskQueueType, WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import TaskQueue as TaskQueueName
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    DescribeWorkerDeploymentVersionResponse,
    ListWorkerDeploymentsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

_KINDS = {
    TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW: "workflow",
    TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY: "activity",
    TaskQueueType.TASK_QUEUE_TYPE_NEXUS: "Nexus",
}


class VersionState(StrEnum):
    CURRENT = "current"
    RAMPING = "ramping"
    DRAINING = "draining"
    DRAINED = "drained"
    INACTIVE = "inactive"
    """Has polled, and was never given work."""


_STATES = {
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT: VersionState.CURRENT,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING: VersionState.RAMPING,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING: VersionState.DRAINING,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED: VersionState.DRAINED,
}


@dataclass(frozen=True, order=True)
class TaskQueue:
    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} queue {self.name}"


@dataclass(frozen=True)
class Version:
    """
    One build of a deployment's workers.

    `queues` are those that it has ever polled, `unpolled` those of them that nobody polls for it
    now; `running` counts the open workflows that are pinned to it.
    """

    build_id: str
    state: VersionState
    queues: frozenset[TaskQueue]
    unpolled: frozenset[TaskQueue]
    pollers: frozenset[str]
    running: int

    @property
    def takes_work(self) -> bool:
        return self.state in {VersionState.CURRENT, VersionState.RAMPING} or bool(self.running)


@dataclass(frozen=True)
class Deployment:
    """A deployment as it stands; `token` proves to the engine that nobody has changed it since."""

    name: str
    current: str | None
    ramping: str | None
    ramp: float
    versions: tuple[Version, ...]
    token: bytes = b""

    def version(self, build_id: str | None) -> Version | None:
        return next((version for version in self.versions if version.build_id == build_id), None)


@dataclass(frozen=True)
class DeploymentProblem:
    """Why work waits, and for whom; `build_id` is None where no version can be blamed."""

    deployment: str
    build_id: str | None
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.problem}: {self.advice}"


async def deployment_problem(client: Client, deployment_name: str) -> str | None:
    """
    Return why a versioned deployment takes no new work and what to do, or None.

    Without a current version new workflows stay at their first event, Running, with no error anywhere.
    """
    answer = await _describe(client, deployment_name)
    if answer is None:
        return (
            f"worker deployment {deployment_name!r} is unknown in namespace {client.namespace!r}: it exists"
            " once a worker with TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID has polled; start one"
        )
    info, _ = answer
    builds = [summary.deployment_version.build_id for summary in info.version_summaries]
    current = info.routing_config.current_deployment_version.build_id
    return None if current else str(_no_current_version(deployment_name, builds))


async def deployment_problems(
    client: Client, task_queues: frozenset[str] | None = None
) -> list[DeploymentProblem]:
    """Return every reason for which versioned work waits for ever; of these task queues alone, if given."""
    found = await deployments(client, task_queues)
    return [problem for deployment in found for problem in problems_of(deployment)]


def problems_of(deployment: Deployment) -> Iterator[DeploymentProblem]:
    """Say what waits: for a current version, or for a worker of a version that has work."""
    if deployment.current is None:
        builds = [version.build_id for version in deployment.versions]
        yield _no_current_version(deployment.name, builds)
    for version in deployment.versions:
        if version.takes_work and version.unpolled:
            yield _unpolled(deployment.name, version)


def _no_current_version(name: str, builds: list[str]) -> DeploymentProblem:
    build = builds[0] if builds else "<build>"
    return DeploymentProblem(
        deployment=name,
        build_id=None,
        problem=(
            f"worker deployment {name!r} has no current version, so new workflows never start"
            f" (versions seen: {', '.join(builds) or 'none'})"
        ),
        advice=f"`steadfleet workers rollout --build-id {build} --deployment {name}`",
    )


def _unpolled(name: str, version: Version) -> DeploymentProblem:
    queues = ", ".join(map(str, sorted(version.unpolled)))
    return DeploymentProblem(
        deployment=name,
        build_id=version.build_id,
        problem=(
            f"version {version.build_id} of worker deployment {name!r} has work ({version.state}; running"
            f" workflows pinned to it: {version.running}), but nobody polls its {queues}"
        ),
        advice=(
            f"start a worker with TEMPORAL_DEPLOYMENT_NAME={name} and"
            f" TEMPORAL_WORKER_BUILD_ID={version.build_id}, and keep it until the version is drained"
        ),
    )


async def deployments(client: Client, task_queues: frozenset[str] | None = None) -> list[Deployment]:
    """List the namespace's deployments by name; those alone that serve one of the queues, if given."""
    names, token = [], b""
    while True:
        request = ListWorkerDeploymentsRequest(namespace=client.namespace, next_page_token=token)
        answer = await client.workflow_service.list_worker_deployments(request)
        names += [summary.name for summary in answer.worker_deployments]
        token = answer.next_page_token
        if not token:
            break
    found = [deployment for name in sorted(names) if (deployment := await look(client, name))]
    return [one for one in found if task_queues is None or task_queues & _served(one)]


def _served(deployment: Deployment) -> set[str]:
    return {queue.name for version in deployment.versions for queue in version.queues}


async def look(client: Client, deployment_name: str) -> Deployment | None:
    """Return the deployment as it stands, or None while no worker of it has ever polled."""
    answer = await _describe(client, deployment_name)
    if answer is None:
        return None
    info, token = answer
    routing = info.routing_config
    polling = _Polling(client, info.name)
    summaries = sorted(info.version_summaries, key=lambda summary: summary.create_time.ToNanoseconds())
    versions = [version for one in summaries if (version := await _version(client, one, polling))]
    return Deployment(
        name=info.name,
        current=routing.current_deployment_version.build_id or None,
        ramping=routing.ramping_deployment_version.build_id or None,
        ramp=round(routing.ramping_version_percentage, 2),
        versions=tuple(versions),
        token=token,
    )


async def _describe(client: Client, deployment_name: str) -> tuple[WorkerDeploymentInfo, bytes] | None:
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment_name)
    try:
        answer = await client.workflow_service.describe_worker_deployment(request)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise
    return answer.worker_deployment_info, answer.conflict_token


async def _version(
    client: Client, summary: WorkerDeploymentInfo.WorkerDeploymentVersionSummary, polling: "_Polling"
) -> Version | None:
    """Return the version; None while it is being registered, or was deleted just now."""
    name, build_id = summary.deployment_version.deployment_name, summary.deployment_version.build_id
    request = DescribeWorkerDeploymentVersionRequest(
        namespace=client.namespace,
        deployment_version=WorkerDeploymentVersion(deployment_name=name, build_id=build_id),
    )
    try:
        answer = await client.workflow_service.describe_worker_deployment_version(request)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise
    pinned = await client.count_workflows(pinned_to(name, build_id))
    queues = {queue: await polling.by_build(queue) for queue in map(_queue, answer.version_task_queues)}
    return Version(
        build_id=build_id,
        state=_STATES.get(summary.status, VersionState.INACTIVE),
        queues=frozenset(queues),
        unpolled=frozenset(queue for queue, pollers in queues.items() if build_id not in pollers),
        pollers=frozenset(one for pollers in queues.values() for one in pollers.get(build_id, ())),
        running=pinned.count,
    )


def pinned_to(deployment_name: str, build_id: str) -> str:
    """Return the query that finds what must be finished by this version, and by no other."""
    version = quoted(f"{deployment_name}:{build_id}")
    return (
        f'TemporalWorkerDeploymentVersion = {version} AND TemporalWorkflowVersioningBehavior = "Pinned"'
        ' AND ExecutionStatus = "Running"'
    )


def quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _queue(described: DescribeWorkerDeploymentVersionResponse.VersionTaskQueue) -> TaskQueue:
    return TaskQueue(described.name, _KINDS[described.type])


class _Polling:
    """Who polls a queue for a deployment, by build id; each queue is asked for once."""

    def __init__(self, client: Client, deployment_name: str) -> None:
        self._client = client
        self._deployment_name = deployment_name
        self._known: dict[TaskQueue, dict[str, set[str]]] = {}

    async def by_build(self, queue: TaskQueue) -> dict[str, set[str]]:
        if queue not in self._known:
            self._known[queue] = await self._ask(queue)
        return self._known[queue]

    async def _ask(self, queue: TaskQueue) -> dict[str, set[str]]:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueueName(name=queue.name),
            task_queue_type=next(kind for kind, word in _KINDS.items() if word == queue.kind),
        )
        pollers: dict[str, set[str]] = {}
        for poller in (await self._client.workflow_service.describe_task_queue(request)).pollers:
            if poller.deployment_options.deployment_name == self._deployment_name:
                pollers.setdefault(poller.deployment_options.build_id, set()).add(poller.identity)
        return pollers

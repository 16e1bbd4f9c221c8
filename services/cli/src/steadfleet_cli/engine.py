"""Talk to the engine: connect, find a worker, and turn what goes wrong into one line."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import click
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_core.errors import ContractError, RefusedError
from steadfleet_durable import EngineError, connect, deployment_problem, words_of
from steadfleet_durable.tracing import span, tracing


@dataclass(frozen=True)
class Service:
    """A worker by its task queue and its program; `local` says whether `steadfleet up` starts it."""

    task_queue: str
    program: str
    local: bool = False

    @property
    def advice(self) -> str:
        here = "`steadfleet up` on this machine, or " if self.local else ""
        return f"start one: {here}{self.program} where it reaches the cloud"


CAMPAIGNS = Service("patch-campaign", "steadfleet-patch-campaign", local=True)
IMAGES = Service("image-build", "steadfleet-image-build", local=True)
SIGNER = Service("signer", "steadfleet-signer", local=True)
JANITOR = Service("janitor", "steadfleet-janitor", local=True)
DRILLS = Service("dr-drill", "steadfleet-dr-drill", local=True)
WITNESS = Service("witness", "steadfleet-witness", local=True)
TASK_QUEUE = CAMPAIGNS.task_queue
PATIENCE = timedelta(seconds=10)
"""How long a worker may take to pick something up."""

_IMPATIENCE = timedelta(seconds=2)
"""The same where nobody has polled of late."""

_Result = TypeVar("_Result")
_TRACED = "steadfleet_cli.traced"
_CLOUD = (".tmprl.cloud", ".api.temporal.io")


def call(
    work: Callable[[Client], Awaitable[_Result]], by: str = "", group: str = "campaign", **where: Any
) -> _Result:
    """Connect, do the work, and raise what goes wrong as a `CommandError`; `where` is said to `connect`."""
    _trace_command()
    with_client = _connected(work, f"{group}/{by or 'cli'}@{socket.gethostname()}", where)
    try:
        return asyncio.run(with_client)
    except EngineError as error:
        raise CommandError(str(error), ExitCode.UNREACHABLE, "`steadfleet doctor`") from error
    except RPCError as error:
        raise _rpc_problem(error) from error


def _trace_command() -> None:
    """Put all that this command asks of Temporal under one span, by its name without its arguments."""
    context = click.get_current_context(silent=True)
    if context is not None and tracing() and not context.meta.get(_TRACED):
        context.meta[_TRACED] = True
        context.with_resource(span(context.command_path))


async def _connected(
    work: Callable[[Client], Awaitable[_Result]], identity: str, where: dict[str, Any]
) -> _Result:
    return await work(await connect(identity=identity, **where))


def _rpc_problem(error: RPCError) -> CommandError:
    code = ExitCode.UNEXPECTED
    if error.status in {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}:
        code = ExitCode.UNREACHABLE
    return CommandError(f"Temporal answers {error.status.name}: {error.message}", code, "`steadfleet doctor`")


def refusal_of(error: ContractError | RefusedError, advice: str) -> CommandError:
    return CommandError(str(error), ExitCode.REFUSED, advice)


async def answered(
    client: Client,
    update: Awaitable[_Result],
    service: Service = CAMPAIGNS,
    patience: timedelta = PATIENCE,
) -> _Result:
    """Return an update's answer; raise when no worker gives one in time."""
    answer = asyncio.ensure_future(update)
    try:
        if not await _done(answer, _IMPATIENCE) and not await polled(client, service):
            raise await no_worker(client, service)
        if not await _done(answer, patience - _IMPATIENCE):
            raise await no_worker(client, service)
        return await answer
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise await no_worker(client, service) from error
    finally:
        answer.cancel()


async def result_of(
    client: Client,
    handle: WorkflowHandle[Any, _Result],
    service: Service = CAMPAIGNS,
    advice: str = "correct the policy or the fleet",
) -> _Result:
    """Return a workflow's result; raise at once when no worker would ever give it."""
    result = asyncio.ensure_future(handle.result())
    try:
        if not await _done(result, _IMPATIENCE) and not await polled(client, service):
            raise await _give_up(client, handle, service)
        if not await _done(result, PATIENCE - _IMPATIENCE) and not await _picked_up(handle):
            raise await _give_up(client, handle, service)
        return await result
    except WorkflowFailureError as error:
        raise CommandError(cause_of(error), ExitCode.REFUSED, advice) from error
    finally:
        result.cancel()


async def _done(result: "asyncio.Future[Any]", time: timedelta) -> bool:
    done, _ = await asyncio.wait({result}, timeout=time.total_seconds())
    return bool(done)


async def _picked_up(handle: WorkflowHandle[Any, Any]) -> bool:
    started = 2  # the start, and a task that nobody has taken
    return (await handle.describe()).raw_description.workflow_execution_info.history_length > started


async def _give_up(client: Client, handle: WorkflowHandle[Any, Any], service: Service) -> CommandError:
    await handle.terminate("no worker picked it up")
    return await no_worker(client, service)


async def no_worker(client: Client, service: Service = CAMPAIGNS) -> CommandError:
    """Say why nothing happens, and which worker to start."""
    where = f"{client.service_client.config.target_host} (namespace {client.namespace})"
    pollers = await pollers_of(client, service)
    for poller in pollers:
        name = poller.deployment_options.deployment_name
        if name and (problem := await deployment_problem(client, name)):
            return CommandError(problem, ExitCode.UNREACHABLE, "set the current version")
    if pollers:
        return CommandError(
            f"a worker has polled task queue {service.task_queue} of late at {where}, but does not answer",
            ExitCode.UNREACHABLE,
            f"see the log of {pollers[0].identity}; what was asked may still be heard",
        )
    return CommandError(
        f"no worker polls task queue {service.task_queue} at {where}", ExitCode.UNREACHABLE, service.advice
    )


async def polled(client: Client, service: Service = CAMPAIGNS) -> bool:
    """Whether a worker has asked for work in the last minutes."""
    return bool(await pollers_of(client, service))


async def pollers_of(client: Client, service: Service) -> list[Any]:
    """List who asks for workflows, or for activities alone: the signer has no workflow."""
    found: list[Any] = []
    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=service.task_queue), task_queue_type=kind
        )
        found += (await client.workflow_service.describe_task_queue(request)).pollers
    return found


def cause_of(error: BaseException) -> str:
    """Return the words that were raised where it failed."""
    return words_of(error)


def ui_link(client: Client, workflow_id: str) -> str:
    """Return where the web UI shows the workflow; empty when it cannot be known."""
    address = client.service_client.config.target_host
    base = os.environ.get("TEMPORAL_UI_URL") or _ui_of(address)
    if not base:
        return ""
    return f"{base.rstrip('/')}/namespaces/{quote(client.namespace)}/workflows/{quote(workflow_id, safe='')}"


def _ui_of(address: str) -> str:
    host = address.rpartition(":")[0]
    if host in {"localhost", "::1", "[::1]"} or host.startswith("127."):
        return os.environ.get("STEADFLEET_UI_URL") or "http://127.0.0.1:8233"
    return "https://cloud.temporal.io" if host.endswith(_CLOUD) else ""

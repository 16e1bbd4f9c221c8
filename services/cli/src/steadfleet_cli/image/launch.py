"""Start a build, attach to the one that runs, or find that the version exists."""

from collections.abc import Callable
from enum import StrEnum
from typing import NoReturn

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from steadfleet_cli.engine import IMAGES, JANITOR, SIGNER, polled, ui_link
from steadfleet_cli.executions import COMPLETED, Execution, attributes_registered, describe
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.image.orders import image_handle, order_differences, order_of
from steadfleet_core.image.order import ImageOrder
from steadfleet_core.image.report import ImageState
from steadfleet_core.model import Digest, Model
from steadfleet_workflows.image import GoldenImage

_UNLISTED = "`steadfleet image list` will show no progress: `steadfleet doctor` says why"


class Outcome(StrEnum):
    STARTED = "started"
    ATTACHED = "attached"
    EXISTS = "exists"
    """This very order was built and published before: there is nothing to do."""


class Launch(Model):
    """What `image build` did."""

    family: str
    version: str
    workflow_id: str
    outcome: Outcome
    order: Digest
    ui: str
    notes: tuple[str, ...] = ()


async def begin(client: Client, order: ImageOrder, ask: Callable[[tuple[str, ...]], None]) -> Launch:
    """Attach, or `ask` with what is missing and start; `ask` raises to go no further."""
    missing: tuple[str, ...] | None = None
    while True:
        before = await describe(client, order.workflow_id)
        known = await _known(client, order, before)
        if known is not None:
            return known
        if missing is None:
            missing = await missing_workers(client, order)
            ask(missing)
        registered = await attributes_registered(client)
        try:
            await start(client, order.model_copy(update={"search_attributes": registered}), before)
        except WorkflowAlreadyStartedError:
            continue  # somebody was quicker: what runs or has ended now decides
        notes = missing if registered else (*missing, _UNLISTED)
        return _launch(client, order, Outcome.STARTED, notes)


async def start(client: Client, order: ImageOrder, before: Execution | None) -> None:
    """Start the build that follows `before`, unless another did so since that was looked up."""
    # The engine itself refuses a second build of what somebody has published since we looked. Only
    # an aborted build, completed too, must be passed over; what it is to be followed by was looked
    # up just now, and a build that finds its version released refuses to begin.
    aborted = before is not None and before.status == COMPLETED
    reuse = WorkflowIDReusePolicy
    await client.start_workflow(
        GoldenImage.run,
        order,
        id=order.workflow_id,
        task_queue=IMAGES.task_queue,
        id_reuse_policy=reuse.ALLOW_DUPLICATE if aborted else reuse.ALLOW_DUPLICATE_FAILED_ONLY,
        static_summary=f"{order.image.family} {order.image.version} on {order.image.spec.build.base}",
    )


async def _known(client: Client, order: ImageOrder, before: Execution | None) -> Launch | None:
    """Return the build that this order would repeat; refuse another order's version. None: start."""
    if before is None:
        return None
    if before.open:
        running = await order_of(client, before.workflow_id, before.run_id)
        if running.digest != order.digest:
            _refuse(running, order, "is being built", "wait for its end, abort it, or")
        return _launch(client, order, Outcome.ATTACHED)
    if before.status != COMPLETED:
        return None
    handle = image_handle(client, order.image.family, order.image.version, before.run_id)
    if (await handle.result()).status.state is not ImageState.PUBLISHED:
        return None
    published = await order_of(client, before.workflow_id, before.run_id)
    if published.digest != order.digest:
        _refuse(published, order, "is published", "versions never change:")
    return _launch(client, order, Outcome.EXISTS)


def _refuse(there: ImageOrder, here: ImageOrder, state: str, advice: str) -> NoReturn:
    differing = "; ".join(order_differences(there, here))
    version = here.image.version
    raise CommandError(
        f"{here.image.family} {version} {state} from a different order: {differing}",
        ExitCode.NAME_TAKEN,
        f"{advice} choose the next one, such as --version {next_version(version)}",
    )


def next_version(version: str) -> str:
    """Return the patch after a version, or the release that a pre-release leads to."""
    numbers, _, pre = version.partition("-")
    major, minor, patch = numbers.split(".")
    return numbers if pre else f"{major}.{minor}.{int(patch) + 1}"


async def missing_workers(client: Client, order: ImageOrder) -> tuple[str, ...]:
    """Say which services nobody runs, and what the build would do without each."""
    needed = {
        IMAGES: "the build would wait at its first step",
        JANITOR: "no lease would be granted, and so nothing made",
    }
    if order.image.spec.gates.signature:
        needed[SIGNER] = "the build would wait when the image is to be signed"
    return tuple(
        [
            f"no worker polls task queue {service.task_queue}: {effect}; {service.advice}"
            for service, effect in needed.items()
            if not await polled(client, service)
        ]
    )


def _launch(client: Client, order: ImageOrder, outcome: Outcome, notes: tuple[str, ...] = ()) -> Launch:
    return Launch(
        family=order.image.family,
        version=order.image.version,
        workflow_id=order.workflow_id,
        outcome=outcome,
        order=order.digest,
        ui=ui_link(client, order.workflow_id),
        notes=notes,
    )

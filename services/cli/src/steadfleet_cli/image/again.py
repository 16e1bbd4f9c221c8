"""Try and sign an image once more, from what its build remembers."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from steadfleet_cli.engine import IMAGES, JANITOR, SIGNER, Service, no_worker, polled, result_of, ui_link
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.image.orders import ImageHandle, image_handle
from steadfleet_cli.image.reading import Standing, read_standing
from steadfleet_core.image.report import Examination, ImageState
from steadfleet_ports.image import Attested, TrialOrder
from steadfleet_workflows.image import GoldenImage
from steadfleet_workflows.image_trial import ImageSigning, ImageTrial

_ANSWER_TIME = timedelta(seconds=10)
_UNDONE = {ImageState.FAILED, ImageState.ABORTED, ImageState.UNDOING}

Announce = Callable[[str], Any]


def announce(line: str) -> None:
    """Tell what runs, before its result is waited for; not on stdout, where the answer goes."""
    click.echo(line, err=True)


async def try_again(client: Client, family: str, version: str, told: Announce) -> Examination:
    handle = await _build_of(client, family, version)
    order = await _asked(client, handle.query(GoldenImage.trial, rpc_timeout=_ANSWER_TIME))
    if order is None:
        raise CommandError(
            f"{family} {version} is not built yet: there is nothing to try",
            ExitCode.REFUSED,
            f"`steadfleet image watch {family} {version}`",
        )
    await _require(client, JANITOR)
    return await _try(client, order, told)


async def _try(client: Client, order: TrialOrder, told: Announce) -> Examination:
    identity = f"trial/{order.build.family}/{order.build.version}/{secrets.token_hex(4)}"
    trial = await client.start_workflow(ImageTrial.run, order, id=identity, task_queue=IMAGES.task_queue)
    told(_runs(client, identity))
    return await result_of(client, trial, IMAGES, "the machine is taken down; ask again")


async def sign_again(client: Client, family: str, version: str, told: Announce) -> list[tuple[str, Attested]]:
    """Return what was signed, by place. Whoever asks for the same at once shares the work."""
    handle = await _build_of(client, family, version)
    order = await _asked(client, handle.query(GoldenImage.signing, rpc_timeout=_ANSWER_TIME))
    if not order.requests:
        raise CommandError(
            f"no copy of {family} {version} was signed when it was built, so there is nothing to sign again",
            ExitCode.REFUSED,
            "build a version with gates.signature: true",
        )
    await _require(client, SIGNER)
    identity = f"signing/{family}/{version}"
    signing = await client.start_workflow(
        ImageSigning.run,
        order,
        id=identity,
        task_queue=IMAGES.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    told(_runs(client, identity))
    report = await result_of(client, signing, IMAGES, "`steadfleet image sign` again is safe")
    places = [request.publication.place.name for request in order.requests]
    return list(zip(places, report.attested, strict=True))


def signing_text(signed: list[tuple[str, Attested]]) -> str:
    lines = []
    for place, attested in signed:
        lines.append(f"{place}: measured {attested.content}, signed by {attested.signer}")
        lines += [f"  {where}" for where in attested.attestations]
    return "\n".join(lines)


async def _build_of(client: Client, family: str, version: str) -> ImageHandle:
    """Return the build whose image is there; raise for one that was undone, or that nobody knows."""
    standing: Standing = await read_standing(client, family, version)
    if standing.silent:
        raise await no_worker(client, IMAGES)
    if standing.status.state in _UNDONE:
        raise CommandError(
            f"{family} {version} is {standing.status.state}: what was built is taken away again",
            ExitCode.REFUSED,
            "`steadfleet image build` builds it anew",
        )
    return image_handle(client, family, version, standing.execution.run_id)


async def _asked(client: Client, query: Any) -> Any:
    try:
        return await query
    except (RPCError, WorkflowQueryFailedError) as error:
        raise await no_worker(client, IMAGES) from error


async def _require(client: Client, service: Service) -> None:
    if not await polled(client, service):
        raise await no_worker(client, service)


def _runs(client: Client, identity: str) -> str:
    link = ui_link(client, identity)
    return f"{identity} runs" + (f": {link}" if link else "")

"""Which images are built, which are released, and where channels point."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from steadfleet_cli.engine import IMAGES, polled, result_of
from steadfleet_cli.executions import Execution, search
from steadfleet_cli.exits import CommandError
from steadfleet_core.image.channel import ChannelStatus
from steadfleet_core.image.golden import Channel
from steadfleet_ports.channel import CHANNEL_WORKFLOW
from steadfleet_ports.channel_calls import channel_status
from steadfleet_ports.image import ImageQuery, ListedImage
from steadfleet_workflows.image_inspection import ImageInspection

_MOST = timedelta(minutes=5)
_ANSWER_TIME = timedelta(seconds=5)
_MOST_CHANNELS = 1000


@dataclass(frozen=True)
class Catalogue:
    """What was found; `notes` say what could not be asked."""

    builds: tuple[Execution, ...]
    images: tuple[ListedImage, ...]
    channels: tuple[ChannelStatus, ...]
    notes: tuple[str, ...]


async def look(client: Client, family: str | None, most: int) -> Catalogue:
    query = f"WorkflowType = 'GoldenImage'{_of(family, 'image')}"
    builds = [build async for build in search(client, query, most)]
    if not await polled(client, IMAGES):
        note = f"no worker polls task queue {IMAGES.task_queue}: it knows what is released, and the channels"
        return Catalogue(tuple(builds), (), (), (f"{note}; {IMAGES.advice}",))
    notes: list[str] = []
    try:
        images = await _released(client, family or "")
    except CommandError as error:
        images, notes = (), [f"what is released could not be listed: {error.message}"]
    channels = await _channels(client, family)
    told = tuple(one for one in channels if isinstance(one, ChannelStatus))
    notes += [one for one in channels if isinstance(one, str)]
    return Catalogue(tuple(builds), images, told, tuple(notes))


def _of(family: str | None, kind: str) -> str:
    """Narrow a query to a family by the ids, which need no search attribute."""
    if family is None:
        return ""
    quoted = family.replace("\\", "\\\\").replace("'", "\\'")
    return f" AND WorkflowId STARTS_WITH '{kind}/{quoted}/'"


async def _released(client: Client, family: str) -> tuple[ListedImage, ...]:
    handle = await client.start_workflow(
        ImageInspection.run,
        ImageQuery(family=family),
        id=f"image-inspection/{family or 'all'}/{secrets.token_hex(4)}",
        task_queue=IMAGES.task_queue,
        execution_timeout=_MOST,
    )
    return (await result_of(client, handle, IMAGES, "the worker's log says why")).images


async def _channels(client: Client, family: str | None) -> list[ChannelStatus | str]:
    query = f"WorkflowType = '{CHANNEL_WORKFLOW}' AND ExecutionStatus = 'Running'{_of(family, 'channel')}"
    found = [one.workflow_id async for one in search(client, query, _MOST_CHANNELS)]
    return list(await asyncio.gather(*(_channel(client, identity) for identity in sorted(found))))


async def _channel(client: Client, identity: str) -> ChannelStatus | str:
    _, family, channel = identity.split("/")
    try:
        return await channel_status(client, family, Channel(channel), _ANSWER_TIME)
    except (RPCError, WorkflowQueryFailedError) as error:
        return f"channel {channel} of {family} does not answer: {error}"

"""Send verbs to a build: each returns a receipt, or raises with the build's own refusal."""

from collections.abc import Awaitable

from temporalio.client import Client

from steadfleet_cli.engine import IMAGES
from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.image.orders import image_handle
from steadfleet_cli.image.reading import read_standing
from steadfleet_cli.verbs import sent
from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.image.report import ImageReceipt
from steadfleet_workflows.image import GoldenImage


async def retry(client: Client, family: str, version: str, request: Request) -> ImageReceipt:
    handle = image_handle(client, family, version)
    return await _send(client, family, version, handle.execute_update(GoldenImage.retry, request))


async def abort(client: Client, family: str, version: str, request: Request) -> ImageReceipt:
    handle = image_handle(client, family, version)
    return await _send(client, family, version, handle.execute_update(GoldenImage.abort, request))


async def _send(client: Client, family: str, version: str, update: Awaitable[ImageReceipt]) -> ImageReceipt:
    return await sent(
        client,
        update,
        subject=f"the build of {family} {version}",
        advice=f"`steadfleet image show {family} {version}` shows where it stands",
        ended=lambda: _ended(client, family, version),
        service=IMAGES,
    )


async def _ended(client: Client, family: str, version: str) -> CommandError:
    """Tell a build that never was from one that has ended."""
    state = (await read_standing(client, family, version)).status.state
    return CommandError(
        f"the build of {family} {version} has ended ({state}): a closed build takes no verbs",
        ExitCode.REFUSED,
        f"`steadfleet image show {family} {version}`, or start a new build",
    )

"""A build under way, and short words for what a drill does with it."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import WorkflowFailureError, WorkflowHandle

from steadfleet_core.campaign.lifecycle import Request
from steadfleet_core.image.report import ImageReport, ImageState, ImageStatus
from steadfleet_workflows.image import GoldenImage

ENDED_WITHIN = timedelta(minutes=4)


@dataclass
class Building:
    """A build under way."""

    handle: WorkflowHandle[GoldenImage, ImageReport]
    family: str
    run: str = ""

    async def status(self) -> ImageStatus:
        status = await self.handle.query(GoldenImage.status)
        self.run = status.run
        return status

    async def reaches(self, state: ImageState) -> ImageStatus:
        deadline = time.monotonic() + ENDED_WITHIN.total_seconds()
        while (status := await self.status()).state is not state:
            assert not status.state.closed, status.reason
            assert time.monotonic() < deadline, f"still {status.state}"
            await asyncio.sleep(0.1)
        return status

    async def abort(self) -> None:
        await self.handle.execute_update(GoldenImage.abort, Request(by="chaos", reason="drill"))

    async def retry(self) -> None:
        await self.handle.execute_update(GoldenImage.retry, Request(by="chaos"))

    async def ended(self, within: timedelta = ENDED_WITHIN) -> ImageState | str:
        """Await the end: the state that it reports, or why there is no report."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                return (await self.handle.result()).status.state
        except WorkflowFailureError as error:
            return type(error.cause).__name__

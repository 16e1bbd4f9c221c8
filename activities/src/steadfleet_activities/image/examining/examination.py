"""Try an image: boot a fresh machine, list its packages, run the checks, take the machine down."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from temporalio.exceptions import ApplicationError

from steadfleet_activities.image.examining.checks import not_booted, recorded, try_all
from steadfleet_activities.image.examining.findings import Stored, TestRecord, failed, passed
from steadfleet_activities.image.examining.judging import judged
from steadfleet_activities.image.examining.machine import (
    FreshMachines,
    Machine,
    NotBootedError,
    UnreachableError,
)
from steadfleet_activities.image.examining.packages import read_packages
from steadfleet_activities.image.examining.sbom import Sbom, write_sbom
from steadfleet_activities.image.platforms import Say
from steadfleet_activities.image.scratch import scratch_of
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.errors import RefusedError
from steadfleet_core.image.order import Platform
from steadfleet_core.image.report import Examination, GateReport
from steadfleet_core.image.sources import unpack
from steadfleet_core.model import canonical
from steadfleet_durable import unbroken
from steadfleet_ports.image import ImageExamination, ImageJudgement

_BOOT = ("the machine boots", "boot")


def _silent(_step: str) -> None:
    """Tell nobody."""


class Examining:
    """The part of the port that tries images; `machines` has what each platform boots."""

    def __init__(self, store: ImageStore, machines: Mapping[Platform, FreshMachines]) -> None:
        self._store = store
        self._machines = dict(machines)

    async def examine(self, examination: ImageExamination, say: Say = _silent) -> Examination:
        """
        Try the image; checks that fail are results.

        The machine is gone at the end, whatever the end. Raises `RefusedError` for an SBOM that
        cannot be made; all else may go better the next time.
        """
        started_at = datetime.now(UTC)
        async with self._sources(examination) as sources:
            machine, stored, sbom = await self._tried(examination, sources, say)
        say("storing the results")
        build, image = examination.build, examination.image.id
        record = TestRecord(image=image, machine=machine, run=build.run, checks=tuple(stored))
        return Examination(
            results=tuple(one.result for one in stored),
            tests=await unbroken(self._store.put, Kept.TESTS, canonical(record)),
            sbom=await unbroken(self._store.put, Kept.SBOM, sbom.content) if sbom else None,
            components=sbom.components if sbom else 0,
            machine=machine,
            started_at=started_at,
            ended_at=datetime.now(UTC),
        )

    async def discard(self, examination: ImageExamination, say: Say = _silent) -> None:
        """Take down whatever trying this image left; safe when there is nothing."""
        await self._for(examination).discard(examination, say)

    async def judge(self, judgement: ImageJudgement) -> GateReport:
        """Hold the SBOM against the gates; raises `RefusedError` where nothing can be told."""
        return await unbroken(judged, judgement, self._store)

    async def _tried(
        self, examination: ImageExamination, sources: Path, say: Say
    ) -> tuple[str, list[Stored], Sbom | None]:
        loop = asyncio.get_running_loop()
        begun, sbom = loop.time(), None
        try:
            async with self._for(examination).booted(examination, say) as machine:
                boot = recorded(*_BOOT, passed(), loop.time() - begun)
                if examination.sbom:
                    # First: what the checks do to the machine is not in the image.
                    say("listing the packages")
                    sbom = await self._listed(examination, machine)
                checks = await try_all(machine, examination.spec, sources, say)
                return machine.id, [boot, *checks], sbom
        except NotBootedError as error:
            boot = recorded(*_BOOT, failed(str(error)), loop.time() - begun)
            return "", [boot, *not_booted(examination.spec)], None

    async def _listed(self, examination: ImageExamination, machine: Machine) -> Sbom:
        try:
            packages = await read_packages(machine)
        except UnreachableError as error:
            raise ApplicationError(f"listing the packages: {error}", type="UnreachableError") from error
        at = examination.image.ended_at
        return await unbroken(write_sbom, packages, examination.build, at)

    @asynccontextmanager
    async def _sources(self, examination: ImageExamination) -> AsyncIterator[Path]:
        async with scratch_of("examine") as folder:
            content = await unbroken(self._store.get, Kept.SOURCES, examination.build.sources)
            await unbroken(unpack, content, folder)
            yield folder

    def _for(self, examination: ImageExamination) -> FreshMachines:
        platform = examination.build.platform
        if platform not in self._machines:
            raise RefusedError(f"this worker boots no machines of platform {platform}")
        return self._machines[platform]

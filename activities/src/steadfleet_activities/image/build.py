"""Build an image with packer: once for a run, however often it is asked."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from temporalio.exceptions import ApplicationError

from steadfleet_activities.image.ending import image_of
from steadfleet_activities.image.packer.output import Event, Ui
from steadfleet_activities.image.packer.process import Result, run_packer
from steadfleet_activities.image.packer.template import inspect_template
from steadfleet_activities.image.packer.versions import Packer
from steadfleet_activities.image.platforms import ImagePlatform, Say, Site
from steadfleet_activities.image.prepare import FindPacker
from steadfleet_activities.image.scratch import scratch_of
from steadfleet_activities.image.store import ImageStore, Kept
from steadfleet_core.image.order import Build, BuiltImage
from steadfleet_core.image.sources import unpack
from steadfleet_core.model import Digest
from steadfleet_durable import unbroken
from steadfleet_ports.image import ImageBuild

GRACE = timedelta(minutes=5)
"""For packer to take down what it made, once it is told to end."""

_SAID_EVERY = 1.0
_MOST_SAID = 200


class RunPacker(Protocol):
    """`run_packer`, or what a test puts in its place."""

    async def __call__(  # noqa: PLR0917 - as it has them
        self,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        on_event: Callable[[Event], None],
        time_limit: timedelta,
        grace: timedelta,
        *,
        folder: Path,
    ) -> Result: ...


class Builds:
    """Runs packer between a look at what there is and a look at what it made."""

    def __init__(
        self,
        store: ImageStore,
        find_packer: FindPacker,
        run_packer: RunPacker = run_packer,
        scratch: Path | None = None,
    ) -> None:
        self._store = store
        self._find_packer = find_packer
        self._run_packer = run_packer
        self._scratch = scratch

    async def build(self, platform: ImagePlatform, order: ImageBuild, say: Say) -> BuiltImage:
        """Return the image that this run built; what an earlier try left half done is removed first."""
        build = order.build
        say("looking for the image")
        finished = await platform.finished(build)
        if finished is not None:
            return finished
        await platform.discard(build, say)
        # For this try alone: it will hold the key to a machine.
        async with scratch_of("build", self._scratch) as folder:
            sources = await unbroken(self._unpacked, build, folder)
            async with platform.site(order, folder) as site:
                built = await self._run(order, site, folder, sources, say)
                say("looking at the image")
                await platform.keep(build, built)
        return built

    def _unpacked(self, build: Build, folder: Path) -> Path:
        sources = folder / "sources"
        sources.mkdir()
        unpack(self._store.get(Kept.SOURCES, build.sources), sources)
        return sources

    async def _run(self, order: ImageBuild, site: Site, folder: Path, sources: Path, say: Say) -> BuiltImage:
        packer = await self._find_packer()
        _refuse_other(packer, order.build)
        variables = await unbroken(_variables_file, order, site, folder, sources)
        started_at = datetime.now(UTC)
        with closing(_Telling(say)) as telling:
            result = await self._run_packer(
                _command(packer, order, variables),
                sources,
                {**packer.environment, **site.environment},
                telling,
                order.spec.time_limit,
                GRACE,
                folder=folder,
            )
        log = await unbroken(self._kept_log, result)
        return BuiltImage(
            id=image_of(order, packer, result, log),
            log=log,
            started_at=started_at,
            ended_at=datetime.now(UTC),
        )

    def _kept_log(self, result: Result) -> Digest:
        return self._store.put(Kept.LOG, result.log.read_bytes())


class _Telling:
    """Tells what packer said last, at most once a second: also when it then says nothing for an hour."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._last = ""
        self._resting: asyncio.TimerHandle | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Ui) and event.text.strip():
            self._last = event.text.strip()[:_MOST_SAID]
            if self._resting is None:
                self._tell()

    def close(self) -> None:
        if self._resting is not None:
            self._resting.cancel()

    def _tell(self) -> None:
        self._resting = None
        if self._last:
            self._say(f"packer: {self._last}")
            self._last = ""
            self._resting = asyncio.get_running_loop().call_later(_SAID_EVERY, self._tell)


def _refuse_other(packer: Packer, build: Build) -> None:
    if packer.said != build.packer_version:
        raise ApplicationError(
            f"this worker has packer {packer.said}, and the build was prepared with {build.packer_version}: "
            "give all workers of the queue the same",
            type="OtherPackerError",
        )


def _variables_file(order: ImageBuild, site: Site, folder: Path, sources: Path) -> Path:
    """Write what the template declares of what there is: in a file, as anyone can read a command line."""
    build = order.build
    declared = inspect_template(sources / build.template, order.spec.variables).declared
    given = {
        **site.variables,
        **order.spec.variables,
        "image_name": build.image_name,
        "base_image": build.base.id,
        "run": build.run,
    }
    path = folder / "variables.json"
    path.touch(0o600)
    path.write_text(json.dumps({name: value for name, value in given.items() if name in declared}))
    return path


def _command(packer: Packer, order: ImageBuild, variables: Path) -> list[str]:
    options = ["-color=false", "-machine-readable", "-on-error=cleanup", f"-var-file={variables}"]
    return [packer.path, "build", *options, order.build.template]

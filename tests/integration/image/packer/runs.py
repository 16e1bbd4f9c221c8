"""Stand-ins for packer that are shell scripts, and who of them still lives."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from steadfleet_activities.image.packer.output import Event, Ui
from steadfleet_activities.image.packer.process import Result, run_packer

MARK = "TEST_MARK"


class Stage:
    """A run's folder, and what one script said and left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "run"
        self.outside = folder / "outside"
        self.mark = uuid4().hex
        self.said: list[str] = []
        self._heard = asyncio.Event()
        for made in (self.folder, self.outside):
            made.mkdir()

    async def run(
        self,
        script: str,
        *,
        time_limit: timedelta = timedelta(minutes=1),
        grace: timedelta = timedelta(seconds=30),
        on_event: Callable[[Event], None] | None = None,
        **env: str,
    ) -> Result:
        return await run_packer(
            ["/bin/sh", "-c", script],
            cwd=self.outside,
            env={MARK: self.mark, **env},
            on_event=on_event or self.hear,
            time_limit=time_limit,
            grace=grace,
            folder=self.folder,
        )

    def hear(self, event: Event) -> None:
        if isinstance(event, Ui):
            self.said.append(event.text)
            self._heard.set()

    async def until_said(self, text: str) -> None:
        while text not in self.said:
            self._heard.clear()
            await self._heard.wait()

    def living(self) -> list[int]:
        """Return the processes of this run, by what no process can take off."""
        return [pid for pid in _pids() if f"{MARK}={self.mark}".encode() in _words(pid, "environ")]

    def kill_group(self) -> None:
        """Kill packer, its inner process and its plugins, as an out-of-memory killer might."""
        living = {pid: os.getpgid(pid) for pid in self.living()}
        keepers = {group for pid, group in living.items() if b"keeper.py" in _words(pid, "cmdline")}
        assert len(keepers) == 1
        for group in set(living.values()) - keepers:
            os.killpg(group, signal.SIGKILL)

    async def until_gone(self) -> None:
        await until(lambda: not self.living())


@contextmanager
def stage() -> Iterator[Stage]:
    """Give a stage under a path short enough for packer's sockets, which pytest's own is not."""
    with TemporaryDirectory(prefix="stage") as folder:
        yield Stage(Path(folder))


async def until(true: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - of other processes nothing tells us
            await asyncio.sleep(0.02)


def say(text: str) -> str:
    return f"echo 1,,ui,say,{text}"


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _words(pid: int, which: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{which}").read_bytes()
    except OSError:  # it has just ended
        return b""

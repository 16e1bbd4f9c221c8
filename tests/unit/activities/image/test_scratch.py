"""Folders for work in progress go with it; of a killed worker, when the next one begins."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from steadfleet_activities.image.packer import keeper
from steadfleet_activities.image.scratch import remove_abandoned, scratch, scratch_of

HOLDER = """
import sys
from pathlib import Path
from steadfleet_activities.image.scratch import scratch
with scratch("build", Path(sys.argv[1])) as folder:
    (folder / "key").write_text("secret")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_folder_goes_with_the_work_however_that_ends(tmp_path: Path) -> None:
    def work() -> None:
        with scratch("sbom", tmp_path) as folder:
            (folder / "file").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - in a word


async def test_folder_goes_when_the_work_is_cancelled(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with scratch_of("examine", tmp_path):
            begun.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - in a word


def test_what_a_killed_worker_left_is_removed_and_nothing_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "steadfleet-abcd1234").mkdir()  # the command line's
    (tmp_path / "steadfleet-build-results").mkdir()  # a person's
    with scratch("build", tmp_path) as used:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip())
        assert remove_abandoned(tmp_path) == [], "it is alive"
        holder.kill()
        holder.communicate()

        assert (folder / "key").exists()
        assert remove_abandoned(tmp_path) == [folder]
        assert {path.name for path in tmp_path.iterdir()} == {
            used.name,
            "steadfleet-abcd1234",
            "steadfleet-build-results",
        }


def test_folder_in_which_packer_may_yet_clean_up_is_left_to_its_keeper(tmp_path: Path) -> None:
    folder = tmp_path / "steadfleet-build-abcd1234"
    folder.mkdir()
    pipes = [os.pipe(), os.pipe()]
    order = {
        "argv": ["/bin/sleep", "600"],
        "cwd": "/",
        "scratch": str(folder / "scratch"),
        "folder": str(folder),
        "reads": [read for read, _ in pipes],
        "writes": [write for _, write in pipes],
        "grace": 10.0,
    }
    kept = subprocess.Popen(
        [sys.executable, keeper.__file__, json.dumps(order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[end for pipe in pipes for end in pipe],
        text=True,
    )
    assert kept.stdout is not None
    assert "began" in kept.stdout.readline()

    assert remove_abandoned(tmp_path) == []
    kept.communicate()  # as if the worker had been killed

    assert not folder.exists()
    for end in (end for pipe in pipes for end in pipe):
        os.close(end)

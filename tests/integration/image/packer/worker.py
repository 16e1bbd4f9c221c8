"""A process that runs a script as a worker runs packer: `python -m … FOLDER MARK SCRIPT [GRACE]`."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from steadfleet_activities.image.packer.output import Event, Ui
from steadfleet_activities.image.packer.process import run_packer


def hear(event: Event) -> None:
    if isinstance(event, Ui):
        print(event.text, flush=True)  # noqa: T201 - the test reads it


async def main() -> None:
    folder, mark, script, grace = sys.argv[1:]
    await run_packer(
        ["/bin/sh", "-c", script],
        cwd=Path("/"),
        env={"TEST_MARK": mark},
        on_event=hear,
        time_limit=timedelta(minutes=2),
        grace=timedelta(seconds=float(grace)),
        folder=Path(folder),
    )


asyncio.run(main())

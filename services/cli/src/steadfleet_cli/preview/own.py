"""A preview with an engine of its own: the stack of `steadfleet up`, in a folder of the change."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.parts import BINARIES, own_environment


def start(folder: Path) -> None:
    """Start the change's stack on ports that nobody uses; what runs already stays."""
    _steadfleet("up", "--run-dir", str(folder), "--free-ports")


def stop(folder: Path) -> None:
    """Stop the stack, and see that no process is left that works with its folder."""
    _steadfleet("down", "--run-dir", str(folder))
    if left := sorted(processes_of(folder)):
        raise CommandError(
            f"processes {', '.join(map(str, left))} still work with {folder}",
            ExitCode.NOT_SUCCEEDED,
            "end them, and run it again; the folder was kept",
        )


def unbiased() -> dict[str, str]:
    """Return the environment without what a runner knows of other places: engines, clouds, and their keys."""
    return {name: value for name, value in own_environment().items() if not name.startswith("STEADFLEET_")}


def processes_of(folder: Path) -> Iterator[int]:
    """Find who was started with the folder in an argument or a variable."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            said = (process / "cmdline").read_bytes() + b"\0" + (process / "environ").read_bytes()
            words = said.decode(errors="replace").split("\0")
            if int(process.name) != os.getpid() and any(f"{folder}/" in f"{word}/" for word in words):
                yield int(process.name)


def _steadfleet(*words: str) -> None:
    ran = subprocess.run(  # noqa: S603  # our own program and arguments
        [str(BINARIES / "steadfleet"), *words],
        env=unbiased(),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise CommandError(
            f"steadfleet {words[0]}: {ran.stderr.strip() or f'exit status {ran.returncode}'}",
            ExitCode(ran.returncode) if ran.returncode in set(ExitCode) else ExitCode.UNEXPECTED,
            "no other place was tried: a preview of its own never goes to another's Temporal",
        )

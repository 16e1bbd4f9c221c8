"""Programs of other services that a command hands over to: this one loads no cloud SDK."""

import shutil
from pathlib import Path

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.parts import BINARIES


def program(name: str, what: str, advice: str) -> Path:
    """Find it beside this command, or on the PATH."""
    found = BINARIES / name
    if found.is_file():
        return found
    on_path = shutil.which(name)
    if on_path is None:
        raise CommandError(
            f"{what} is not installed here: no {name} beside this command or on the PATH",
            ExitCode.UNREACHABLE,
            advice,
        )
    return Path(on_path)

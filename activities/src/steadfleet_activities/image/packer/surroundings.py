"""What packer sees of this machine: PATH, what it is given, and folders of its own run."""

import os
from collections.abc import Mapping
from pathlib import Path

from steadfleet_core.errors import RefusedError

_SCRATCH = "scratch"
# Packer's plugins listen on Unix sockets in the temporary folder, whose paths the kernel limits.
_LONGEST_SOCKET = 107
_SOCKET_NAME = len("/packer-plugin1234567890")
_FOLDERS = {
    "HOME": "home",
    "TMPDIR": "tmp",
    "PACKER_TMP_DIR": "tmp",
    "PACKER_CONFIG_DIR": "config",
    "PACKER_CACHE_DIR": "cache",
}
_FIXED = {
    "CHECKPOINT_DISABLE": "1",  # it would ask the vendor for news
    "LANG": "C.UTF-8",
}


def make_scratch(folder: Path) -> Path:
    """Make, in the run's folder, what packer may fill; refuse a folder that it could not work in."""
    scratch = folder.resolve() / _SCRATCH
    missing = len(os.fsencode(scratch / "tmp")) + _SOCKET_NAME - _LONGEST_SOCKET
    if missing > 0:
        raise RefusedError(
            f"the run's folder {folder}: its path is {missing} bytes too long for packer's sockets; "
            "expected one in a folder near the root: set TMPDIR for the worker to such"
        )
    for name in dict.fromkeys(_FOLDERS.values()):
        (scratch / name).mkdir(parents=True)
    return scratch


def surroundings(scratch: Path, given: Mapping[str, str]) -> dict[str, str]:
    """
    Return the whole environment of a run: nothing of ours but PATH.

    So credentials are to be given (AWS_*, DOCKER_*): a profile in our own home is not seen.
    """
    own = {name: str(scratch / folder) for name, folder in _FOLDERS.items()} | _FIXED
    if taken := sorted(given.keys() & own.keys()):
        raise ValueError(f"every run has its own {', '.join(taken)}")
    return {"PATH": os.environ.get("PATH", os.defpath), **given, **own}

"""What this machine must have for a real build."""

import os
import shutil
from pathlib import Path

import pytest

_WAYS = {
    "docker": lambda: shutil.which("docker") is not None and Path("/var/run/docker.sock").exists(),
    "packer": lambda: shutil.which("packer") is not None,
}


def require(*programs: str) -> None:
    """Skip for what this machine lacks, by name; in CI nothing may be lacking."""
    for lacking in (name for name in programs if not _WAYS[name]()):
        missing(lacking)


def missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"missing: {what}")
    pytest.skip(f"needs {what}")

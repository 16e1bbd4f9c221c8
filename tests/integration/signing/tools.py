"""Where `.ci/interop` put the programs that we are compared with."""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

_INSTALL = Path(__file__).parents[3] / ".ci" / "interop"


def installed(name: str) -> Path:
    """Give the place of `cosign` or `node_modules`; without it, skip the test, or in CI fail it."""
    path = Path(_places()[name])
    if not path.exists():
        _missing(f"{path} is missing: run .ci/interop")
    return path


@cache
def _places() -> dict[str, str]:
    answer = subprocess.run([_INSTALL, "where"], check=True, capture_output=True, text=True)
    return dict(line.split("=", 1) for line in answer.stdout.splitlines())


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

"""The programs that `.ci/terraform` builds; a test whose program is missing is skipped, but not in CI."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
Program = Callable[[str], Path]


@pytest.fixture(scope="session")
def program() -> Program:
    said = subprocess.run(
        [str(REPOSITORY / ".ci" / "terraform"), "where"], capture_output=True, text=True, check=True
    ).stdout
    places = dict(line.split("=", 1) for line in said.splitlines())

    def find(name: str) -> Path:
        path = Path(places[name])
        if not path.exists():
            refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            refuse(f"{path} is missing: run `.ci/terraform`")
        return path

    return find

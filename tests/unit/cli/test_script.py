"""The scripts: quick to start, and every error told in one line with the next step."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from steadfleet_cli.exits import CommandError, ExitCode
from steadfleet_cli.lazy import Entry, Script
from steadfleet_cli.main import campaign, fleet, steadfleet

CAMPAIGN = str(Path(sys.executable).with_name("campaign"))


@click.command()
@click.option("--output", default="text")
def refusing(output: str) -> None:
    raise CommandError("the fleet is frozen", ExitCode.REFUSED, "unfreeze it")


@click.command()
def broken() -> None:
    raise ValueError("two\nlines")


@click.command()
def interrupted() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def script() -> Script:
    commands = {name: Entry(f"{__name__}:{name}", name) for name in ("refusing", "broken", "interrupted")}
    sys.modules[__name__] = sys.modules.get(__name__) or sys.modules[refusing.__module__]
    return Script("demo", commands)


def test_an_error_is_one_line_and_the_next_step(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.answer(["refusing"]) == 3

    assert capsys.readouterr().err == "error: the fleet is frozen\nnext: unfreeze it\n"


def test_an_error_is_a_document_on_request(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.answer(["refusing", "--output", "json"]) == 3

    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err) == {"error": "the fleet is frozen", "next": "unfreeze it"}


def test_a_wrong_command_line_is_told_as_a_document_too(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.answer(["refusing", "--nonsense", "--output=json"]) == 2

    assert json.loads(capsys.readouterr().err)["next"] == "`demo refusing --help`"


def test_a_bug_is_one_line(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.answer(["broken"]) == 1

    error = capsys.readouterr().err
    assert error.splitlines()[0] == "error: unexpected ValueError: two lines"
    assert "Traceback" not in error


def test_a_bug_shows_where_on_request(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADFLEET_DEBUG", "1")

    with pytest.raises(ValueError, match="two"):
        script.answer(["broken"])


def test_an_interrupt_has_its_own_code(script: Script) -> None:
    assert script.answer(["interrupted"]) == 130


def test_an_unknown_command_is_a_usage_error(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.answer(["nonsense"]) == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


def test_every_summary_is_said_of_a_command_that_exists() -> None:
    for group in (steadfleet, campaign, fleet):
        assert all(isinstance(group.load(name), click.Command) for name in group.table)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from steadfleet_cli.main import campaign, steadfleet\n"
        "for args in (['--help'], ['start', '--help'], ['pause', '--help'], ['report', '--help']):\n"
        "    assert campaign.answer(args) == 0\n"
        "assert steadfleet.answer(['fleet', 'freeze', '--help']) == 0\n"
        "print([name for name in ('temporalio', 'pydantic', 'rich', 'boto3') if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_leaves_is_no_error() -> None:
    piped = f"{CAMPAIGN} --help | head -c 1"

    said = subprocess.run(
        ["bash", "-o", "pipefail", "-c", piped], capture_output=True, text=True, check=False
    )

    assert (said.returncode, said.stderr) == (0, "")

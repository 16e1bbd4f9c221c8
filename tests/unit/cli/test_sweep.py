"""`steadfleet sweep` says what the janitor's script says, and hands it all over."""

from pathlib import Path
from typing import Any

import click
import pytest

from steadfleet_cli import programs
from steadfleet_cli.exits import ExitCode
from steadfleet_cli.main import steadfleet
from steadfleet_cli.sweep import sweep
from steadfleet_janitor.sweep import sweep as the_janitors


def described(command: click.Command) -> list[dict[str, Any]]:
    return [option.to_info_dict() for option in command.params]


def test_its_options_are_those_of_the_janitors_script() -> None:
    assert described(sweep) == described(the_janitors)


def test_everything_that_was_said_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _path, argv: ran.append(argv))
    said = ["--region", "eu-west-1", "--region", "us-east-1", "--run", "r-1", "--name", "web"]

    steadfleet.answer(["sweep", *said, "--docker", "--yes", "--output=json"])
    steadfleet.answer(["sweep"])

    assert ran[0][1:] == ["sweep", *said, "--docker", "--yes", "--output", "json"]
    assert ran[1][1:] == ["sweep", "--output", "text"]
    assert Path(ran[0][0]).name == "steadfleet-janitor"


def test_without_the_janitor_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "BINARIES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert steadfleet.answer(["sweep"]) == ExitCode.UNREACHABLE

    said = capsys.readouterr().err
    assert "error: the janitor is not installed here: no steadfleet-janitor" in said
    assert "next: install steadfleet-janitor" in said

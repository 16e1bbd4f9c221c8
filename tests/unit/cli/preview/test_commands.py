"""What is said of a preview decides; what is written of it is kept to."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from steadfleet_cli.exits import ExitCode
from steadfleet_cli.main import steadfleet
from steadfleet_cli.preview import commands, own, record
from steadfleet_cli.preview.place import Place, Where
from steadfleet_durable import connection_config

NOW = datetime.now(UTC)
OVER = NOW - timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("STEADFLEET_", "TEMPORAL_")):
            monkeypatch.delenv(name)


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give what would be done with stacks; none is started."""
    done: list[str] = []
    monkeypatch.setattr(own, "start", lambda folder: done.append(f"start {folder.name}"))
    monkeypatch.setattr(own, "stop", lambda folder: done.append(f"stop {folder.name}"))
    return done


def run(*words: str, previews: Path) -> int:
    return steadfleet.answer(["preview", *words, "--previews", str(previews), "--output", "json"])


def test_which_says_where_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert steadfleet.answer(["preview", "which", "12", "--output", "json"]) == ExitCode.OK

    assert json.loads(capsys.readouterr().out)["where"] == "own"


def test_a_secret_that_names_production_is_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "preview.toml"
    config.write_text('[profile.preview]\naddress = "temporal.example.com:7233"\n')
    monkeypatch.setenv("STEADFLEET_PREVIEW_CONFIG", str(config))
    monkeypatch.setenv("STEADFLEET_PRODUCTION_ADDRESSES", "temporal.example.com:7233")
    # What a runner has from elsewhere must not change what the secret says.
    monkeypatch.setenv("TEMPORAL_ADDRESS", "innocent.example.com:7233")

    assert run("up", "12", previews=tmp_path / "previews") == ExitCode.REFUSED
    assert "which is production" in capsys.readouterr().err
    assert not (tmp_path / "previews").exists()


def test_no_key_of_production_is_sent_to_a_given_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "preview.toml"
    config.write_text('[profile.preview]\naddress = "127.0.0.1:7233"\n')
    monkeypatch.setenv("STEADFLEET_PRODUCTION_ADDRESSES", "none")
    monkeypatch.setenv("TEMPORAL_API_KEY", "production's")
    monkeypatch.setenv("STEADFLEET_API_KEY_FILE", "/of/production")

    said = commands._connection(Place("12", Where.GIVEN, "", str(config)))

    assert connection_config(**said) == {"target_host": "127.0.0.1:7233", "namespace": "temporal-system"}


def test_a_preview_is_brought_up_and_torn_down(stacks: list[str], tmp_path: Path) -> None:
    assert run("up", "12", previews=tmp_path) == ExitCode.OK
    assert run("down", "12", previews=tmp_path) == ExitCode.OK

    assert stacks == ["start 12", "stop 12"]
    assert list(tmp_path.iterdir()) == []


def test_a_preview_that_is_not_there_is_no_error(
    stacks: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("down", "12", previews=tmp_path) == ExitCode.OK

    assert json.loads(capsys.readouterr().out) == {"change": "12", "removed": False}
    assert stacks == []


def test_a_folder_that_is_no_preview_is_left_alone(stacks: list[str], tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "notes").write_text("mine")

    assert run("down", "12", previews=tmp_path) == ExitCode.OK
    assert (tmp_path / "12" / "notes").exists()


def test_sweep_removes_what_is_overdue_and_nothing_else(
    stacks: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record.write(tmp_path / "1", Place("1", Where.OWN, ""), OVER)
    record.write(tmp_path / "2", Place("2", Where.OWN, ""), NOW + timedelta(hours=1))

    assert run("sweep", previews=tmp_path) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"removed": ["1"]}
    assert [folder.name for folder in tmp_path.iterdir()] == ["2"]


def test_up_lets_a_preview_live_longer(stacks: list[str], tmp_path: Path) -> None:
    record.write(tmp_path / "12", Place("12", Where.OWN, ""), OVER)

    assert run("up", "12", "--keep", "2h", previews=tmp_path) == ExitCode.OK
    assert record.overdue(tmp_path, NOW + timedelta(hours=1)) == {}


def test_sweep_names_what_it_cannot_reach(
    stacks: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record.write(tmp_path / "1", Place("1", Where.GIVEN, ""), OVER)

    assert run("sweep", previews=tmp_path) == ExitCode.NOT_SUCCEEDED
    assert "preview 1, at the place given" in capsys.readouterr().err
    assert (tmp_path / "1").exists()


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_preview_is_not_lost_by_saying_another_place(
    command: str, stacks: list[str], tmp_path: Path
) -> None:
    record.write(tmp_path / "12", Place("12", Where.GIVEN, ""), NOW)

    assert run(command, "12", previews=tmp_path) == ExitCode.REFUSED
    assert (tmp_path / "12").exists()
    assert stacks == []


def test_a_process_that_works_with_the_folder_is_found(tmp_path: Path) -> None:
    assert list(own.processes_of(tmp_path / "nobody")) == []


def test_keep_needs_a_unit(tmp_path: Path) -> None:
    assert run("up", "12", "--keep", "72", previews=tmp_path) == ExitCode.USAGE

"""An API key that comes from a file, as secrets do, and what is told when one does not work."""

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from steadfleet_durable import ConnectionConfigError, connection_config, credentials

ADDRESS = {"TEMPORAL_ADDRESS": "engine.example:7233"}


def test_an_api_key_is_read_from_its_file_and_turns_tls_on(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("secret\n")

    config = connection_config(env={**ADDRESS, "STEADFLEET_API_KEY_FILE": str(file)})

    assert (config["api_key"], config["tls"]) == ("secret", True)


def test_a_key_from_a_file_may_not_travel_in_clear_text(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("secret")

    with pytest.raises(ConnectionConfigError, match="in clear text"):
        connection_config(env={**ADDRESS, "STEADFLEET_API_KEY_FILE": str(file), "TEMPORAL_TLS": "false"})


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    env = {**ADDRESS, "STEADFLEET_API_KEY_FILE": str(tmp_path / "key"), "TEMPORAL_API_KEY": "other"}

    with pytest.raises(ConnectionConfigError, match="remove one of them"):
        connection_config(env=env)


@pytest.mark.parametrize("content", [b"", b"\n", b"two lines\nof text", b"\xff\xfe"])
def test_what_is_no_key_is_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(ConnectionConfigError, match=f"STEADFLEET_API_KEY_FILE={file}") as refused:
        connection_config(env={**ADDRESS, "STEADFLEET_API_KEY_FILE": str(file)})

    assert "two lines" not in str(refused.value)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectionConfigError, match="No such file"):
        connection_config(env={**ADDRESS, "STEADFLEET_API_KEY_FILE": str(tmp_path / "key")})


async def test_the_same_problem_is_told_once_and_another_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = ["no key", "no key", "no key", None, "no key", "not a pair"]
    told: list[str] = []

    async def renew(_worker: object) -> str | None:
        if not problems:
            raise asyncio.CancelledError
        return problems.pop(0)

    monkeypatch.setattr(credentials, "renew_credentials", renew)
    monkeypatch.setattr(
        credentials, "_log", SimpleNamespace(error=lambda _event, problem: told.append(problem))
    )
    with contextlib.suppress(asyncio.CancelledError):
        await credentials.follow_credentials(cast("Any", None), timedelta())

    assert told == ["no key", "no key", "not a pair"]

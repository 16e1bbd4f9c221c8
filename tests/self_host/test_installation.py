"""What is asked of docker compose, by a program in its place that only writes down its words."""

from pathlib import Path

import pytest

from steadfleet_cli.self_host.compose import Compose
from steadfleet_cli.self_host.installation import Databases, SelfHostError
from steadfleet_cli.self_host.postgresql import PostgreSql


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    run = tmp_path / "run"
    run.write_text(
        f'#!/bin/sh\necho "$SELF_HOST_SECRETS $@" >> {tmp_path}/asked\n'
        f"[ ! -e {tmp_path}/broken ] || {{ echo no >&2; exit 3; }}\n"
    )
    run.chmod(0o755)
    (tmp_path / "secrets").mkdir()
    settings = tmp_path / "secrets" / "compose.env"
    settings.write_text("SELF_HOST_USER=1000:1000\n")
    settings.chmod(0o600)
    return Compose(tmp_path, tmp_path / "secrets")


def asked(folder: Path) -> list[str]:
    """Return what was asked of compose, a line each."""
    return [
        line.removeprefix(f"{folder / 'secrets'} compose ")
        for line in (folder / "asked").read_text().splitlines()
    ]


def test_workers_and_server_are_stopped_and_started_by_their_services(
    compose: Compose, tmp_path: Path
) -> None:
    compose.stop_workers()
    compose.stop_server()
    compose.start_server(compose.databases)
    compose.start_workers()

    workers = "patch-campaign image-build dr-drill witness signer janitor"
    assert asked(tmp_path) == [
        f"stop {workers}",
        "stop temporal",
        "up --detach --no-deps --wait temporal",
        f"up --detach --no-deps --wait {workers}",
    ]


def test_the_databases_that_a_restore_chose_stay_chosen(compose: Compose) -> None:
    assert compose.databases == Databases("temporal", "temporal_visibility")
    compose.start_server(Databases.named("restored"))
    compose.start_server(Databases.named("again"))

    assert compose.databases == Databases("again", "again_visibility")
    assert compose.settings.read_text() == (
        "SELF_HOST_USER=1000:1000\nSELF_HOST_DATABASE=again\nSELF_HOST_VISIBILITY_DATABASE=again_visibility\n"
    )
    assert compose.settings.stat().st_mode & 0o777 == 0o600


def test_postgresql_s_programs_run_in_its_container(compose: Compose, tmp_path: Path) -> None:
    PostgreSql(compose).dump("temporal", tmp_path / "dump")

    assert asked(tmp_path) == ["exec -T postgresql pg_dump -U postgres -Fc -d temporal"]


def test_what_fails_is_told_in_its_own_words(compose: Compose, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(SelfHostError, match="stop` ended with 3: no"):
        compose.stop_server()
    with pytest.raises(SelfHostError, match="pg_dump ended with 3: no"):
        PostgreSql(compose).dump("temporal", tmp_path / "dump")


@pytest.mark.parametrize("name", ["", "Temporal", "a-b", "1a", "a'; drop database b", "x" * 60])
def test_a_name_that_would_need_quotes_is_refused(name: str) -> None:
    with pytest.raises(SelfHostError, match="expected up to 63 of a-z"):
        Databases.named(name)

"""What `make self-host` says when something is in its way: told at once, and nothing is started."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "deploy" / "self-host" / "run"
NO_ENGINE = "exit 1"
NO_COMPOSE = '[ "$1" = info ]'
IDLE = 'case "$*" in *" up "*) echo started >>"$STARTED" ;; images*) echo there ;; *" ps "*) ;; esac'
FAILING = f"{IDLE}\ncase \"$*\" in *' up '*) exit 1 ;; esac"


def run(tmp_path: Path, docker: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it with a program of ours as `docker`."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/bash\n{docker}\n")
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "SELF_HOST_SECRETS": str(tmp_path / "secrets"),
        "STARTED": str(tmp_path / "started"),
        **env,
    }
    return subprocess.run(
        [str(RUN), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("docker", "said"), [(NO_ENGINE, "no Docker engine answers"), (NO_COMPOSE, "docker has no compose")]
)
def test_it_says_which_part_of_docker_is_missing(tmp_path: Path, docker: str, said: str) -> None:
    refused = run(tmp_path, docker, "up")
    assert (refused.returncode, said in refused.stderr) == (1, True)


@pytest.mark.parametrize("which", ["ENGINE_PORT", "PROXY_PORT"])
def test_a_port_that_another_program_has_is_named(tmp_path: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = run(tmp_path, IDLE, "up", **_free_ports() | {which: str(port)})
    assert refused.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in refused.stderr
    assert not (tmp_path / "secrets").exists()
    assert not (tmp_path / "started").exists()


def test_a_folder_of_secrets_that_was_not_made_whole_stops_it(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    refused = run(tmp_path, IDLE, "up")
    assert refused.returncode == 1
    assert "was not made whole" in refused.stderr
    assert not (tmp_path / "started").exists()


def test_it_says_how_to_use_what_it_started(tmp_path: Path) -> None:
    ports = _free_ports()
    started = run(tmp_path, IDLE, "up", **ports)
    assert started.returncode == 0, started.stderr
    assert (tmp_path / "started").exists()
    for said in (
        f"localhost:{ports['ENGINE_PORT']}",
        f"https://localhost:{ports['PROXY_PORT']}/",
        f"source {tmp_path}/secrets/operator.env",
    ):
        assert said in started.stdout


def test_what_does_not_become_healthy_is_an_error_that_says_where_to_look(tmp_path: Path) -> None:
    failed = run(tmp_path, FAILING, "up", **_free_ports())
    assert failed.returncode == 1
    assert "compose logs SERVICE" in failed.stderr


def test_nothing_is_stopped_that_was_never_prepared(tmp_path: Path) -> None:
    refused = run(tmp_path, IDLE, "down")
    assert refused.returncode == 1
    assert "compose.env is missing" in refused.stderr


def _free_ports() -> dict[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return {"ENGINE_PORT": str(one.getsockname()[1]), "PROXY_PORT": str(two.getsockname()[1])}

"""How a container tries what it reaches."""

import shutil
import socket
import subprocess

import pytest

from steadfleet_activities.drill.docker.inside import WAYS, Target, targets_of

PROGRAMS = ("bash", "python3", "nc", "nc")


def connects(way: str, port: int) -> bool:
    script = f"set -- 127.0.0.1 {port}; {way}"
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(("way", "program"), list(zip(WAYS, PROGRAMS, strict=True)))
def test_no_way_takes_silence_for_an_answer(way: str, program: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if program in {"bash", "python3"} and shutil.which(program):
            assert connects(way, port)
    assert not connects(way, port)


def test_what_is_on_this_host_is_tried_by_the_hosts_address_in_the_network() -> None:
    found = targets_of(("127.0.0.1:5432", "192.0.2.77:5432", "db.example.com:5432"), "10.199.7.1", "")
    assert found == [
        Target("127.0.0.1:5432", "10.199.7.1:5432"),
        Target("192.0.2.77:5432", "192.0.2.77:5432"),
        Target("db.example.com:5432", "db.example.com:5432"),
    ]


def test_the_control_is_no_leak() -> None:
    assert targets_of(("localhost:5432",), "10.199.7.1", "10.199.7.1:5432") == []

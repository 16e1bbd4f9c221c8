"""Checks: what passes, what fails, and what is an error because it could not be carried out."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from unit.activities.image.examining.workbench import FakeMachine, LocalMachine, ran

from steadfleet_activities.image.examining.checks import not_booted, try_all
from steadfleet_activities.image.examining.findings import Stored
from steadfleet_activities.image.examining.machine import Machine, UnreachableError
from steadfleet_core.image.golden import TestSpec


async def tried(
    machine: Machine, *checks: dict[str, Any], said: list[str] | None = None, **spec: Any
) -> list[Stored]:
    named = [{"name": f"check {number}", **check} for number, check in enumerate(checks)]
    say = said.append if said is not None else lambda _step: None
    return await try_all(machine, TestSpec.model_validate({"checks": named, **spec}), Path(), say)


async def the_verdict(machine: Machine, **check: Any) -> tuple[str, str]:
    (stored,) = await tried(machine, check)
    return stored.result.verdict.value, stored.result.reason


@pytest.mark.parametrize(
    ("check", "verdict", "reason"),
    [
        ({"run": "true"}, "passed", ""),
        ({"run": "echo a; echo gone wrong >&2; exit 3"}, "failed", "ended with 3, expected 0: gone wrong"),
        ({"run": "echo only out; exit 3"}, "failed", "ended with 3, expected 0: only out"),
        ({"run": "exit 3", "expectedExit": 3}, "passed", ""),
        ({"run": "echo one; echo two", "stdout": "^two$"}, "passed", ""),
        ({"run": "echo one", "stdout": "^two$"}, "failed", "wrote nothing that matches '^two$', last: 'one'"),
        ({"run": "echo two >&2", "stdout": "two"}, "failed", "wrote nothing that matches 'two', last: ''"),
        ({"run": "sleep 60", "timeLimit": "1s"}, "failed", "did not end within 1s"),
    ],
)
async def test_a_command_is_judged_by_its_exit_status_and_output(
    check: dict[str, Any], verdict: str, reason: str
) -> None:
    assert await the_verdict(LocalMachine(), type="command", **check) == (verdict, reason)


async def test_output_that_was_not_kept_is_not_known_to_lack_anything() -> None:
    machine = FakeMachine(answers={"flood": ran("x" * 100, most=10)})

    verdict, reason = await the_verdict(machine, type="command", run="flood", stdout="end")

    assert verdict == "error"
    assert reason.startswith("wrote 100 bytes, of which the first 10 were kept")


async def test_a_machine_that_cannot_be_asked_is_an_error() -> None:
    machine = FakeMachine(answers={"true": UnreachableError("i-1 could not be asked")})

    assert await the_verdict(machine, type="command", run="true") == ("error", "i-1 could not be asked")


async def test_what_a_machine_says_cannot_break_a_terminal() -> None:
    machine = FakeMachine(answers={"evil": ran(stderr="a\x1b[2Jb", status=1)})

    assert (await the_verdict(machine, type="command", run="evil"))[1] == "ended with 1, expected 0: a [2Jb"


async def test_all_output_is_kept_with_the_result() -> None:
    (stored,) = await tried(LocalMachine(), {"type": "command", "run": "echo out; echo err >&2; exit 2"})

    assert (stored.found.stdout, stored.found.stderr, stored.found.exit_status) == ("out\n", "err\n", 2)


async def test_a_person_sees_which_check_runs() -> None:
    said: list[str] = []

    await tried(
        FakeMachine(),
        {"type": "command", "run": "true", "name": "nginx is configured"},
        {"type": "command", "run": "true", "name": "nginx answers"},
        said=said,
    )

    assert said == ["check 1 of 2: nginx is configured", "check 2 of 2: nginx answers"]


async def test_the_limit_of_all_tests_cuts_off_what_runs_and_bars_what_did_not_start() -> None:
    stored = await tried(
        LocalMachine(),
        {"type": "command", "run": "sleep 60"},
        {"type": "command", "run": "true"},
        timeLimit="1s",
    )

    assert [(one.result.verdict.value, one.result.reason) for one in stored] == [
        ("error", "the time limit of all tests (1s) was over before it ended"),
        ("error", "the time limit of all tests (1s) was over"),
    ]


async def test_no_check_is_given_more_than_is_left_of_all() -> None:
    machine = FakeMachine()

    await tried(machine, {"type": "command", "run": "true", "timeLimit": "1h"}, timeLimit="10m")

    assert machine.limits[0] <= timedelta(minutes=10)


def test_checks_of_a_machine_that_did_not_boot_are_errors() -> None:
    spec = TestSpec.model_validate({"checks": [{"type": "command", "name": "a", "run": "true"}]})

    (stored,) = not_booted(spec)

    assert (stored.result.verdict.value, stored.result.reason) == ("error", "the machine did not boot")


@pytest.mark.parametrize(
    ("check", "verdict", "reason"),
    [
        ({"path": "{dir}/file"}, "passed", ""),
        ({"path": "{dir}/file", "mode": "0640"}, "passed", ""),
        ({"path": "{dir}/file", "mode": "0644"}, "failed", "{dir}/file has mode 0640, expected 0644"),
        ({"path": "{dir}/file", "contains": 'it\'s $HOME `x` "y"'}, "passed", ""),
        ({"path": "{dir}/file", "contains": "-e"}, "failed", "{dir}/file does not hold '-e'"),
        ({"path": "{dir}/file", "contains": "wo.d"}, "failed", "{dir}/file does not hold 'wo.d'"),
        ({"path": "{dir}/file", "absent": True}, "failed", "{dir}/file is there, expected absent"),
        ({"path": "{dir}/none"}, "failed", "{dir}/none does not exist"),
        ({"path": "{dir}/file/below"}, "failed", "{dir}/file/below does not exist"),
        ({"path": "{dir}/none", "absent": True}, "passed", ""),
        ({"path": "{dir}/link", "absent": True}, "failed", "{dir}/link is there, expected absent"),
        ({"path": "{dir}/link"}, "failed", "{dir}/link is a link to nothing"),
        ({"path": "{dir}/it's a; name", "mode": "4755"}, "passed", ""),
        ({"path": "{dir}", "contains": "x"}, "error", "{dir} could not be looked at: "),
    ],
)
async def test_a_file_is_what_it_should_be(
    check: dict[str, Any], verdict: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text('word\nit\'s $HOME `x` "y"\n')
    file.chmod(0o640)
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    (tmp_path / "it's a; name").touch()
    (tmp_path / "it's a; name").chmod(0o4755)
    where = {**check, "path": check["path"].format(dir=tmp_path)}

    found, said = await the_verdict(LocalMachine(), type="file", **where)

    assert (found, said[: len(reason.format(dir=tmp_path)) or None]) == (verdict, reason.format(dir=tmp_path))


async def test_a_file_has_its_digest(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()

    assert (await the_verdict(LocalMachine(), type="file", path=str(file), sha256=digest))[0] == "passed"
    verdict, reason = await the_verdict(LocalMachine(), type="file", path=str(file), sha256="0" * 64)
    assert (verdict, reason) == ("failed", f"{file} has sha256 {digest}, expected {'0' * 64}")


@pytest.mark.parametrize(
    "answer",
    [
        ran("error stat: cannot statx '/root/x': Permission denied\n"),
        ran(status=127, stderr="sh: stat: not found\n"),
        ran(""),
    ],
)
async def test_a_file_that_may_not_be_looked_at_is_not_absent(answer: Any) -> None:
    machine = FakeMachine(answers={"stat": answer})

    verdict, reason = await the_verdict(machine, type="file", path="/root/x", absent=True)

    assert verdict == "error"
    assert reason.startswith("/root/x could not be looked at: ")


@asynccontextmanager
async def web(*answers: bytes) -> AsyncIterator[int]:
    """Answer requests in order, the last one for ever."""
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def http(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nLocation: /\r\n\r\n%b" % (status, len(body), body)


async def test_a_service_that_is_starting_is_asked_again() -> None:
    async with web(http(503), http(200, b"almost"), http(200, b"welcome home")) as port:
        assert (await the_verdict(FakeMachine(), type="http", port=port, body="welcome"))[0] == "passed"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(302), "it answered 302, expected 200"),
        (http(200, b"other"), "its answer of 5 bytes does not hold 'welcome'"),
        (b"nonsense\r\n\r\n", "it did not answer: "),
    ],
)
async def test_a_service_that_never_passes_has_failed_with_what_it_said_last(
    answer: bytes, said: str
) -> None:
    async with web(answer) as port:
        verdict, reason = await the_verdict(
            FakeMachine(), type="http", port=port, body="welcome", timeLimit="4s"
        )

    assert verdict == "failed"
    assert f"http://127.0.0.1:{port}/ did not pass within 4s: {said}" in reason


async def test_only_the_first_megabyte_of_an_answer_is_read() -> None:
    async with web(http(200, b"x" * 1_100_000 + b"welcome")) as port:
        verdict, _ = await the_verdict(FakeMachine(), type="http", port=port, body="welcome", timeLimit="1s")

    assert verdict == "failed"


async def test_a_machine_without_an_address_cannot_be_asked() -> None:
    assert (await the_verdict(FakeMachine(address=""), type="http", port=80))[0] == "error"

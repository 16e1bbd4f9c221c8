"""Every field of `healthChecks` does what the policy says: each has a test that fails without its reader."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from steadfleet_activities.fleet.commands import Commands
from steadfleet_activities.fleet.health import Answer, Finding, Streak
from steadfleet_activities.fleet.machines import Machine
from steadfleet_activities.fleet.probing import Prober, too_many
from steadfleet_core.campaign.policy import CommandCheck, HealthChecks

ADDRESS = "127.0.0.1"
UP, DOWN, HANGS = 200, 500, 0


@dataclass
class Clock:
    """Time that passes only in sleeps."""

    time: float = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


@dataclass
class Service:
    """Answers with the statuses in order, the last one for ever, and remembers who asked what and when."""

    clock: Clock
    statuses: list[int] = field(default_factory=lambda: [UP])
    asked: list[tuple[float, str]] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode()
        if line:
            self.asked.append((self.clock.time, line.split()[1]))
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            if status == HANGS:
                await reader.read()  # until the prober gives up
            else:
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nLocation: /\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.asked]


class NoCommands:
    """Answers every command with one finding."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        self.ran: list[str] = []

    async def run(self, _machine_id: str, check: CommandCheck, _timeout_time: timedelta) -> Finding:
        self.ran.append(check.run)
        return self.finding


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service(clock: Clock) -> AsyncIterator[Service]:
    service = Service(clock)
    async with _listening(service):
        yield service


@asynccontextmanager
async def _listening(service: Service) -> AsyncIterator[None]:
    server = await asyncio.start_server(service.serve, ADDRESS, 0)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
def prober(clock: Clock) -> Prober:
    return Prober(cast("Commands", NoCommands(Finding(Answer.PASSED))), sleep=clock.sleep, now=clock.now)


def machine(launched_ago: timedelta = timedelta(0), address: str = ADDRESS) -> Machine:
    launched = datetime.now(UTC) - launched_ago
    return Machine("i-1", "running", address, "a", "subnet-1", "ami-1", launched, {})


def checks(service: Service, **said: Any) -> HealthChecks:
    """Write a policy with one http check; fields of the check itself are given as `check`."""
    check = {"type": "http", "port": service.port, "path": "/healthz", **said.pop("check", {})}
    defaults = {"interval": "5s", "successThreshold": 1, "failureThreshold": 3, "deadline": "60s"}
    return HealthChecks.model_validate(defaults | said | {"checks": [check]})


async def test_initial_delay_is_waited_after_the_launch(service: Service, prober: Prober) -> None:
    assert await prober.verify(machine(), checks(service, initialDelay="30s")) is None
    assert service.times == [pytest.approx(30, abs=1)]


async def test_initial_delay_that_has_passed_is_not_waited_again(service: Service, prober: Prober) -> None:
    old = machine(launched_ago=timedelta(minutes=5))

    assert await prober.verify(old, checks(service, initialDelay="30s")) is None
    assert service.times == [0]


async def test_interval_separates_the_rounds(service: Service, prober: Prober) -> None:
    assert await prober.verify(machine(), checks(service, interval="7s", successThreshold=3)) is None
    assert service.times == [0, 7, 14]


async def test_timeout_ends_a_check(service: Service, prober: Prober) -> None:
    service.statuses = [HANGS]

    reason = await prober.verify(machine(), checks(service, timeout="0.05s", deadline="6s"))

    assert reason is not None
    assert reason.startswith("http :")
    assert "/healthz did not answer within 0.05s (3 in a row)" in reason


async def test_success_threshold_counts_passes_in_a_row(service: Service, prober: Prober) -> None:
    service.statuses = [UP, DOWN, UP, UP]

    assert await prober.verify(machine(), checks(service, successThreshold=2)) is None
    assert len(service.asked) == 4


async def test_failure_threshold_condemns_a_machine_that_had_passed(service: Service, prober: Prober) -> None:
    service.statuses = [UP, DOWN]

    reason = await prober.verify(machine(), checks(service, successThreshold=2, failureThreshold=4))

    assert reason == f"http :{service.port}/healthz answered 500, expected 200 (4 in a row)"
    assert len(service.asked) == 5


async def test_failure_threshold_waits_for_the_first_pass(service: Service, prober: Prober) -> None:
    """A machine that is starting answers nothing, or nonsense: only the deadline condemns it."""
    service.statuses = [DOWN] * 8 + [UP]

    assert await prober.verify(machine(), checks(service, failureThreshold=1)) is None


async def test_failure_threshold_makes_a_serving_machine_ill(service: Service, prober: Prober) -> None:
    service.statuses = [DOWN]

    (streak,) = await prober.sample([machine()], checks(service, failureThreshold=2))

    assert streak.ill
    assert service.times == [0, 5]


async def test_one_pass_is_enough_for_a_serving_machine(service: Service, prober: Prober) -> None:
    service.statuses = [DOWN, UP]

    (streak,) = await prober.sample([machine()], checks(service, failureThreshold=2, successThreshold=3))

    assert (streak.ill, streak.passed) == (False, 1)


async def test_deadline_counts_from_the_first_round(service: Service, prober: Prober) -> None:
    service.statuses = [DOWN]

    reason = await prober.verify(machine(), checks(service, initialDelay="100s", deadline="20s"))

    assert reason is not None
    assert reason.endswith("answered 500, expected 200 (6 in a row) when its deadline of 20s passed")
    assert service.times[-1] - service.times[0] == pytest.approx(25)


async def test_deadline_leaves_time_for_the_last_needed_round(service: Service, prober: Prober) -> None:
    assert await prober.verify(machine(), checks(service, successThreshold=3, deadline="10s")) is None


async def test_expected_status_is_what_passes(service: Service, prober: Prober) -> None:
    service.statuses = [204]

    assert await prober.verify(machine(), checks(service, check={"expectedStatus": 204})) is None
    refused = await prober.verify(machine(), checks(service, deadline="1s", successThreshold=1))
    assert refused is not None
    assert "answered 204, expected 200" in refused


async def test_expected_status_may_be_a_redirect_which_is_not_followed(
    service: Service, prober: Prober
) -> None:
    service.statuses = [302]

    assert await prober.verify(machine(), checks(service, check={"expectedStatus": 302})) is None
    assert len(service.asked) == 1


async def test_path_is_what_is_asked(service: Service, prober: Prober) -> None:
    assert await prober.verify(machine(), checks(service, check={"path": "/ready?deep=1"})) is None
    assert service.asked == [(0, "/ready?deep=1")]


async def test_port_is_where_it_is_asked(service: Service, prober: Prober, clock: Clock) -> None:
    other = Service(clock, [DOWN])
    async with _listening(other):
        assert await prober.verify(machine(), checks(service)) is None
        assert await prober.verify(machine(), checks(service, check={"port": other.port}, deadline="1s"))
    assert (len(service.asked), len(other.asked)) == (1, 2)


async def test_tcp_passes_where_a_connection_is_accepted(service: Service, prober: Prober) -> None:
    tcp = {"checks": [{"type": "tcp", "port": service.port}], "successThreshold": 1, "deadline": "5s"}

    assert await prober.verify(machine(), HealthChecks.model_validate(tcp)) is None


async def test_tcp_port_that_is_closed_fails(service: Service, prober: Prober) -> None:
    closed = Service(service.clock)
    async with _listening(closed):
        pass
    tcp = {"checks": [{"type": "tcp", "port": closed.port}], "successThreshold": 1, "deadline": "5s"}

    reason = await prober.verify(machine(), HealthChecks.model_validate(tcp))

    assert reason is not None
    assert reason.startswith(f"tcp :{closed.port} refused: Connect call failed")


async def test_tcp_timeout_ends_a_check(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", never)
    tcp = {"checks": [{"type": "tcp", "port": 9}], "timeout": "0.05s", "deadline": "10s"}

    reason = await prober.verify(machine(), HealthChecks.model_validate(tcp))

    assert reason is not None
    assert reason.startswith("tcp :9 did not accept within 0.05s")


async def test_every_check_of_a_round_must_pass(service: Service, prober: Prober, clock: Clock) -> None:
    ill = Service(clock, [DOWN])
    async with _listening(ill):
        both = [{"type": "http", "port": one.port, "path": "/"} for one in (service, ill)]
        said = {"checks": both, "successThreshold": 1, "deadline": "1s"}
        reason = await prober.verify(machine(), HealthChecks.model_validate(said))

    assert reason is not None
    assert reason.startswith(f"http :{ill.port}/ answered 500")


async def test_command_is_run_on_the_machine(clock: Clock) -> None:
    commands = NoCommands(Finding(Answer.PASSED))
    prober = Prober(cast("Commands", commands), sleep=clock.sleep, now=clock.now)
    said = {"checks": [{"type": "command", "run": "true"}], "successThreshold": 2}

    assert await prober.verify(machine(), HealthChecks.model_validate(said)) is None
    assert commands.ran == ["true", "true"]


async def test_unknown_is_neither_healthy_nor_ill_of_itself(clock: Clock) -> None:
    commands = NoCommands(Finding(Answer.UNKNOWN, "command `true` did not reach the machine within 5s"))
    prober = Prober(cast("Commands", commands), sleep=clock.sleep, now=clock.now)
    said = HealthChecks.model_validate({"checks": [{"type": "command", "run": "true"}], "deadline": "20s"})

    reason = await prober.verify(machine(), said)
    (streak,) = await prober.sample([machine()], said)

    assert reason is not None
    assert "did not reach the machine" in reason
    assert (streak.unseen, streak.passed) == (True, 0)


async def test_machine_without_an_address_is_unknown(service: Service, prober: Prober) -> None:
    (streak,) = await prober.sample([machine(address="")], checks(service))

    assert streak.unseen
    assert "i-1 has no private address" in streak.reason()


async def test_proxy_of_the_environment_is_not_asked(
    service: Service, prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert await prober.verify(machine(), checks(service)) is None


async def test_many_machines_are_asked_side_by_side(service: Service, prober: Prober) -> None:
    streaks = await prober.sample([machine() for _ in range(250)], checks(service))

    assert all(streak.passed for streak in streaks)
    assert len(service.asked) == 250


def _streaks(count: int) -> Iterator[tuple[str, Streak]]:
    for number in range(count):
        streak = Streak(HealthChecks.model_validate({"checks": [{"type": "tcp", "port": 1}]}))
        streak.note(Finding(Answer.FAILED, "tcp :1 refused"))
        yield f"i-{number}", streak


def test_too_many_sick_hosts_are_named_up_to_five() -> None:
    (said,) = too_many(dict(_streaks(7)), 24, 6)

    assert said.startswith("7 of 24 hosts are not healthy, and 6 may fail: i-0: tcp :1 refused (1 in a row);")
    assert "i-4: " in said
    assert "i-5: " not in said
    assert "and 2 more" in said


def test_as_many_sick_hosts_as_may_fail_are_no_problem() -> None:
    assert too_many(dict(_streaks(6)), 24, 6) == ()

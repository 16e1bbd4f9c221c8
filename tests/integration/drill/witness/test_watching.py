"""Probes begin when they should, ask what users would ask, and are not forgotten."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
import pytest
from integration.drill.witness.site import Site
from integration.durable.process import free_port
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from steadfleet_activities.drill.witness.probing import ServiceProbe, Target
from steadfleet_activities.drill.witness.resolving import Names
from steadfleet_activities.drill.witness.watching import Watcher
from steadfleet_core.drill.measuring import Observation, Sample
from steadfleet_core.drill.plan import Probing, Readiness
from steadfleet_core.drill.verdict import Verdict, judge_recovery
from steadfleet_durable import data_converter
from steadfleet_ports.witness import Watch

DECLARED = datetime(2027, 1, 31, 4, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TARGET = Target("web.drill.internal", 80, Readiness())
RTO = timedelta(hours=1)


class FakeTime:
    """A clock that goes on only while somebody waits, or a probe takes its time."""

    def __init__(self, at: datetime = DECLARED) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def nothing_seen(successes: int = 3) -> Observation:
    return Observation(service="web", declared_at=DECLARED, interval=SECOND, successes=successes)


async def watch(
    time: FakeTime, answers: list[tuple[float, str]], seen: Observation | None = None, until: float = 60
) -> tuple[Observation, list[Sample]]:
    """Watch a service whose n-th answer takes so many seconds, and says what is wrong."""
    left, samples = iter(answers), list[Sample]()

    async def probe(_target: Target, _within: timedelta) -> str:
        took, said = next(left, (0.0, "refused"))
        time.at += timedelta(seconds=took)
        return said

    watcher = Watcher(probe, time.now, time.sleep)
    end = DECLARED + timedelta(seconds=until)
    return (
        await watcher.watch(seen or nothing_seen(), TARGET, end, lambda sample, _: samples.append(sample)),
        samples,
    )


def seconds(samples: list[Sample]) -> list[float]:
    return [(sample.at - DECLARED).total_seconds() for sample in samples]


async def test_the_nth_probe_begins_n_intervals_after_the_declared_start_however_long_answers_take() -> None:
    _, samples = await watch(FakeTime(), [(0.1, "ill"), (0.7, "ill"), (0.0, ""), (0.8, ""), (0.2, "")])

    assert seconds(samples) == [0, 1, 2, 3, 4]


async def test_a_witness_that_begins_late_falls_in_with_the_grid() -> None:
    seen, samples = await watch(FakeTime(DECLARED + 2.3 * SECOND), [(0, "")] * 3)

    assert seconds(samples) == [3, 4, 5]
    assert seen.longest_gap == 3 * SECOND


async def test_a_witness_that_was_held_up_leaves_probes_out_and_shows_the_gap() -> None:
    seen, samples = await watch(FakeTime(), [(0, "ill"), (5.5, "ill"), (0, ""), (0, ""), (0, "")])

    assert seconds(samples) == [0, 1, 7, 8, 9]
    assert seen.longest_gap == 6 * SECOND


async def test_a_good_answer_that_came_too_late_is_not_good() -> None:
    seen, samples = await watch(FakeTime(), [(0, ""), (0, ""), (0.95, ""), (0, ""), (0, ""), (0, "")])

    assert [sample.good for sample in samples] == [True, True, False, True, True, True]
    assert seen.recovery_time == 5 * SECOND


async def test_the_time_limit_counts_from_the_declared_start() -> None:
    seen, samples = await watch(FakeTime(DECLARED + 2 * SECOND), [], until=4)

    assert seconds(samples) == [2, 3, 4]
    assert seen.recovered_at is None


async def test_a_witness_that_comes_after_the_time_limit_did_not_probe_and_that_proves_nothing() -> None:
    seen, _ = await watch(FakeTime(DECLARED + 9 * SECOND), [(0, "")] * 3, until=4)

    assert seen.probes == 0
    assert judge_recovery([seen], ["web"], RTO).verdict is Verdict.NOT_PROVEN


# --- what is asked


Answer = Callable[[bytes], bytes]


def http(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@asynccontextmanager
async def serving(
    answer: Answer, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve; gives the port, and the requests as they come. No answer is a silence."""
    heard: list[bytes] = []
    silence = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            if not (said := answer(heard[-1])):
                await silence.wait()
            writer.write(said)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, host, port)
    async with server:
        yield server.sockets[0].getsockname()[1], heard
        silence.set()


async def ask(
    port: int, readiness: Readiness, host: str = "127.0.0.1", within: timedelta = SECOND * 5
) -> str:
    async with ServiceProbe(Names()) as probe:
        return await probe(Target(host, port, readiness), within)


@pytest.mark.parametrize(
    ("answer", "readiness", "said"),
    [
        (http("200 OK"), Readiness(path="/ready"), ""),
        (http("204 No Content"), Readiness(expected_status=204), ""),
        (http("500 Ill"), Readiness(), "answered 500, expected 200"),
        (http("302 Found", "", "Location: /elsewhere"), Readiness(), "answered 302, expected 200"),
        (http("200 OK", "7 orders"), Readiness(body="7 orders"), ""),
        (
            http("200 OK", "0 orders"),
            Readiness(body="7 orders"),
            "answered 200 without '7 orders' in its body",
        ),
        (b"what?\r\n\r\n", Readiness(), "did not answer: "),
    ],
    ids=["good", "status", "wrong status", "redirect", "body", "wrong body", "no HTTP"],
)
async def test_status_and_body_are_those_that_were_asked_for(
    answer: bytes, readiness: Readiness, said: str
) -> None:
    async with serving(lambda _: answer) as (port, heard):
        found = await ask(port, readiness)

    assert found.startswith(said) if said else found == ""
    assert len(heard) == 1
    assert heard[0].startswith(f"GET {readiness.path} HTTP/1.1\r\n".encode())


async def test_a_service_that_is_silent_has_not_answered_in_time() -> None:
    async with serving(lambda _: b"") as (port, _):
        found = await ask(port, Readiness(), within=timedelta(milliseconds=100))

    assert found == "no answer within 0.1s"


async def test_a_connection_is_enough_where_no_path_is_given() -> None:
    async with serving(lambda _: b"") as (port, _):
        assert await ask(port, Readiness(path=None)) == ""

    assert await ask(free_port(), Readiness(path=None)) == "did not accept: Connection refused"


async def test_every_probe_makes_a_connection_of_its_own() -> None:
    peers = set()

    async with serving(lambda _: http("200 OK")) as (port, heard), ServiceProbe(Names()) as probe:
        for _ in range(3):
            assert await probe(Target("127.0.0.1", port, Readiness()), SECOND * 5) == ""
        peers.add(len(heard))

    assert peers == {3}


class Zone(asyncio.DatagramProtocol):
    """A DNS server that says what `address` is now; None is that there is no such name."""

    address: str | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, asker: Any) -> None:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        if self.address is None:
            answer.set_rcode(3)  # type: ignore[arg-type]
        else:
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 3600, "IN", "A", self.address))
        self.transport.sendto(answer.to_wire(), asker)


@asynccontextmanager
async def zone() -> AsyncIterator[tuple[Zone, tuple[str, int]]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Zone, local_addr=("127.0.0.1", 0))
    try:
        yield protocol, transport.get_extra_info("sockname")
    finally:
        transport.close()


async def test_a_name_is_asked_for_anew_each_time_at_the_resolver_that_was_named() -> None:
    port = free_port()
    target = Target("web.drill.internal", port, Readiness(body="new"))

    async with (
        zone() as (names, at),
        serving(lambda _: http("200 OK", "old"), "127.0.0.2", port),
        serving(lambda _: http("200 OK", "new"), "127.0.0.3", port) as (_, heard),
        ServiceProbe(Names(at)) as probe,
    ):
        said = []
        for address in (None, "127.0.0.2", "127.0.0.3"):
            names.address = address
            said.append(await probe(target, SECOND * 5))

    assert said[0] == "web.drill.internal has no address: there is no such name"
    assert said[1] == "answered 200 without 'new' in its body"
    assert said[2] == ""
    assert f"Host: web.drill.internal:{port}\r\n".encode() in heard[0]


async def test_a_resolver_that_is_silent_fails_the_probe_and_not_the_witness() -> None:
    async with ServiceProbe(Names(("127.0.0.1", free_port()))) as probe:
        found = await probe(TARGET, timedelta(milliseconds=300))

    assert "web.drill.internal has no address: the resolver" in found


# --- the activity


def watch_of(site: Site, port: int, successes: int = 2, limit: timedelta = SECOND * 20) -> Watch:
    return Watch(
        run="drill/orders/1",
        service="web",
        host="127.0.0.1",
        port=port,
        readiness=Readiness(),
        probing=Probing(interval=timedelta(milliseconds=100), successes=successes),
        declared_at=site.now(),
        time_limit=limit,
    )


def samples_of(site: Site) -> list[Sample]:
    (file,) = site.path.rglob("samples-web.jsonl")
    return [Sample.model_validate(json.loads(line)) for line in file.read_text().splitlines()]


async def test_every_probe_is_in_the_file_of_the_run_and_in_the_heartbeat(tmp_path: Path) -> None:
    site, environment, beats = Site(tmp_path), ActivityEnvironment(), []
    environment.on_heartbeat = lambda *details: beats.append(details)
    async with serving(lambda _: http("200 OK")) as (port, heard):
        seen: Observation = await environment.run(site.witness().watch_recovery, watch_of(site, port))

    assert seen.recovered_at == samples_of(site)[-1].at
    assert [sample.good for sample in samples_of(site)] == [True] * len(heard)
    assert beats[-1] == ("watch", seen)


async def test_another_attempt_goes_on_from_the_heartbeat_and_shows_the_gap(tmp_path: Path) -> None:
    site, environment = Site(tmp_path), ActivityEnvironment()
    async with serving(lambda _: http("200 OK")) as (port, _):
        order = watch_of(site, port).model_copy(update={"declared_at": site.now() - 10 * SECOND})
        before = Observation(
            service="web",
            declared_at=order.declared_at,
            interval=order.probing.interval,
            successes=order.probing.successes,
        ).seen(Sample(at=order.declared_at + SECOND, good=True))
        environment.info = dataclasses.replace(environment.info, heartbeat_details=["watch", before])
        environment.payload_converter = data_converter().payload_converter

        seen: Observation = await environment.run(site.witness().watch_recovery, order)

    assert seen.probes >= 2
    assert seen.longest_gap > 8 * SECOND
    assert judge_recovery([seen], ["web"], RTO).verdict is Verdict.NOT_PROVEN


async def until_probed(site: Site) -> None:
    async with asyncio.timeout(20):
        while not list(site.path.rglob("samples-web.jsonl")):  # noqa: ASYNC110 - a thread writes it
            await asyncio.sleep(0.01)


async def test_an_aborted_drill_is_told_what_was_seen(tmp_path: Path) -> None:
    site, environment = Site(tmp_path), ActivityEnvironment()
    watching = asyncio.create_task(
        environment.run(site.witness().watch_recovery, watch_of(site, free_port()))
    )
    await until_probed(site)

    environment.cancel(cancellation_details=ActivityCancellationDetails(cancel_requested=True))
    seen: Observation = await watching

    assert seen.probes == len(samples_of(site))
    judged = judge_recovery([seen], ["web"], RTO)
    assert judged.verdict is Verdict.FAILED
    assert "did not answer: Connection refused" in judged.reasons[0]


async def test_a_worker_that_leaves_hands_the_watch_over(tmp_path: Path) -> None:
    site, environment = Site(tmp_path), ActivityEnvironment()
    watching = asyncio.create_task(
        environment.run(site.witness().watch_recovery, watch_of(site, free_port()))
    )
    await until_probed(site)

    environment.cancel(cancellation_details=ActivityCancellationDetails(worker_shutdown=True))

    with pytest.raises(asyncio.CancelledError):
        await watching

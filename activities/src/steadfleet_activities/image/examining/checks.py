"""Try a machine in the ways that an order names; how each ended is a finding, never an exception."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import httpx

from steadfleet_activities.fleet.waiting import Pace
from steadfleet_activities.image.examining.files import try_file
from steadfleet_activities.image.examining.findings import (
    Found,
    Stored,
    Why,
    error,
    failed,
    last_line,
    passed,
)
from steadfleet_activities.image.examining.machine import Machine, UnreachableError
from steadfleet_activities.image.examining.suites import try_suite
from steadfleet_activities.image.platforms import Say
from steadfleet_core.image.golden import CommandTest, FileTest, HttpTest, ImageTest, TestinfraTest, TestSpec
from steadfleet_core.image.report import CheckResult, TestVerdict
from steadfleet_core.model import format_duration

MOST_BODY = 1024 * 1024
_LONGEST_REQUEST = 10.0


async def try_all(machine: Machine, spec: TestSpec, sources: Path, say: Say) -> list[Stored]:
    """Run the checks one after another, and none of them past the limit of all."""
    loop = asyncio.get_running_loop()
    end = loop.time() + spec.time_limit.total_seconds()
    over = f"the time limit of all tests ({format_duration(spec.time_limit)}) was over"
    stored = []
    for number, check in enumerate(spec.checks, 1):
        say(f"check {number} of {len(spec.checks)}: {check.name}")
        begun, left = loop.time(), timedelta(seconds=end - loop.time())
        if left <= timedelta(0):
            found = error(over)
        else:
            found = await _try(check, machine, min(check.time_limit, left), sources)
            if found.overdue and left < check.time_limit:
                found = found.model_copy(
                    update={"verdict": TestVerdict.ERROR, "reason": f"{over} before it ended"}
                )
        stored.append(recorded(check.name, check.type, found, loop.time() - begun))
    return stored


def not_booted(spec: TestSpec) -> list[Stored]:
    return [recorded(check.name, check.type, error(Why.NOT_BOOTED), 0) for check in spec.checks]


def recorded(name: str, kind: str, found: Found, seconds: float) -> Stored:
    result = CheckResult(
        name=name, type=kind, verdict=found.verdict, reason=found.reason, seconds=round(seconds, 3)
    )
    return Stored(result=result, found=found)


async def _try(check: ImageTest, machine: Machine, limit: timedelta, sources: Path) -> Found:
    try:
        match check:
            case CommandTest():
                return await _command(check, machine, limit)
            case HttpTest():
                return await _http(check, machine.address, limit)
            case FileTest():
                return await try_file(check, machine, limit)
            case TestinfraTest():
                return await try_suite(check, machine, limit, sources)
    except UnreachableError as unreachable:
        return error(str(unreachable))


async def _command(check: CommandTest, machine: Machine, limit: timedelta) -> Found:
    ran = await machine.run(check.run, limit)
    if ran.exit_status is None:
        return failed(f"did not end within {format_duration(limit)}", ran, overdue=True)
    if ran.exit_status != check.expected_exit:
        said = last_line(ran.stderr) or last_line(ran.stdout)
        ended = f"ended with {ran.exit_status}, expected {check.expected_exit}"
        return failed(f"{ended}: {said}" if said else ended, ran)
    if check.stdout is None:
        return passed(ran)
    if await asyncio.to_thread(re.search, check.stdout, str(ran.stdout), re.MULTILINE):
        return passed(ran)
    if ran.stdout.cut:
        return error(
            f"wrote {ran.stdout.total} bytes, of which the first {len(ran.stdout.content)} were kept, and "
            f"{check.stdout!r} is not in those: write less",
            ran,
        )
    return failed(f"wrote nothing that matches {check.stdout!r}, last: {last_line(ran.stdout)!r}", ran)


async def _http(check: HttpTest, address: str, limit: timedelta) -> Found:
    """Ask until it passes: a service may still be starting."""
    if not address:
        return error("the machine has no private address to be asked at")
    said, pace = "it was not asked", Pace()
    # The machine itself is asked, and nothing on the way: no proxy, no connection from before.
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=_LONGEST_REQUEST) as client:  # noqa: S501
        try:
            async with asyncio.timeout(limit.total_seconds()):
                while said := await _answer(client, check, address, said):
                    await pace.rest()
        except TimeoutError:
            where = f"http://{address}:{check.port}{check.path}"
            return failed(f"{where} did not pass within {format_duration(limit)}: {said}", overdue=True)
    return passed()


async def _answer(client: httpx.AsyncClient, check: HttpTest, address: str, before: str) -> str:
    """Ask once; return what is wrong, or nothing."""
    body = bytearray()
    try:
        async with client.stream("GET", f"http://{address}:{check.port}{check.path}") as response:
            if response.status_code != check.expected_status:
                return f"it answered {response.status_code}, expected {check.expected_status}"
            if check.body is None:
                return ""
            async for more in response.aiter_bytes():
                body += more
                if check.body.encode() in body[:MOST_BODY]:
                    return ""
                if len(body) > MOST_BODY:
                    break
    except (httpx.HTTPError, httpx.InvalidURL) as refused:
        return f"it did not answer: {str(refused) or type(refused).__name__ or before}"
    return f"its answer of {len(body)} bytes does not hold {check.body!r}"

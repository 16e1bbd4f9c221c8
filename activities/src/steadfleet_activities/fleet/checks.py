"""Ask a machine at its own address, the way a policy says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Self

import httpx

from steadfleet_activities.fleet.commands import Commands
from steadfleet_activities.fleet.health import Answer, Finding
from steadfleet_activities.fleet.machines import Machine
from steadfleet_core.campaign.policy import Check, CommandCheck, HttpCheck, TcpCheck
from steadfleet_core.model import format_duration

_PASSED = Finding(Answer.PASSED)


class Checks:
    """Runs checks; `async with` holds what they share."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        # The machine itself is asked, and nothing on the way: no proxy, no connection from before.
        # Only http:// is spoken, so no certificates are loaded.
        self._http = httpx.AsyncClient(
            verify=False,  # noqa: S501
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            timeout=None,  # noqa: S113 - each round has one limit for all of a request
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def round(self, machine: Machine, checks: tuple[Check, ...], timeout_time: timedelta) -> Finding:
        """Run every check at once; the worst finding counts, a failure before an unknown."""
        if not machine.address:
            return Finding(Answer.UNKNOWN, f"{machine.id} has no private address to be probed at")
        findings = await asyncio.gather(*(self._run(machine, check, timeout_time) for check in checks))
        for answer in (Answer.FAILED, Answer.UNKNOWN):
            for finding in findings:
                if finding.answer is answer:
                    return finding
        return _PASSED

    async def _run(self, machine: Machine, check: Check, timeout_time: timedelta) -> Finding:
        match check:
            case HttpCheck():
                return await self._get(machine.address, check, timeout_time)
            case TcpCheck():
                return await _connect(machine.address, check, timeout_time)
            case CommandCheck():
                return await self._commands.run(machine.id, check, timeout_time)

    async def _get(self, address: str, check: HttpCheck, timeout_time: timedelta) -> Finding:
        what = f"http :{check.port}{check.path}"
        try:
            async with (
                asyncio.timeout(timeout_time.total_seconds()),
                self._http.stream("GET", f"http://{address}:{check.port}{check.path}") as response,
            ):
                status = response.status_code
        except TimeoutError:
            return _failed(f"{what} did not answer within {format_duration(timeout_time)}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _failed(f"{what} did not answer: {str(error) or type(error).__name__}")
        if status == check.expected_status:
            return _PASSED
        return _failed(f"{what} answered {status}, expected {check.expected_status}")


async def _connect(address: str, check: TcpCheck, timeout_time: timedelta) -> Finding:
    try:
        async with asyncio.timeout(timeout_time.total_seconds()), _connection(address, check.port):
            return _PASSED
    except TimeoutError:
        return _failed(f"tcp :{check.port} did not accept within {format_duration(timeout_time)}")
    except OSError as error:
        return _failed(f"tcp :{check.port} refused: {error.strerror or error}")


@asynccontextmanager
async def _connection(address: str, port: int) -> AsyncIterator[None]:
    _, writer = await asyncio.open_connection(address, port)
    try:
        yield
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def _failed(said: str) -> Finding:
    return Finding(Answer.FAILED, said)

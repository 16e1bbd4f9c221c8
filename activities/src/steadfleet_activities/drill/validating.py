"""Carry out one validation of what was recovered."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from steadfleet_activities.drill.databases import Databases, Login
from steadfleet_activities.drill.drivers import Facts, ServiceDriver
from steadfleet_activities.drill.resolving import Resolving, UnresolvedError
from steadfleet_activities.drill.secrets import Secrets
from steadfleet_core.drill.plan import (
    ChecksumValidation,
    CommandValidation,
    HttpValidation,
    SqlValidation,
    TcpValidation,
)
from steadfleet_core.drill.report import CheckResult
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.errors import RefusedError
from steadfleet_core.model import format_duration
from steadfleet_durable import unbroken
from steadfleet_ports.drill import ValidationRequest

_SHOWN = 200


class UnprovenError(Exception):
    """A validation that could not be carried out: it says nothing of what was recovered."""


class FailedError(Exception):
    """What was recovered is not what the plan expects."""


@dataclass(frozen=True)
class Validating:
    """Asks recovered services and stores; `services` are the drivers by type."""

    databases: Databases
    resolving: Resolving
    secrets: Secrets
    services: Mapping[str, ServiceDriver]

    async def validate(self, request: ValidationRequest) -> CheckResult:
        """Return how it ended; nothing that what was recovered does is an error."""
        check = request.validation
        checks: dict[type, Callable[[Any, ValidationRequest], Awaitable[None]]] = {
            HttpValidation: self._http,
            TcpValidation: self._tcp,
            SqlValidation: self._sql,
            CommandValidation: self._command,
            ChecksumValidation: self._checksum,
        }
        began, passed, proven, reason = time.monotonic(), False, True, ""
        try:
            async with asyncio.timeout(check.time_limit.total_seconds()):
                await checks[type(check)](check, request)
            passed = True
        except TimeoutError:
            reason = f"it did not end within {format_duration(check.time_limit)}"
        except (FailedError, psycopg.Error, httpx.HTTPError, OSError) as error:
            # A name that cannot be asked for says nothing of the service behind it.
            proven = not isinstance(error, UnresolvedError)
            reason = str(error).strip() or type(error).__name__
        except (UnprovenError, RefusedError) as error:
            proven, reason = False, str(error)
        seconds = round(time.monotonic() - began, 3)
        return CheckResult(
            name=check.name, type=check.type, passed=passed, proven=proven, reason=reason, seconds=seconds
        )

    async def _http(self, check: HttpValidation, request: ValidationRequest) -> None:
        host, port = _place(_made(request, StepKind.START, check.service))
        address = await self.resolving.address(host)
        async with httpx.AsyncClient(
            timeout=check.time_limit.total_seconds(), trust_env=False, follow_redirects=False
        ) as client:
            url = httpx.URL(f"http://{address}:{port}").join(check.path)
            answer = await client.get(url, headers={"Host": f"{host}:{port}"})
        if answer.status_code != check.expected_status:
            raise FailedError(
                f"GET {check.path}: status {answer.status_code}, expected {check.expected_status}"
            )
        if check.body is not None and check.body not in answer.text:
            raise FailedError(f"GET {check.path}: {answer.text[:_SHOWN]!r} has no {check.body!r}")

    async def _tcp(self, check: TcpValidation, request: ValidationRequest) -> None:
        host, port = _place(_made(request, StepKind.START, check.service))
        _, writer = await asyncio.open_connection(await self.resolving.address(host), port)
        writer.close()

    async def _sql(self, check: SqlValidation, request: ValidationRequest) -> None:
        found = await self.databases.first_value(await self._login(check.store, request), check.query)
        if found is None:
            raise FailedError(f"no value, expected {check.expected!r}")
        if found != check.expected:
            raise FailedError(f"{found[:_SHOWN]!r}, expected {check.expected!r}")

    async def _checksum(self, check: ChecksumValidation, request: ValidationRequest) -> None:
        found = await self.databases.checksum(await self._login(check.store, request), check.query)
        if found != check.sha256:
            raise FailedError(f"SHA-256 {found}, expected {check.sha256}")

    async def _command(self, check: CommandValidation, request: ValidationRequest) -> None:
        service = next(one for one in request.drill.plan.spec.services if one.name == check.service)
        made = _made(request, StepKind.START, check.service)
        driver = self.services[service.type]
        outcome = await driver.run_command(request.drill, made, check.run, check.time_limit)
        if not outcome.proven:
            raise UnprovenError(outcome.reason)
        if not outcome.passed:
            raise FailedError(outcome.reason)

    async def _login(self, name: str, request: ValidationRequest) -> Login:
        store = next(one for one in request.drill.plan.spec.stores if one.name == name)
        host, port = _place(_made(request, StepKind.RESTORE, name))
        password = await unbroken(self.secrets.read, store.password, request.drill.region)
        return Login(host, port, store.database, store.user, password)


def _made(request: ValidationRequest, kind: StepKind, name: str) -> Facts:
    made = request.made.get(f"{kind} {name}")
    if made is None:
        raise UnprovenError(f"{name} was not recovered, so there is nothing to ask")
    return made


def _place(made: Facts) -> tuple[str, int]:
    return made["host"], int(made["port"])

"""Probe machines in rounds until there is a judgement."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from steadfleet_activities.fleet.checks import Checks
from steadfleet_activities.fleet.commands import Commands
from steadfleet_activities.fleet.health import Streak
from steadfleet_activities.fleet.machines import Machine
from steadfleet_core.campaign.policy import HealthChecks
from steadfleet_core.model import format_duration

PROBED_AT_ONCE = 100
_SHOWN = 5

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Prober:
    """Asks machines at their own addresses; what an API says of them is no health."""

    commands: Commands
    sleep: Sleep = asyncio.sleep
    now: Callable[[], float] = time.monotonic

    async def verify(self, machine: Machine, policy: HealthChecks) -> str | None:
        """
        Probe a fresh machine until it is judged; None if it is healthy, else why not.

        Nothing is asked until `initial_delay` after its launch. Then a round of all checks begins
        every `interval`, each check having `timeout`. It is healthy after `success_threshold`
        rounds in a row passed. It is not when `failure_threshold` rounds in a row did not pass
        after one had, or when `deadline` has gone by since the first round.
        """
        await self.sleep(_remaining_delay(machine, policy))
        end = self.now() + policy.deadline.total_seconds()
        streak = Streak(policy)
        async with Checks(self.commands) as checks:
            while not streak.judged:
                began = self.now()
                streak.note(await checks.round(machine, policy.checks, policy.timeout))
                if not streak.healthy and self.now() > end:
                    return f"{streak.reason()} when its deadline of {format_duration(policy.deadline)} passed"
                if not streak.judged:
                    await self._rest_until(began + policy.interval.total_seconds())
        return None if streak.healthy else streak.reason()

    async def sample(self, machines: list[Machine], policy: HealthChecks) -> list[Streak]:
        """
        Look once at machines that serve: each is asked until a round passes.

        One that does not pass `failure_threshold` rounds in a row, `interval` apart, is ill.
        """
        turns = asyncio.Semaphore(PROBED_AT_ONCE)
        async with Checks(self.commands) as checks:

            async def ask(machine: Machine) -> Streak:
                async with turns:
                    return await self._ask(checks, machine, policy)

            return list(await asyncio.gather(*(ask(machine) for machine in machines)))

    async def _ask(self, checks: Checks, machine: Machine, policy: HealthChecks) -> Streak:
        streak = Streak(policy)
        while not streak.answered:
            began = self.now()
            streak.note(await checks.round(machine, policy.checks, policy.timeout))
            if not streak.answered:
                await self._rest_until(began + policy.interval.total_seconds())
        return streak

    async def _rest_until(self, moment: float) -> None:
        await self.sleep(max(0.0, moment - self.now()))


def too_many(sick: dict[str, Streak], total: int, tolerance: int) -> tuple[str, ...]:
    """Say which hosts are not healthy, if they are more than may fail."""
    if len(sick) <= tolerance:
        return ()
    shown = [f"{host}: {sick[host].reason()}" for host in sorted(sick)[:_SHOWN]]
    more = [f"and {len(sick) - _SHOWN} more"] if len(sick) > _SHOWN else []
    said = (
        f"{len(sick)} of {total} hosts are not healthy, and {tolerance} may fail: "
        f"{'; '.join([*shown, *more])}. Mend them, leave them out, or raise failureTolerance.hosts"
    )
    return (said,)


def _remaining_delay(machine: Machine, policy: HealthChecks) -> float:
    up_for = datetime.now(UTC) - machine.launched
    return min(max(policy.initial_delay - up_for, timedelta(0)), policy.initial_delay).total_seconds()

"""Probe at a fixed rate: the n-th probe begins at the declared start and n intervals."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from steadfleet_activities.drill.witness.probing import Probe, Target
from steadfleet_core.drill.measuring import Observation, Sample

# A probe ends before the next begins, whatever it asks: one that is slow has failed.
_SHARE = 0.9

Note = Callable[[Sample, Observation], None]


@dataclass(frozen=True)
class Grid:
    """Moments that depend on the declared start alone, never on when a probe was answered."""

    start: datetime
    interval: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """Return the first moment that is not before `moment`: what was missed is not made up for."""
        passed = max(moment - self.start, timedelta(0))
        return self.start + -(-passed // self.interval) * self.interval


@dataclass(frozen=True)
class Watcher:
    """Adds probes to what was seen, until it is recovered or `until` has come. `note` hears of each."""

    probe: Probe
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def watch(self, seen: Observation, target: Target, until: datetime, note: Note) -> Observation:
        grid = Grid(seen.declared_at, seen.interval)
        due = grid.next_after(self.now())
        while seen.recovered_at is None and due <= until:
            await self._wait(due)
            sample = await self._ask(target, seen.interval * _SHARE)
            seen = seen.seen(sample)
            note(sample, seen)
            due = grid.next_after(max(self.now(), due + seen.interval))
        return seen

    async def _ask(self, target: Target, within: timedelta) -> Sample:
        began = self.now()
        problem = await self.probe(target, within)
        if not problem and self.now() - began > within:
            # This process was held up, and with it the end of the probe: when that answer came to be
            # good is not known.
            problem = "answered, but too late to tell when"
        return Sample(at=began, good=not problem, reason=problem)

    async def _wait(self, moment: datetime) -> None:
        while (rest := (moment - self.now()).total_seconds()) > 0:
            await self.sleep(rest)

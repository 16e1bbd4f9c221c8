"""What a campaign tells its waves, a wave its shards, and what they tell back."""

from datetime import datetime, timedelta
from enum import StrEnum

from steadfleet_core.campaign.counts import Counts
from steadfleet_core.campaign.plan import PlannedWave
from steadfleet_core.campaign.policy import PatchSpec
from steadfleet_core.campaign.verdict import Verdict
from steadfleet_core.fleet import HostFailure, HostState, Image
from steadfleet_core.model import Digest, Model

MOST_FAILURES = 50
"""Failures that a wave or a campaign lists; its counts are always whole."""

TELLS = 25
"""Times a shard tells its progress, at the most, beside its pauses: histories stay small."""


class Direction(StrEnum):
    CHANGE = "change"
    RESTORE = "restore"


class Steering(Model):
    """What a wave is to do now; a higher `number` replaces what came before."""

    number: int = 0
    paused: bool = False
    stop: bool = False
    advance: bool = False


class WaveOrder(Model):
    """Change, or restore, the hosts of one wave.

    `campaign` is the campaign's workflow id and `run` its first run's; `zones` counts the whole
    fleet. `failed` counts failures of an earlier look at the wave that still count; `states` says
    where the hosts of each shard stand already (none: untouched);
    `unrestored` counts failed hosts of other waves, which still consume the budget.
    """

    campaign: str
    run: str
    plan: Digest
    image: Image
    spec: PatchSpec
    zones: dict[str, int]
    wave: PlannedWave
    direction: Direction = Direction.CHANGE
    attempt: int = 1
    failed: int = 0
    states: tuple[str, ...] = ()
    unrestored: dict[str, int] = {}
    steering: Steering = Steering()

    @property
    def workflow_id(self) -> str:
        retried = f".{self.attempt}" if self.attempt > 1 else ""
        restoring = "/rollback" if self.direction is Direction.RESTORE else ""
        return f"{self.campaign}/{self.wave.number}{retried}{restoring}"


class ShardOrder(Model):
    """The part of a wave's order that one shard carries out; `failed` counts the wave's so far."""

    wave: WaveOrder
    shard: int
    failed: int = 0
    states: str = ""
    unrestored: dict[str, int] = {}
    steering: Steering = Steering()

    @property
    def workflow_id(self) -> str:
        return f"{self.wave.workflow_id}/{self.shard}"


class ShardProgress(Model):
    """`held` is the number of the pause under which nothing is in flight any more."""

    counts: Counts
    held: int = 0


class ShardReport(Model):
    """How a shard ended: a letter a host (see `HostState`), and what went wrong."""

    states: str
    failed: int
    failures: tuple[HostFailure, ...] = ()
    unrestored: dict[str, int] = {}


class WaveProgress(Model):
    """One wave as it stands. `baked` is watched, healthy time without pauses, of `bake` in all."""

    number: int
    direction: Direction = Direction.CHANGE
    counts: Counts = Counts()
    verdict: Verdict | None = None
    baking: bool = False
    baked: timedelta = timedelta(0)
    bake: timedelta = timedelta(0)
    started_at: datetime | None = None
    changed_at: datetime | None = None
    ended_at: datetime | None = None
    held: int = 0


class WaveReport(Model):
    """How a wave ended; `verdict` is none when it was stopped or only restored."""

    progress: WaveProgress
    states: tuple[str, ...]
    failures: tuple[HostFailure, ...] = ()
    unrestored: dict[str, int] = {}
    reason: str = ""
    stopped: bool = False

    @property
    def verdict(self) -> Verdict | None:
        return self.progress.verdict

    def letters(self, state: HostState) -> int:
        return sum(shard.count(state) for shard in self.states)

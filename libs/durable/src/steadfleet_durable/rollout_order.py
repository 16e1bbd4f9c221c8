"""What a rollout is asked to do, how it may end, and what it says of itself.

RolloutError
├── RolloutRefusedError   nothing was begun, or somebody else has changed the routing since
└── RolloutTakenBackError the new version went bad: it takes no new work any more
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

Sleep = Callable[[timedelta], Awaitable[None]]
Say = Callable[[str], None]

_WHOLE = 100


class RolloutError(Exception):
    """A rollout that did not come to its end; `advice` says what to do."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class RolloutRefusedError(RolloutError):
    """Nothing was changed, or nothing more."""


class RolloutTakenBackError(RolloutError):
    """The new version went bad while it ramped, and takes no new work any more."""


@dataclass(frozen=True)
class Gate:
    """A workflow that must succeed on the new version of a deployment before it is given any work."""

    deployment: str
    workflow: str
    argument: object = None


@dataclass(frozen=True)
class RolloutOrder:
    """
    Which build takes over, where, and how carefully.

    `steps` are percentages of new work; after the last one's pause the build is made current.
    `patience` is how long its workers may take to poll, `interval` how often they are looked at.
    """

    build_id: str
    deployments: tuple[str, ...]
    steps: tuple[int, ...] = (10, 50, _WHOLE)
    pause: timedelta = timedelta(minutes=5)
    patience: timedelta = timedelta(minutes=2)
    interval: timedelta = timedelta(seconds=10)
    gates: tuple[Gate, ...] = field(default=())

    def __post_init__(self) -> None:
        if any(before >= after for before, after in pairwise(self.steps)) or not all(
            0 < step <= _WHOLE for step in self.steps
        ):
            raise RolloutRefusedError(
                f"steps {','.join(str(step) for step in self.steps)}: expected whole percentages that rise,"
                " above 0 and up to 100",
                "give --steps 10,50,100",
            )
        foreign = {gate.deployment for gate in self.gates} - set(self.deployments)
        if foreign:
            raise RolloutRefusedError(
                f"a gate for {', '.join(sorted(foreign))}, which is not rolled out here",
                f"gates are for {', '.join(self.deployments)}",
            )


@dataclass(frozen=True)
class RolledOut:
    """What became of one deployment: its version before, and what is still pinned to that."""

    deployment: str
    build_id: str
    before: str | None
    running: int

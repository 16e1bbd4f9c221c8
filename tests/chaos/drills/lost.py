"""Answers that get lost: the first of every different change that a drill's workers make."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from chaos.moments import caller_of

from steadfleet_local_cloud import LocalCloud
from steadfleet_local_cloud.calls import Call
from steadfleet_local_cloud.faults import Fault, Kind

_WORKERS = {"driller", "witness", "janitor"}


@dataclass
class Losses:
    """`lost` says of which actions an answer was lost."""

    cloud: LocalCloud
    lost: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def awaited(self) -> Iterator[Self]:
        faults = self.cloud.faults
        before = faults.strike_call
        faults.strike_call = self._strike  # type: ignore[method-assign]
        try:
            yield self
        finally:
            faults.strike_call = before  # type: ignore[method-assign]

    def _strike(self, call: Call) -> list[Fault]:
        if not call.mutating or caller_of(call) not in _WORKERS or "DryRun" in call.parameters:
            return []
        with self._lock:
            if call.action in self.lost:
                return []
            self.lost.add(call.action)
        return [Fault(id=f"lost-{call.action}", kind=Kind.LOST)]
